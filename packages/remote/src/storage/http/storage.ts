import { INDEX_LIMIT, PACK_LIMIT } from '../../format/limits.ts';
import { problemByStatus } from '../network.ts';
import { StorageError } from '../problem.ts';
import { readOut, STALL_MS } from '../read-out.ts';
import type { CallOptions, GetOptions, ObjectInfo, Reading, Storage } from '../storage.ts';
import { type Answer, discard, header, httpProblem, openConnections } from './ask.ts';
import { isPlain, readBody, WholeObjects } from './whole.ts';

export interface HttpOptions {
  /** Milliseconds; see `STALL_MS`. */
  readonly timeout?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * What a web server publishes under a URL as storage that can only be read, by keys that are known. Proxies on the way may
 * keep what they like: objects never change, and what may be newer is asked for with `fresh`.
 * @param base ends with a slash.
 */
export function httpStorage(base: string, { env, timeout: stallMs = STALL_MS }: HttpOptions): Storage {
  const connections = openConnections(env, stallMs);
  const whole = new WholeObjects(2 * PACK_LIMIT);
  let ranges = true;
  /** Whether anything could be read: a server that lists nothing may say of what is absent that it is forbidden. */
  let readable = false;

  async function ask(method: 'GET' | 'HEAD', key: string, more: Record<string, string>, options: GetOptions) {
    const headers = {
      'accept-encoding': 'identity',
      'user-agent': 'dag',
      ...(options.fresh === true ? { 'cache-control': 'no-cache', pragma: 'no-cache' } : {}),
      ...more,
    };
    const answer = await connections.ask(method, new URL(key, base), headers, options.signal);
    const { statusCode: status, statusText } = answer;
    if (status === 200 || status === 206) {
      readable = true;
      return answer;
    }
    discard(answer);
    if (status === 404 || status === 410 || (status === 403 && readable)) return undefined;
    if (status === 416) return 'outside';
    const text = `${status} ${statusText}`.trim();
    throw problemByStatus(status, text) ?? new StorageError('refused', text, { transient: false });
  }

  async function getWhole(key: string, options: GetOptions, limit: number): Promise<Buffer | undefined> {
    const answer = await ask('GET', key, {}, options);
    return answer === undefined || answer === 'outside' ? undefined : await readBody(answer, limit, options.signal);
  }

  /** The announced bytes of an answer, as they come. */
  function streamed(answer: Answer, size: number, signal: AbortSignal | undefined): Reading {
    return { size, body: readOut(answer.body, { size, signal, stallMs, problemOf: httpProblem }) };
  }

  async function get(key: string, options: GetOptions = {}): Promise<Reading | undefined> {
    const { range, signal } = options;
    if (range !== undefined) return await getRange(key, range, options);
    const answer = await ask('GET', key, {}, options);
    if (answer === undefined || answer === 'outside') return undefined;
    const size = lengthOf(answer);
    if (isPlain(answer) && size !== undefined) return streamed(answer, size, signal);
    return inMemory(await readBody(answer, INDEX_LIMIT, signal));
  }

  async function getRange(
    key: string,
    { start, length }: NonNullable<GetOptions['range']>,
    options: GetOptions,
  ): Promise<Reading | undefined> {
    if (ranges) {
      const answer = await ask('GET', key, { range: `bytes=${start}-${start + length - 1}` }, options);
      if (answer === undefined) return undefined;
      if (answer === 'outside') return inMemory(Buffer.alloc(0));
      if (isPart(answer, start, length)) return streamed(answer, lengthOf(answer) ?? 0, options.signal);
      discard(answer);
      ranges = false;
    }
    if (options.fresh === true) whole.forget(key);
    // The signal is that of one who asks, of several.
    const bytes = await whole.get(key, () => getWhole(key, { ...options, signal: undefined }, PACK_LIMIT));
    options.signal?.throwIfAborted();
    return bytes === undefined ? undefined : inMemory(bytes.subarray(start, start + length));
  }

  async function head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const answer = await ask('HEAD', key, {}, options);
    if (answer === undefined || answer === 'outside') return undefined;
    answer.body.resume();
    const modified = Date.parse(header(answer, 'last-modified'));
    // What is said of packed bytes is not what is said of the object.
    const size = isPlain(answer) ? lengthOf(answer) : (await getWhole(key, options, INDEX_LIMIT))?.length;
    if (size === undefined) throw new StorageError('refused', 'an answer without a length', { transient: false });
    return { key, size, modified: Number.isNaN(modified) ? 0 : modified };
  }

  const refuse = async (): Promise<never> => {
    throw new StorageError('read-only', '', { transient: false });
  };
  return {
    url: base,
    capabilities: { conditionalPut: false, writable: false, jobs: 16 },
    put: refuse,
    get,
    head,
    list: () => ({ [Symbol.asyncIterator]: () => ({ next: refuse }) }),
    delete: refuse,
    settle: async () => {},
    close: () => connections.close(),
  };
}

function inMemory(bytes: Buffer): Reading {
  async function* body(): AsyncGenerator<Uint8Array> {
    if (bytes.length > 0) yield bytes;
  }
  return { size: bytes.length, body: body() };
}

function lengthOf(answer: Answer): number | undefined {
  const text = header(answer, 'content-length');
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Whether an answer is the part that was asked for, or its beginning where the object ends before it does. An object that ends
 * before the part does may come as whole.
 */
function isPart(answer: Answer, start: number, length: number): boolean {
  if (!isPlain(answer)) return false;
  if (answer.statusCode === 200) return start === 0 && (lengthOf(answer) ?? length + 1) <= length;
  const [, from, to] = /^bytes (\d{1,15})-(\d{1,15})\//.exec(header(answer, 'content-range')) ?? [];
  const size = Number(to) - Number(from) + 1;
  return Number(from) === start && size > 0 && size <= length && lengthOf(answer) === size;
}
