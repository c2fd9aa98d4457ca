import { spawnSync } from 'node:child_process';
import { type Artifact, type Change, type Digest, isInside, type ProjectPath } from '@dag/model';
import { hashBytes } from '@dag/store';
import { compare } from './compare.ts';
import type { OpenProject } from './open.ts';

/** What a change consists of: files of a folder, or lines of a file, 1 for the first. */
export type Inside =
  | {
      readonly kind: 'folder';
      readonly added: readonly string[];
      readonly deleted: readonly string[];
      readonly modified: readonly string[];
    }
  | { readonly kind: 'lines'; readonly ranges: readonly (readonly [first: number, last: number])[] };

/** Versions of a file that are looked at in git, newest first, for the one that a stage was made from. */
const VERSIONS = 200;

/** Larger files are data: nobody asks for their lines. In bytes. */
const TEXT_LIMIT = 1 << 20;

/** Looks into changed folders and files as far as anybody knows what they were before. */
export async function insideOf(project: OpenProject, change: Change): Promise<Inside | undefined> {
  if (change.changed === 'worker') {
    const { path, before, after } = change;
    if (path === undefined || before === undefined || after === undefined) return undefined;
    return changedLines(project.root, path, before);
  }
  if (change.changed !== 'dep' && change.changed !== 'out') return undefined;
  const { path, before, after } = change;
  if (before === undefined || after === undefined || !isInside(path) || before.digest === after.digest)
    return undefined;
  if (before.kind === 'folder' && after.kind === 'folder') return await changedFiles(project, path, before, after);
  const isText = before.kind === 'file' && after.kind === 'file' && after.size <= TEXT_LIMIT;
  return isText ? changedLines(project.root, path, before.digest) : undefined;
}

async function changedFiles(
  { store, workspace }: OpenProject,
  path: ProjectPath,
  before: Artifact,
  after: Artifact,
): Promise<Inside | undefined> {
  if (!store.has(before.digest)) return undefined;
  const inside = new Map<ProjectPath, Map<ProjectPath, Artifact>>();
  for (const [one, artifact] of await workspace.list([path])) {
    if (artifact.kind === 'folder') inside.set(one, inside.get(one) ?? new Map());
    const above = one.slice(0, Math.max(0, one.lastIndexOf('/'))) as ProjectPath;
    if (one !== path) inside.set(above, (inside.get(above) ?? new Map()).set(one, artifact));
  }
  const side = (artifact: Artifact, known: typeof inside | undefined) => ({
    roots: new Map([[path, artifact]]),
    inside: known,
    within: undefined,
    require: () => {},
  });
  const { added, deleted, modified, renamed } = compare(store, side(before, undefined), side(after, inside));
  const files = (entries: readonly { readonly path: string }[]): string[] =>
    entries.flatMap((entry) => (entry.path.endsWith('/') ? [] : [entry.path.slice(path.length + 1)]));
  return {
    kind: 'folder',
    added: [...files(added), ...files(renamed.map((one) => ({ path: one.path.new })))].sort(),
    deleted: [...files(deleted), ...files(renamed.map((one) => ({ path: one.path.old })))].sort(),
    modified: files(modified),
  };
}

/** The lines of a file that are not as they were; undefined where git does not know what was, or where it is no text. */
function changedLines(root: string, path: ProjectPath, before: Digest): Inside | undefined {
  const blob = blobWith(root, path, before);
  if (blob === undefined) return undefined;
  const how = ['--unified=0', '--no-ext-diff', '--no-textconv', '--no-color', '--text'];
  const diff = git(root, ['diff', ...how, blob, `./${path}`]);
  if (diff === undefined || diff.includes(0)) return undefined;
  const ranges = [...diff.toString('utf8').matchAll(/^@@ -\S+ \+(\d+)(?:,(\d+))? @@/gm)].map((match) => {
    const [first, count] = [Number(match[1]), Number(match[2] ?? 1)];
    return [first, first + Math.max(0, count - 1)] as const;
  });
  return ranges.length === 0 ? undefined : { kind: 'lines', ranges };
}

/** The object of git's whose bytes have this digest, among the versions of a file in the history of HEAD and in the index. */
function blobWith(root: string, path: ProjectPath, digest: Digest): string | undefined {
  const log = git(root, [
    'log',
    '--format=',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    `-n${VERSIONS}`,
    '--',
    `./${path}`,
  ]);
  const index = git(root, ['ls-files', '--stage', '--', `./${path}`]);
  const ids = [
    ...[...(index?.toString('utf8') ?? '').matchAll(/^\d+ ([0-9a-f]{40,64}) /gm)].map((match) => match[1]),
    ...[...(log?.toString('utf8') ?? '').matchAll(/^:\d+ \d+ ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) /gm)].flatMap(
      (match) => [match[2], match[1]],
    ),
  ];
  for (const id of new Set(ids)) {
    if (id === undefined || /^0+$/.test(id)) continue;
    const bytes = git(root, ['cat-file', 'blob', id]);
    if (bytes !== undefined && hashBytes(bytes) === digest) return id;
  }
  return undefined;
}

/** What git prints; undefined where it refuses, or is not there. */
function git(root: string, args: readonly string[]): Buffer | undefined {
  const { status, stdout } = spawnSync('git', ['--no-optional-locks', '-C', root, ...args], { maxBuffer: 1 << 28 });
  return status === 0 ? stdout : undefined;
}
