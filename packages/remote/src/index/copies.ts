import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempName } from '@dag/store';

/** Copies of index objects on this machine. They may vanish at any time, and are checked whenever they are read. */
export interface Copies {
  readonly read: (name: string) => Buffer | undefined;
  readonly write: (name: string, bytes: Buffer) => void;
  /** Removes all others. */
  readonly keepOnly: (names: ReadonlySet<string>) => void;
}

const SUFFIX = '.index';

/** Keeps copies in a folder; where it can't be written, there are none. */
export function copiesIn(folder: string): Copies {
  return {
    read: (name) => orNothing(() => readFileSync(join(folder, name + SUFFIX))),
    write: (name, bytes) => {
      orNothing(() => {
        mkdirSync(folder, { recursive: true });
        const temporary = join(folder, tempName('index'));
        writeFileSync(temporary, bytes);
        renameSync(temporary, join(folder, name + SUFFIX));
      });
    },
    keepOnly: (names) => {
      for (const file of orNothing(() => readdirSync(folder)) ?? []) {
        if (file.endsWith(SUFFIX) && !names.has(file.slice(0, -SUFFIX.length))) {
          orNothing(() => rmSync(join(folder, file), { force: true }));
        }
      }
    },
  };
}

/** For a remote that is used once: nothing is kept. */
export const noCopies: Copies = { read: () => undefined, write: () => {}, keepOnly: () => {} };

/** A copy spares a request; whatever keeps it from being written or read is no reason to fail. */
function orNothing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
