import { namePattern } from '../select/name-pattern.ts';
import type { Node } from '../yaml/node.ts';
import { keyText } from './value.ts';

/**
 * The node at a dotted key (`a.b.0`), as DVC finds params: list items by index; a part with wildcards (`a.lr*`) stands for
 * the one name that fits it. Undefined when there is none, and where several fit.
 */
export function selectKey(root: Node, key: string): Node | undefined {
  let nodes: Node[] = [root];
  for (const part of key.split('.')) nodes = nodes.flatMap((node) => childrenOf(node, part));
  return nodes.length === 1 ? nodes[0] : undefined;
}

function childrenOf(node: Node, part: string): Node[] {
  if (node.kind === 'scalar') return [];
  const isIndex = node.kind === 'seq' && /^-?\d+$/.test(part);
  const named = isIndex ? node.items.at(Number(part)) : childOf(node, (name) => name === part)[0];
  if (named !== undefined) return [named];
  if (!/[*?[]/.test(part)) return [];
  const test = namePattern(part);
  return childOf(node, (name) => test.test(name));
}

function childOf(node: Node, fits: (name: string) => boolean): Node[] {
  if (node.kind === 'seq') return node.items.filter((_, index) => fits(String(index)));
  if (node.kind === 'scalar') return [];
  return node.entries.flatMap(({ key, value }) => (fits(keyText(key.value)) ? [value] : []));
}
