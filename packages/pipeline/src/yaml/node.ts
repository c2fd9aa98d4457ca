/**
 * A YAML text as a tree. Offsets are UTF-16 indices into the text, `end` exclusive, comments and white space around a node
 * left out. Nodes that come from JSON, TOML or Python files have the offsets 0, 0.
 */
export type Node = ScalarNode | MapNode | SeqNode;

export type Scalar = null | boolean | number | bigint | string;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: Scalar;
  /** A number that was written with a point or exponent: 1.0 is not 1 when it becomes text. */
  readonly float: boolean;
  /** Set for the `<<` that merges other maps into the map whose key it is. */
  readonly merge?: true;
  readonly start: number;
  readonly end: number;
  /** It stands for what is wrong and reported: it fits every shape, and is passed over. Its value is null. */
  readonly unknown?: true;
}

export interface MapNode {
  readonly kind: 'map';
  /** In the order written; keys differ from each other. */
  readonly entries: readonly Entry[];
  readonly flow: boolean;
  readonly start: number;
  readonly end: number;
}

export interface Entry {
  readonly key: ScalarNode;
  readonly value: Node;
}

export interface SeqNode {
  readonly kind: 'seq';
  readonly items: readonly Node[];
  readonly flow: boolean;
  readonly start: number;
  readonly end: number;
}

/** A piece of a text, for pointing at. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export function textNode(value: string, at: Range): ScalarNode {
  return { kind: 'scalar', value, float: false, start: at.start, end: at.end };
}

/** Stands in for what is wrong and reported already. */
export function unknownNode(at: Range): ScalarNode {
  return { kind: 'scalar', value: null, float: false, start: at.start, end: at.end, unknown: true };
}

export function isUnknown(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.unknown === true;
}

/** The entry of a map by its key; only keys that are text are found. */
export function findEntry(map: MapNode, key: string): Entry | undefined {
  // By index: called a dozen times a stage, mostly before there is compiled code, where an iterator costs an object a step.
  const { entries } = map;
  for (let i = 0; i < entries.length; i++) if (entries[i]?.key.value === key) return entries[i];
  return undefined;
}

/** The value of a map's key. */
export function findValue(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'map' ? findEntry(node, key)?.value : undefined;
}

/** A scalar that is text. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}
