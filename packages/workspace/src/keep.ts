import { statSync } from 'node:fs';
import { relative } from 'node:path';
import { type AnyPath, type Digest, encodeTree } from '@dag/model';
import { type CheckedObject, type CheckPart, type FileStats, isSettled, nowNs } from '@dag/store';
import type { Context } from './context.ts';
import { type FolderNode, ownFolders, type Standing } from './observe/node.ts';
import { look } from './observe/observe.ts';
import { entriesOf } from './observe/trees.ts';
import { storeAnew } from './threads/heal.ts';
import type { Job } from './threads/protocol.ts';
import type { WorkOptions } from './types.ts';

/** What is about to go from the workspace. */
export interface Going {
  /** Absolute paths and what stands there. */
  readonly files: { readonly abs: string; readonly digest: Digest }[];
  /** Folders whose listing, as it stands, a lock may name. */
  readonly folders: FolderNode[];
}

/** See `Workspace.keep`. */
export async function keep(context: Context, paths: readonly AnyPath[], options: WorkOptions = {}): Promise<void> {
  const going: Going = { files: [], folders: [] };
  for (const [, standing] of await look(context, paths, options)) addAll(going, standing);
  await keepGoing(context, going, options);
}

/** What a symlink leads to stays where it is. */
function addAll({ files, folders }: Going, standing: Standing): void {
  if (standing.kind === 'absent' || standing.isLink) return;
  if (standing.kind === 'file') {
    files.push({ abs: standing.abs, digest: standing.facts.digest(0) });
    return;
  }
  for (const node of ownFolders(standing.node)) {
    folders.push(node);
    for (const [i, name] of node.files.entries())
      files.push({ abs: `${node.abs}/${name}`, digest: node.facts.digest(i) });
  }
}

/**
 * The last look before content leaves the workspace: objects that the cache is thought to have are hashed, unless they are
 * untouched since that was done, and a damaged one is stored anew from what goes. What the cache never had is no matter of
 * this: whoever lets that go knows. Throws where the cache can't take what it should have; nothing has gone then.
 */
export async function keepGoing(context: Context, going: Going, options: WorkOptions = {}): Promise<void> {
  const sources = new Map<Digest, string | FolderNode>();
  for (const { abs, digest } of going.files) sources.set(digest, abs);
  for (const node of going.folders) if (node.digest !== undefined) sources.set(node.digest, node);
  const { damaged, missing } = await findDamaged(context, sources.keys(), options);
  // It may have been in a pack that is in quarantine; or it never was in the cache, which does no harm.
  for (const digest of missing) {
    const source = sources.get(digest);
    if (typeof source === 'string' && context.store.suspects(digest).length > 0)
      storeAnew(context.store, source, digest);
  }
  for (const digest of damaged) {
    const source = sources.get(digest);
    if (source === undefined) continue;
    const quarantined = context.store.quarantine(digest);
    if (typeof source === 'string') storeAnew(context.store, source, digest);
    else context.store.putBytes(encodeTree(entriesOf(source)));
    options.onMended?.(typeof source === 'string' ? relative(context.root, source) : source.path, quarantined);
  }
}

/** More bytes than this are worth worker threads. */
const MANY_BYTES = 64 * 1024 * 1024;
/** Objects of one job. */
const CHUNK = 1024;

/** Those of some digests that the cache has, and whose bytes are others; and those that it has not. */
async function findDamaged(
  context: Context,
  digests: Iterable<Digest>,
  { signal, onProgress }: WorkOptions,
): Promise<{ readonly damaged: ReadonlySet<Digest>; readonly missing: readonly Digest[] }> {
  const { store, statCache } = context;
  const packs = new Map<string, CheckedObject[]>();
  const loose: CheckedObject[] = [];
  const stats = new Map<Digest, FileStats>();
  const before = nowNs();
  const damaged = new Set<Digest>();
  const missing: Digest[] = [];
  let bytes = 0;
  for (const digest of digests) {
    const place = store.locate(digest);
    if (place === undefined) {
      missing.push(digest);
      continue;
    }
    if (place.kind === 'packed') {
      const objects = packs.get(place.pack) ?? [];
      packs.set(place.pack, objects);
      objects.push({ digest, offset: place.offset, size: place.size });
    } else {
      const found = statSync(place.file, { bigint: true, throwIfNoEntry: false });
      if (found !== undefined && statCache.find(found) === digest) continue;
      if (found !== undefined) stats.set(digest, found);
      loose.push({ digest, file: place.file, offset: 0, size: place.size });
    }
    bytes += place.size;
  }
  const parts: CheckPart[] = loose.map((object) => ({ file: undefined, objects: [object] }));
  for (const [file, objects] of packs) {
    objects.sort((a, b) => a.offset - b.offset);
    for (let i = 0; i < objects.length; i += CHUNK) parts.push({ file, objects: objects.slice(i, i + CHUNK) });
  }
  const pool = (bytes > MANY_BYTES ? context.threads() : undefined) ?? context.local;
  const jobs = parts.map((part): Job => ({ kind: 'check', part }));
  const progress = { phase: 'hash' as const, files: 0, bytes: 0 };
  await pool.run(
    jobs,
    (result, job) => {
      if (result.kind !== 'check' || job.kind !== 'check') throw new Error('a check gave something else');
      for (const i of result.bad) damaged.add((job.part.objects[i] as CheckedObject).digest);
      for (const { size } of job.part.objects) progress.bytes += size;
      progress.files += job.part.objects.length;
      onProgress?.(progress);
    },
    signal,
  );
  for (const [digest, found] of stats) {
    if (!damaged.has(digest) && isSettled(found, before)) statCache.record(found, digest);
  }
  statCache.flush();
  return { damaged, missing };
}
