import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { isErrno, listNames, ownerOf, ownerState, tempName, withIo } from '@dag/store';
import { type Group, groupState } from '../run/orphans.ts';

/**
 * One process's claim to some devices, as two files of the lease folder say: `ID.claim`, which stands there from the
 * beginning to the end, and `ID.json`, its state, which is replaced by a rename. A folder's listing may miss a name that
 * is being replaced, so that it is only asked for the first.
 */
export interface Claim {
  /** Tells who made it; see `tempName`. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** In words, for whoever waits: `dag repro of /home/ann/project, stage 'train'`. */
  readonly purpose: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** Its place in the queue; 0 while it is being chosen. */
  readonly ticket: number;
  /** How many devices it wants, and of which. */
  readonly count: number;
  readonly among: readonly string[];
  /** What it holds; empty while it waits. Who knows nothing of `shared` takes all of it to be held whole. */
  readonly held: readonly string[];
  /** Bytes that it wants of each device, beside others; absent where it wants them whole. */
  readonly memory?: number;
  /** Those of `held` of which it has `memory` bytes; it has the others whole. */
  readonly shared?: readonly string[];
  /** Claims of the stages that this process runs in, outermost first: what those hold is what it may divide. */
  readonly within: readonly string[];
  /** The process group that works on the devices: it may outlive the process that leased them. */
  readonly group?: Group;
}

/** A claim as others see it. `orphaned`: its process was killed and left its stage at work. */
export interface SeenClaim extends Claim {
  readonly orphaned: boolean;
}

/** What `memory` and `shared` mean. Of a later version they are not believed: what such a claim holds, it holds whole. */
const VERSION = 2;

/** A claim of another machine or container whose file was not touched for so long is a dead one. */
const FOREIGN_DEAD_MS = 2 * 60 * 1000;

/**
 * The folder of the host's leases: the same for all projects and users, so that it follows no TMPDIR. Not /dev/shm, which
 * systemd clears of a user's files when that user logs out.
 * @param set `DAG_LEASES`, which names another.
 */
export function leaseFolder(set: string | undefined): string {
  if (set !== undefined && set !== '') return path.resolve(set);
  return process.platform === 'win32' ? path.join(os.tmpdir(), 'dag-leases') : '/tmp/dag-leases';
}

/** Makes the folder, for all users: each may add files, nobody may remove another's. */
export function makeLeaseFolder(folder: string): void {
  withIo('make the folder of leases', folder, () => {
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    try {
      fs.mkdirSync(folder);
      fs.chmodSync(folder, 0o1777);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
  });
  // Whoever could put a link there would choose where we write.
  if (fs.lstatSync(folder).isDirectory()) return;
  throw new FailureError({
    code: 'io',
    message: `the folder of GPU leases, ${folder}, is no folder`,
    path: folder,
    hint: 'remove it, or name another in DAG_LEASES, the same for all who share the GPUs',
  });
}

/** Writes the state of a claim; the first time, its mark too. */
export function writeClaim(folder: string, claim: Claim): void {
  const { id, ...state } = claim;
  withIo('write the lease', folder, () => {
    const temp = path.join(folder, tempName('lease'));
    fs.writeFileSync(temp, `${JSON.stringify({ version: VERSION, ...state })}\n`, { flag: 'wx', mode: 0o644 });
    // Others may read it whatever the umask says.
    fs.chmodSync(temp, 0o644);
    fs.renameSync(temp, stateFile(folder, id));
    try {
      fs.writeFileSync(markFile(folder, id), '', { flag: 'wx', mode: 0o644 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
  });
}

export function removeClaim(folder: string, id: string): void {
  for (const file of [markFile(folder, id), stateFile(folder, id)]) remove(file);
}

/** Tells other machines and containers that the claim's process lives; writes it anew where somebody removed it. */
export function touchClaim(folder: string, claim: Claim, now: Date): void {
  try {
    fs.utimesSync(markFile(folder, claim.id), now, now);
    fs.utimesSync(stateFile(folder, claim.id), now, now);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    makeLeaseFolder(folder);
    writeClaim(folder, claim);
  }
}

/** All claims that count; files that dead processes left are removed. */
export function readClaims(folder: string, now: number): SeenClaim[] {
  const claims: SeenClaim[] = [];
  for (const name of listNames(folder)) {
    const id = name.endsWith('.claim') ? name.slice(0, -'.claim'.length) : undefined;
    const owner = ownerOf(id ?? name.replace(/\.json$/, ''));
    if (owner === undefined) continue;
    const state = ownerState(owner);
    const dead = state === 'dead' || (state === 'elsewhere' && isOld(path.join(folder, name), now));
    if (id === undefined) {
      // A state without its mark, or a half-made one.
      if (dead && !fs.existsSync(path.join(folder, name.replace(/\.json$/, '.claim')))) remove(path.join(folder, name));
      continue;
    }
    const claim = readClaim(folder, id);
    const orphaned = state === 'dead' && claim?.group !== undefined && groupState(claim.group) !== 'gone';
    if (dead && !orphaned) removeClaim(folder, id);
    else if (claim !== undefined) claims.push({ ...claim, orphaned });
  }
  return claims;
}

/** Claims that hold devices. */
export function heldClaims(folder: string): SeenClaim[] {
  return readClaims(folder, Date.now()).filter((claim) => claim.held.length > 0);
}

function markFile(folder: string, id: string): string {
  return path.join(folder, `${id}.claim`);
}

function stateFile(folder: string, id: string): string {
  return path.join(folder, `${id}.json`);
}

function isOld(file: string, now: number): boolean {
  const stats = fs.statSync(file, { throwIfNoEntry: false });
  return stats === undefined || now - stats.mtimeMs >= FOREIGN_DEAD_MS;
}

/** Another user's file stays where it is: it is dead whether it is there or not. */
function remove(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EPERM', 'EACCES')) throw error;
  }
}

/** undefined for one that is gone, or that something else wrote. */
function readClaim(folder: string, id: string): Claim | undefined {
  let json: unknown;
  try {
    json = JSON.parse(fs.readFileSync(stateFile(folder, id), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EISDIR') || error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const state = json as Record<string, unknown>;
  const { host, pid, purpose, since, ticket, count, among, held, within, group } = state;
  if (typeof host !== 'string' || typeof purpose !== 'string' || typeof since !== 'string') return undefined;
  if (!isCount(pid) || !isCount(ticket) || !isCount(count)) return undefined;
  if (!isNames(among) || !isNames(held) || !isNames(within)) return undefined;
  const base = { id, host, pid, purpose, since, ticket, count, among, held, within, ...sharing(state) };
  return isGroup(group) ? { ...base, group } : base;
}

function sharing({ version = 1, memory, shared }: Record<string, unknown>): Pick<Claim, 'memory' | 'shared'> {
  if (!isCount(version) || version > VERSION || !isCount(memory)) return {};
  return isNames(shared) ? { memory, shared } : { memory };
}

function isGroup(value: unknown): value is Group {
  const { pid, start } = (value ?? {}) as Record<string, unknown>;
  return isCount(pid) && pid > 1 && isCount(start);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
