import { closeSync, fdatasync, openSync } from 'node:fs';
import { removeFile, writeAll } from './durable.ts';
import { OBJECT_MODE } from './layout.ts';

/** Whenever so many bytes were written they are on their way to the disk, while the next are read and hashed. */
export const WRITE_BEHIND = 64 << 20;

/**
 * A new file that is written in one go and may be large: it goes to the disk behind the writer, so that little is left to
 * wait for in the end. One of less than `WRITE_BEHIND` bytes is left to whoever syncs many at once.
 *
 * All syncs are of one open file: the kernel tells of a write that failed once, and it must be heard of here.
 */
export class LargeFile {
  readonly path: string;
  readonly #fd: number;
  #unsynced = 0;
  #isLarge = false;
  #syncs = 0;
  #isEnded = false;
  #failure: unknown;
  #settle: ((failure: unknown) => void) | undefined;

  /** @param path where nothing stands. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'wx', OBJECT_MODE);
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#fd, bytes);
    this.#unsynced += bytes.length;
    if (this.#unsynced >= WRITE_BEHIND) this.#sync();
  }

  /** All is written. @returns when a large one is on disk; it rejects where it could not get there. undefined for a small one. */
  close(): Promise<void> | undefined {
    this.#isEnded = true;
    if (!this.#isLarge) {
      closeSync(this.#fd);
      return undefined;
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#settle = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
    // It may fail before anyone asks.
    done.catch(() => undefined);
    this.#sync();
    return done;
  }

  /** Removes it, however far it is. */
  discard(): void {
    removeFile(this.path);
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#syncs === 0) closeSync(this.#fd);
  }

  #sync(): void {
    this.#isLarge = true;
    this.#unsynced = 0;
    this.#syncs++;
    fdatasync(this.#fd, (error) => {
      this.#failure ??= error ?? undefined;
      if (--this.#syncs > 0 || !this.#isEnded) return;
      try {
        closeSync(this.#fd);
      } catch (closing) {
        this.#failure ??= closing;
      }
      this.#settle?.(this.#failure);
    });
  }
}
