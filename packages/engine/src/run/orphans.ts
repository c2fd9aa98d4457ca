import fs from 'node:fs';
import path from 'node:path';
import { listNames, ownerOf, ownerState, ownerWithPid, removeFile, tempName, withIo } from '@dag/store';
import { endGroup, isAtWork } from './process.ts';
import { endMarked } from './strays.ts';

/** A process group, named so that another process can tell later whether it is still the same one. */
export interface Group {
  /** Of its leader, and so of the group. */
  readonly pid: number;
  /** When the leader started, in the kernel's own count; 0 where the system doesn't say. */
  readonly start: number;
}

/** The group that a process leads. */
export function groupOf(pid: number): Group {
  return { pid, start: ownerWithPid(pid)?.start ?? 0 };
}

/** Whether a group is still at work, and may be signalled by us. A pid that is another process's by now is no group. */
export function groupState({ pid, start }: Group): 'ours' | 'theirs' | 'gone' {
  const leader = ownerWithPid(pid);
  if (leader !== undefined && leader.start !== start) return 'gone';
  try {
    process.kill(-pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' && process.platform === 'linux' ? 'theirs' : 'gone';
  }
  return isAtWork(pid) ? 'ours' : 'gone';
}

/** A stage of which processes were still at work when the `dag` that had started it was killed. */
export interface Orphan {
  readonly stage: string;
  readonly pid: number;
}

/** The note that a stage is at work, for as long as it is. */
export interface RunNote {
  /** What processes of the stage bear in their environment: no other run's do. */
  readonly name: string;
  /** Adds the process group that works now. */
  group(pid: number): void;
  remove(): void;
}

/** Notes of other machines are kept for so long: whether those who made them live can't be told. */
const FOREIGN_MS = 30 * 24 * 3600 * 1000;

/**
 * Notes that a stage is at work, before its first process is there: a `dag` that is killed can't end its stages, and one that
 * goes on writing would meet the next run of the same stage. No fsync: what ends this machine ends the processes.
 */
export function noteRun(cacheDir: string, stage: string): RunNote {
  const name = tempName('group');
  const note = path.join(cacheDir, 'running', name);
  const file = withIo('note the run', note, () => {
    fs.mkdirSync(path.dirname(note), { recursive: true });
    const opened = fs.openSync(note, 'wx');
    fs.writeSync(opened, JSON.stringify({ stage }));
    return opened;
  });
  return {
    name,
    group: (pid) => {
      try {
        // Over what is there, and longer: to empty it first would make the file system write it out.
        fs.writeSync(file, JSON.stringify({ stage, ...groupOf(pid) }), 0);
      } catch {
        // A full disk, say: the name is enough where there is /proc.
      }
    },
    remove: () => {
      fs.closeSync(file);
      removeFile(note);
    },
  };
}

/**
 * Ends what killed `dag` processes of this user left at work, daemons too, and waits until it is gone. In a cache that many
 * share, other users' are theirs to end.
 */
export async function endOrphans(cacheDir: string): Promise<Orphan[]> {
  const folder = path.join(cacheDir, 'running');
  const ended = new Map<string, Orphan>();
  const left = new Map<string, string>();
  for (const name of listNames(folder)) {
    const owner = ownerOf(name);
    const state = owner === undefined ? undefined : ownerState(owner);
    const stats = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stats === undefined || stats.uid !== (process.getuid?.() ?? stats.uid)) continue;
    const isOld = state === 'elsewhere' && Date.now() - stats.mtimeMs > FOREIGN_MS;
    if (isOld) fs.rmSync(path.join(folder, name), { force: true });
    if (state !== 'dead') continue;
    const note = readNote(path.join(folder, name));
    left.set(name, note?.stage ?? '');
    if (note?.group === undefined || groupState(note.group) !== 'ours') continue;
    const { pid } = note.group;
    await endGroup(pid);
    ended.set(name, { stage: note.stage, pid });
  }
  if (left.size === 0) return [];
  for (const { run, stage, pid } of await endMarked(left.keys())) {
    if (!ended.has(run)) ended.set(run, { stage, pid });
  }
  for (const name of left.keys()) fs.rmSync(path.join(folder, name), { force: true });
  return [...ended.values()];
}

/** The group is undefined where none had been started, or its note was not written to the end. */
function readNote(file: string): { readonly stage: string; readonly group: Group | undefined } | undefined {
  try {
    const { stage, pid, start } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (typeof stage !== 'string') return undefined;
    const isGroup = typeof pid === 'number' && Number.isSafeInteger(pid) && pid >= 2;
    return { stage, group: isGroup ? { pid, start: typeof start === 'number' ? start : 0 } : undefined };
  } catch {
    return undefined;
  }
}
