import { keyIdentity } from './key.ts';
import type { Entry, MapNode, Node, ScalarNode, SeqNode } from './node.ts';
import { CR, Cursor, isSameKey, LF, nullAt, plainNode, SPACE, startsPlain } from './quick-cursor.ts';
import { flow } from './quick-flow.ts';
import { blockScalar, plain, quoted } from './quick-scalar.ts';
import { Unusual } from './quick-text.ts';

/**
 * Reads the YAML that people write, some twenty times faster than a full parser: block and flow maps and lists, plain,
 * quoted and block scalars, comments. Gives up (undefined) on all else and on anything that looks wrong: anchors, tags,
 * tabs, doubled keys, several documents. Where it gives an answer it is the full parser's.
 */
export function readQuick(text: string): { root: Node | undefined } | undefined {
  try {
    return { root: document(new Cursor(text)) };
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  }
}

function document(cursor: Cursor): Node | undefined {
  if (cursor.text.charCodeAt(0) === 0xfeff) throw new Unusual();
  if (!cursor.nextContent()) return undefined;
  if (cursor.column === 0 && cursor.text.startsWith('---', cursor.pos)) {
    const end = cursor.pos + 3;
    cursor.pos = end;
    cursor.endOfLine();
    if (!cursor.nextContent()) return nullAt(end);
  }
  const node = blockNode(cursor, -1);
  if (cursor.pos < cursor.text.length) throw new Unusual();
  return node;
}

/**
 * A node that starts at `pos`, the first content of its line or behind a dash. Leaves `pos` at the next content at the
 * start of a line, with `column` set.
 * @param parent indent of what holds the node.
 */
function blockNode(cursor: Cursor, parent: number): Node {
  if (++cursor.depth > 200) throw new Unusual();
  const { text, pos, column } = cursor;
  const c = text.charCodeAt(pos);
  let node: Node;
  if (c === 45 && cursor.isSpaceAt(pos + 1)) node = blockSeq(cursor, column);
  else if (keyAhead(cursor)) node = blockMap(cursor, column);
  else {
    node = inlineValue(cursor, parent, c);
  }
  cursor.depth--;
  return node;
}

function blockSeq(cursor: Cursor, indent: number): SeqNode {
  const start = cursor.pos;
  const items: Node[] = [];
  let end = start;
  while (cursor.column === indent && cursor.text.charCodeAt(cursor.pos) === 45 && cursor.isSpaceAt(cursor.pos + 1)) {
    const dash = cursor.pos++;
    let pos = cursor.pos;
    while (cursor.text.charCodeAt(pos) === SPACE) pos++;
    const c = cursor.text.charCodeAt(pos);
    if (c === LF || c === CR || c === 35 || pos >= cursor.text.length) {
      cursor.endOfLine();
      if (cursor.nextContent() && cursor.column > indent) items.push(blockNode(cursor, indent));
      else items.push(nullAt(dash + 1));
    } else {
      cursor.column = indent + (pos - dash);
      cursor.pos = pos;
      items.push(blockNode(cursor, indent));
    }
    end = (items.at(-1) as Node).end;
  }
  if (cursor.column > indent) throw new Unusual();
  return { kind: 'seq', items, flow: false, start, end };
}

function blockMap(cursor: Cursor, indent: number): MapNode {
  const start = cursor.pos;
  const entries: Entry[] = [];
  let seen: Set<string> | undefined;
  let end = start;
  while (cursor.column === indent) {
    const key = readKey(cursor);
    if (entries.length < 8) {
      for (const entry of entries) if (isSameKey(entry.key, key)) throw new Unusual();
    } else {
      seen ??= new Set(entries.map((entry) => keyIdentity(entry.key.value)));
      const identity = keyIdentity(key.value);
      if (seen.has(identity)) throw new Unusual();
      seen.add(identity);
    }
    const value = mapValue(cursor, indent);
    entries.push({ key, value });
    end = value.end;
  }
  if (cursor.column > indent) throw new Unusual();
  return { kind: 'map', entries, flow: false, start, end };
}

/** The value behind a colon. */
function mapValue(cursor: Cursor, indent: number): Node {
  const { text } = cursor;
  const colonEnd = cursor.pos;
  let pos = colonEnd;
  while (text.charCodeAt(pos) === SPACE) pos++;
  const c = text.charCodeAt(pos);
  if (c === LF || c === CR || c === 35 || pos >= text.length) {
    cursor.endOfLine();
    if (!cursor.nextContent()) return nullAt(colonEnd);
    if (cursor.column > indent) return blockNode(cursor, indent);
    const dash = cursor.column === indent && text.charCodeAt(cursor.pos) === 45 && cursor.isSpaceAt(cursor.pos + 1);
    return dash ? blockSeq(cursor, indent) : nullAt(colonEnd);
  }
  cursor.pos = pos;
  return inlineValue(cursor, indent, c);
}

/** Anything but a block map or list. `parent` is the indent that continuation lines must exceed. */
function inlineValue(cursor: Cursor, parent: number, c: number): Node {
  if (c === 124 || c === 62) return blockScalar(cursor, parent);
  let node: Node;
  if (c === 91 || c === 123) node = flow(cursor);
  else if (c === 34 || c === 39) node = quoted(cursor);
  else return plain(cursor, parent);
  cursor.endOfLine();
  cursor.nextContent();
  return node;
}

/** Whether a key and its colon stand at `pos`. */
function keyAhead(cursor: Cursor): boolean {
  const { text, pos } = cursor;
  const c = text.charCodeAt(pos);
  if (c === 34 || c === 39) {
    const before = cursor.pos;
    const { end } = quoted(cursor);
    let at = end;
    while (text.charCodeAt(at) === SPACE) at++;
    cursor.pos = before;
    if (text.charCodeAt(at) !== 58) return false;
    if (text.slice(before, end).includes('\n')) throw new Unusual();
    return true;
  }
  if (c === 91 || c === 123 || c === 124 || c === 62) {
    if (c === 91 || c === 123) {
      // A flow collection as a key is for the full parser.
      const before = cursor.pos;
      flow(cursor);
      let at = cursor.pos;
      while (text.charCodeAt(at) === SPACE) at++;
      cursor.pos = before;
      if (text.charCodeAt(at) === 58) throw new Unusual();
    }
    return false;
  }
  return plainKeyEnd(cursor, pos) !== -1;
}

/** Offset of the colon that ends a plain key; -1 when there is none on the line. */
function plainKeyEnd(cursor: Cursor, from: number): number {
  const { text } = cursor;
  for (let pos = from; ; pos++) {
    const c = text.charCodeAt(pos);
    if (c === LF || Number.isNaN(c)) return -1;
    if (c === 58 && cursor.isSpaceAt(pos + 1)) return pos;
    if (c === 35 && pos > from && text.charCodeAt(pos - 1) === SPACE) return -1;
  }
}

function readKey(cursor: Cursor): ScalarNode {
  const { text } = cursor;
  const start = cursor.pos;
  const c = text.charCodeAt(start);
  if (c === 34 || c === 39) {
    const node = quoted(cursor);
    if (text.slice(start, node.end).includes('\n')) throw new Unusual();
    while (text.charCodeAt(cursor.pos) === SPACE) cursor.pos++;
    if (text.charCodeAt(cursor.pos) !== 58 || !cursor.isSpaceAt(cursor.pos + 1)) throw new Unusual();
    cursor.pos++;
    return node;
  }
  const colon = plainKeyEnd(cursor, start);
  if (colon === -1 || colon === start || !startsPlain(text, start, false)) throw new Unusual();
  if (colon - start > 1000) throw new Unusual();
  let end = colon;
  while (text.charCodeAt(end - 1) === SPACE) end--;
  cursor.pos = colon + 1;
  const source = text.slice(start, end);
  if (source.includes('\t')) throw new Unusual();
  return plainNode(source, start, end);
}
