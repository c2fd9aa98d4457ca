import { type BigIntStats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { hashBytes } from './hash.ts';
import { hashOf } from './hash-set.ts';
import { type Layout, loosePath } from './layout.ts';

/**
 * Where objects were found. They are there for as long as these packs are, untouched, and these files. Plain data that can
 * cross threads.
 */
export interface Evidence {
  /** By name, what tells that the file is still the same one (`stampOf`). */
  readonly packs: Map<string, string>;
  /** Objects that are files of their own. Of more than `MOST_LOOSE` the rest is not kept. */
  readonly loose: Set<Digest>;
}

/** So many files (trees of large folders, mostly) are looked at faster than the trees that name them are read. */
const MOST_LOOSE = 1000;
const MOST_PACKS = 256;

export function noEvidence(): Evidence {
  return { packs: new Map(), loose: new Set() };
}

export function addEvidence(to: Evidence, { packs, loose }: Evidence): void {
  for (const [name, stamp] of packs) to.packs.set(name, stamp);
  for (const digest of loose) noteLoose(to, digest);
}

export function noteLoose({ loose }: Evidence, digest: Digest): void {
  if (loose.size <= MOST_LOOSE) loose.add(digest);
}

/** Whether nothing was left out, and it is worth remembering. */
export function isBrief({ packs, loose }: Evidence): boolean {
  return loose.size <= MOST_LOOSE && packs.size <= MOST_PACKS;
}

/** What tells that a pack is the one that was checked. */
export function stampOf({ size, mtimeNs, ctimeNs }: Pick<BigIntStats, 'size' | 'mtimeNs' | 'ctimeNs'>): string {
  return `${size} ${mtimeNs} ${ctimeNs}`;
}

/** Whether evidence still holds: asks for each pack once, so it is to be used for moments. */
export function evidenceCheck(layout: Layout): (evidence: Evidence) => boolean {
  const stamps = new Map<string, string | undefined>();
  const stamp = (name: string): string | undefined => {
    if (!stamps.has(name)) {
      const stats = statSync(join(layout.packs, name), { bigint: true, throwIfNoEntry: false });
      stamps.set(name, stats && stampOf(stats));
    }
    return stamps.get(name);
  };
  return ({ packs, loose }) =>
    [...packs].every(([name, before]) => stamp(name) === before) &&
    [...loose].every((digest) => statSync(loosePath(layout, digest), { throwIfNoEntry: false })?.isFile() === true);
}

const SUM_SIZE = 8;

/** 8 bytes of BLAKE3 of what follows; a line `pack NAME SIZE MTIME CTIME` or `loose HEX` for each. */
export function encodeEvidence({ packs, loose }: Evidence): Buffer {
  const lines = [
    ...[...packs].map(([name, stamp]) => `pack ${name} ${stamp}\n`),
    ...[...loose].map((digest) => `loose ${digest.slice('blake3:'.length)}\n`),
  ];
  const text = Buffer.from(lines.join(''), 'latin1');
  return Buffer.concat([sumOf(text), text]);
}

/** undefined where it is damaged, or of another kind. */
export function decodeEvidence(bytes: Buffer): Evidence | undefined {
  const text = bytes.subarray(SUM_SIZE);
  if (!sumOf(text).equals(bytes.subarray(0, SUM_SIZE))) return undefined;
  const evidence = noEvidence();
  for (const line of text.toString('latin1').split('\n').slice(0, -1)) {
    const pack = /^pack ([0-9a-f]{64}\.pack) (\d+ -?\d+ -?\d+)$/.exec(line);
    const loose = /^loose ([0-9a-f]{64})$/.exec(line);
    if (pack !== null) evidence.packs.set(pack[1] as string, pack[2] as string);
    else if (loose !== null) evidence.loose.add(`blake3:${loose[1]}` as Digest);
    else return undefined;
  }
  return evidence;
}

function sumOf(bytes: Buffer): Buffer {
  return hashOf(hashBytes(bytes)).subarray(0, SUM_SIZE);
}
