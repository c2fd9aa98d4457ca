import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLeftOver, listNames, removeFile } from '../durable.ts';
import { tempName } from '../owner.ts';

const PREFIX = 'using-';

/**
 * A file that stands while a thread works with the stat cache. A page of lmdb's file that the disk damaged can kill the
 * process that maps it, and would kill the next one too: who finds the mark of a dead process drops the cache and starts anew.
 * (That costs a re-hash also when it was killed for another reason just then.)
 */
export class InUse {
  readonly #folder: string;
  #mark: string | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  begin(): void {
    if (this.#mark !== undefined) return;
    mkdirSync(this.#folder, { recursive: true });
    const mark = join(this.#folder, tempName('using'));
    writeFileSync(mark, '', { flag: 'wx' });
    this.#mark = mark;
  }

  end(): void {
    if (this.#mark !== undefined) removeFile(this.#mark);
    this.#mark = undefined;
  }

  /** Whether a process died while it worked with the cache in this folder; its mark is removed. */
  static hasCrashed(folder: string): boolean {
    const dead = listNames(folder).filter((name) => name.startsWith(PREFIX) && isLeftOver(folder, name, Date.now()));
    for (const name of dead) removeFile(join(folder, name));
    return dead.length > 0;
  }
}
