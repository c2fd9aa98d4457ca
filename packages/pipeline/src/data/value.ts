import type { Value } from '@dag/model';
import type { MapNode, Node, Scalar, ScalarNode } from '../yaml/node.ts';

/** A tree as a plain value: what is compared, hashed and written to the lock. Keys become text. */
export function toValue(node: Node): Value {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'seq') return node.items.map(toValue);
  const result: Record<string, Value> = {};
  for (const entry of node.entries) setOwn(result, keyText(entry.key.value), toValue(entry.value));
  return result;
}

/** Whether a file that holds this holds nothing: what is empty, zero or false stands for no values, as DVC takes it. */
export function isNothing(root: Node | undefined): boolean {
  if (root === undefined) return true;
  if (root.kind === 'scalar') return !root.value && !Number.isNaN(root.value);
  return (root.kind === 'seq' ? root.items : root.entries).length === 0;
}

/** A key as text: what a dotted path names it by. */
export function keyText(key: Scalar): string {
  return String(key);
}

/** Sets a key whatever its name: `__proto__` is a key like any other. */
export function setOwn(target: Record<string, Value>, key: string, value: Value): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  } else target[key] = value;
}

/** A node without a place in a text. */
export function placeless(value: Scalar, float = false): ScalarNode {
  return { kind: 'scalar', value, float, start: 0, end: 0 };
}

export function placelessMap(entries: Iterable<readonly [string, Node]>): MapNode {
  const list = Array.from(entries, ([key, value]) => ({ key: placeless(key), value }));
  return { kind: 'map', entries: list, flow: false, start: 0, end: 0 };
}
