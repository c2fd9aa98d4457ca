import { dirname, relative } from 'node:path';
import { type Artifact, type Digest, FailureError, type ProjectPath } from '@dag/model';
import { hashBytes, hashOf, SMALL_LIMIT } from '@dag/store';
import type { Context } from '../context.ts';
import { tempFolderFor } from '../temp-folder.ts';
import type { Pool } from '../threads/pool.ts';
import type { Job } from '../threads/protocol.ts';
import type { CommitOptions } from '../types.ts';
import type { FileFacts } from './facts.ts';
import { KnownTrees } from './known-trees.ts';
import { type Linked, linksOf } from './links.ts';
import { ownFolders, type Standing } from './node.ts';
import { recallLarge, scan } from './scan.ts';
import { artifactOf, buildTrees, rememberFolders } from './trees.ts';
import { walk } from './walk.ts';

/** See `Workspace.commit`: files, then trees, made durable together; only then are files made links. */
export async function commit(
  context: Context,
  paths: readonly ProjectPath[],
  options: CommitOptions = {},
): Promise<Map<ProjectPath, Artifact>> {
  const since = Date.now();
  const { root, skip, store } = context;
  const rules = { root, skip, ignore: context.ignore(), strict: true, ...recallLarge(context) };
  const standing = [...new Set(paths)].map((path) => [path, walk(path, rules)] as const);
  for (const [path, one] of standing) if (one.kind === 'absent') throw absent(path, one.broken);
  const op = context.nextOp();
  const batch = store.writeBatch();
  const known = new KnownTrees(context, batch);
  try {
    const { pool, toLink } = await scan(context, { op, standing, batch, known }, options);
    for (const result of await context.everywhere({ kind: 'finish', op })) {
      if (result.kind === 'finish') batch.adopt(result.staged);
    }
    const put = (bytes: Uint8Array, files: number): Digest => {
      const digest = hashBytes(bytes);
      return known.has(digest, files) ? digest : batch.put(bytes, digest);
    };
    const needs = (tree: Digest, files: number): boolean => !known.has(tree, files) && !batch.hasHash(hashOf(tree), 0);
    for (const [, one] of standing) if (one.kind === 'folder') buildTrees(one.node, put, needs);
    const artifacts = new Map(standing.map(([path, one]) => [path, artifactOf(one) as Artifact]));
    const record = await options.record?.(artifacts);
    if (record !== undefined) batch.putRecord(record);
    const links = linksOf(toLink, { pool, op, since, statCache: context.statCache });
    await batch.commit(links);
    await protect(context, pool, op, { standing, since, options, linked: links?.done ?? new Map() });
    for (const [, one] of standing) {
      if (one.kind !== 'folder') continue;
      rememberFolders(one.node, context.statCache);
      known.remember(one.node);
    }
    context.statCache.flush();
    return artifacts;
  } catch (error) {
    batch.discard();
    context.statCache.flush();
    await dropAll(context, op);
    throw error;
  }
}

/** Drops what any thread holds for an operation that failed. */
export async function dropAll(context: Context, op: number): Promise<void> {
  await context.everywhere({ kind: 'discard', op });
}

/** Where the strategy is one of links, makes large files links into the cache, read-only. */
async function protect(
  context: Context,
  pool: Pool,
  op: number,
  {
    standing,
    since,
    options,
    linked,
  }: {
    readonly standing: readonly (readonly [ProjectPath, Standing])[];
    readonly since: number;
    readonly options: CommitOptions;
    readonly linked: Linked;
  },
): Promise<void> {
  const strategy = context.link.find((one) => one !== 'reflink');
  if (strategy !== 'hardlink' && strategy !== 'symlink') return;
  const jobs: Job[] = [];
  const add = (folder: string, names: readonly string[], facts: FileFacts): void => {
    const done = strategy === 'hardlink' ? linked.get(facts) : undefined;
    const isChosen = (i: number): boolean =>
      facts.size(i) > SMALL_LIMIT && !facts.executable(i) && done?.has(i) !== true;
    const chosen = names.filter((_, i) => isChosen(i));
    if (chosen.length === 0) return;
    const wanted = new Set(chosen);
    const digests = names.map((name, i) => (wanted.has(name) ? facts.hex(i) : '')).join('');
    jobs.push({ kind: 'protect', op, folder, temp: tempFolderFor(context, folder), names: chosen, digests, since });
  };
  for (const [, one] of standing) {
    if (one.kind === 'file') add(dirname(one.abs), [one.abs.slice(dirname(one.abs).length + 1)], one.facts);
    if (one.kind === 'folder') for (const node of ownFolders(one.node)) add(node.abs, node.files, node.facts);
  }
  await pool.run(jobs, (result) => {
    const mended = result.kind === 'done' ? result.mended : [];
    for (const { path, quarantined } of mended) options.onMended?.(relative(context.root, path), quarantined);
  });
}

function absent(path: ProjectPath, broken: boolean): FailureError {
  const what = broken ? 'is a symlink that leads nowhere' : 'does not exist';
  return new FailureError({
    code: 'io',
    message: `${path} ${what}`,
    path,
    hint: 'check the path, or make the file first',
  });
}
