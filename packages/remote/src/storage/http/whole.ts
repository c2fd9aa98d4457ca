import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { StorageError } from '../problem.ts';
import { type Answer, header, httpProblem } from './ask.ts';

/** Whether the body is the object's bytes, and not these packed by the server or a proxy. */
export function isPlain(answer: Answer): boolean {
  return /^(identity)?$/i.test(header(answer, 'content-encoding'));
}

/**
 * Reads an answer into memory, unpacked where the server or a proxy packed it: never more than `limit` bytes, however small it
 * came. Fewer bytes than were announced are an error.
 * @param signal the one of the request, which ends its body too.
 */
export async function readBody(answer: Answer, limit: number, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of unpacked(answer) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new StorageError('refused', `more than ${limit} bytes come`, { transient: false });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  } catch (error) {
    signal?.throwIfAborted();
    throw String((error as { code?: unknown }).code ?? '').startsWith('Z_')
      ? new StorageError('busy', 'it came packed, and can not be unpacked', { transient: true })
      : httpProblem(error);
  } finally {
    answer.body.destroy();
  }
}

const UNPACK: Readonly<Record<string, typeof createGunzip | typeof createBrotliDecompress>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function unpacked(answer: Answer): Readable {
  if (isPlain(answer)) return answer.body;
  const encoding = header(answer, 'content-encoding').toLowerCase();
  const unpack = Object.hasOwn(UNPACK, encoding) ? UNPACK[encoding]?.() : undefined;
  if (unpack === undefined) {
    throw new StorageError('refused', `it sends what was not asked for (content-encoding ${encoding})`, {
      transient: false,
    });
  }
  return pipeline(answer.body, unpack, () => {});
}

/** What is damaged is read anew so often, however many parts of it are asked for again. */
const FORGOTTEN_AT_MOST = 2;

/**
 * Objects as whole, for servers that give no part of one: the last ones read, as far as they fit, and each read once
 * however many ask for parts of it at the same time.
 */
export class WholeObjects {
  readonly #fits: number;
  readonly #read = new Map<string, Promise<Buffer | undefined>>();
  readonly #sizes = new Map<string, number>();
  readonly #forgotten = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @param fits bytes that are kept. */
  constructor(fits: number) {
    this.#fits = fits;
  }

  /** An object, read by `read` where it is not here. One is read at a time: that bounds the memory. */
  async get(key: string, read: () => Promise<Buffer | undefined>): Promise<Buffer | undefined> {
    const known = this.#read.get(key);
    if (known !== undefined) {
      this.#read.delete(key);
      this.#read.set(key, known);
      return await known;
    }
    const reading = this.#turn.then(read);
    this.#turn = reading.catch(() => undefined);
    this.#read.set(key, reading);
    try {
      const bytes = await reading;
      this.#keep(key, bytes?.length ?? 0);
      return bytes;
    } catch (error) {
      this.#read.delete(key);
      throw error;
    }
  }

  /** Has it read anew by the next who asks; not more than a few times. */
  forget(key: string): void {
    const before = this.#forgotten.get(key) ?? 0;
    if (before >= FORGOTTEN_AT_MOST) return;
    this.#forgotten.set(key, before + 1);
    this.#read.delete(key);
    this.#sizes.delete(key);
  }

  #keep(key: string, size: number): void {
    this.#sizes.set(key, size);
    let all = 0;
    for (const [, bytes] of this.#sizes) all += bytes;
    for (const old of this.#read.keys()) {
      if (all <= this.#fits || old === key) break;
      const bytes = this.#sizes.get(old);
      if (bytes === undefined) continue;
      all -= bytes;
      this.#sizes.delete(old);
      this.#read.delete(old);
    }
  }
}
