import type { Reading } from '../../packages/pipeline/test/rig/values.ts';
import type { TheirReading } from './dvc.ts';

/** How this tool's reading of a file differs from DVC's; undefined where it does not, or on purpose. */
export interface Difference {
  readonly kind: 'taken here' | 'refused here' | 'other value';
}

/**
 * What is refused here and taken by DVC, on purpose: what this tool says, and why.
 * - Sets, ordered maps, bytes and the like are no params; DVC takes them and fails later.
 * - A list as a key can be named by no dotted path.
 * - A value that holds itself has no end.
 * - A map with the key = is its value under the tag of a scalar.
 * - A tag before a map that `<<` merges is passed over by DVC, whatever it is.
 * - A key that stands twice beside a merge is a mistake; DVC silently takes the second.
 */
const REFUSED_HERE: readonly RegExp[] = [
  /^the tag !!(set|omap|pairs|binary) means nothing/,
  /^a key must be a plain word/,
  /stands inside the value that it names$/,
];

export function differs(text: string, ours: Reading, theirs: TheirReading): Difference | undefined {
  if ('refused' in theirs) {
    if (theirs.crash || 'refused' in ours) return undefined;
    return { kind: 'taken here' };
  }
  if ('refused' in ours) {
    if (REFUSED_HERE.some((reason) => reason.test(ours.refused))) return undefined;
    if (/^(this is no value for )?the tag/.test(ours.refused) && /=|<</.test(text)) return undefined;
    if (/stands here twice$/.test(ours.refused) && text.includes('<<')) return undefined;
    return { kind: 'refused here' };
  }
  return isSame(ours.value, theirs.value) ? undefined : { kind: 'other value' };
}

/** Whether two values are the same, a date being the text that it is written as. */
export function isSame(ours: unknown, theirs: unknown): boolean {
  if (typeof theirs !== 'object' || theirs === null) return ours === theirs;
  if (Array.isArray(theirs)) {
    return Array.isArray(ours) && ours.length === theirs.length && theirs.every((item, i) => isSame(ours[i], item));
  }
  if ('date' in theirs) return typeof ours === 'string' && /^\d{4}-\d/.test(ours);
  if (typeof ours !== 'object' || ours === null) return false;
  if ('map' in theirs) return 'map' in ours && isSame(ours.map, theirs.map);
  if ('int' in theirs) return 'int' in ours && ours.int === theirs.int;
  if ('float' in theirs) return 'float' in ours && sameFloat(String(ours.float), String(theirs.float));
  return false;
}

function sameFloat(ours: string, theirs: string): boolean {
  return ours === theirs || Object.is(Number(ours), Number(theirs));
}
