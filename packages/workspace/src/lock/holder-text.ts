import type { LockHolder } from '../types.ts';

/** Who holds something, and since when, for whoever waits. */
export function holderText({ purpose, pid, host, since }: LockHolder): string {
  return `${purpose} (pid ${pid} on ${host}, since ${since})`;
}
