import fs from 'node:fs';
import path from 'node:path';
import type { MetricLine } from '@dag/model';
import { withIo } from '@dag/store';
import { eventRecord, versionRecord } from './event.ts';

/** Bytes of records that are written in one go. */
const PIECE = 1024 * 1024;

/**
 * An event file made of the lines of a report, in their order. The same lines give the same bytes, so that a file which is there
 * already, from an earlier export or one that was killed, is gone on with: what it has is compared, not written again, so that
 * a TensorBoard which follows it goes on too. From where it has other bytes it is written anew.
 */
export class EventFile {
  readonly #file: string;
  readonly #images: string;
  readonly #began: number;
  readonly #steps = new Map<string, number>();
  #handle: number | undefined;
  /** Bytes that are in the file and were found, or made, to be as they should. */
  #at = 0;
  /** Whether there is more in it. */
  #comparing = true;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #written = 0;

  /**
   * @param folder of the run; absolute. It is made with the first record.
   * @param images folder of its images; absolute.
   * @param began when the run did, in milliseconds since 1970.
   */
  constructor(folder: string, images: string, began: number) {
    this.#file = path.join(folder, `events.out.tfevents.${Math.floor(began / 1000)}.dag`);
    this.#images = images;
    this.#began = began / 1000;
  }

  /** Records that were not there before. */
  get written(): number {
    return this.#written;
  }

  add(line: MetricLine): void {
    const image = 'image' in line ? readImage(path.join(this.#images, line.image)) : undefined;
    if ('image' in line && image === undefined) return;
    if (this.#handle === undefined) this.#open();
    const count = this.#steps.get(line.name) ?? 0;
    this.#steps.set(line.name, count + 1);
    const { at = this.#began, step = count } = line;
    this.#put(eventRecord(line, { at, step, ...(image === undefined ? {} : { image }) }));
  }

  /** Has all that was added be in the file. */
  flush(): void {
    const handle = this.#handle;
    if (handle === undefined || this.#waitingBytes === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    withIo('write', this.#file, () => {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(handle, bytes, at, bytes.length - at, this.#at + at);
    });
    this.#at += bytes.length;
  }

  close(): void {
    this.flush();
    if (this.#handle !== undefined) fs.closeSync(this.#handle);
    this.#handle = undefined;
  }

  #open(): void {
    withIo('write', this.#file, () => {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true });
      this.#handle = fs.openSync(this.#file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
    });
    this.#put(versionRecord(this.#began));
    this.#written = 0;
  }

  #put(record: Buffer): void {
    if (this.#comparing && this.#has(record)) {
      this.#at += record.length;
      return;
    }
    this.#written++;
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes >= PIECE) this.flush();
  }

  /** Whether the file goes on with this record; where it does not, what it has from here on goes. */
  #has(record: Buffer): boolean {
    const handle = this.#handle;
    if (handle === undefined) return false;
    const there = Buffer.alloc(record.length);
    const read = fs.readSync(handle, there, 0, there.length, this.#at);
    if (read === record.length && there.equals(record)) return true;
    this.#comparing = false;
    fs.ftruncateSync(handle, this.#at);
    return false;
  }
}

function readImage(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}
