import fs from 'node:fs';
import path from 'node:path';
import { type Attempt, readJournal } from '../history/journal.ts';
import { checkpointsFolder, dropCheckpoints, leftIn, ownName } from './checkpoints.ts';

/** Checkpoints that nothing will go on from, or that were not touched for long. */
export interface OldCheckpoints {
  /** Absolute. */
  readonly folder: string;
  /** The stage, as the journal knows it. */
  readonly stage: string | undefined;
  readonly bytes: number;
}

/**
 * Checkpoints of a project that go in a gc: of runs that have finished since, those not touched since `before` (ms), or all.
 * Those of a stage that is at work stay, here or on another machine.
 */
export function oldCheckpoints(root: string, { before, all }: { before: number; all: boolean }): OldCheckpoints[] {
  const top = checkpointsFolder(root);
  const names = namesIn(top);
  if (names.length === 0) return [];
  const last = new Map<string, Attempt>();
  for (const attempt of readJournal(root)) {
    for (const name of [attempt.key, ownName(attempt.stage, attempt.key)]) last.set(name, attempt);
  }
  return names.flatMap((name): OldCheckpoints[] => {
    const folder = path.join(top, name);
    // Beside a folder: what a killed dag was removing, bringing or sending.
    const beside = path.extname(name);
    const attempt = last.get(path.basename(name, beside));
    const left = leftIn(folder);
    const touched = Math.max(left === undefined ? 0 : Date.parse(left.at), mtimeOf(folder));
    const { bytes = 0 } = left ?? {};
    const old = { folder, stage: attempt?.stage, bytes };
    const state = attempt?.kind === 'restored' ? 'restored' : attempt?.state;
    if (state === 'running') return [];
    if (state === 'unknown') return touched < before ? [old] : [];
    if (beside !== '') return [old];
    const isFinished = state === 'restored' || (typeof state === 'object' && state.status === 'ok');
    return all || isFinished || touched < before ? [old] : [];
  });
}

/** Removes them, but for those that a stage has begun to work with since they were found. */
export function removeCheckpoints(
  root: string,
  found: readonly OldCheckpoints[],
  options: { readonly before: number; readonly all: boolean },
): void {
  if (found.length === 0) return;
  const still = new Set(oldCheckpoints(root, options).map(({ folder }) => folder));
  for (const { folder } of found) if (still.has(folder)) dropCheckpoints(folder);
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function mtimeOf(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
