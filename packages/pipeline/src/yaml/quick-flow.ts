import type { Entry, MapNode, Node, SeqNode } from './node.ts';
import { CR, type Cursor, isSameKey, LF, nullAt, plainNode, SPACE, startsPlain, TAB } from './quick-cursor.ts';
import { quoted } from './quick-scalar.ts';
import { Unusual } from './quick-text.ts';

/** A flow map or list. Leaves `pos` behind its bracket. */
export function flow(cursor: Cursor): Node {
  if (++cursor.depth > 200) throw new Unusual();
  const { text } = cursor;
  const start = cursor.pos++;
  const node = text.charCodeAt(start) === 91 ? flowSeq(cursor, start) : flowMap(cursor, start);
  cursor.depth--;
  return node;
}

function flowSeq(cursor: Cursor, start: number): SeqNode {
  const items: Node[] = [];
  for (;;) {
    flowSpace(cursor);
    if (cursor.text.charCodeAt(cursor.pos) === 93) break;
    items.push(flowItem(cursor));
    flowSpace(cursor);
    const c = cursor.text.charCodeAt(cursor.pos);
    if (c === 44) cursor.pos++;
    else if (c !== 93) throw new Unusual();
  }
  return { kind: 'seq', items, flow: true, start, end: ++cursor.pos };
}

function flowMap(cursor: Cursor, start: number): MapNode {
  const { text } = cursor;
  const entries: Entry[] = [];
  for (;;) {
    flowSpace(cursor);
    if (cursor.text.charCodeAt(cursor.pos) === 125) break;
    const key = flowItem(cursor);
    if (text.slice(key.start, key.end).includes('\n')) throw new Unusual();
    if (key.kind !== 'scalar') throw new Unusual();
    for (const entry of entries) if (isSameKey(entry.key, key)) throw new Unusual();
    flowSpace(cursor);
    if (cursor.text.charCodeAt(cursor.pos) !== 58) throw new Unusual();
    cursor.pos++;
    const colonEnd = cursor.pos;
    if (!cursor.isSpaceAt(colonEnd)) throw new Unusual();
    flowSpace(cursor);
    const c = cursor.text.charCodeAt(cursor.pos);
    entries.push({ key, value: c === 44 || c === 125 ? nullAt(colonEnd) : flowItem(cursor) });
    flowSpace(cursor);
    const after = cursor.text.charCodeAt(cursor.pos);
    if (after === 44) cursor.pos++;
    else if (after !== 125) throw new Unusual();
  }
  return { kind: 'map', entries, flow: true, start, end: ++cursor.pos };
}

function flowItem(cursor: Cursor): Node {
  const { text } = cursor;
  const c = text.charCodeAt(cursor.pos);
  if (c === 91 || c === 123) return flow(cursor);
  if (c === 34 || c === 39) return quoted(cursor);
  const start = cursor.pos;
  if (!startsPlain(text, start, true)) throw new Unusual();
  let pos = start;
  for (; ; pos++) {
    const d = text.charCodeAt(pos);
    if (d === 44 || d === 91 || d === 93 || d === 123 || d === 125) break;
    if (d === 58) {
      const e = text.charCodeAt(pos + 1);
      if (e === SPACE || e === LF || e === CR) break;
      if (e === 44 || e === 91 || e === 93 || e === 123 || e === 125) throw new Unusual();
    }
    if (d === LF || Number.isNaN(d) || d === TAB || d === 35) throw new Unusual();
  }
  let end = pos;
  while (text.charCodeAt(end - 1) === SPACE) end--;
  cursor.pos = pos;
  return plainNode(text.slice(start, end), start, end);
}

/** White space, line breaks and comments inside brackets. */
function flowSpace(cursor: Cursor): void {
  const { text } = cursor;
  for (;;) {
    const c = text.charCodeAt(cursor.pos);
    if (c === LF) {
      cursor.pos++;
      // A line of the column 0 may be a document marker.
      if (text.startsWith('---', cursor.pos) || text.startsWith('...', cursor.pos)) throw new Unusual();
    } else if (c === SPACE || c === CR) cursor.pos++;
    else if (c === 35 && cursor.isSpaceAt(cursor.pos - 1)) {
      const end = text.indexOf('\n', cursor.pos);
      cursor.pos = end === -1 ? text.length : end;
    } else return;
  }
}
