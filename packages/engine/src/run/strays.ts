import fs from 'node:fs';
import path from 'node:path';
import { listNames, ownerOf } from '@dag/store';

/** How often what was told to end is looked at, and how long it has before it is killed, in milliseconds. */
const POLL_MS = 10;
const GRACE_MS = 10_000;

/** So many process ids are asked for one by one; more are looked for among all there are. */
const FEW = 256;

/** Whose processes: those with these variables in their environment that began after `leader`, the process of the stage. */
export interface Descent {
  readonly stage: string;
  /** The project's, absolute. */
  readonly root: string;
  readonly cacheDir: string;
  readonly leader: number | undefined;
}

/**
 * Ends what a stage has left behind outside of its process group: daemons, and whatever called setsid. They are known by the
 * environment that they inherited, so that one which is to outlive its stage is started without DAG_STAGE. Stages of the same
 * name that another `dag` runs are let be. Without /proc (macOS) nothing is found.
 * @param kill no grace any more.
 */
export async function endStrays(descent: Descent, kill: AbortSignal): Promise<void> {
  for (let waited = 0; ; waited += POLL_MS) {
    const strays = findStrays(descent);
    if (strays.length === 0) return;
    const isOver = waited >= GRACE_MS || kill.aborted;
    if (waited === 0 || isOver) for (const pid of strays) signal(pid, isOver ? 'SIGKILL' : 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function findStrays({ stage, root, cacheDir, leader }: Descent): number[] {
  if (leader === undefined) return [];
  const marks = [`DAG_STAGE=${stage}`, `DAG_ROOT=${root}`];
  const marked = newerThan(leader).filter((pid) => {
    const variables = read(`${pid}/environ`)?.split('\0');
    return variables !== undefined && marks.every((mark) => variables.includes(mark));
  });
  if (marked.length === 0) return [];
  const working = ownersOfRunning(cacheDir);
  return marked.filter((pid) => !isBelow(pid, working));
}

/** Processes that began after another one, by the order in which the kernel gives ids: up to the last, then from the start. */
function newerThan(leader: number): number[] {
  const last = Number(/(\d+)\s*$/.exec(read('loadavg') ?? '')?.[1]);
  if (!Number.isSafeInteger(last) || last === leader) return [];
  if (last > leader && last - leader <= FEW) return Array.from({ length: last - leader }, (_, i) => leader + 1 + i);
  const all = fs.readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  return all.filter((pid) => (last > leader ? pid > leader && pid <= last : pid > leader || pid <= last));
}

/** The `dag` processes of which stages are at work: they end their own. */
function ownersOfRunning(cacheDir: string): ReadonlySet<number> {
  const names = listNames(path.join(cacheDir, 'running'));
  return new Set(names.flatMap((name) => ownerOf(name)?.pid ?? []));
}

function isBelow(pid: number, above: ReadonlySet<number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parentOf(at)) {
    if (above.has(at)) return true;
  }
  return false;
}

function parentOf(pid: number): number | undefined {
  const stat = read(`${pid}/stat`);
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function read(name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already, or another user's.
  }
}
