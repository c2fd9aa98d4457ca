import { readFileSync, renameSync, statSync, utimesSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type AnyPath, overlaps, parseAnyPath } from '@dag/model';
import { isErrno, listNames, type Owner, ownerOf, ownerState, removeFile, tempName, writeNewFile } from '@dag/store';
import type { LockHolder, LockRequest } from '../types.ts';

/** One process's claim to some paths, as its file in `.cache/locks` says. The file's name tells who made it. */
export interface Claim extends LockHolder {
  readonly id: string;
  /** Its place in the queue; 0 while it is being chosen, as by writers that put their claim down before they choose. */
  readonly ticket: number;
}

/** A claim of another machine whose file was not touched for so long is a dead one. */
const FOREIGN_DEAD_MS = 2 * 60 * 1000;
/** How often a living holder touches its file. */
export const HEARTBEAT_MS = 20 * 1000;

/** No ticket is as high: what says so is damaged. */
const TICKET_LIMIT = 2 ** 40;

/** Claims that are gone may stay known, so many before they are sorted out. */
const SPARE = 64;

export function newClaim(id: string, request: LockRequest, ticket: number, now: Date): Claim {
  const { read, write, mutex = [], purpose } = request;
  const since = now.toISOString();
  return { id, ticket, host: hostname(), pid: process.pid, purpose, since, read, write, mutex };
}

/**
 * Why two claims can't both be held, in words from the side of the first: someone writes what the other reads or writes,
 * itself or something in or above it, or both have the same mutex. Undefined where they can.
 */
export function conflict(a: LockHolder, b: LockHolder): string | undefined {
  const meet = (xs: readonly AnyPath[], ys: readonly AnyPath[]): AnyPath | undefined =>
    xs.find((x) => ys.some((y) => overlaps(x, y)));
  const path = meet(a.write, b.write) ?? meet(a.write, b.read) ?? meet(a.read, b.write);
  if (path !== undefined) return path === '' ? 'the project' : path;
  const name = a.mutex.find((mutex) => b.mutex.includes(mutex));
  return name === undefined ? undefined : `mutex '${name}'`;
}

export function claimFile(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

export function writeClaim(folder: string, claim: Claim): void {
  const { id, ...content } = claim;
  const temp = join(folder, tempName('claim'));
  writeNewFile(temp, Buffer.from(`${JSON.stringify(content, null, 1)}\n`), 0o644, false);
  renameSync(temp, claimFile(folder, id));
}

/**
 * All claims of living processes; files that dead ones left are removed. Who has a ticket keeps it and all else as it was
 * written, so `known`, which this fills, saves reading a file twice.
 */
export function readClaims(folder: string, now: number, known: Map<string, Claim>): Claim[] {
  const claims: Claim[] = [];
  const names = listNames(folder);
  for (const name of names) {
    const id = name.endsWith('.json') ? name.slice(0, -'.json'.length) : undefined;
    const owner = ownerOf(id ?? name);
    if (owner === undefined) continue;
    if (!isAlive(join(folder, name), owner, now)) {
      removeFile(join(folder, name));
      continue;
    }
    const claim = id === undefined ? undefined : (known.get(id) ?? readClaim(folder, id));
    if (claim === undefined) continue;
    claims.push(claim);
    if (claim.ticket !== 0) known.set(claim.id, claim);
  }
  if (known.size > 2 * names.length + SPARE) {
    known.clear();
    for (const claim of claims) if (claim.ticket !== 0) known.set(claim.id, claim);
  }
  return claims;
}

function isAlive(path: string, owner: Owner, now: number): boolean {
  const state = ownerState(owner);
  if (state !== 'elsewhere') return state !== 'dead';
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && now - stats.mtimeMs < FOREIGN_DEAD_MS;
}

function readClaim(folder: string, id: string): Claim | undefined {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(claimFile(folder, id), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { ticket, host, pid, purpose, since, read, write, mutex = [] } = json as Record<string, unknown>;
  if (!isTicket(ticket) || typeof pid !== 'number' || typeof host !== 'string') return undefined;
  if (typeof purpose !== 'string' || typeof since !== 'string') return undefined;
  const reads = paths(read);
  const writes = paths(write);
  if (reads === undefined || writes === undefined || !Array.isArray(mutex)) return undefined;
  return { id, ticket, host, pid, purpose, since, read: reads, write: writes, mutex: mutex.map(String) };
}

function isTicket(json: unknown): json is number {
  return Number.isSafeInteger(json) && (json as number) >= 0 && (json as number) < TICKET_LIMIT;
}

function paths(json: unknown): AnyPath[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const parsed = json.map((text) => (typeof text === 'string' ? parseAnyPath(text) : undefined));
  return parsed.every((path) => path !== undefined) ? parsed : undefined;
}

/** Tells other machines that this claim's process lives. */
export function touchClaim(folder: string, id: string, now: Date): void {
  try {
    utimesSync(claimFile(folder, id), now, now);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
