import { quote } from '../../diagnostic/quote.ts';
import { keyIdentity } from '../key.ts';
import type { Entry, MapNode, Node, Range } from '../node.ts';
import type { SyntaxProblem } from './problem.ts';

export interface Pair {
  readonly key: Node;
  readonly value: Node;
}

/** A map of what was written: keys that differ, and those of the maps that `<<` merges. */
export function mapNode(pairs: readonly Pair[], flow: boolean, at: Range, problems: SyntaxProblem[]): MapNode {
  const own = new Map<string, Entry>();
  const merged: Entry[] = [];
  for (const { key, value } of pairs) {
    if (key.kind !== 'scalar') {
      problems.push({ at: key, message: 'a key must be a plain word, not a list or map' });
    } else if (key.merge) {
      if (merged.length > 0) {
        const hint = 'merge several maps with a list: `<<: [*a, *b]`';
        problems.push({ at: key, message: "the key '<<' stands here twice", hint });
      }
      merged.push(...sources(value, problems));
    } else {
      const identity = keyIdentity(key.value);
      if (own.has(identity)) {
        problems.push({
          at: key,
          message: `the key ${quote(key.value)} stands here twice`,
          hint: 'keep one of the two',
        });
      } else own.set(identity, { key, value });
    }
  }
  const entries = merged.length === 0 ? [...own.values()] : withMerged(own, merged);
  return { kind: 'map', entries, flow, ...at };
}

/** The entries of the maps that are merged: of several maps the last comes first, and the first wins. */
function sources(value: Node, problems: SyntaxProblem[]): Entry[] {
  const maps = value.kind === 'seq' ? value.items.toReversed() : [value];
  return maps.flatMap((map) => {
    if (map.kind === 'map') return map.entries;
    problems.push({ at: value, message: 'only a map, or a list of maps, can be merged with <<' });
    return [];
  });
}

/** Merged keys come first; later ones win, and own ones over them. */
function withMerged(own: ReadonlyMap<string, Entry>, merged: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of merged) all.set(keyIdentity(entry.key.value), entry);
  for (const [key, entry] of own) all.set(key, entry);
  return [...all.values()];
}
