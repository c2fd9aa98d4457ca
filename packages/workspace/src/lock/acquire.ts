import { join } from 'node:path';
import { FailureError } from '@dag/model';
import { makeFolder, removeFile, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import type { LockHolder, LockOptions, LockRequest, Release } from '../types.ts';
import {
  type Claim,
  claimFile,
  conflict,
  HEARTBEAT_MS,
  newClaim,
  readClaims,
  touchClaim,
  writeClaim,
} from './claim.ts';

/** Waiting polls after so many milliseconds, twice as long each time, up to the second number. */
const FIRST_POLL_MS = 2;
const LAST_POLL_MS = 250;

/**
 * Takes all paths of a request at once, in turn with everyone else, by tickets as in Lamport's bakery ("A New Solution of
 * Dijkstra's Concurrent Programming Problem", 1974). Each claim is a file of its own, so that there is no shared lock file to
 * be fought over when a holder dies: a dead one's file is simply removed, by anyone. The lowest ticket of those in conflict
 * goes first. A claim is written once, with a ticket that should be the highest; whose first look then finds a higher one in
 * its way, which may have been let in without seeing this claim, takes another ticket.
 */
export async function acquire(context: Context, request: LockRequest, options: LockOptions): Promise<Release> {
  options.signal?.throwIfAborted();
  const { read, write, mutex = [] } = request;
  if (read.length + write.length + mutex.length === 0) return () => {};
  const folder = locksFolder(context);
  let claim = placeClaim(context, folder, request, 0);
  const letGo = (): void => removeFile(claimFile(folder, claim.id));
  try {
    let rivals = rivalsOf(context, folder, claim);
    for (let above = higher(claim, rivals); above > 0; above = higher(claim, rivals)) {
      letGo();
      claim = placeClaim(context, folder, request, above);
      rivals = rivalsOf(context, folder, claim);
    }
    await waitForTurn(context, folder, claim, rivals, options);
  } catch (error) {
    letGo();
    throw error;
  }
  const heartbeat = setInterval(() => touchClaim(folder, claim.id, new Date()), HEARTBEAT_MS);
  heartbeat.unref();
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    clearInterval(heartbeat);
    letGo();
  };
}

/** Writes a claim whose ticket is above all that are known, and above `above`. */
function placeClaim(context: Context, folder: string, request: LockRequest, above: number): Claim {
  let last = above;
  for (const { ticket } of context.claims.values()) last = Math.max(last, ticket);
  const claim = newClaim(tempName('claim'), request, last + 1, new Date());
  withIo('write the lock', folder, () => writeClaim(folder, claim));
  context.claims.set(claim.id, claim);
  return claim;
}

/** The highest ticket of those that come after a claim; 0 where there is none. */
function higher(claim: Claim, rivals: readonly Claim[]): number {
  return Math.max(0, ...rivals.filter((other) => isBefore(claim, other)).map(({ ticket }) => ticket));
}

function rivalsOf(context: Context, folder: string, claim: Claim): Claim[] {
  return readClaims(folder, Date.now(), context.claims).filter(
    (other) => other.id !== claim.id && conflict(claim, other) !== undefined,
  );
}

/** See `Workspace.holders`. */
export function holders(context: Context): LockHolder[] {
  return readClaims(join(context.home, 'locks'), Date.now(), context.claims).map(
    ({ id: _, ticket: __, ...holder }) => holder,
  );
}

/** @param first those in the claim's way when it was first looked. */
async function waitForTurn(
  context: Context,
  folder: string,
  claim: Claim,
  first: readonly Claim[],
  options: LockOptions,
): Promise<void> {
  let rivals = first;
  let told: string | undefined;
  let pause = FIRST_POLL_MS;
  let touched = Date.now();
  for (;;) {
    const ahead = rivals
      .filter((other) => other.ticket !== 0 && isBefore(other, claim))
      .sort((a, b) => a.ticket - b.ticket);
    const next = ahead[0];
    if (next === undefined && rivals.every((other) => other.ticket !== 0)) return;
    if (next !== undefined) {
      if (!options.wait) throw lockedFailure(next, claim);
      if (told !== next.id) options.onWait?.(next);
      told = next.id;
    }
    await sleep(pause, options.signal);
    pause = Math.min(pause * 2, LAST_POLL_MS);
    if (Date.now() - touched > HEARTBEAT_MS) {
      touched = Date.now();
      touchClaim(folder, claim.id, new Date(touched));
    }
    rivals = rivalsOf(context, folder, claim);
  }
}

function isBefore(a: Claim, b: Claim): boolean {
  return a.ticket < b.ticket || (a.ticket === b.ticket && a.id < b.id);
}

function lockedFailure(holder: Claim, mine: Claim): FailureError {
  return new FailureError({
    code: 'locked',
    message: `${conflict(mine, holder) ?? 'the project'} is in use by process ${holder.pid} on ${holder.host} (${holder.purpose}) since ${holder.since}`,
    hint: 'wait for it to end, or run without --no-wait to be told when it does',
  });
}

function locksFolder(context: Context): string {
  const folder = join(context.home, 'locks');
  withIo('make the folder', '.cache/locks', () => makeFolder(folder));
  return folder;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
