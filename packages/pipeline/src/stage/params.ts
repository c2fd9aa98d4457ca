import type { AnyPath, ParamDep } from '@dag/model';
import { formatScalar } from '../template/format.ts';
import { isUnknown, type Node, type Range } from '../yaml/node.ts';
import { depPath, type PathsPlace } from './paths.ts';

/**
 * Reads `params:`. Plain keys are those of params.yaml in the stage's wdir; a file without keys, anywhere in the list, is
 * tracked whole.
 */
export function readParamDeps(list: Node, place: PathsPlace): ParamDep[] {
  if (list.kind !== 'seq') return [];
  if (list.items.length > 0 && list.items.every((item) => item.kind === 'scalar')) {
    const file = depPath('params.yaml', list, place);
    return file === undefined ? [] : [{ file, keys: unique(list.items.map(keyOf)) }];
  }
  const files = new Map<string, { at: Range; keys: Set<string> | 'all' }>();
  const slot = (file: string, at: Range) => {
    const before = files.get(file);
    if (before) return before;
    const created: { at: Range; keys: Set<string> | 'all' } = { at, keys: new Set() };
    files.set(file, created);
    return created;
  };
  for (const item of list.items) {
    if (isUnknown(item)) continue;
    if (item.kind === 'scalar') {
      const { keys } = slot('params.yaml', item);
      if (keys !== 'all') keys.add(keyOf(item));
    } else if (item.kind === 'map') {
      for (const { key, value } of item.entries) {
        if (isUnknown(key)) continue;
        const file = slot(String(key.value), key);
        const named = value.kind === 'seq' ? value.items : [];
        if (named.length === 0) file.keys = 'all';
        else if (file.keys !== 'all') {
          for (const node of named) if (node.kind === 'scalar') file.keys.add(keyOf(node));
        }
      }
    }
  }
  const deps = new Map<AnyPath, readonly string[] | 'all'>();
  for (const [written, { at, keys }] of files) {
    const file = depPath(written, at, place);
    if (file === undefined) continue;
    const before = deps.get(file);
    if (keys === 'all' || before === 'all') deps.set(file, 'all');
    else deps.set(file, [...new Set([...(before ?? []), ...keys])]);
  }
  return [...deps].map(([file, keys]) => ({ file, keys }));
}

function unique(keys: string[]): string[] {
  return keys.length === 1 ? keys : [...new Set(keys)];
}

function keyOf(node: Node): string {
  return node.kind === 'scalar' ? formatScalar(node) : '';
}
