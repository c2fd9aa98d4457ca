import fs from 'node:fs';
import path from 'node:path';
import { ownerOf, ownerState, ownerWithPid, tempName } from '@dag/store';
import { endGroup, signalGroup } from './process.ts';

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
  fs.writeFileSync(note, JSON.stringify({ stage, pid, start: ownerWithPid(pid)?.start ?? 0 }));
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
    if (orphan !== undefined && signalGroup(orphan.pid, 0)) {
      await endGroup(orphan.pid);
      ended.push(orphan);
    }
    fs.rmSync(path.join(folder, name), { force: true });
  }
  return ended;
}

/** The group of a note, unless its pid is another process's by now. */
function readNote(file: string): Orphan | undefined {
  try {
    const { stage, pid, start } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (typeof stage !== 'string' || typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 2) return undefined;
    const leader = ownerWithPid(pid);
    return leader === undefined || leader.start === start ? { stage, pid } : undefined;
  } catch {
    return undefined;
  }
}
