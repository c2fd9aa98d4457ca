import type { AnyPath, ProjectPath } from '@dag/model';
import { keyText, type MapNode, type Node, namePattern, type Pipeline } from '@dag/pipeline';
import type { Snapshot } from './snapshot.ts';
import { below, leavesOf, readFiles, type ValueFile, type ValueFiles } from './values.ts';

/** Shown whole where it is there, whether a stage reads it or not. */
const DEFAULT_FILE = 'params.yaml' as ProjectPath;

/**
 * The params of a project at a snapshot: what its stages read, what its templates drew from other files, files that its
 * pipeline.yaml files name, and params.yaml; or the targets, whole. Each file is one map of leaves by dotted key.
 */
export function paramsOf(
  snapshot: Snapshot,
  targets: readonly AnyPath[],
  { depsOnly = false }: { readonly depsOnly?: boolean } = {},
): ValueFiles {
  const { pipeline, problem } = snapshot;
  if (targets.length === 0 && problem !== undefined) return { error: { type: 'invalid', msg: problem } };
  const wanted =
    targets.length > 0 || pipeline === undefined ? wholeFiles(targets) : namedParams(pipeline, snapshot, depsOnly);
  const read = readFiles(snapshot, wanted.keys());
  const files = Array.from(read, ([path, file]): [AnyPath, ValueFile] => [
    path,
    onlyKeys(file, wanted.get(path) ?? keysAbove(wanted, path)),
  ]);
  return { files: new Map(files) };
}

type Keys = ReadonlySet<string> | 'all';

function wholeFiles(paths: readonly AnyPath[]): Map<AnyPath, Keys> {
  return new Map(paths.map((path) => [path, 'all']));
}

function namedParams(pipeline: Pipeline, snapshot: Snapshot, depsOnly: boolean): Map<AnyPath, Keys> {
  const wanted = new Map<AnyPath, Keys>();
  const add = (file: AnyPath, keys: Iterable<string> | 'all'): void => {
    const before = wanted.get(file) ?? new Set();
    if (keys === 'all' || before === 'all') wanted.set(file, 'all');
    else wanted.set(file, new Set([...before, ...keys]));
  };
  for (const { params } of pipeline.stages.values()) for (const { file, keys } of params) add(file, keys);
  if (!depsOnly) {
    for (const { path } of pipeline.params) add(path, 'all');
    if (snapshot.content(DEFAULT_FILE).kind === 'bytes') add(DEFAULT_FILE, 'all');
  }
  const declared = new Set(wanted.keys());
  for (const used of pipeline.used.values()) {
    for (const [file, values] of used) if (!declared.has(file)) add(file, values.keys());
  }
  return wanted;
}

/** Of a file that a folder was named for. */
function keysAbove(wanted: ReadonlyMap<AnyPath, Keys>, path: AnyPath): Keys {
  for (const [folder, keys] of wanted) if (path.startsWith(`${folder}/`)) return keys;
  return 'all';
}

function onlyKeys(file: ValueFile, keys: Keys): ValueFile {
  if (keys === 'all' || 'error' in file || file.root === undefined) return file;
  const { root } = file;
  const found = new Map([...keys].flatMap((key) => [...selected(root, key.split('.'))]));
  const entries = Array.from(found, ([key, value]) => ({ key: { ...TEXT, value: key }, value }));
  return { root: { kind: 'map', entries, flow: false, start: 0, end: 0 } satisfies MapNode };
}

const TEXT = { kind: 'scalar', float: false, start: 0, end: 0 } as const;

/** The leaves at a dotted key, whose parts may be patterns, each by its own key. */
function* selected(node: Node, [part, ...rest]: readonly string[], at = ''): Generator<[string, Node]> {
  if (part === undefined) {
    for (const [key, leaf] of leavesOf(node)) yield [key === '' ? at : below(at, key), leaf];
    return;
  }
  for (const [name, child] of childrenOf(node, part)) {
    yield* selected(child, rest, at === '' ? name : below(at, name));
  }
}

function childrenOf(node: Node, part: string): [string, Node][] {
  if (node.kind === 'scalar') return [];
  const children =
    node.kind === 'map'
      ? node.entries.map(({ key, value }): [string, Node] => [keyText(key.value), value])
      : node.items.map((item, index): [string, Node] => [String(index), item]);
  const own = children.filter(([name]) => name === part);
  if (own.length > 0 || !/[*?[]/.test(part)) return own;
  const pattern = namePattern(part);
  return children.filter(([name]) => pattern.test(name));
}
