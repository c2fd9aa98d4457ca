import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Connection, type Endpoint, type Head } from './connection.ts';

type Handler = S3Client['config']['requestHandler'];
type Request = Parameters<Handler['handle']>[0];
interface Options {
  readonly abortSignal?: AbortSignal;
}
type Answer = Awaited<ReturnType<Handler['handle']>>;

/** Longer texts about an error are of no use to anybody. */
const ERROR_LIMIT = 64 * 1024;

/**
 * Has a client's GETs of objects go over connections of our own (connection.ts): signed by the SDK as all else, and read
 * by it where the answer is an error. Whatever is out of the ordinary is left to the handler that the client has.
 */
export function getDirectly(client: S3Client, how: Pick<Endpoint, 'ca' | 'stallMs'>): void {
  const inner = client.config.requestHandler;
  const pool = new Pool();
  const handle = async (request: Request, options: Options = {}): Promise<Answer> => {
    const isGet = request.method === 'GET' && request.query['x-id'] === 'GetObject' && request.body === undefined;
    const answer = isGet ? await directly(pool, request, options, how) : undefined;
    return answer ?? (await inner.handle(request, options));
  };
  client.config.requestHandler = Object.create(inner, {
    handle: { value: handle },
    destroy: {
      value: () => {
        pool.close();
        inner.destroy?.();
      },
    },
  }) as Handler;
}

/** @returns undefined where the answer is one that only the SDK's own handler can read. */
async function directly(
  pool: Pool,
  request: Request,
  { abortSignal }: Options,
  how: Pick<Endpoint, 'ca' | 'stallMs'>,
): Promise<Answer | undefined> {
  const tls = request.protocol === 'https:';
  const endpoint = { tls, host: request.hostname, port: request.port ?? (tls ? 443 : 80), ...how };
  for (;;) {
    const { connection, isNew } = pool.take(endpoint);
    const stop = (): void => connection.destroy(Object.assign(new Error('aborted'), { name: 'AbortError' }));
    if (abortSignal?.aborted === true) stop();
    else abortSignal?.addEventListener('abort', stop, { once: true });
    try {
      connection.send(requestText(request));
      const head = await connection.readHead().catch((error: unknown) => {
        if (isNew || abortSignal?.aborted === true) throw error;
        return undefined;
      });
      if (head !== undefined) return await answerOf(head, connection, () => pool.give(endpoint, connection));
      // The other side may end a connection at any time between two requests.
      connection.destroy();
      if (isNew) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      abortSignal?.removeEventListener('abort', stop);
    }
  }
}

function requestText({ path, query, headers }: Request): string {
  const escaped = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, percent);
  const pairs = Object.keys(query).sort();
  const search = pairs.map((key) => `${escaped(key)}=${escaped(String(query[key] ?? ''))}`).join('&');
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path}?${search} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

async function answerOf(head: Head, connection: Connection, done: () => void): Promise<Answer | undefined> {
  const { status, reason, headers, keepAlive } = head;
  const announced = headers['content-length'];
  const size = announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : undefined;
  const isPlain = size !== undefined && headers['transfer-encoding'] === undefined;
  const release = (): void => {
    if (keepAlive && !connection.isOver) done();
    else connection.destroy();
  };
  const answer = (body: Readable): Answer => ({ response: { statusCode: status, reason, headers, body } as never });
  if (isPlain && status < 300) return answer(new Body(connection, size, release));
  if (isPlain && size <= ERROR_LIMIT) {
    const parts: Uint8Array[] = [];
    for await (const part of new Body(connection, size, release)) parts.push(Uint8Array.from(part as Uint8Array));
    return answer(Readable.from([Buffer.concat(parts)]));
  }
  connection.destroy();
  // A server that is busy is not asked the same again at once, only to hear in what words it says so.
  return status >= 500 || status === 429 || status === 408 ? answer(Readable.from([Buffer.alloc(0)])) : undefined;
}

/** The body of an answer. Iterated over, its chunks are valid until the next is asked for. */
class Body extends Readable {
  readonly #connection: Connection;
  readonly #release: () => void;
  #left: number;
  #isReleased = false;
  #isIterated = false;

  constructor(connection: Connection, size: number, release: () => void) {
    super();
    this.#connection = connection;
    this.#left = size;
    this.#release = release;
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> & AsyncDisposable {
    this.#isIterated = true;
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const value = await this.#next();
      return value === undefined ? { done: true, value } : { done: false, value };
    };
    const stop = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      this.destroy();
      return { done: true, value: undefined };
    };
    return {
      next,
      return: stop,
      [Symbol.asyncIterator]() {
        return this;
      },
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk === undefined ? null : Uint8Array.from(chunk)),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#isReleased) this.#connection.destroy(error ?? undefined);
    // Who iterates hears of it from the connection.
    callback(this.#isIterated ? null : error);
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#left > 0) {
      const chunk = await this.#connection.read();
      // What is missing, the reader counts.
      if (chunk === undefined) return undefined;
      if (chunk.length > this.#left) throw Object.assign(new Error('more came than was announced'), { code: 'EPIPE' });
      this.#left -= chunk.length;
      return chunk;
    }
    if (!this.#isReleased) {
      this.#isReleased = true;
      this.#release();
    }
    return undefined;
  }
}

/** Connections that wait for their next request. */
class Pool {
  readonly #idle = new Map<string, Connection[]>();
  #isClosed = false;

  take(endpoint: Endpoint): { readonly connection: Connection; readonly isNew: boolean } {
    const idle = this.#idle.get(nameOf(endpoint));
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
      if (connection.isOver) {
        connection.destroy();
        continue;
      }
      connection.rest(false);
      return { connection, isNew: false };
    }
    return { connection: new Connection(endpoint), isNew: true };
  }

  give(endpoint: Endpoint, connection: Connection): void {
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    connection.rest(true);
    const idle = this.#idle.get(nameOf(endpoint));
    if (idle === undefined) this.#idle.set(nameOf(endpoint), [connection]);
    else idle.push(connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of [...this.#idle.values()].flat()) connection.destroy();
    this.#idle.clear();
  }
}

function nameOf({ tls, host, port }: Endpoint): string {
  return `${tls} ${host} ${port}`;
}
