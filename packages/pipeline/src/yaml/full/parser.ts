import { quote } from '../../diagnostic/quote.ts';
import { type Node, type Range, type ScalarNode, unknownNode } from '../node.ts';
import { resolvePlain } from '../scalar.ts';
import { mapNode, type Pair } from './map.ts';
import type { SyntaxProblem } from './problem.ts';
import type { Scanner } from './scanner.ts';
import { applyTag } from './tag.ts';
import { Broken, type Token } from './token.ts';

/** How many nodes aliases may make of a text: a few lines of nested aliases can stand for billions. */
const NODE_LIMIT = 1_000_000;
/** How many maps and lists may stand inside each other. */
const DEPTH_LIMIT = 500;

export interface Parsed {
  readonly root: Node | undefined;
  /** What is well formed and means nothing: doubled keys, unknown tags and the like. */
  readonly problems: readonly SyntaxProblem[];
}

interface State {
  readonly scanner: Scanner;
  readonly problems: SyntaxProblem[];
  /** `open`: the node that it names is being read. */
  readonly anchors: Map<string, Node | 'open'>;
  readonly handles: Map<string, string>;
  /** The brackets that are open. */
  readonly brackets: Token[];
  count: number;
  depth: number;
}

/** The tree of a text that a scanner is at the start of. Throws Broken where the text is no YAML. */
export function parseTokens(scanner: Scanner): Parsed {
  const anchors = new Map();
  const state: State = { scanner, problems: [], anchors, handles: new Map(), brackets: [], count: 0, depth: 0 };
  const root = scanner.at('end') ? undefined : document(state);
  return { root, problems: state.problems };
}

function document(state: State): Node {
  const { scanner } = state;
  let root: Node;
  if (scanner.at('directive', 'document-start')) {
    directives(state);
    const marker = scanner.take();
    if (marker.kind !== 'document-start') throw new Broken('directive', marker);
    const bare = scanner.at('directive', 'document-start', 'document-end', 'end');
    root = bare ? empty(marker.end) : node(state, { block: true });
  } else {
    defaultHandles(state);
    root = node(state, { block: true });
  }
  let ended: Token | undefined;
  if (scanner.at('document-end')) ended = scanner.take();
  const next = scanner.peek();
  if (next.kind !== 'end') {
    const content = ended === undefined && !['directive', 'document-start'].includes(next.kind);
    throw new Broken(content ? 'content' : 'documents', next);
  }
  return root;
}

function directives(state: State): void {
  const { scanner, handles } = state;
  let version = false;
  while (scanner.at('directive')) {
    const { handle, text, start, end } = scanner.take();
    if (handle === undefined) continue;
    if (handle === 'YAML' ? version : handles.has(handle)) throw new Broken('directive', { start, end });
    if (handle === 'YAML') version = true;
    else handles.set(handle, text);
  }
  defaultHandles(state);
}

function defaultHandles({ handles }: State): void {
  if (!handles.has('!')) handles.set('!', '!');
  if (!handles.has('!!')) handles.set('!!', 'tag:yaml.org,2002:');
}

interface Context {
  /** Whether block maps and lists may stand here. */
  readonly block?: boolean;
  /** Whether a list at the indent of its map may stand here. */
  readonly dashes?: boolean;
  /** Whether this is a key. */
  readonly key?: boolean;
}

function node(state: State, context: Context): Node {
  const { scanner, anchors } = state;
  if (scanner.at('alias')) return alias(scanner.take(), state);
  let anchor: string | undefined;
  let tag: Token | undefined;
  let end: number | undefined;
  for (let i = 0; i < 2; i++) {
    if (anchor === undefined && scanner.at('anchor')) ({ text: anchor, end } = scanner.take());
    else if (tag === undefined && scanner.at('tag')) {
      tag = scanner.take();
      end = tag.end;
    }
  }
  if (anchor !== undefined) anchors.set(anchor, 'open');
  const name = tag === undefined ? undefined : fullTag(tag, state);
  if (++state.depth > DEPTH_LIMIT) throw new Broken('depth', scanner.peek());
  state.count++;
  const result = content(state, context, end, tag, name);
  state.depth--;
  if (anchor !== undefined) anchors.set(anchor, result);
  return result;
}

function fullTag(tag: Token, { handles }: State): string {
  if (tag.handle === undefined) return tag.text;
  const prefix = handles.get(tag.handle);
  if (prefix === undefined) throw new Broken('tag', tag);
  return prefix + tag.text;
}

function content(
  state: State,
  context: Context,
  propertyEnd: number | undefined,
  tag: Token | undefined,
  name: string | undefined,
): Node {
  const { scanner } = state;
  const { block, dashes } = context;
  const next = scanner.peek();
  if (next.kind === 'scalar') return scalar(scanner.take(), tag, name, state, context);
  let result: Node;
  if (dashes && next.kind === '-') result = dashList(state);
  else if (next.kind === '[') result = flowList(state);
  else if (next.kind === '{') result = flowMap(state);
  else if (block && next.kind === 'block-list') result = blockList(state);
  else if (block && next.kind === 'block-map') result = blockMap(state);
  else if (propertyEnd !== undefined) {
    const token = { ...next, start: propertyEnd, end: propertyEnd, text: '', style: 'plain' as const };
    return scalar(token, tag, name, state, context);
  } else throw new Broken('content', next, state.brackets.at(-1));
  return applyTag(result, undefined, tag, name === '!' ? undefined : name, state.problems);
}

function scalar(token: Token, tag: Token | undefined, name: string | undefined, state: State, { key }: Context): Node {
  const { text, start, end } = token;
  if (name !== undefined && name !== '!') {
    return applyTag({ kind: 'scalar', value: text, float: false, start, end }, text, tag, name, state.problems);
  }
  const plain = token.style === 'plain' || name === '!';
  if (plain && (text === '<<' || text === '=')) {
    if (key && text === '<<') return { kind: 'scalar', value: text, float: false, merge: true, start, end };
    const hint = `put it in quotes: \`"${text}"\``;
    if (!key) {
      state.problems.push({ at: { start, end }, message: `${quote(text)} alone is no value in YAML`, hint });
      return unknownNode({ start, end });
    }
  }
  const { value, float } = plain ? resolvePlain(text) : { value: text, float: false };
  return { kind: 'scalar', value, float, start, end };
}

/** A value that is not there. */
function empty(at: number): ScalarNode {
  return { kind: 'scalar', value: null, float: false, start: at, end: at };
}

function alias({ text, start, end }: Token, state: State): Node {
  const target = state.anchors.get(text);
  const at = { start, end };
  if (target === undefined || target === 'open') {
    const quoted = {
      message: "a value that begins with '*' has to be quoted",
      hint: `put it in quotes: \`"*${text}"\``,
    };
    if (target === 'open') state.problems.push({ at, message: `*${text} stands inside the value that it names` });
    else if (!/^\w+$/.test(text)) state.problems.push({ at, ...quoted });
    else
      state.problems.push({
        at,
        message: `no anchor &${text} before this`,
        hint: 'text that begins with * has to be quoted',
      });
    return unknownNode(at);
  }
  state.count += size(target, NODE_LIMIT);
  if (state.count > NODE_LIMIT) {
    state.problems.push({ at, message: 'aliases make this file too large' });
    return unknownNode(at);
  }
  return { ...target, ...at };
}

/** How many nodes a tree has, up to a limit. */
function size(tree: Node, limit: number): number {
  let count = 0;
  const stack: Node[] = [tree];
  for (let next = stack.pop(); next !== undefined && count < limit; next = stack.pop()) {
    count++;
    if (next.kind === 'seq') stack.push(...next.items);
    else if (next.kind === 'map') for (const entry of next.entries) stack.push(entry.value);
  }
  return count;
}

function seq(items: Node[], flow: boolean, { start, end }: Range): Node {
  return { kind: 'seq', items, flow, start, end };
}

function blockList(state: State): Node {
  const { scanner } = state;
  const { start } = scanner.take();
  const items: Node[] = [];
  while (scanner.at('-')) {
    const { end } = scanner.take();
    items.push(scanner.at('-', 'block-end') ? empty(end) : node(state, { block: true }));
  }
  if (!scanner.at('block-end')) throw new Broken('block-end', scanner.peek(), { start, end: start + 1 });
  scanner.take();
  return seq(items, false, { start, end: items.at(-1)?.end ?? start });
}

/** A list at the indent of the map that holds it. */
function dashList(state: State): Node {
  const { scanner } = state;
  const { start } = scanner.peek();
  const items: Node[] = [];
  while (scanner.at('-')) {
    const { end } = scanner.take();
    items.push(scanner.at('-', '?', ':', 'block-end') ? empty(end) : node(state, { block: true }));
  }
  return seq(items, false, { start, end: items.at(-1)?.end ?? start });
}

function blockMap(state: State): Node {
  const { scanner } = state;
  const { start } = scanner.take();
  const pairs: Pair[] = [];
  const part = (end: number, key: boolean) =>
    scanner.at('?', ':', 'block-end') ? empty(end) : node(state, { block: true, dashes: true, key });
  while (scanner.at('?', ':')) {
    const key = scanner.at('?') ? part(scanner.take().end, true) : empty(scanner.peek().start);
    const value = scanner.at(':') ? part(scanner.take().end, false) : empty(key.end);
    pairs.push({ key, value });
  }
  if (!scanner.at('block-end')) throw new Broken('block-end', scanner.peek(), { start, end: start + 1 });
  scanner.take();
  const last = pairs.at(-1);
  return mapNode(pairs, false, { start, end: last?.value.end ?? start }, state.problems);
}

function flowList(state: State): Node {
  const { scanner, brackets } = state;
  const opening = scanner.take();
  brackets.push(opening);
  const items: Node[] = [];
  while (!scanner.at(']')) {
    if (items.length > 0 && !comma(state, opening, 'flow-list', ']')) break;
    items.push(scanner.at('?') ? singlePair(state) : node(state, {}));
  }
  brackets.pop();
  return seq(items, true, { start: opening.start, end: scanner.take().end });
}

/** `key: value` as an item of a list. */
function singlePair(state: State): Node {
  const { scanner } = state;
  const { end } = scanner.take();
  const key = scanner.at(':', ',', ']') ? empty(end) : node(state, { key: true });
  const value = scanner.at(':') ? flowPart(state, ']') : empty(key.end);
  return mapNode([{ key, value }], true, { start: key.start, end: value.end }, state.problems);
}

function flowMap(state: State): Node {
  const { scanner, brackets } = state;
  const opening = scanner.take();
  brackets.push(opening);
  const pairs: Pair[] = [];
  while (!scanner.at('}')) {
    if (pairs.length > 0 && !comma(state, opening, 'flow-map', '}')) break;
    let key: Node;
    if (scanner.at('?')) key = flowPart(state, '}', true);
    else if (scanner.at(':')) key = empty(scanner.peek().start);
    else {
      key = node(state, { key: true });
      pairs.push({ key, value: empty(key.end) });
      continue;
    }
    pairs.push({ key, value: scanner.at(':') ? flowPart(state, '}') : empty(key.end) });
  }
  brackets.pop();
  return mapNode(pairs, true, { start: opening.start, end: scanner.take().end }, state.problems);
}

/** What stands behind a mark inside brackets, which is taken; nothing, where the next mark follows at once. */
function flowPart(state: State, close: ']' | '}', key = false): Node {
  const { end } = state.scanner.take();
  const bare = state.scanner.at(',', close) || (key && state.scanner.at(':'));
  return bare ? empty(end) : node(state, { key });
}

/** Takes the comma between two entries; false where only the closing bracket follows it. */
function comma({ scanner }: State, opening: Token, code: 'flow-list' | 'flow-map', close: ']' | '}'): boolean {
  if (!scanner.at(',')) throw new Broken(code, scanner.peek(), { start: opening.start, end: opening.end });
  scanner.take();
  return !scanner.at(close);
}
