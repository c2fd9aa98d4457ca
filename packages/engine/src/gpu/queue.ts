import fs from 'node:fs';
import os from 'node:os';
import { FailureError } from '@dag/model';
import { tempName } from '@dag/store';
import { type Group, groupState } from '../run/orphans.ts';
import { endGroup } from '../run/process.ts';
import {
  type Claim,
  makeLeaseFolder,
  readClaims,
  removeClaim,
  type SeenClaim,
  touchClaim,
  writeClaim,
} from './claim.ts';
import { freeFor, holdersFor, isRival, type Rooms } from './free.ts';

export interface LeaseRequest {
  /** How many devices, at least 1. */
  readonly count: number;
  /** Which ones will do, best first; at least `count`. */
  readonly among: readonly string[];
  /** See `Claim.within`. */
  readonly within: readonly string[];
  readonly purpose: string;
  /** Bytes that it wants of each device, beside others that say so too; absent: it wants them whole. */
  readonly memory?: number;
}

export interface LeaseOptions {
  /** false: a FailureError `locked` where others hold too many. */
  readonly wait: boolean;
  readonly signal?: AbortSignal;
  /** Devices that can be shared, asked for again whenever there may be others in use; the rest are given whole. */
  rooms?(): Promise<Rooms>;
  /** Called when waiting begins, and again whenever it is for another claim; without one for programs that leased nothing. */
  onWait?(holder: SeenClaim | undefined, devices: readonly string[]): void;
  /** Called for each stage of a killed process that was ended because it kept a device busy. */
  onOrphan?(holder: SeenClaim): void;
}

/** Devices that are held until they are released. */
export interface HeldDevices {
  readonly id: string;
  readonly devices: readonly string[];
  /** Those of them that others may have a part of. */
  readonly shared: readonly string[];
  readonly waited: boolean;
  /** Notes the process group that works on them, so that they count as in use as long as it is at work. */
  note(group: Group): void;
  /** Calling it twice does no harm. */
  release(): void;
}

/** How often a living holder touches its files. */
const HEARTBEAT_MS = 20 * 1000;
/** Waiting looks again after so many milliseconds, twice as long each time up to the second number, or when the folder changes. */
const FIRST_POLL_MS = 2;
const LAST_POLL_MS = 500;

/**
 * Leases devices of the host, all at once or none, in turn with every process that uses the same folder: Lamport's bakery
 * algorithm on files, as for paths (`workspace/src/lock`). Only the claim with the lowest ticket among those that want some
 * of the same devices may take any; the others come after it, even where fewer would do for them, so that nobody waits for
 * ever. What runs inside a stage divides what the stage holds. No claim is another's file, so that there is nothing to be fought over when a holder dies.
 */
export async function leaseDevices(folder: string, request: LeaseRequest, options: LeaseOptions): Promise<HeldDevices> {
  options.signal?.throwIfAborted();
  makeLeaseFolder(folder);
  const draft: Claim = {
    id: tempName('lease'),
    host: os.hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
    ticket: 0,
    held: [],
    ...request,
  };
  writeClaim(folder, draft);
  let claim = draft;
  let waited = false;
  try {
    const last = Math.max(0, ...readClaims(folder, Date.now()).map(({ ticket }) => ticket));
    claim = { ...draft, ticket: last + 1 };
    writeClaim(folder, claim);
    const { devices, shared } = await waitForTurn(folder, claim, options, () => {
      waited = true;
    });
    claim = { ...claim, held: devices, since: new Date().toISOString(), ...(shared.length === 0 ? {} : { shared }) };
    writeClaim(folder, claim);
  } catch (error) {
    removeClaim(folder, draft.id);
    throw error;
  }
  const heartbeat = setInterval(() => beat(folder, claim), HEARTBEAT_MS);
  heartbeat.unref();
  let open = true;
  return {
    id: claim.id,
    devices: claim.held,
    shared: claim.shared ?? [],
    waited,
    note: (group) => {
      claim = { ...claim, group };
      if (open) writeClaim(folder, claim);
    },
    release: () => {
      if (!open) return;
      open = false;
      clearInterval(heartbeat);
      removeClaim(folder, claim.id);
    },
  };
}

/** Where it fails (the disk is full, somebody took the folder) other machines may take the holder for dead; it goes on. */
function beat(folder: string, claim: Claim): void {
  try {
    touchClaim(folder, claim, new Date());
  } catch {
    // The next beat tries again.
  }
}

async function waitForTurn(
  folder: string,
  claim: Claim,
  options: LeaseOptions,
  onFirstWait: () => void,
): Promise<{ readonly devices: readonly string[]; readonly shared: readonly string[] }> {
  let told: string | undefined;
  let pause = FIRST_POLL_MS;
  let touched = Date.now();
  const changes = watchFolder(folder);
  try {
    for (;;) {
      const rooms: Rooms = (claim.memory === undefined ? undefined : await options.rooms?.()) ?? new Map();
      const claims = readClaims(folder, Date.now()).filter((other) => other.id !== claim.id);
      const free = freeFor(claim, claims, rooms);
      const queue = claims.filter((other) => other.held.length === 0 && isRival(claim, other, claims));
      const ahead = queue.filter((other) => other.ticket !== 0 && isBefore(other, claim));
      if (ahead.length === 0 && free.length >= claim.count && queue.every(({ ticket }) => ticket !== 0)) {
        const devices = free.slice(0, claim.count);
        return { devices, shared: devices.filter((device) => rooms.has(device)) };
      }
      const holders = holdersFor(claim, claims);
      if (ahead.length === 0 && (await endOrphans(holders, options))) continue;
      const inTheWay = [...holders, ...ahead].sort((a, b) => a.ticket - b.ticket)[0];
      // One that is choosing its ticket, or is about to take what is free, is no reason to say anything.
      const short = [claim, ...ahead].some((one) => freeFor(one, claims, rooms).length < one.count);
      if (short && (inTheWay !== undefined || free.length < claim.count)) {
        const devices = (inTheWay?.held ?? claim.among).filter((device) => claim.among.includes(device));
        if (!options.wait) throw lockedFailure(inTheWay, devices);
        onFirstWait();
        if (told !== (inTheWay?.id ?? '')) options.onWait?.(inTheWay, devices);
        told = inTheWay?.id ?? '';
      }
      await changes.next(pause * (0.75 + Math.random() / 2), options.signal);
      pause = Math.min(pause * 2, LAST_POLL_MS);
      if (Date.now() - touched > HEARTBEAT_MS) {
        touched = Date.now();
        beat(folder, claim);
      }
    }
  } finally {
    changes.close();
  }
}

function isBefore(a: Claim, b: Claim): boolean {
  return a.ticket < b.ticket || (a.ticket === b.ticket && a.id < b.id);
}

/**
 * Ends what killed processes left at work: nobody waits for its result, and it keeps devices busy. Another user's is left
 * alone. @returns whether there was any.
 */
async function endOrphans(holders: readonly SeenClaim[], options: LeaseOptions): Promise<boolean> {
  let any = false;
  for (const holder of holders) {
    if (!holder.orphaned || holder.group === undefined || groupState(holder.group) !== 'ours') continue;
    any = true;
    options.onOrphan?.(holder);
    await endGroup(holder.group.pid);
    options.signal?.throwIfAborted();
  }
  return any;
}

/** Who holds a device, in words. */
export function holderText(holder: SeenClaim): string {
  const who = holder.orphaned ? 'which was killed and left its stage at work' : `pid ${holder.pid} on ${holder.host}`;
  return `${holder.purpose} (${who}, since ${holder.since})`;
}

/** `GPU X`, `GPUs X and Y`; in general where none is named. */
export function devicesText(devices: readonly string[]): string {
  if (devices.length === 0) return 'a GPU';
  return `GPU${devices.length > 1 ? 's' : ''} ${devices.join(' and ')}`;
}

/** Why nobody who leased anything is in the way. */
export function othersText(devices: readonly string[]): string {
  return `${devicesText(devices)}: programs that leased nothing use too much of the memory`;
}

function lockedFailure(holder: SeenClaim | undefined, devices: readonly string[]): FailureError {
  const hint = 'wait for it to end, or leave --no-wait out to wait for it here';
  if (holder === undefined) return new FailureError({ code: 'locked', message: othersText(devices), hint });
  return new FailureError({
    code: 'locked',
    message: `${devicesText(devices)} ${devices.length > 1 ? 'are' : 'is'} held by ${holderText(holder)}`,
    hint,
  });
}

/** Says when the folder changes, or a time is over; just the latter where nothing can be watched. */
function watchFolder(folder: string) {
  let wake = (): void => {};
  let changed = false;
  let watcher: fs.FSWatcher | undefined;
  try {
    watcher = fs.watch(folder, { persistent: false }, (_, name) => {
      if (name !== null && !/\.(claim|json)$/.test(name)) return;
      changed = true;
      wake();
    });
    watcher.on('error', () => {});
  } catch {
    // Too many watches on this host, say.
  }
  return {
    next: (ms: number, signal: AbortSignal | undefined): Promise<void> =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
          wake = () => {};
          changed = false;
          if (signal?.aborted === true) reject(signal.reason);
          else resolve();
        };
        const timer = setTimeout(end, changed ? 0 : ms);
        signal?.addEventListener('abort', end, { once: true });
        wake = end;
        if (signal?.aborted === true) end();
      }),
    close: () => watcher?.close(),
  };
}
