import type { Node } from '../yaml/node.ts';
import { PythonProblem, type Token, tokenize } from './python-tokens.ts';
import { keyText, placeless, placelessMap } from './value.ts';

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
    if (token.kind === 'newline' || token.text === ';') cursor.at++;
    else if (token.kind === 'indent') skipSuite(cursor);
    else statement(cursor, selfOnly, found);
  }
  return found;
}

function statement(cursor: Cursor, selfOnly: boolean, found: Map<string, Node>): void {
  const token = peek(cursor);
  if (token.kind === 'name' && token.text === 'class' && peek(cursor, 1).kind === 'name') {
    const name = peek(cursor, 1).text;
    if (openSuite(cursor)) found.set(name, placelessMap(block(cursor, false)));
    return;
  }
  if (token.kind === 'name' && token.text === 'def' && peek(cursor, 1).text === '__init__') {
    if (openSuite(cursor)) for (const [key, value] of block(cursor, true)) found.set(key, value);
    return;
  }
  const start = cursor.at;
  try {
    const assigned = assignment(cursor, selfOnly);
    if (assigned) found.set(assigned[0], assigned[1]);
  } catch (error) {
    if (!(error instanceof NotLiteral)) throw error;
  }
  cursor.at = Math.max(cursor.at, start);
  skipStatement(cursor);
}

/** Moves into the suite of a compound statement; false when it stands on the same line. */
function openSuite(cursor: Cursor): boolean {
  let depth = 0;
  for (; ; cursor.at++) {
    const token = peek(cursor);
    if (token.kind === 'end') return false;
    if (token.kind === 'mark' && '([{'.includes(token.text)) depth++;
    if (token.kind === 'mark' && ')]}'.includes(token.text)) depth--;
    if (depth === 0 && token.kind === 'newline') break;
  }
  cursor.at++;
  if (peek(cursor).kind !== 'indent') return false;
  cursor.at++;
  return true;
}

function skipStatement(cursor: Cursor): void {
  while (!['newline', 'end'].includes(peek(cursor).kind) && peek(cursor).text !== ';') cursor.at++;
  if (peek(cursor).kind !== 'end') cursor.at++;
}

function skipSuite(cursor: Cursor): void {
  let depth = 0;
  do {
    const { kind } = peek(cursor);
    if (kind === 'indent') depth++;
    else if (kind === 'dedent') depth--;
    else if (kind === 'end') return;
    cursor.at++;
  } while (depth > 0);
}

/** `name = literal`, `name: type = literal`, or with `self.name`. */
function assignment(cursor: Cursor, selfOnly: boolean): [string, Node] | undefined {
  const first = peek(cursor);
  if (first.kind !== 'name') return undefined;
  let name = first.text;
  cursor.at++;
  if (first.text === 'self' && peek(cursor).text === '.' && peek(cursor, 1).kind === 'name') {
    name = peek(cursor, 1).text;
    cursor.at += 2;
  } else if (selfOnly) return undefined;
  if (peek(cursor).text === ':') {
    let depth = 0;
    while (!(depth === 0 && peek(cursor).text === '=') && !['newline', 'end'].includes(peek(cursor).kind)) {
      if ('([{'.includes(peek(cursor).text)) depth++;
      if (')]}'.includes(peek(cursor).text)) depth--;
      cursor.at++;
    }
  }
  if (peek(cursor).text !== '=') return undefined;
  cursor.at++;
  let value = literal(cursor);
  if (peek(cursor).text === ',') {
    const items = [value];
    while (peek(cursor).text === ',') {
      cursor.at++;
      if (['newline', 'end'].includes(peek(cursor).kind)) break;
      items.push(literal(cursor));
    }
    value = seq(items);
  }
  const after = peek(cursor);
  return after.kind === 'newline' || after.kind === 'end' || after.text === ';' ? [name, value] : undefined;
}

function seq(items: Node[]): Node {
  return { kind: 'seq', items, flow: true, start: 0, end: 0 };
}

function literal(cursor: Cursor): Node {
  const token = peek(cursor);
  cursor.at++;
  if (token.kind === 'string') {
    let text = token.text;
    let opaque = token.opaque === true;
    while (peek(cursor).kind === 'string') {
      opaque ||= peek(cursor).opaque === true;
      text += peek(cursor).text;
      cursor.at++;
    }
    if (opaque) throw new NotLiteral();
    return placeless(text);
  }
  if (token.kind === 'number') return number(token.text, 1);
  if (token.kind === 'name') {
    if (token.text === 'True' || token.text === 'False') return placeless(token.text === 'True');
    if (token.text === 'None') return placeless(null);
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
  const map = new Map<string, Node>();
  const members: Node[] = [];
  while (peek(cursor).text !== '}' || peek(cursor).kind !== 'mark') {
    const key = literal(cursor);
    if (peek(cursor).text === ':') {
      cursor.at++;
      if (key.kind !== 'scalar') throw new NotLiteral();
      map.set(keyText(key.value), literal(cursor));
    } else members.push(key);
    if (peek(cursor).text === ',') cursor.at++;
    else if (peek(cursor).text !== '}') throw new NotLiteral();
  }
  cursor.at++;
  return members.length > 0 ? seq(members) : placelessMap(map);
}

function number(text: string, sign: 1 | -1): Node {
  if (/[jJ]$/.test(text)) throw new NotLiteral();
  const digits = text.replaceAll('_', '');
  if (/^0[xXoObB]/.test(digits) || /^\d+$/.test(digits)) {
    if (/^0\d*[1-9]/.test(digits)) throw new NotLiteral();
    const whole = Number(digits);
    if (Number.isSafeInteger(whole)) return placeless(whole === 0 ? 0 : sign * whole);
    return placeless(BigInt(digits) * BigInt(sign));
  }
  return placeless(sign * Number(digits), true);
}
