import type { Claim, SeenClaim } from './claim.ts';

/** What there is of a device that can be shared, in bytes. */
export interface Room {
  readonly total: number;
  /** In use by programs that leased nothing. */
  readonly others: number;
}

/** By device; one that is not in it is held whole. */
export type Rooms = ReadonlyMap<string, Room>;

/** Less than this in use by others is no reason to keep the only stage of a device from it: displays take as much. */
export const NEGLIGIBLE_BYTES = 1 << 30;

/**
 * The devices that a claim could take now, best first. Whole: those that nobody else holds, in the order of the request. By
 * memory: those with as much left beside what others declared and others use, the one with the most left first, so that
 * work is spread; those that can't be shared, last.
 */
export function freeFor(claim: Claim, others: readonly SeenClaim[], rooms: Rooms): string[] {
  const scope = scopeOf(claim, others);
  const holders = holdersFor(claim, others);
  const { memory } = claim;
  const left = new Map(
    claim.among.map((device): [string, number] => {
      const there = outermost(
        holders.filter((holder) => holder.held.includes(device) && concerns(holder, device, scope)),
      );
      const room = roomOf(device, scope, rooms);
      if (memory === undefined || room === undefined) return [device, there.length === 0 ? 0 : -1];
      const declared = there.map((holder) => partOf(holder, device));
      if (declared.length === 0 && room.others < NEGLIGIBLE_BYTES) return [device, room.total - memory];
      return [device, room.total - room.others - declared.reduce((sum, part) => sum + part, 0) - memory];
    }),
  );
  const free = claim.among.filter((device) => (left.get(device) ?? -1) >= 0);
  return memory === undefined ? free : free.sort((a, b) => (left.get(b) ?? 0) - (left.get(a) ?? 0));
}

/** Bytes of a device that a holder has; all there are where it has it whole. */
export function partOf(holder: Claim, device: string): number {
  return holder.shared?.includes(device) === true ? (holder.memory ?? 0) : Number.POSITIVE_INFINITY;
}

/** Holders that work inside no other of them: what runs inside a stage has a part of that stage's part. */
export function outermost<T extends Claim>(holders: readonly T[]): T[] {
  return holders.filter(({ within }) => !holders.some(({ id }) => within.includes(id)));
}

/** Who has another part of a device than the stage around is no concern of what runs inside that stage. */
function concerns(holder: Claim, device: string, scope: SeenClaim | undefined): boolean {
  return scope?.shared?.includes(device) !== true || holder.within.includes(scope.id);
}

/** Inside a stage that has a part of a device there is that part, and what others use is not its concern. */
function roomOf(device: string, scope: SeenClaim | undefined, rooms: Rooms): Room | undefined {
  const room = rooms.get(device);
  if (scope === undefined || room === undefined) return room;
  return { total: Math.min(room.total, partOf(scope, device)), others: 0 };
}

/** Who holds devices that a claim could do with. The stage that it runs in, and those around that, hold them for it. */
export function holdersFor(claim: Claim, others: readonly SeenClaim[]): SeenClaim[] {
  const scope = claim.within.indexOf(scopeOf(claim, others)?.id ?? '');
  const around = claim.within.slice(0, scope + 1);
  return others.filter(
    ({ id, held }) => id !== claim.id && !around.includes(id) && held.some((device) => claim.among.includes(device)),
  );
}

/** Whether two that wait have to take turns. Whoever waits for the devices of a stage is no rival of what runs inside it. */
export function isRival(claim: Claim, other: Claim, others: readonly SeenClaim[]): boolean {
  if (!other.among.some((device) => claim.among.includes(device))) return false;
  return scopeOf(claim, others)?.id === scopeOf(other, others)?.id;
}

/** The innermost stage around a claim that holds all it may take. */
function scopeOf(claim: Claim, others: readonly SeenClaim[]): SeenClaim | undefined {
  for (const id of claim.within.toReversed()) {
    const around = others.find((other) => other.id === id);
    if (around !== undefined && claim.among.every((device) => around.held.includes(device))) return around;
  }
  return undefined;
}
