import type { Reading } from '../../packages/pipeline/test/rig/values.ts';
import type { TheirReading } from './dvc.ts';

/** How this tool's reading of a file differs from DVC's; undefined where it does not, or on purpose. */
export interface Difference {
  readonly kind: 'taken here' | 'refused here' | 'other value';
}

/**
 * What is refused here and taken by DVC, on purpose: what this tool says, and why.
 * - Sets, ordered maps, bytes and the like are no params; DVC takes them and fails later.
 * - Only YAML 1.2 is read: under `%YAML 1.1`, yes is true and 017 is 15 for DVC.
 * - A list as a key can be named by no dotted path.
 * - A value that holds itself has no end.
 * - A map with the key = is its value under the tag of a scalar.
 * - A tag before a map that `<<` merges is passed over by DVC, whatever it is.
 * - Bytes, complex numbers and characters by their names in Python are passed over.
 * - A TOML table that is opened again, which TOML forbids.
 * - A key that stands twice beside a merge is a mistake; DVC silently takes the second.
 */
const REFUSED_HERE: readonly RegExp[] = [
  /^the tag !!(set|omap|pairs|binary) means nothing/,
  /^only YAML 1\.2 is read/,
  /^a key must be a plain word/,
  /^not TOML: trying to redefine/,
  /stands inside the value that it names$/,
];

/**
 * What is taken here and refused by DVC, on purpose:
 * - Only so much of Python's grammar is checked as assignments need.
 * - A TOML date with a stray character in it.
 */
function isTakenHere(name: string, text: string): boolean {
  return name === 'p.py' || (name === 'p.toml' && /\d{4}-(?!\d\d-\d\d)|\d\d[-:](?!\d\d)/.test(text));
}

export function differs(name: string, text: string, ours: Reading, theirs: TheirReading): Difference | undefined {
  if ('refused' in theirs) {
    if (theirs.crash || 'refused' in ours || isTakenHere(name, text)) return undefined;
    return { kind: 'taken here' };
  }
  if (/"other":"(?:bytes|complex|ellipsis)"/.test(JSON.stringify(theirs.value))) return undefined;
  if ('refused' in ours) {
    if (REFUSED_HERE.some((reason) => reason.test(ours.refused))) return undefined;
    if (/^(this is no value for )?the tag/.test(ours.refused) && /=|<</.test(text)) return undefined;
    if (/stands here twice$/.test(ours.refused) && text.includes('<<')) return undefined;
    return { kind: 'refused here' };
  }
  const same = isSame(sorted(name, ours.value), sorted(name, theirs.value));
  return same ? undefined : { kind: 'other value' };
}

/** The order of keys says nothing in TOML, and is not kept where keys are whole numbers. */
function sorted(name: string, value: unknown): unknown {
  if (name !== 'p.toml' || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => sorted(name, item));
  if (!('map' in value)) return value;
  const pairs = (value.map as [string, unknown][]).map(([key, item]) => [key, sorted(name, item)] as const);
  return { map: pairs.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/** Whether two values are the same, a date being the text that it is written as. */
export function isSame(ours: unknown, theirs: unknown): boolean {
  if (typeof theirs !== 'object' || theirs === null) return ours === theirs;
  if (Array.isArray(theirs)) {
    return Array.isArray(ours) && ours.length === theirs.length && theirs.every((item, i) => isSame(ours[i], item));
  }
  if ('date' in theirs) return typeof ours === 'string' && (ours === theirs.date || /^\d{4}-\d/.test(ours));
  if ('other' in theirs) return theirs.other === 'set' && Array.isArray(ours);
  if (typeof ours !== 'object' || ours === null) return false;
  if ('map' in theirs) return 'map' in ours && isSame(ours.map, theirs.map);
  if ('int' in theirs) return 'int' in ours && ours.int === theirs.int;
  if ('float' in theirs) return 'float' in ours && sameFloat(String(ours.float), String(theirs.float));
  return false;
}

function sameFloat(ours: string, theirs: string): boolean {
  return ours === theirs || Object.is(Number(ours), Number(theirs));
}
