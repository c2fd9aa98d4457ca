import { execFileSync } from 'node:child_process';

/** The user's id. */
export const NOBODY = 65_534;

/**
 * Does work without root's rights, which no permission stops, in folders that are made its own. Where the tests don't run
 * as root anyway it just does the work.
 */
export async function asNobody<T>(folders: readonly string[], work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await work();
  execFileSync('chown', ['-R', `${NOBODY}`, ...folders]);
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
