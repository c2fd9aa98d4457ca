import { execFile } from 'node:child_process';
import { closeSync, fsync, openSync } from 'node:fs';
import { isErrno } from './failure.ts';

/** Syncs at once: the threads that Node has for them. */
const AT_ONCE = 4;

/** From so many files on, one sync of the whole file system is cheaper than a sync of each. */
const SYNC_ALL_FROM = 200;

/**
 * Makes files, and the names in folders, durable. Syncs go side by side: a journalling file system then writes what several
 * wait for together, and what is asked for twice before its turn has come is done once.
 */
export class Syncs {
  readonly #waiting = new Map<string, Sync>();
  #active = 0;

  /** Makes the content of files durable. */
  files(paths: readonly string[]): Promise<void> {
    return this.#all(paths, 'file');
  }

  /** Makes the names in folders durable. File systems that can't sync a folder are taken at their word. */
  folders(paths: readonly string[]): Promise<void> {
    return this.#all(paths, 'folder');
  }

  /** By `sync -f` (syncfs) for very many where there is such, else one by one. Fails when all have been tried. */
  async #all(paths: readonly string[], kind: Kind): Promise<void> {
    if (await syncedTogether(paths)) return;
    const results = await Promise.allSettled(paths.map((path) => this.#one(path, kind)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #one(path: string, kind: Kind): Promise<void> {
    const known = this.#waiting.get(path);
    if (known !== undefined) return known.done;
    let start = (): void => {};
    const turn = new Promise<void>((resolve) => {
      start = resolve;
    });
    const done = turn.then(() => syncOne(path, kind)).finally(() => this.#ended());
    this.#waiting.set(path, { start, done });
    this.#next();
    return done;
  }

  #next(): void {
    for (const [path, { start }] of this.#waiting) {
      if (this.#active >= AT_ONCE) return;
      this.#active++;
      // Whoever asks from now on may have written after this one began.
      this.#waiting.delete(path);
      start();
    }
  }

  #ended(): void {
    this.#active--;
    this.#next();
  }
}

type Kind = 'file' | 'folder';

interface Sync {
  readonly start: () => void;
  readonly done: Promise<void>;
}

async function syncOne(path: string, kind: Kind): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (error) => {
        const refused = kind === 'folder' && isErrno(error, 'EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP');
        if (error === null || refused) resolve();
        else reject(error);
      });
    });
  } finally {
    closeSync(fd);
  }
}

async function syncedTogether(paths: readonly string[]): Promise<boolean> {
  const first = paths[0];
  if (first === undefined) return true;
  if (paths.length < SYNC_ALL_FROM || process.platform !== 'linux') return false;
  return await new Promise((resolve) => {
    execFile('sync', ['-f', first], (error) => resolve(error === null));
  });
}
