import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, named so that another can tell later whether it still lives. */
export interface Owner {
  /** 8 hex digits that stand for the machine, its boot, and the container: what a pid means depends on all three. */
  readonly host: string;
  readonly pid: number;
  /** When it started, in the kernel's own count since boot; 0 where the system doesn't say. */
  readonly start: number;
}

let own: Owner | undefined;

/** This process. */
export function thisOwner(): Owner {
  own ??= { host: hostId(), pid: process.pid, start: processOf(process.pid)?.start ?? 0 };
  return own;
}

/** Another process of this machine, as it is now, a zombie too; undefined where there is none of that pid. */
export function ownerWithPid(pid: number): Owner | undefined {
  const found = processOf(pid);
  return found === undefined ? undefined : { host: thisOwner().host, pid, start: found.start };
}

/** Random bytes in a name, and how many are drawn at once. */
const RANDOM_SIZE = 6;
const DRAWN = 128 * RANDOM_SIZE;
let drawn = { bytes: Buffer.alloc(0), used: 0 };

/** A fresh file name `KIND-HOST-PID-START-RANDOM`: unique, and its maker can be told from it. */
export function tempName(kind: string): string {
  const { host, pid, start } = thisOwner();
  if (drawn.used === drawn.bytes.length) drawn = { bytes: randomBytes(DRAWN), used: 0 };
  drawn.used += RANDOM_SIZE;
  return `${kind}-${host}-${pid}-${start}-${drawn.bytes.toString('hex', drawn.used - RANDOM_SIZE, drawn.used)}`;
}

/** Reads the maker out of a name given by `tempName`. */
export function ownerOf(name: string): Owner | undefined {
  const match = /^[a-z]+-([0-9a-f]{8})-(\d{1,10})-(\d{1,16})-[0-9a-f]{12}$/.exec(name);
  if (!match) return undefined;
  return { host: String(match[1]), pid: Number(match[2]), start: Number(match[3]) };
}

/**
 * Whether a process lives: `elsewhere` when it ran on another machine (or in another container), or before a reboot of
 * one whose name we can't tell from this; only time can say then. A zombie is dead: its parent may be slow to collect it, or,
 * as the first process of a container often does, never do so.
 */
export function ownerState(owner: Owner): 'self' | 'alive' | 'dead' | 'elsewhere' {
  const self = thisOwner();
  if (owner.host !== self.host) return 'elsewhere';
  if (owner.pid === self.pid) return owner.start === self.start ? 'self' : 'dead';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const found = processOf(owner.pid);
  if (found === undefined) return 'alive';
  if (found.isZombie) return 'dead';
  return owner.start === 0 || found.start === owner.start ? 'alive' : 'dead';
}

function hostId(): string {
  return createHash('sha256')
    .update(`${hostname()}\n${readText('/proc/sys/kernel/random/boot_id') ?? ''}${pidNamespace()}`)
    .digest('hex')
    .slice(0, 8);
}

/** Containers that share a name, and a folder, still count their processes apart. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/**
 * Fields 3, 20 and 22 of /proc/PID/stat, counted after the name in brackets, which may hold anything. While other threads
 * still end, what one of them writes may reach the disk: that is no zombie yet.
 */
function processOf(pid: number): { readonly start: number; readonly isZombie: boolean } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const start = Number(fields[19]);
  const isZombie = (fields[0] === 'Z' || fields[0] === 'X') && Number(fields[17]) <= 1;
  return Number.isSafeInteger(start) ? { start, isZombie } : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
