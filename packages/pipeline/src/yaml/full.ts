import type { Node as LibraryNode, Pair, YAMLMap } from 'yaml';
import { quote } from '../diagnostic/quote.ts';
import { type YamlLibrary, yamlLibrary } from './library.ts';
import type { Entry, MapNode, Node, Range, Scalar, ScalarNode } from './node.ts';
import { resolvePlain } from './scalar.ts';

/** What is wrong with a text, at a place. */
export interface SyntaxProblem {
  readonly at: Range;
  readonly message: string;
  readonly hint?: string;
  /** Set for a conflict marker. */
  readonly conflict?: boolean;
}

/** How many nodes aliases may make of a text: a few lines of nested aliases can stand for billions. */
const NODE_LIMIT = 1_000_000;

/** Reads any YAML, with all its problems. Slower; for what the quick reader leaves, and for errors. */
export function readFull(text: string): { root: Node | undefined; problems: readonly SyntaxProblem[] } {
  const yaml = yamlLibrary();
  const document = yaml.parseDocument(text, {
    schema: 'failsafe',
    uniqueKeys: false,
    keepSourceTokens: false,
    prettyErrors: false,
    strict: true,
    logLevel: 'silent',
  });
  const problems: SyntaxProblem[] = [];
  for (const error of document.errors) {
    const at = { start: error.pos[0], end: Math.max(error.pos[1], error.pos[0] + 1) };
    problems.push({ at, ...explain(error.code, error.message) });
  }
  const state: Conversion = { yaml, text, problems, anchors: new Map(), open: new Set(), count: 0 };
  const root = document.contents ? convert(document.contents as LibraryNode, state) : undefined;
  return { root, problems };
}

function explain(code: string, message: string): { message: string; hint?: string } {
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab can not indent in YAML', hint: 'indent with spaces' };
    case 'MULTIPLE_DOCS':
      return { message: 'more than one YAML document in the file', hint: 'leave out the `---` or `...` line' };
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        message: 'not a valid mapping',
        hint: 'a value that holds `: ` has to be quoted; check the indentation',
      };
    case 'BAD_INDENT':
    case 'MISSING_CHAR': {
      const end = /end with a (\S)/.exec(message)?.[1];
      if (end !== undefined) return { message: `a ${quote(end)} is missing` };
      return { message: message.replace(/ at line.*$/s, '') };
    }
    default:
      return { message: message.replace(/ at line.*$/s, '').replace(/^(.)/, (c) => c.toLowerCase()) };
  }
}

interface Conversion {
  readonly yaml: YamlLibrary;
  readonly text: string;
  readonly problems: SyntaxProblem[];
  readonly anchors: Map<string, Node>;
  readonly open: Set<string>;
  count: number;
}

function rangeOf(node: LibraryNode): Range {
  const range = node.range;
  return range ? { start: range[0], end: range[1] } : { start: 0, end: 0 };
}

function convert(node: LibraryNode, state: Conversion): Node {
  const at = rangeOf(node);
  if (state.yaml.isAlias(node)) {
    const target = state.anchors.get(node.source);
    if (target === undefined) {
      const message = state.open.has(node.source)
        ? `*${node.source} stands inside the value that it names`
        : `no anchor &${node.source} before this`;
      state.problems.push({ at, message });
      return { kind: 'scalar', value: null, float: false, ...at };
    }
    state.count += size(target, NODE_LIMIT);
    if (state.count > NODE_LIMIT) {
      state.problems.push({ at, message: 'aliases make this file too large' });
      return { kind: 'scalar', value: null, float: false, ...at };
    }
    return { ...target, ...at };
  }
  state.count++;
  const anchor = (node as { anchor?: string }).anchor;
  if (anchor !== undefined) state.open.add(anchor);
  let result: Node;
  if (state.yaml.isMap(node)) result = convertMap(node, at, state);
  else if (state.yaml.isSeq(node)) {
    const items = node.items.map((item) => convert(item as LibraryNode, state));
    result = { kind: 'seq', items, flow: node.flow === true, ...at, end: node.flow ? at.end : lastEnd(items, at) };
  } else result = convertScalar(node, at, state);
  if (anchor !== undefined) {
    state.open.delete(anchor);
    state.anchors.set(anchor, result);
  }
  return result;
}

/** How many nodes a tree has, up to a limit. */
function size(node: Node, limit: number): number {
  let count = 0;
  const stack: Node[] = [node];
  for (let next = stack.pop(); next !== undefined && count < limit; next = stack.pop()) {
    count++;
    if (next.kind === 'seq') stack.push(...next.items);
    else if (next.kind === 'map') for (const entry of next.entries) stack.push(entry.value);
  }
  return count;
}

function lastEnd(items: readonly Node[], at: Range): number {
  return items.at(-1)?.end ?? at.end;
}

function convertScalar(node: LibraryNode, at: Range, state: Conversion): ScalarNode {
  if (!state.yaml.isScalar(node)) return { kind: 'scalar', value: null, float: false, ...at };
  const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
  const tag = node.tag;
  if (tag !== undefined && tag !== 'tag:yaml.org,2002:str' && tag !== '!') return tagged(tag, text, at, state);
  if (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED') {
    const end = at.start + state.text.slice(at.start, at.end).replace(/(?:\r?\n *)+$/, '').length;
    // A last line without its break gets none, as DVC reads it.
    const value = end === state.text.length ? text.replace(/\n$/, '') : text;
    return { kind: 'scalar', value, float: false, start: at.start, end };
  }
  const plain = tag === undefined && (node.type === 'PLAIN' || node.type === undefined);
  const { value, float } = plain ? resolvePlain(text) : { value: text as Scalar, float: false };
  return { kind: 'scalar', value, float, ...at };
}

function tagged(tag: string, text: string, at: Range, state: Conversion): ScalarNode {
  const { value, float } = resolvePlain(text);
  switch (tag) {
    case 'tag:yaml.org,2002:int':
      if (typeof value === 'bigint' || (typeof value === 'number' && !float)) return scalar(value, false, at);
      break;
    case 'tag:yaml.org,2002:float':
      if (typeof value === 'number') return scalar(value, true, at);
      break;
    case 'tag:yaml.org,2002:bool': {
      const word = text.toLowerCase();
      if (['true', 'yes', 'on'].includes(word)) return scalar(true, false, at);
      if (['false', 'no', 'off'].includes(word)) return scalar(false, false, at);
      break;
    }
    case 'tag:yaml.org,2002:null':
      return scalar(null, false, at);
  }
  const name = tag.replace('tag:yaml.org,2002:', '!!');
  state.problems.push({ at, message: `the tag ${name} means nothing here`, hint: 'leave the tag out' });
  return scalar(text, false, at);
}

function scalar(value: Scalar, float: boolean, at: Range): ScalarNode {
  return { kind: 'scalar', value, float, ...at };
}

function convertMap(node: YAMLMap, at: Range, state: Conversion): MapNode {
  const own = new Map<unknown, Entry>();
  const merged: MapNode[] = [];
  for (const pair of node.items as Pair<LibraryNode, LibraryNode | null>[]) {
    const key = convert(pair.key, state);
    const keyEnd = { start: key.end, end: key.end };
    const value: Node = pair.value
      ? convert(pair.value, state)
      : { kind: 'scalar', value: null, float: false, ...keyEnd };
    if (key.kind !== 'scalar') {
      state.problems.push({ at: key, message: 'a key must be a plain word, not a list or map' });
    } else if (key.value === '<<' && state.yaml.isScalar(pair.key) && pair.key.type === 'PLAIN') {
      const sources = value.kind === 'seq' ? value.items : [value];
      for (const source of sources) {
        if (source.kind === 'map') merged.push(source);
        else state.problems.push({ at: value, message: 'only a map, or a list of maps, can be merged with <<' });
      }
    } else if (own.has(key.value)) {
      const hint = 'keep one of the two';
      state.problems.push({ at: key, message: `the key ${quote(key.value)} stands here twice`, hint });
    } else own.set(key.value, { key, value });
  }
  const flow = node.flow === true;
  const entries = merged.length === 0 ? [...own.values()] : withMerged(own, merged);
  const end = flow ? at.end : Math.max(at.start, ...[...own.values()].map((entry) => entry.value.end));
  return { kind: 'map', entries, flow, start: at.start, end };
}

/** Merged keys come first, in the order of their map; own keys win, then earlier maps over later ones. */
function withMerged(own: ReadonlyMap<unknown, Entry>, merged: readonly MapNode[]): Entry[] {
  const all = new Map<unknown, Entry>();
  for (const map of merged) {
    for (const entry of map.entries) if (!all.has(entry.key.value)) all.set(entry.key.value, entry);
  }
  for (const [key, entry] of own) all.set(key, entry);
  return [...all.values()];
}
