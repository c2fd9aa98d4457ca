import { type AnyPath, type Artifact, type Digest, joinPath } from '@dag/model';
import { hashBytes } from '@dag/store';
import type { Context } from '../context.ts';
import type { ObserveOptions, WorkOptions } from '../types.ts';
import type { FolderNode, Standing } from './node.ts';
import { recallLarge, scan } from './scan.ts';
import { artifactOf, buildTrees, entriesOf, rememberFolders } from './trees.ts';
import { walk } from './walk.ts';
import { writtenAt } from './written.ts';

/** Looks at paths, with every detail inside. Stores nothing. */
export async function look<P extends AnyPath>(
  context: Context,
  paths: readonly P[],
  options: WorkOptions = {},
): Promise<(readonly [P, Standing])[]> {
  const { root, skip } = context;
  const rules = { root, skip, ignore: context.ignore(), strict: false, ...recallLarge(context) };
  const standing = paths.map((path) => [path, walk(path, rules)] as const);
  const op = context.nextOp();
  try {
    await scan(context, { op, standing }, options);
    for (const [, one] of standing) {
      if (one.kind !== 'folder') continue;
      buildTrees(one.node, hashBytes);
      if (context.statCache.isOpen) rememberFolders(one.node, context.statCache);
    }
  } finally {
    await context.everywhere({ kind: 'settle', op });
    context.statCache.flush();
  }
  return standing;
}

/** See `Workspace.observe`. */
export async function observe<P extends AnyPath>(
  context: Context,
  paths: readonly P[],
  options?: ObserveOptions,
): Promise<Map<P, Artifact | undefined>> {
  const standing = await look(context, [...new Set(paths)], options);
  for (const [path, one] of options?.onWritten === undefined ? [] : standing) {
    const time = writtenAt(one);
    if (time !== undefined) options?.onWritten?.(path, time);
  }
  return new Map(standing.map(([path, one]) => [path, artifactOf(one)]));
}

/** See `Workspace.list`. */
export async function list<P extends AnyPath>(
  context: Context,
  paths: readonly P[],
  options?: WorkOptions,
): Promise<Map<P, Artifact>> {
  const found = new Map<P, Artifact>();
  for (const [path, one] of await look(context, [...new Set(paths)], options)) {
    const artifact = artifactOf(one);
    if (artifact !== undefined) found.set(path, artifact);
    if (one.kind === 'folder') listFolder(one.node, found);
  }
  return found;
}

/** See `Workspace.keepListings`. */
export async function keepListings(context: Context, paths: readonly AnyPath[]): Promise<void> {
  const standing = await look(context, [...new Set(paths)]);
  const batch = context.store.writeBatch();
  try {
    const put = (bytes: Uint8Array): Digest => batch.put(bytes);
    for (const [, one] of standing) if (one.kind === 'folder') buildTrees(one.node, put, () => true);
    await batch.commit();
  } catch (error) {
    batch.discard();
    throw error;
  }
}

function listFolder<P extends AnyPath>(node: FolderNode, found: Map<P, Artifact>): void {
  for (const entry of entriesOf(node)) {
    if (entry.kind === 'symlink') continue;
    const { name, ...artifact } = entry;
    found.set(joinPath(node.path as P, name), artifact);
  }
  for (const { node: inner } of node.folders) listFolder(inner, found);
}
