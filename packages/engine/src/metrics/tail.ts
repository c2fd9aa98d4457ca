import fs from 'node:fs';
import { METRIC_LINE_LIMIT, type MetricLine, parseMetricLine } from '@dag/model';

const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;

/** Reads a metrics file while others append to it. Memory is bounded by the longest line that counts. */
export class MetricTail {
  readonly #file: string;
  #handle: number | undefined;
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  /** In a line that is too long to count. */
  #skipping = false;

  /** @param file absolute; it need not be there yet. */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Reads what has come since the last time, at most about so many bytes. A last line without its end waits for it.
   * @returns whether there may be more.
   */
  read(limit: number, onLine: (line: MetricLine) => void): boolean {
    if (!this.#open()) return false;
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, limit));
    for (let taken = 0; taken < limit; ) {
      const read = this.#readAt(buffer);
      if (read === 0) return false;
      this.#at += read;
      taken += read;
      this.#split(buffer.subarray(0, read), onLine);
    }
    return true;
  }

  close(): void {
    if (this.#handle !== undefined) fs.closeSync(this.#handle);
    this.#handle = undefined;
  }

  #open(): boolean {
    if (this.#handle !== undefined) return true;
    if (!fs.existsSync(this.#file)) return false;
    try {
      this.#handle = fs.openSync(this.#file, 'r');
    } catch {
      return false;
    }
    return true;
  }

  #readAt(buffer: Buffer): number {
    try {
      return this.#handle === undefined ? 0 : fs.readSync(this.#handle, buffer, 0, buffer.length, this.#at);
    } catch {
      return 0;
    }
  }

  #split(chunk: Buffer, onLine: (line: MetricLine) => void): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end), onLine);
      start = end + 1;
    }
    const left = chunk.subarray(start);
    if (this.#rest.length + left.length > METRIC_LINE_LIMIT) this.#skipping = true;
    this.#rest = this.#skipping ? Buffer.alloc(0) : Buffer.concat([this.#rest, left]);
  }

  #take(end: Buffer, onLine: (line: MetricLine) => void): void {
    const isKept = !this.#skipping && this.#rest.length + end.length <= METRIC_LINE_LIMIT;
    const bytes = this.#rest.length === 0 ? end : Buffer.concat([this.#rest, end]);
    this.#rest = Buffer.alloc(0);
    this.#skipping = false;
    const line = isKept ? parseMetricLine(bytes.toString('utf8')) : undefined;
    if (line !== undefined) onLine(line);
  }
}
