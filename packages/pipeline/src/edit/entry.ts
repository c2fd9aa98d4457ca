import type { Entry, MapNode, Node, SeqNode } from '../yaml/node.ts';
import { columnOf, type Document, type Edit, lineEnd, lineStart } from './document.ts';

/** What is to be written for a key: lines of block style, or one line for a flow map. */
export interface Content {
  /** Behind the indent and `key:`: ` value`, or line breaks and lines, all with `indent` before them. */
  block(indent: string): string;
  readonly flow: string;
}

/** Whether an entry is written in its map, not merged into it from another. */
export function isOwn(map: MapNode, { key }: Entry): boolean {
  return key.start >= map.start && key.end <= map.end;
}

/** Whether a map is written elsewhere, and an alias stands in its place. */
export function isAlias({ text }: Document, map: MapNode): boolean {
  return text[map.start] === '*' && !map.entries.some((entry) => isOwn(map, entry));
}

/** Adds an entry behind the last one of a map. */
export function appendEntry(document: Document, map: MapNode, key: string, content: Content): Edit {
  const { text } = document;
  if (map.flow) {
    const at = map.end - 1;
    const empty = text.slice(map.start + 1, at).trim() === '';
    return { start: at, end: at, text: `${empty ? '' : ', '}${key}: ${content.flow}` };
  }
  if (map.start === map.end) return { start: map.end, end: map.end, text: `\n${key}:${content.block('')}` };
  const indent = ' '.repeat(columnOf(text, map.start));
  return insertLine(
    text,
    lineEnd(text, map.end),
    `${blankBefore(text, map)}${indent}${key}:${content.block(indent)}\n`,
  );
}

/** A line put in at a line's start; the text before gets its missing line break. */
export function insertLine(text: string, at: number, line: string): Edit {
  const missing = at > 0 && text[at - 1] !== '\n';
  return { start: at, end: at, text: missing ? `\n${line}` : line };
}

/** A blank line, where the map writes one between its last two entries. */
function blankBefore(text: string, map: MapNode): string {
  const [before, last] = map.entries.filter((entry) => isOwn(map, entry)).slice(-2);
  if (!before || !last) return '';
  return /\n[ \t]*\r?\n/.test(text.slice(before.value.end, last.key.start)) ? '\n' : '';
}

/** Puts other content in the place of an entry's value. */
export function replaceValue(document: Document, entry: Entry, content: Content, flow: boolean): Edit {
  const { key, value } = entry;
  const colon = document.text.indexOf(':', key.end);
  const indent = ' '.repeat(columnOf(document.text, key.start));
  const lines = content.block(indent);
  if (!flow && value.start === value.end && lines.startsWith('\n')) {
    return insertLine(document.text, lineEnd(document.text, key.end), `${lines.slice(1)}\n`);
  }
  return { start: colon + 1, end: Math.max(value.end, colon + 1), text: flow ? ` ${content.flow}` : lines };
}

/** Takes an entry out, with the comment lines right above it and those inside it. */
export function removeEntry(document: Document, map: MapNode, index: number): Edit {
  const entry = map.entries[index] as Entry;
  if (map.flow)
    return removeFlow(entry.key.start, entry.value.end, map.entries[index - 1]?.value, map.entries[index + 1]?.key);
  return removeLines(document, entry.key.start, entry.value.end);
}

/** Takes an item out of a list. */
export function removeItem(document: Document, list: SeqNode, index: number): Edit {
  const item = list.items[index] as Node;
  if (list.flow) return removeFlow(item.start, item.end, list.items[index - 1], list.items[index + 1]);
  const dash = document.text.lastIndexOf('-', item.start - 1);
  return removeLines(document, dash, item.end);
}

function removeFlow(start: number, end: number, before: Node | undefined, after: Node | undefined): Edit {
  if (after) return { start, end: after.start, text: '' };
  return { start: before?.end ?? start, end, text: '' };
}

/** Whole lines from `start` to `end`, with the comments that belong to them. */
function removeLines({ text }: Document, start: number, end: number): Edit {
  const column = columnOf(text, start);
  let from = lineStart(text, start);
  if (/\S/.test(text.slice(from, start).replace(/^\ufeff/, ''))) from = start;
  const own = from;
  while (from > 0) {
    const above = lineStart(text, from - 1);
    const line = text.slice(above, from);
    if (!/^[ ]*#/.test(line) || line.search(/\S/) !== column) break;
    from = above;
  }
  // Comments that begin the file are about the file.
  if (from === 0) from = own;
  let to = lineEnd(text, end);
  for (let next = to; next < text.length; ) {
    const lineTo = lineEnd(text, next);
    const line = text.slice(next, lineTo);
    if (/^[ ]*#/.test(line) && line.search(/\S/) > column) to = lineTo;
    else if (line.trim() !== '') break;
    next = lineTo;
  }
  const above = text.slice(lineStart(text, Math.max(0, from - 1)), from);
  const first = above.trim() === '' || (!above.trim().startsWith('#') && above.search(/\S/) < column);
  while (first && to < text.length) {
    const lineTo = lineEnd(text, to);
    if (text.slice(to, lineTo).trim() !== '') break;
    to = lineTo;
  }
  return { start: from, end: to, text: '' };
}

/** Adds a top-level entry at the end of the file. */
export function appendTop(document: Document, key: string, content: Content): Edit {
  const { text, root } = document;
  if (root?.flow) {
    if (root.entries.length > 0) return appendEntry(document, root, key, content);
    return { start: root.start, end: root.end, text: `${key}:${content.block('')}` };
  }
  const end = text.length;
  return insertLine(text, end, `${key}:${content.block('')}\n`);
}
