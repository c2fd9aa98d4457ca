import type { AnyPath } from '@dag/model';
import { keyText, type Node, readValues } from '@dag/pipeline';
import { WORKSPACE } from './open.ts';
import type { Snapshot } from './snapshot.ts';

/** What was read from a file of values at one snapshot. */
export type ValueFile =
  /** No root: there is nothing in it. */
  { readonly root: Node | undefined } | { readonly error: ValueError };

/** Why a file has no values. */
export interface ValueError {
  readonly type: 'missing' | 'not-in-cache' | 'invalid';
  readonly msg: string;
  readonly hint?: string;
}

/** Files of values by path, or why none could be told. */
export type ValueFiles = { readonly files: ReadonlyMap<AnyPath, ValueFile> } | { readonly error: ValueError };

/** Reads files of values, by their extension: JSON, TOML, Python, anything else is YAML. */
export function readFiles(snapshot: Snapshot, paths: Iterable<AnyPath>): Map<AnyPath, ValueFile> {
  const wanted = new Set([...paths].flatMap((path) => snapshot.files(path)));
  snapshot.prefetch(wanted);
  return new Map(Array.from(wanted, (path) => [path, readFile(snapshot, path)]));
}

/** Reads a file, or says why there is nothing to read. */
export function contentOf(
  snapshot: Snapshot,
  path: AnyPath,
): { readonly bytes: Uint8Array } | { readonly error: ValueError } {
  const content = snapshot.content(path);
  switch (content.kind) {
    case 'bytes':
      return { bytes: content.bytes };
    case 'missing':
      return { error: { type: 'missing', msg: `there is no '${path}'` } };
    case 'not-in-cache':
      return {
        error: {
          type: 'not-in-cache',
          msg: `'${path}' is neither here nor in the cache (${content.artifact.digest})`,
          hint: snapshot.name === WORKSPACE ? `'dag pull' brings it` : `'dag fetch -A' brings what other commits name`,
        },
      };
  }
}

function readFile(snapshot: Snapshot, path: AnyPath): ValueFile {
  const content = contentOf(snapshot, path);
  if ('error' in content) return content;
  const read = readValues(content.bytes, path);
  if ('root' in read) return read;
  const [first] = read.problems;
  const place = first?.span === undefined ? '' : `:${first.span.line}:${first.span.column}`;
  const msg = `${path}${place}: ${first?.message ?? 'it can not be read'}`;
  return { error: { type: 'invalid', msg, ...(first?.hint === undefined ? {} : { hint: first.hint }) } };
}

/**
 * Leaves of nested maps by dotted key, in the order of the file; empty maps have none. What is no map is one leaf, of the
 * empty key.
 */
export function leavesOf(root: Node | undefined): Map<string, Node> {
  const leaves = new Map<string, Node>();
  const walk = (node: Node, key: string): void => {
    if (node.kind !== 'map') leaves.set(key, node);
    else for (const entry of node.entries) walk(entry.value, below(key, keyText(entry.key.value)));
  };
  if (root?.kind === 'map') for (const { key, value } of root.entries) walk(value, keyText(key.value));
  else if (root !== undefined) walk(root, '');
  return leaves;
}

/** The key of something below a key. */
export function below(key: string, name: string): string {
  return `${key}.${name}`;
}
