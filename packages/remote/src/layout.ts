import { type Digest, digestHex, parseDigest, parseRunKey, type RunKey } from '@dag/model';

/** Where things lie in a remote: FORMAT.md says more. */

export const MARKER_KEY = 'dag-remote.json';
/** 0: not yet promised to be read for ever. */
export const FORMAT_VERSION = 0;

const OBJECT_FORM = /^objects\/([0-9a-f]{2})\/([0-9a-f]{62})$/;
const RUN_FORM = /^runs\/[0-9a-f]{2}\/([0-9a-f]{64})\/[0-9a-f]{64}\.json$/;

/** The key of an object. */
export function objectKey(digest: Digest): string {
  const hex = digestHex(digest);
  return `objects/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** The digest of the object under a key; undefined for a key of another kind. */
export function objectDigest(key: string): Digest | undefined {
  const match = OBJECT_FORM.exec(key);
  return match === null ? undefined : parseDigest(`blake3:${match[1]}${match[2]}`);
}

/** What the keys of all objects begin with whose digest begins with these hex digits (at most two). */
export function objectsPrefix(digits: string): string {
  return digits.length < 2 ? `objects/${digits}` : `objects/${digits}/`;
}

/** What the keys of all run records of one run key begin with. */
export function runPrefix(key: RunKey): string {
  return `runs/${key.slice(0, 2)}/${key}/`;
}

/** The key of one run record; `digest` is that of its text. */
export function recordKey(key: RunKey, digest: Digest): string {
  return `${runPrefix(key)}${digestHex(digest)}.json`;
}

/** The run key of the record under a key; undefined for a key of another kind. */
export function recordRunKey(key: string): RunKey | undefined {
  const match = RUN_FORM.exec(key);
  return match === null ? undefined : parseRunKey(match[1] ?? '');
}
