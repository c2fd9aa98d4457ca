import type { ScalarNode } from './node.ts';
import { CR, type Cursor, LF, plainNode, SPACE, startsPlain, TAB } from './quick-cursor.ts';
import { blockText, quotedText, Unusual } from './quick-text.ts';

export function plain(cursor: Cursor, parent: number): ScalarNode {
  const { text } = cursor;
  const start = cursor.pos;
  if (!startsPlain(text, start, false)) throw new Unusual();
  let end = plainLineEnd(cursor, start);
  let comment = cursor.pos < text.length && text.charCodeAt(cursor.pos) === 35;
  let value = text.slice(start, end);
  cursor.skipLine();
  for (;;) {
    const before = cursor.pos;
    let breaks = 0;
    let pos = before;
    let lineStart = before;
    for (;;) {
      const c = text.charCodeAt(pos);
      if (c === LF) {
        breaks++;
        lineStart = ++pos;
      } else if (c === SPACE || c === CR) pos++;
      else break;
    }
    const more = pos < text.length && pos - lineStart > parent && text.charCodeAt(pos) !== 35;
    if (!more) break;
    if (pos === lineStart && (text.startsWith('---', pos) || text.startsWith('...', pos))) break;
    if (comment) throw new Unusual();
    const next = text.charCodeAt(pos);
    if (next === TAB) throw new Unusual();
    const lineEnd = plainLineEnd(cursor, pos);
    comment = cursor.pos < text.length && text.charCodeAt(cursor.pos) === 35;
    value += (breaks > 0 ? '\n'.repeat(breaks) : ' ') + text.slice(pos, lineEnd);
    end = lineEnd;
    cursor.skipLine();
  }
  cursor.nextContent();
  return plainNode(value, start, end);
}

/** End of the plain text on this line; leaves `pos` at the line's end or at its comment. */
function plainLineEnd(cursor: Cursor, from: number): number {
  const { text } = cursor;
  let pos = from;
  for (; ; pos++) {
    const c = text.charCodeAt(pos);
    if (c === LF || Number.isNaN(c)) break;
    if (c === 58 && cursor.isSpaceAt(pos + 1)) throw new Unusual();
    if (c === 35 && pos > from && text.charCodeAt(pos - 1) === SPACE) break;
    if (c === TAB) throw new Unusual();
  }
  cursor.pos = pos;
  let end = pos;
  while (end > from && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === CR)) end--;
  return end;
}

/** A quoted scalar. Leaves `pos` behind the closing quote. */
export function quoted(cursor: Cursor): ScalarNode {
  const { text } = cursor;
  const start = cursor.pos;
  const quote = text.charCodeAt(start);
  let pos = start + 1;
  for (; ; pos++) {
    const c = text.charCodeAt(pos);
    if (Number.isNaN(c)) throw new Unusual();
    if (c === LF && (text.startsWith('---', pos + 1) || text.startsWith('...', pos + 1))) throw new Unusual();
    // An escaped line break is looked at as any other.
    if (c === 92 && quote === 34 && text.charCodeAt(pos + 1) !== LF && text.charCodeAt(pos + 1) !== CR) pos++;
    else if (c === quote) {
      if (quote === 39 && text.charCodeAt(pos + 1) === 39) pos++;
      else break;
    }
  }
  cursor.pos = pos + 1;
  const value = quotedText(text.slice(start + 1, pos), quote === 34);
  return { kind: 'scalar', value, float: false, start, end: pos + 1 };
}

export function blockScalar(cursor: Cursor, parent: number): ScalarNode {
  const { text } = cursor;
  const start = cursor.pos;
  const header = /[|>](?:([1-9])([-+])?|([-+])([1-9])?)?(?=[ \r\n]|$)/y;
  header.lastIndex = start;
  const match = header.exec(text);
  if (!match) throw new Unusual();
  const folded = text.charCodeAt(start) === 62;
  const chomp = match[2] ?? match[3] ?? '';
  const explicit = match[1] ?? match[4];
  cursor.pos = start + match[0].length;
  cursor.endOfLine();
  cursor.skipLine();
  const lines: string[] = [];
  let indent = explicit === undefined ? -1 : Math.max(parent, 0) + Number(explicit);
  let end = start + match[0].length;
  let pos = cursor.pos;
  let spacedBlank = false;
  while (pos < text.length) {
    const newline = text.indexOf('\n', pos);
    const next = newline === -1 ? text.length : newline + 1;
    let lineEnd = newline === -1 ? text.length : newline;
    if (lineEnd > pos && text.charCodeAt(lineEnd - 1) === CR) lineEnd--;
    let first = pos;
    while (first < lineEnd && text.charCodeAt(first) === SPACE) first++;
    if (first === lineEnd) {
      if (newline === -1 || (indent !== -1 && first - pos > indent)) throw new Unusual();
      if (indent === -1) spacedBlank ||= first > pos;
      lines.push('');
    } else {
      const column = first - pos;
      if (indent === -1) {
        if (column <= parent) break;
        if (text.charCodeAt(first) === TAB || spacedBlank) throw new Unusual();
        indent = column;
      }
      if (column < indent) break;
      if (column === 0 && (text.startsWith('---', pos) || text.startsWith('...', pos))) break;
      lines.push(text.slice(pos + indent, lineEnd));
      end = lineEnd;
    }
    pos = next;
    if (newline === -1 && chomp !== '-' && lines.at(-1) !== '') {
      // A last line without its break: the full parser knows.
      if (chomp === '+') throw new Unusual();
    }
  }
  cursor.pos = pos;
  const value = blockText(lines, folded, chomp, text.endsWith('\n') || pos < text.length);
  cursor.nextContent();
  return { kind: 'scalar', value, float: false, start, end };
}
