import fs from 'node:fs';
import path from 'node:path';

/** The files of a journal bear numbers. Each is appended to, never renamed, so that no process takes another's away. */
const NAME = /^([1-9]\d{0,8})\.ndjson$/;

/** Files of this many are kept: the newest, and the one before. */
const KEPT = 2;

/** What the first files were called, oldest first: they count as older than all that bear numbers. */
const FIRST = ['journal-old.ndjson', 'journal.ndjson'];

/** The number of the newest file; 0 where there is none. */
export function newestSegment(root: string): number {
  return Math.max(0, ...numbers(root));
}

/** Absolute. */
export function segmentFile(root: string, number: number): string {
  return path.join(folderOf(root), `${number}.ndjson`);
}

/** Opens a file for appending, be it the first to do so or not; files that are too many go. */
export function openSegment(root: string, number: number): number {
  fs.mkdirSync(folderOf(root), { recursive: true });
  const fd = fs.openSync(segmentFile(root, number), 'a');
  const old = numbers(root).filter((one) => one <= number - KEPT);
  for (const one of old) fs.rmSync(segmentFile(root, one), { force: true });
  if (number >= KEPT) for (const file of firstFiles(root)) fs.rmSync(file, { force: true });
  return fd;
}

/** All files that are there, oldest first. */
export function segmentFiles(root: string): string[] {
  const numbered = numbers(root).sort((a, b) => a - b);
  return [...firstFiles(root), ...numbered.map((number) => segmentFile(root, number))];
}

function numbers(root: string): number[] {
  try {
    return fs.readdirSync(folderOf(root)).flatMap((name) => Number(NAME.exec(name)?.[1] ?? []));
  } catch {
    return [];
  }
}

function firstFiles(root: string): string[] {
  return FIRST.map((name) => path.join(root, '.cache', 'logs', name));
}

function folderOf(root: string): string {
  return path.join(root, '.cache', 'journal');
}
