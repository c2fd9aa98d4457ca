import type { MapNode, Node } from '../yaml/node.ts';
import { keyText } from './value.ts';

/** The node at a dotted key (`a.b.0`), as DVC finds params: list items by index. Undefined when there is none. */
export function selectKey(root: Node, key: string): Node | undefined {
  let node: Node | undefined = root;
  for (const part of key.split('.')) {
    if (node?.kind === 'map') node = childOf(node, part);
    else if (node?.kind === 'seq') node = /^-?\d+$/.test(part) ? node.items.at(Number(part)) : undefined;
    else return undefined;
  }
  return node;
}

function childOf(map: MapNode, part: string): Node | undefined {
  for (const entry of map.entries) if (keyText(entry.key.value) === part) return entry.value;
  return undefined;
}
