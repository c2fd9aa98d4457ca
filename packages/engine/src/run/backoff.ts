import { setTimeout as wait } from 'node:timers/promises';

/** The pause before the second try, and the longest, in milliseconds. */
const FIRST_MS = 500;
const MOST_MS = 60_000;

/**
 * How long to wait before a stage is tried again, in milliseconds: twice as long each time, less a random part of up to a
 * half, so that stages that failed together on something they share don't meet there again.
 * @param tries that have failed, from 1.
 * @param random from 0 (with) to 1 (without).
 */
export function backoffMs(tries: number, random: number): number {
  return Math.round(Math.min(MOST_MS, FIRST_MS * 2 ** (tries - 1)) * (1 - random / 2));
}

/** @returns false where a signal cut the pause short. */
export async function pause(ms: number, signals: readonly AbortSignal[]): Promise<boolean> {
  try {
    await wait(ms, undefined, { signal: AbortSignal.any([...signals]) });
    return true;
  } catch {
    return false;
  }
}
