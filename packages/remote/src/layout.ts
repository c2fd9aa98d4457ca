import { type Digest, digestHex, parseRunKey, type RunKey } from '@dag/model';

/** Where things lie in a remote: FORMAT.md says more. */

export const MARKER_KEY = 'dag-remote.json';
export const FORMAT_VERSION = 1;

/** What the keys of all index objects begin with. */
export const INDEX_PREFIX = 'index/';
/** Which index objects are in force, and which run records there are: for readers who can't list. */
export const INDEX_NAMES_KEY = 'index/names.json';
export const RUN_NAMES_KEY = 'runs/names.json';
/** What the keys of all run records begin with. */
export const RUN_PREFIX = 'runs/';
/** What the keys of all packs begin with. */
export const PACK_PREFIX = 'packs/';

const INDEX_FORM = /^index\/([0-9a-f]{64})\.index$/;
const PACK_FORM = /^packs\/([0-9a-f]{2})\/([0-9a-f]{62})\.pack$/;
const RUN_FORM = /^runs\/[0-9a-f]{2}\/(([0-9a-f]{64})\/[0-9a-f]{64})\.json$/;

/** The key of an index object; `name` is the BLAKE3 of its bytes in hex. */
export function indexKey(name: string): string {
  return `${INDEX_PREFIX}${name}.index`;
}

/** The name of the index object under a key; undefined for a key of another kind. */
export function indexName(key: string): string | undefined {
  return INDEX_FORM.exec(key)?.[1];
}

/** The key of a pack; `name` is the BLAKE3 of its bytes in hex. */
export function packKey(name: string): string {
  return `${PACK_PREFIX}${name.slice(0, 2)}/${name.slice(2)}.pack`;
}

/** The name of the pack under a key; undefined for a key of another kind. */
export function packName(key: string): string | undefined {
  const [, first, rest] = PACK_FORM.exec(key) ?? [];
  return rest === undefined ? undefined : `${first}${rest}`;
}

/** What the keys of all run records of one run key begin with. */
export function runPrefix(key: RunKey): string {
  return `${RUN_PREFIX}${key.slice(0, 2)}/${key}/`;
}

/** The key of one run record; `digest` is that of its text. */
export function recordKey(key: RunKey, digest: Digest): string {
  return `${runPrefix(key)}${digestHex(digest)}.json`;
}

/** The run key of the record under a key; undefined for a key of another kind. */
export function recordRunKey(key: string): RunKey | undefined {
  const match = RUN_FORM.exec(key);
  return match === null ? undefined : parseRunKey(match[2] ?? '');
}

/** A run record as `RUN_NAMES_KEY` has it, its run key and its hash; undefined for a key of another kind. */
export function recordName(key: string): string | undefined {
  return RUN_FORM.exec(key)?.[1];
}
