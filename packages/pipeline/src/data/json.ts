import { quote } from '../diagnostic/quote.ts';
import type { Entry, Node } from '../yaml/node.ts';
import { resolvePlain } from '../yaml/scalar.ts';

/** Why a text is no JSON, and where. */
export class JsonProblem extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Reads JSON into a tree: order of keys, digits of integers and the difference of 1 and 1.0 are kept, which JSON.parse
 * loses. NaN and Infinity are taken as Python's reader takes them. Of doubled keys the last counts.
 * Throws a JsonProblem.
 */
export function readJson(text: string): Node {
  if (text.startsWith('\ufeff')) throw new JsonProblem('a byte order mark before the text; save it without', 0);
  const state = { text, pos: 0, depth: 0 };
  const node = value(state);
  space(state);
  if (state.pos < text.length) throw new JsonProblem('text behind the end of the value', state.pos);
  return node;
}

interface State {
  readonly text: string;
  pos: number;
  depth: number;
}

function space(state: State): void {
  while (' \n\r\t'.includes(state.text[state.pos] ?? 'x')) state.pos++;
}

function value(state: State): Node {
  space(state);
  const { text, pos } = state;
  const c = text[pos];
  if (c === '{') return nested(state, object);
  if (c === '[') return nested(state, array);
  if (c === '"') return { kind: 'scalar', value: string(state), float: false, start: pos, end: state.pos };
  const word = /-?(?:(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|Infinity)|true|false|null|NaN/y;
  word.lastIndex = pos;
  const match = word.exec(text)?.[0];
  if (match === undefined)
    throw new JsonProblem(c === undefined ? 'the text ends too early' : 'a value is missing', pos);
  state.pos += match.length;
  return { kind: 'scalar', ...scalar(match), start: pos, end: state.pos };
}

function scalar(word: string): { value: number | bigint | boolean | null | string; float: boolean } {
  if (word.endsWith('Infinity')) return { value: word.startsWith('-') ? -Infinity : Infinity, float: true };
  if (word === 'NaN') return { value: Number.NaN, float: true };
  return resolvePlain(word);
}

function nested(state: State, read: (state: State) => Node): Node {
  if (++state.depth > 500) throw new JsonProblem('nested too deeply', state.pos);
  const node = read(state);
  state.depth--;
  return node;
}

function object(state: State): Node {
  const start = state.pos++;
  const entries = new Map<string, Entry>();
  space(state);
  while (state.text[state.pos] !== '}') {
    if (entries.size > 0) expect(state, ',');
    space(state);
    const at = state.pos;
    if (state.text[at] !== '"') throw new JsonProblem('a key in double quotes is missing', at);
    const key = string(state);
    const node = { kind: 'scalar', value: key, float: false, start: at, end: state.pos } as const;
    space(state);
    expect(state, ':');
    entries.set(key, { key: node, value: value(state) });
    space(state);
  }
  return { kind: 'map', entries: [...entries.values()], flow: true, start, end: ++state.pos };
}

function array(state: State): Node {
  const start = state.pos++;
  const items: Node[] = [];
  space(state);
  while (state.text[state.pos] !== ']') {
    if (items.length > 0) expect(state, ',');
    items.push(value(state));
    space(state);
  }
  return { kind: 'seq', items, flow: true, start, end: ++state.pos };
}

function expect(state: State, mark: string): void {
  if (state.text[state.pos] !== mark) throw new JsonProblem(`a ${quote(mark)} is missing`, state.pos);
  state.pos++;
}

function string(state: State): string {
  const token = /"(?:[^"\\\n]|\\.)*"/y;
  token.lastIndex = state.pos;
  const match = token.exec(state.text)?.[0];
  if (match === undefined) throw new JsonProblem('a string without its closing quote', state.pos);
  try {
    const text = JSON.parse(match) as string;
    state.pos += match.length;
    return text;
  } catch {
    throw new JsonProblem('not a JSON string', state.pos);
  }
}
