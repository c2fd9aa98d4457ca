import type { Artifact, Digest } from '@dag/model';
import { FailureError } from '@dag/model';
import { addEvidence, type Evidence, isBrief, noEvidence } from './evidence.ts';
import { hashOf } from './hash-set.ts';
import type { Presence } from './staging.ts';
import type { KnownTrees, Store } from './types.ts';

const HEADER = Buffer.from('dag tree 1\n', 'latin1');
const [NUL, SPACE] = [0, 0x20];
const FOLDER = 0x64;
const LINK = 0x6c;

/**
 * See `Store.isComplete`. Trees are read as bytes, for speed: only kinds and digests are looked at, not names.
 * @param present whether an object is there.
 * @param known trees that need not be read.
 */
export function isComplete(
  store: Pick<Store, 'read'>,
  artifact: Artifact,
  present: Presence,
  known?: KnownTrees & { readonly holds: (evidence: Evidence) => boolean },
): boolean {
  if (artifact.kind === 'file') return present(hashOf(artifact.digest), 0);
  const found = noEvidence();
  const seen = new Set<Digest>([artifact.digest]);
  const waiting = [artifact.digest];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    const before = known?.recall(digest);
    if (before !== undefined && known?.holds(before) === true) {
      if (digest === artifact.digest) return true;
      addEvidence(found, before);
      continue;
    }
    const inner = inside(store, digest, (hash, at) => present(hash, at, found));
    if (inner === undefined || !present(hashOf(digest), 0, found)) return false;
    for (const one of inner) {
      if (seen.has(one)) continue;
      seen.add(one);
      waiting.push(one);
    }
  }
  if (isBrief(found)) known?.remember(artifact.digest, found);
  return true;
}

/** The folders in a tree whose files are all there; undefined where one is not, or the tree is missing or damaged. */
function inside(store: Pick<Store, 'read'>, digest: Digest, present: Presence): Digest[] | undefined {
  const bytes = readOrNothing(store, digest);
  if (bytes === undefined || HEADER.compare(bytes, 0, HEADER.length) !== 0) return undefined;
  const hash = Buffer.alloc(32);
  const folders: Digest[] = [];
  for (let at = HEADER.length; at < bytes.length; at = after(bytes, at)) {
    const kind = bytes[at];
    if (kind === LINK) {
      at = after(bytes, at);
      continue;
    }
    const from = hashStart(bytes, at, kind === FOLDER ? 3 : 2);
    if (from === -1) return undefined;
    if (kind === FOLDER) folders.push(`blake3:${bytes.toString('latin1', from, from + 64)}` as Digest);
    else if (!fromHex(bytes, from, hash) || !present(hash, 0)) return undefined;
  }
  return folders;
}

/** After the next NUL. */
function after(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== NUL) at++;
  return at + 1;
}

/** Where the 64 hex digits begin, after so many spaces; -1 where there is no room for them. */
function hashStart(bytes: Buffer, from: number, spaces: number): number {
  let [at, left] = [from, spaces];
  while (left > 0) {
    const byte = bytes[at++];
    if (byte === undefined || byte === NUL) return -1;
    if (byte === SPACE) left--;
  }
  return at + 64 < bytes.length ? at : -1;
}

function fromHex(bytes: Buffer, from: number, into: Buffer): boolean {
  for (let i = 0; i < 32; i++) {
    const [high, low] = [digit(bytes[from + 2 * i]), digit(bytes[from + 2 * i + 1])];
    if (high === -1 || low === -1) return false;
    into[i] = (high << 4) | low;
  }
  return true;
}

function digit(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

function readOrNothing(store: Pick<Store, 'read'>, digest: Digest): Buffer | undefined {
  try {
    const bytes = store.read(digest);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'objects-failed') return undefined;
    throw error;
  }
}
