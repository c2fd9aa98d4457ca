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
 * Takes all paths of a request at once, in turn with everyone else: Lamport's bakery algorithm on files ("A New Solution of
 * Dijkstra's Concurrent Programming Problem", 1974). Each claim is a file of its own, so that there is no shared lock file to
 * be fought over when a holder dies: a dead one's file is simply removed, by anyone. A claim is first written without a ticket
 * ("choosing"), then with one above all others; the lowest of those in conflict goes first.
 */
export async function acquire(context: Context, request: LockRequest, options: LockOptions): Promise<Release> {
  options.signal?.throwIfAborted();
  const { read, write, mutex = [] } = request;
  if (read.length + write.length + mutex.length === 0) return () => {};
  const folder = locksFolder(context);
  const draft = newClaim(tempName('claim'), request, new Date());
  const claim = withIo('write the lock', folder, () => {
    writeClaim(folder, draft);
    const last = Math.max(0, ...readClaims(folder, Date.now(), context.claims).map(({ ticket }) => ticket));
    const chosen = { ...draft, ticket: last + 1 };
    writeClaim(folder, chosen);
    context.claims.set(chosen.id, chosen);
    return chosen;
  });
  const letGo = (): void => removeFile(claimFile(folder, claim.id));
  try {
    await waitForTurn(context, folder, claim, options);
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

/** See `Workspace.holders`. */
export function holders(context: Context): LockHolder[] {
  return readClaims(join(context.home, 'locks'), Date.now(), context.claims).map(
    ({ id: _, ticket: __, ...holder }) => holder,
  );
}

async function waitForTurn(context: Context, folder: string, claim: Claim, options: LockOptions): Promise<void> {
  let told: string | undefined;
  let pause = FIRST_POLL_MS;
  let touched = Date.now();
  for (;;) {
    const rivals = readClaims(folder, Date.now(), context.claims).filter(
      (other) => other.id !== claim.id && conflict(claim, other) !== undefined,
    );
    const ahead = rivals
      .filter((other) => other.ticket !== 0 && isBefore(other, claim))
      .sort((a, b) => a.ticket - b.ticket);
    const first = ahead[0];
    if (first === undefined && rivals.every((other) => other.ticket !== 0)) return;
    if (first !== undefined) {
      if (!options.wait) throw lockedFailure(first, claim);
      if (told !== first.id) options.onWait?.(first);
      told = first.id;
    }
    await sleep(pause, options.signal);
    pause = Math.min(pause * 2, LAST_POLL_MS);
    if (Date.now() - touched > HEARTBEAT_MS) {
      touched = Date.now();
      touchClaim(folder, claim.id, new Date(touched));
    }
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
