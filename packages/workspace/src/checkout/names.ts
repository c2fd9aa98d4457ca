import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tempName, withIo } from '@dag/store';

/** What names have in common that some file systems take for one: case, and how accents are written. */
function folded(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/**
 * Names of one folder that a file system may take for an earlier one, with that.
 * @returns nothing for most folders, and costs little then.
 */
export function alikeNames(names: readonly string[]): Map<string, string> {
  const alike = new Map<string, string>();
  if (new Set(names.map(folded)).size === names.length) return alike;
  const first = new Map<string, string>();
  for (const name of names) {
    const key = folded(name);
    const before = first.get(key);
    if (before === undefined) first.set(key, name);
    else alike.set(name, before);
  }
  return alike;
}

/** Whether files of two names would be one file in a folder, or in its nearest parent that is there: tried with a real one. */
export function isOneName(folder: string, a: string, b: string): boolean {
  let existing = folder;
  while (lstatSync(existing, { throwIfNoEntry: false }) === undefined) existing = dirname(existing);
  const probe = join(existing, `.dag-${tempName('tmp')}`);
  return withIo('write into', existing, () => {
    mkdirSync(probe);
    try {
      writeFileSync(join(probe, a), '');
      return lstatSync(join(probe, b), { throwIfNoEntry: false }) !== undefined;
    } finally {
      rmSync(probe, { recursive: true, force: true });
    }
  });
}
