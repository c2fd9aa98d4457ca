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

/** Whether a map or list is written elsewhere, and an alias stands in its place. */
export function isAlias({ text }: Document, node: MapNode | SeqNode): boolean {
  return text[node.start] === '*' && (node.kind === 'seq' || !node.entries.some((entry) => isOwn(node, entry)));
}

/** Where a key or value begins, its anchor and tag included. */
function writtenStart(text: string, { start }: Node): number {
  const properties = /(?<![^\s,[{])(?:[&!][^\s,[\]{}]*\s+)+$/.exec(text.slice(lineStart(text, start), start));
  return start - (properties?.[0].length ?? 0);
}

/** Offset of the `-` that an item of a list stands behind. */
export function dashBefore(text: string, item: Node): number {
  const start = writtenStart(text, item);
  const lead = /-(?:\s|(?<=\s)#[^\n]*\n)*$/.exec(text.slice(0, start))?.[0] ?? '';
  return start - lead.length;
}

/** Adds an entry behind the last one of a map. */
export function appendEntry(document: Document, map: MapNode, key: string, content: Content): Edit {
  const { text } = document;
  if (map.flow) return appendFlow(document, map, `${key}: ${content.flow}`);
  if (map.start === map.end) return { start: map.end, end: map.end, text: `\n${key}:${content.block('')}` };
  const indent = ' '.repeat(columnOf(text, map.start));
  return insertLine(
    text,
    lineEnd(text, map.end),
    `${blankBefore(text, map)}${indent}${key}:${content.block(indent)}\n`,
  );
}

/** Adds entries behind the last one of a map; `gone` are values whose entries are taken out at the same time. */
export function appendEntries(
  document: Document,
  map: MapNode,
  entries: readonly (readonly [string, Content])[],
  gone: ReadonlySet<Node> = new Set(),
): Edit[] {
  if (entries.length === 0) return [];
  if (map.flow) {
    const added = entries.map(([key, content]) => `${key}: ${content.flow}`).join(', ');
    return [appendFlow(document, map, added, gone)];
  }
  const edits = entries.map(([key, content]) => appendEntry(document, map, key, content));
  return [{ ...(edits[0] as Edit), text: edits.map(({ text }) => text).join('') }];
}

/** Adds to a flow map or list, behind the last entry or item that is written in it and stays. */
export function appendFlow(
  { text }: Document,
  node: MapNode | SeqNode,
  added: string,
  gone: ReadonlySet<Node> = new Set(),
): Edit {
  const own = node.kind === 'seq' ? node.items : node.entries.filter((e) => isOwn(node, e)).map(({ value }) => value);
  const kept = own.filter((value) => !gone.has(value));
  const end = Math.max(...kept.map((value) => value.end));
  if (kept.length > 0) return { start: end, end, text: `, ${added}` };
  const inner = text.slice(node.start + 1, node.end - 1);
  const merges = inner.includes('<<');
  if (merges && !/[,\n]\s*$/.test(inner)) return { start: node.end - 1, end: node.end - 1, text: `, ${added}` };
  return { start: node.start + 1, end: node.start + 1, text: merges ? `${added}, ` : added };
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
  const start = writtenStart(document.text, entry.key);
  if (map.flow) return removeFlow(document, start, entry.value.end);
  return removeLines(document, start, entry.value.end);
}

/** Takes items out of a list. */
export function removeItems(document: Document, list: SeqNode, gone: ReadonlySet<number>): Edit[] {
  const edits = list.items.flatMap((item, index): Edit[] => {
    if (!gone.has(index)) return [];
    if (list.flow) return [removeFlow(document, writtenStart(document.text, item), item.end)];
    return [removeLines(document, dashBefore(document.text, item), item.end)];
  });
  return mergeRemovals(document, edits);
}

/** Removals that touch or overlap become one; where all at the end of a flow map or list goes, so does the comma before. */
export function mergeRemovals({ text }: Document, edits: readonly Edit[]): Edit[] {
  const result: Edit[] = [];
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last === undefined || edit.start > last.end) {
      result.push(edit);
      continue;
    }
    const end = Math.max(last.end, edit.end);
    const comma = /^\s*[\]}]/.test(text.slice(end)) ? (/,\s*$/.exec(text.slice(0, last.start))?.[0].length ?? 0) : 0;
    result[result.length - 1] = { start: last.start - comma, end, text: '' };
  }
  return result;
}

/** A piece between commas, with the comma behind it; the last one with the comma before it. */
function removeFlow({ text }: Document, start: number, end: number): Edit {
  const behind = /^(?:\s|\s#[^\n]*)*,[ \t]*/.exec(text.slice(end))?.[0];
  if (behind === undefined) {
    const before = /,\s*$/.exec(text.slice(0, start))?.[0] ?? '';
    return { start: start - before.length, end, text: '' };
  }
  const to = end + behind.length;
  const line = lineStart(text, start);
  const whole = line > 0 && /^\s*$/.test(text.slice(line, start)) && /^\r?\n/.test(text.slice(to));
  return { start: whole ? line : start, end: whole ? lineEnd(text, to) : to, text: '' };
}

/** Whole lines from `start` to `end`, with the comments that belong to them. */
function removeLines({ text }: Document, start: number, end: number): Edit {
  const column = columnOf(text, start);
  let from = lineStart(text, start);
  if (/\S/.test(text.slice(from, start))) from = start;
  const own = from;
  while (from > 0) {
    const above = lineStart(text, from - 1);
    const line = text.slice(above, from);
    if (!/^[ ]*#/.test(line) || line.search(/\S/) !== column) break;
    from = above;
  }
  // Comments that begin the file are about the file.
  if (from === lineStart(text, 0)) from = own;
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

/** Adds a top-level entry at the end of the file, or where `...` ends its text. */
export function appendTop(document: Document, key: string, content: Content): Edit {
  const { text, root } = document;
  if (root?.flow) {
    if (root.entries.length > 0) return appendEntry(document, root, key, content);
    return { start: root.start, end: root.end, text: `${key}:${content.block('')}` };
  }
  const from = root?.end ?? 0;
  const closed = /^\.\.\.(?=\s|$)/m.exec(text.slice(from));
  const end = closed === null ? text.length : from + closed.index;
  return insertLine(text, end, `${key}:${content.block('')}\n`);
}
