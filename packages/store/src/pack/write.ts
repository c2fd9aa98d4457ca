import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestHex } from '@dag/model';
import { removeFile, writeAll } from '../durable.ts';
import { hashBytes } from '../hash.ts';
import { OBJECT_MODE } from '../layout.ts';
import { tempName } from '../owner.ts';
import { encodeFooter, MAGIC, PackList } from './format.ts';

const BUFFER_SIZE = 4 * 1024 * 1024;

/** Memory that one pack after the other can use. */
export class PackMemory {
  readonly buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  readonly list = new PackList();
}

/** One pack on its way to disk: objects go in, then it is closed. Its file has a temp name until the batch publishes it. */
export class PackWriter {
  readonly temp: string;
  readonly #fd: number;
  #open = true;
  readonly #list: PackList;
  readonly #buffer: Buffer;
  #used = 0;
  #size = 0;

  /** @param memory for this pack alone until it is closed or discarded. */
  constructor(tmp: string, memory = new PackMemory()) {
    this.#list = memory.list;
    this.#list.clear();
    this.#buffer = memory.buffer;
    this.temp = join(tmp, tempName('pack'));
    this.#fd = openSync(this.temp, 'wx', OBJECT_MODE);
    this.#append(MAGIC);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Objects so far. */
  get count(): number {
    return this.#list.count;
  }

  add(bytes: Uint8Array, digest: Digest): void {
    this.#list.add(digestHex(digest), { offset: this.#size, length: bytes.length });
    this.#append(bytes);
  }

  /** Writes index and footer. Not synced: the batch does that. @returns the name that the pack is to have. */
  close(): string {
    const index = this.#list.encode();
    const indexHash = Buffer.from(digestHex(hashBytes(index)), 'hex');
    const footer = encodeFooter({ indexOffset: this.#size, count: this.#list.count, indexHash });
    try {
      this.#append(index);
      this.#append(footer);
      this.#flush();
    } catch (error) {
      this.discard();
      throw error;
    }
    this.#open = false;
    closeSync(this.#fd);
    return `${indexHash.toString('hex')}.pack`;
  }

  discard(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
    removeFile(this.temp);
  }

  #append(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER_SIZE) this.#flush();
    if (bytes.length > BUFFER_SIZE) {
      writeAll(this.#fd, bytes);
    } else {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    this.#size += bytes.length;
  }

  #flush(): void {
    writeAll(this.#fd, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}
