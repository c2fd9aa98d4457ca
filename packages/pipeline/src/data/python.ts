import { keyIdentity } from '../yaml/key.ts';
import type { Entry, Node } from '../yaml/node.ts';
import { PythonProblem, type Token, tokenize } from './python-tokens.ts';
import { placeless, placelessMap } from './value.ts';

export { PythonProblem };

/**
 * Reads the parameters of a Python file as DVC does: assignments of literals at the top level, in classes, and to
 * `self` in `__init__`; all other statements are passed over. Nothing is run. Throws a PythonProblem.
 */
export function readPython(text: string): Node {
  const cursor = { tokens: tokenize(text), at: 0 };
  return placelessMap(block(cursor, false));
}

interface Cursor {
  readonly tokens: readonly Token[];
  at: number;
}

/** No literal: the statement is passed over. */
class NotLiteral extends Error {}

function peek(cursor: Cursor, ahead = 0): Token {
  return cursor.tokens[Math.min(cursor.at + ahead, cursor.tokens.length - 1)] as Token;
}

/** What begins a statement that has a suite. */
const COMPOUND = new Set([
  'async',
  'class',
  'def',
  'elif',
  'else',
  'except',
  'finally',
  'for',
  'if',
  'try',
  'while',
  'with',
]);
/** What is a name for Python's grammar alone. */
const RESERVED = new Set([
  ...['False', 'None', 'True', 'and', 'as', 'assert', 'await', 'break', 'continue', 'del', 'from', 'global', 'import'],
  ...['in', 'is', 'lambda', 'nonlocal', 'not', 'or', 'pass', 'raise', 'return', 'yield', ...COMPOUND],
]);
/** Words that are names, and begin statements as well. */
const SOFT = new Set(['match', 'case', 'type']);

/** The assignments of a suite, up to its dedent. */
function block(cursor: Cursor, selfOnly: boolean): Map<string, Node> {
  const found = new Map<string, Node>();
  for (;;) {
    const token = peek(cursor);
    if (token.kind === 'end') break;
    if (token.kind === 'dedent') {
      cursor.at++;
      break;
    }
    if (token.kind === 'indent')
      throw new PythonProblem('this line is indented, and nothing above asks for it', token.start);
    if (token.kind === 'newline') cursor.at++;
    else statement(cursor, selfOnly, found);
  }
  return found;
}

function statement(cursor: Cursor, selfOnly: boolean, found: Map<string, Node>): void {
  const token = peek(cursor);
  const name = peek(cursor, 1);
  const { colon, last } = header(cursor);
  if (token.kind === 'name' && token.text === 'class' && name.kind === 'name') {
    found.set(name.text, placelessMap(suite(cursor, colon, false)));
  } else if (token.text === 'def' && name.text === '__init__') {
    for (const [key, value] of suite(cursor, colon, true)) found.set(key, value);
  } else if ((token.kind === 'name' && COMPOUND.has(token.text)) || last.text === ':') {
    suite(cursor, colon, true);
  } else simple(cursor, selfOnly, found);
}

/** Where the first colon outside brackets stands on the line, and the line's last token. */
function header(cursor: Cursor): { colon: number; last: Token } {
  let depth = 0;
  let colon = -1;
  let at = cursor.at;
  for (; !isLineEnd(cursor.tokens[at]); at++) {
    const { kind, text } = cursor.tokens[at] as Token;
    if (kind !== 'mark') continue;
    if ('([{'.includes(text)) depth++;
    else if (')]}'.includes(text)) depth--;
    else if (text === ':' && depth === 0 && colon === -1) colon = at;
  }
  return { colon, last: cursor.tokens[Math.max(at - 1, cursor.at)] as Token };
}

function isLineEnd(token: Token | undefined): boolean {
  return token === undefined || token.kind === 'newline' || token.kind === 'end';
}

/** The assignments of the suite behind a colon, on its line or indented below. */
function suite(cursor: Cursor, colon: number, selfOnly: boolean): Map<string, Node> {
  if (colon === -1) throw new PythonProblem('a colon is missing', peek(cursor).start);
  const found = new Map<string, Node>();
  cursor.at = colon + 1;
  if (!isLineEnd(peek(cursor))) {
    while (!isLineEnd(peek(cursor))) simple(cursor, selfOnly, found);
    return found;
  }
  while (peek(cursor).kind === 'newline') cursor.at++;
  if (peek(cursor).kind !== 'indent') throw new PythonProblem('an indented line is missing', peek(cursor).start);
  cursor.at++;
  return block(cursor, selfOnly);
}

/** One of the statements of a line. */
function simple(cursor: Cursor, selfOnly: boolean, found: Map<string, Node>): void {
  const [first, second] = [peek(cursor), peek(cursor, 1)];
  if (first.kind === 'name' && !RESERVED.has(first.text) && !SOFT.has(first.text)) strayWord(second);
  try {
    const assigned = assignment(cursor, selfOnly);
    if (assigned) found.set(assigned[0], assigned[1]);
  } catch (error) {
    if (!(error instanceof NotLiteral)) throw error;
  }
  while (!isLineEnd(peek(cursor)) && peek(cursor).text !== ';') cursor.at++;
  if (peek(cursor).text === ';') cursor.at++;
}

/** Two values can't stand side by side. */
function strayWord({ kind, text, start }: Token): void {
  const word = kind === 'name' && !RESERVED.has(text);
  if (word || kind === 'number' || kind === 'string') throw new PythonProblem('this can not stand here', start);
}

/** `name = literal`, `name: type = literal`, or with `self.name`. */
function assignment(cursor: Cursor, selfOnly: boolean): [string, Node] | undefined {
  const wrapped = peek(cursor).text === '(' && peek(cursor, 2).text === ')';
  if (wrapped) cursor.at++;
  const first = peek(cursor);
  if (first.kind !== 'name') return undefined;
  let name = first.text;
  cursor.at += wrapped ? 2 : 1;
  if (first.text === 'self' && peek(cursor).text === '.' && peek(cursor, 1).kind === 'name') {
    name = peek(cursor, 1).text;
    cursor.at += 2;
  } else if (selfOnly) return undefined;
  if (peek(cursor).text === ':') annotation(cursor);
  if (peek(cursor).text !== '=') return undefined;
  if (RESERVED.has(name)) throw new PythonProblem(`nothing can be assigned to ${name}`, first.start);
  cursor.at++;
  let value = literal(cursor);
  if (peek(cursor).text === ',') {
    const items = [value];
    while (peek(cursor).text === ',') {
      cursor.at++;
      if (isLineEnd(peek(cursor)) || peek(cursor).text === ';') break;
      items.push(literal(cursor));
    }
    value = seq(items);
  }
  strayWord(peek(cursor));
  return isLineEnd(peek(cursor)) || peek(cursor).text === ';' ? [name, value] : undefined;
}

function annotation(cursor: Cursor): void {
  let depth = 0;
  while (!(depth === 0 && '=;'.includes(peek(cursor).text)) && !isLineEnd(peek(cursor))) {
    if ('([{'.includes(peek(cursor).text)) depth++;
    if (')]}'.includes(peek(cursor).text)) depth--;
    cursor.at++;
  }
}

function seq(items: Node[]): Node {
  return { kind: 'seq', items, flow: true, start: 0, end: 0 };
}

function literal(cursor: Cursor): Node {
  const token = peek(cursor);
  cursor.at++;
  if (token.kind === 'string') {
    let text = token.value;
    let opaque = token.opaque;
    while (peek(cursor).kind === 'string') {
      opaque ||= peek(cursor).opaque;
      text += peek(cursor).value;
      cursor.at++;
    }
    if (opaque) throw new NotLiteral();
    return placeless(text);
  }
  if (token.kind === 'number') return number(token.text, 1);
  if (token.kind === 'name') {
    if (token.text === 'True' || token.text === 'False') return placeless(token.text === 'True');
    if (token.text === 'None') return placeless(null);
    if (token.text === 'set' && peek(cursor).text === '(' && peek(cursor, 1).text === ')') {
      cursor.at += 2;
      return seq([]);
    }
    throw new NotLiteral();
  }
  if ((token.text === '-' || token.text === '+') && peek(cursor).kind === 'number') {
    const digits = peek(cursor).text;
    cursor.at++;
    return number(digits, token.text === '-' ? -1 : 1);
  }
  if (token.text === '[') return seq(items(cursor, ']').items);
  if (token.text === '(') {
    const { items: list, comma } = items(cursor, ')');
    const only = list[0];
    return list.length === 1 && !comma && only !== undefined ? only : seq(list);
  }
  if (token.text === '{') return braces(cursor);
  throw new NotLiteral();
}

function items(cursor: Cursor, close: string): { items: Node[]; comma: boolean } {
  const list: Node[] = [];
  let comma = false;
  while (peek(cursor).text !== close || peek(cursor).kind !== 'mark') {
    list.push(literal(cursor));
    if (peek(cursor).text === ',') {
      comma = true;
      cursor.at++;
    } else if (peek(cursor).text !== close) throw new NotLiteral();
  }
  cursor.at++;
  return { items: list, comma };
}

/** A dict, or a set as a list of its distinct members. */
function braces(cursor: Cursor): Node {
  const map = new Map<string, Entry>();
  const members = new Map<string, Node>();
  while (peek(cursor).text !== '}' || peek(cursor).kind !== 'mark') {
    const key = literal(cursor);
    if (peek(cursor).text === ':') {
      cursor.at++;
      if (key.kind !== 'scalar') throw new NotLiteral();
      const identity = keyIdentity(key.value);
      map.set(identity, { key: map.get(identity)?.key ?? key, value: literal(cursor) });
    } else members.set(key.kind === 'scalar' ? keyIdentity(key.value) : `${members.size}`, key);
    if (peek(cursor).text === ',') cursor.at++;
    else if (peek(cursor).text !== '}') throw new NotLiteral();
  }
  cursor.at++;
  if (members.size > 0) return seq([...members.values()]);
  return { kind: 'map', entries: [...map.values()], flow: true, start: 0, end: 0 };
}

function number(text: string, sign: 1 | -1): Node {
  if (/[jJ]$/.test(text)) throw new NotLiteral();
  const digits = text.replaceAll('_', '');
  if (/^0[xXoObB]/.test(digits) || /^\d+$/.test(digits)) {
    const whole = Number(digits);
    if (Number.isSafeInteger(whole)) return placeless(whole === 0 ? 0 : sign * whole);
    return placeless(BigInt(digits) * BigInt(sign));
  }
  return placeless(sign * Number(digits), true);
}
