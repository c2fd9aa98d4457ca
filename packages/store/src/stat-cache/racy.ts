import type { FileStats } from './record.ts';

/** Coarsest step of a kernel's file times that tell parts of a second (100 Hz), doubled. */
const FINE_GRAIN_NS = 20_000_000n;
/** Where times are whole seconds: FAT's step is two. */
const COARSE_GRAIN_NS = 2_100_000_000n;
const SECOND_NS = 1_000_000_000n;

/** Milliseconds after which a change is sure to leave another time than one before, where parts of a second are kept. */
const SETTLE_MS = 25;

/**
 * The mtime (s since 1970) to give a file before others can see it: older than now by more than the clock's step, so that
 * whatever is written to it from then on leaves another one. Half a millisecond more, so that it is past at once however it
 * is rounded, and never a whole second, by which a file system that keeps no parts of one is told.
 */
export function settledTime(): number {
  return (Date.now() - SETTLE_MS - 0.5) / 1000;
}

/** Whether what is written to a file from a moment on (ms since 1970) is sure to leave another mtime. */
export function isPast(stats: FileStats, fromMs: number): boolean {
  const step = stats.mtimeNs % SECOND_NS === 0n ? COARSE_GRAIN_NS : BigInt(SETTLE_MS) * 1_000_000n;
  return stats.mtimeNs <= BigInt(fromMs) * 1_000_000n - step;
}

/** The clock that file times are compared with, in ns since 1970. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/**
 * Git's racy-entry rule: a digest may be recorded only when the file's times are older, by the clock's step, than the
 * moment before its content was read. Else a change just after the reading could leave the same times and the same size.
 * @param beforeNs the clock before the file was looked at.
 */
export function isSettled(stats: FileStats, beforeNs: bigint): boolean {
  const sure = beforeNs - (stats.ctimeNs % SECOND_NS === 0n ? COARSE_GRAIN_NS : FINE_GRAIN_NS);
  return stats.mtimeNs < sure && stats.ctimeNs < sure;
}

/**
 * Whether a folder's times vouch for its listing, when they are the same later: they are settled, and tell parts of a second.
 * @param beforeNs the clock before the folder was looked at, which was before it was listed.
 */
export function isListingSettled(times: Pick<FileStats, 'mtimeNs' | 'ctimeNs'>, beforeNs: bigint): boolean {
  const sure = beforeNs - FINE_GRAIN_NS;
  return times.ctimeNs % SECOND_NS !== 0n && times.mtimeNs < sure && times.ctimeNs < sure;
}
