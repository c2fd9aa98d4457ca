import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** Memory into which a connection reads: larger ones save calls, this much saves most of them. */
const BUFFER_SIZE = 256 * 1024;
const CONNECT_MS = 10_000;
/** No honest head of an answer is longer. */
const HEAD_LIMIT = 64 * 1024;

export interface Endpoint {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** Certificate authorities, where they aren't Node's. */
  readonly ca?: readonly string[] | undefined;
  /** Milliseconds in which nothing moves before it is given up. */
  readonly stallMs: number;
}

/** The head of an answer; names of headers are in lower case. */
export interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly keepAlive: boolean;
}

/**
 * An HTTP/1.1 connection for one request after the other, whose answers are read into the same memory again and again:
 * what Node's own client spends on a large body is four times what it takes to receive it.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #tls: boolean;
  /** Bytes that nobody has asked for yet. */
  #pending: Uint8Array | undefined;
  #waiting: { resolve(bytes: Uint8Array | undefined): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;
  #isOver = false;

  constructor({ tls, host, port, ca, stallMs }: Endpoint) {
    this.#tls = tls;
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(BUFFER_SIZE),
      callback: (length, buffer) => this.#arrived(buffer.subarray(0, length)),
    };
    const name = host.replace(/^\[|\]$/g, '');
    const servername = isIP(name) === 0 ? { servername: name } : {};
    const trusted = ca === undefined ? {} : { ca: [...ca] };
    const options: ConnectionOptions & { onread: OnReadOpts } = { host: name, port, onread, ...servername, ...trusted };
    this.#socket = tls ? connectTls(options) : connectPlain({ host: name, port, onread });
    const slow = setTimeout(() => this.destroy(fault('ETIMEDOUT', 'it did not answer')), CONNECT_MS);
    this.#socket.once(tls ? 'secureConnect' : 'connect', () => clearTimeout(slow));
    this.#socket.once('close', () => clearTimeout(slow));
    this.#socket.setTimeout(stallMs, () => this.destroy(fault('TimeoutError', 'nothing came')));
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.once('end', () => this.#end());
    this.#socket.once('close', () => this.#end());
  }

  /** Whether it can't be used for another request. */
  get isOver(): boolean {
    return this.#isOver || this.#pending !== undefined;
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** What comes next, valid until the next call; undefined when the other side has ended the connection. */
  async read(): Promise<Uint8Array | undefined> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) return pending;
    if (this.#error !== undefined) throw this.#error;
    if (this.#isOver) return undefined;
    return await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.resume();
    });
  }

  /** The head of an answer; undefined when the connection ends before the first byte of it. */
  async readHead(): Promise<Head | undefined> {
    let text = '';
    for (;;) {
      const bytes = await this.read();
      if (bytes === undefined) {
        if (text === '') return undefined;
        throw fault('ECONNRESET', 'the answer broke off');
      }
      const before = text.length;
      text += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_LIMIT)).toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) {
        if (text.length >= HEAD_LIMIT) throw fault('Parse Error', 'the head of the answer does not end');
        continue;
      }
      const rest = bytes.subarray(end + 4 - before);
      if (rest.length > 0) this.#pending = rest;
      const head = parseHead(text.slice(0, end));
      // 100 and its like: the answer itself is still to come.
      if (head.status >= 200) return head;
      text = '';
    }
  }

  /** Between two requests it does not keep the process alive, and hears when the other side ends it. */
  rest(isResting: boolean): void {
    if (isResting) this.#socket.unref().resume();
    else this.#socket.ref();
  }

  destroy(error?: Error): void {
    this.#end(error);
    this.#socket.destroy();
  }

  #arrived(bytes: Uint8Array): boolean {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) {
      // TLS may bring more before it heeds that it is to pause, into the same memory.
      waiting.resolve(this.#tls ? Uint8Array.from(bytes) : bytes);
    } else if (this.#pending === undefined) {
      this.#pending = this.#tls ? Uint8Array.from(bytes) : bytes;
    } else {
      this.#pending = Buffer.concat([this.#pending, bytes]);
    }
    return false;
  }

  #end(error?: Error): void {
    this.#isOver = true;
    this.#error ??= error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#error !== undefined) waiting?.reject(this.#error);
    else waiting?.resolve(undefined);
  }
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const [, version, status, reason = ''] = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(first) ?? [];
  if (status === undefined) throw fault('Parse Error', 'no answer in HTTP');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw fault('Parse Error', 'a header that is none');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  const keepAlive = version === '1' && !/\bclose\b/i.test(headers['connection'] ?? '');
  return { status: Number(status), reason, headers, keepAlive };
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code, name: code });
}
