import fs from 'node:fs';
import path from 'node:path';
import { digestHex, type RunKey, type Stage } from '@dag/model';
import { hashText, withIo } from '@dag/store';
import { checkpointStep, isNoCheckpoint, looksWhole } from '@dag/worker/protocol';
import { type Attempt, readJournal } from '../history/journal.ts';

/** The variable by which a stage of any language finds the folder for its checkpoints. */
export const CHECKPOINT_VARIABLE = 'DAG_CHECKPOINT_DIR';

/** Checkpoints that a worker module keeps where the stage says nothing. */
export const DEFAULT_KEEP = 2;

/** Entries of a folder of checkpoints that are looked at: what is beyond tells nothing new. */
const LOOKED_AT = 10_000;

/** What a run that ended early left for the next one. */
export interface Left {
  /** How far it was, where a worker module said so. */
  readonly step?: number;
  /** When anything in it was last written; ISO 8601, UTC. */
  readonly at: string;
  readonly files: number;
  readonly bytes: number;
}

/** What went before a run that goes on from checkpoints. */
export interface Earlier {
  /** How often it was taken up again, this time included. */
  readonly resumes: number;
  /** Seconds that earlier tries worked until they ended or, where they were killed, until they last saved. */
  readonly seconds: number;
}

/** The checkpoints of one run key. */
export interface StageCheckpoints {
  /** What they are kept under. */
  readonly name: string;
  /** Absolute. There while the stage runs. */
  readonly folder: string;
  /** What is there; undefined where that is nothing. */
  left(): Left | undefined;
  /** Whether the folder was made by this run, and so was empty. */
  readonly isNew: boolean;
  /** The stage has finished: nothing stays. */
  drop(): void;
  /** It ended without a result: what is there stays. */
  keep(): void;
}

/** Folder of a project that holds the checkpoints of all its stages: one folder for each run key. */
export function checkpointsFolder(root: string): string {
  return path.join(root, '.cache', 'checkpoints');
}

/** What the checkpoints of a stage with certain inputs are kept under. Stages without outs may share a run key. */
export function checkpointName(stage: Stage, key: RunKey): string {
  return stage.outs.length > 0 ? key : ownName(stage.address, key);
}

/** The name where several stages may share the run key. */
export function ownName(address: string, key: string): string {
  return digestHex(hashText(JSON.stringify([key, address])));
}

/**
 * Opens the folder of checkpoints of a stage that is about to run. Its paths are held, so nobody else works there.
 * @param fresh begin with an empty one.
 */
export function openCheckpoints(root: string, stage: Stage, key: RunKey, fresh: boolean): StageCheckpoints {
  const name = checkpointName(stage, key);
  const folder = path.join(checkpointsFolder(root), name);
  const isNew = withIo('make the folder', folder, () => {
    if (fresh) fs.rmSync(folder, { recursive: true, force: true });
    if (make(folder)) return true;
    // A gc goes by its age.
    fs.utimesSync(folder, new Date(), new Date());
    return false;
  });
  return {
    name,
    folder,
    isNew,
    left: () => leftIn(folder, stage),
    drop: () => dropCheckpoints(folder),
    keep: () => {
      try {
        fs.rmdirSync(folder);
      } catch {
        // There is something in it.
      }
    },
  };
}

/** @returns false where it is there already. */
function make(folder: string): boolean {
  try {
    fs.mkdirSync(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'ENOENT') throw error;
    return fs.mkdirSync(folder, { recursive: true }) !== undefined;
  }
}

/** Removes a folder of checkpoints: first its name, so that nobody takes up one that is half removed. */
export function dropCheckpoints(folder: string): void {
  const gone = `${folder}.gone`;
  try {
    fs.rmdirSync(folder);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
  }
  try {
    fs.rmSync(gone, { recursive: true, force: true });
    fs.renameSync(folder, gone);
    fs.rmSync(gone, { recursive: true, force: true });
  } catch {
    // A gc takes what is left.
  }
}

/** What a stage with certain inputs would go on from; undefined where that is nothing. */
export function leftOf(root: string, stage: Stage, key: RunKey): Left | undefined {
  return leftIn(path.join(checkpointsFolder(root), checkpointName(stage, key)), stage);
}

/**
 * What a folder of checkpoints holds; undefined for one that is empty or not there.
 * @param stage whose they are: of a worker's, those that it would pass over count for nothing.
 */
export function leftIn(folder: string, stage?: Stage): Left | undefined {
  const passedOver = stage?.action.kind === 'worker' ? uselessIn(folder) : new Set<string>();
  let [files, bytes, at, looked] = [0, 0, 0, 0];
  let newest: { readonly number: number; readonly step: number } | undefined;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined && looked < LOOKED_AT; next = folders.pop()) {
    for (const entry of entriesOf(next)) {
      const file = path.join(next, entry.name);
      const stats = fs.lstatSync(file, { throwIfNoEntry: false });
      if (stats === undefined || ++looked > LOOKED_AT || passedOver.has(file)) continue;
      if (stats.isDirectory()) {
        folders.push(file);
        continue;
      }
      const one = next === folder ? checkpointStep(entry.name) : undefined;
      if (one !== undefined && (newest === undefined || one.number > newest.number)) newest = one;
      files++;
      bytes += stats.size;
      at = Math.max(at, stats.mtimeMs);
    }
  }
  if (files === 0) return undefined;
  return { ...(newest === undefined ? {} : { step: newest.step }), at: new Date(at).toISOString(), files, bytes };
}

/** Files that a worker does not go on from: damaged checkpoints that are newer than any whole one, and what is none. */
function uselessIn(folder: string): ReadonlySet<string> {
  const names = entriesOf(folder).map(({ name }) => name);
  const numbered = names.flatMap((name) => {
    const one = checkpointStep(name);
    return one === undefined ? [] : [{ file: path.join(folder, name), number: one.number }];
  });
  const newestFirst = numbered.sort((a, b) => b.number - a.number).map(({ file }) => file);
  const whole = newestFirst.findIndex(looksWhole);
  const damaged = newestFirst.slice(0, whole === -1 ? newestFirst.length : whole);
  return new Set([...damaged, ...names.filter(isNoCheckpoint).map((name) => path.join(folder, name))]);
}

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** What the journal knows of the tries before one that goes on from `left`. */
export function earlierTries(root: string, stage: Stage, key: RunKey, left: Left): Earlier {
  let last: Extract<Attempt, { kind: 'run' }> | undefined;
  for (const attempt of readJournal(root)) {
    if (attempt.key !== key || attempt.stage !== stage.address || attempt.kind !== 'run') continue;
    const isResult = typeof attempt.state === 'object' && attempt.state.status === 'ok';
    last = isResult ? undefined : attempt;
  }
  if (last === undefined) return { resumes: 1, seconds: 0 };
  const { state, context, at } = last;
  const own = typeof state === 'object' ? state.seconds : Math.max(0, (Date.parse(left.at) - Date.parse(at)) / 1000);
  return {
    resumes: Number(context['resumes'] ?? 0) + 1,
    seconds: Math.round((Number(context['earlierSeconds'] ?? 0) + own) * 1000) / 1000,
  };
}
