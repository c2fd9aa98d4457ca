import fs from 'node:fs';
import path from 'node:path';
import { ownerOf, ownerState, ownerWithPid, tempName } from '@dag/store';
import { endGroup, isAtWork } from './process.ts';

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

/** A stage whose process group was still at work when the `dag` that had started it was killed. */
export interface Orphan {
  readonly stage: string;
  readonly pid: number;
}

/**
 * Notes that a process group works for a stage, for as long as it does: a `dag` that is killed can't end its stages, and
 * one that goes on writing would meet the next run of the same stage. No fsync: what ends this machine ends the group.
 * @returns takes the note away.
 */
export function noteGroup(cacheDir: string, stage: string, pid: number | undefined): () => void {
  if (pid === undefined) return () => {};
  const folder = path.join(cacheDir, 'running');
  const note = path.join(folder, tempName('group'));
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(note, JSON.stringify({ stage, ...groupOf(pid) }));
  return () => fs.rmSync(note, { force: true });
}

/** Ends the groups that killed `dag` processes left at work, and waits until they are gone. */
export async function endOrphans(cacheDir: string): Promise<Orphan[]> {
  const folder = path.join(cacheDir, 'running');
  const ended: Orphan[] = [];
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    const owner = ownerOf(name);
    if (owner === undefined || ownerState(owner) !== 'dead') continue;
    const orphan = readNote(path.join(folder, name));
    if (orphan !== undefined && groupState(orphan) === 'ours') {
      await endGroup(orphan.pid);
      ended.push({ stage: orphan.stage, pid: orphan.pid });
    }
    fs.rmSync(path.join(folder, name), { force: true });
  }
  return ended;
}

function readNote(file: string): (Orphan & Group) | undefined {
  try {
    const { stage, pid, start } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (typeof stage !== 'string' || typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 2) return undefined;
    return { stage, pid, start: typeof start === 'number' ? start : 0 };
  } catch {
    return undefined;
  }
}
