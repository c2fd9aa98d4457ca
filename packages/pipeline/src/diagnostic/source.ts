import type { AnyPath, Span } from '@dag/model';
import type { Range } from '../yaml/node.ts';

/** A file's text, for pointing into. */
export interface Source {
  /** What messages call it. */
  readonly file: AnyPath;
  readonly text: string;
}

/** Line, column and length of a range, and the line it is on. A range over several lines marks the first. */
export function locate(source: Source, range: Range): { span: Span; sourceLine: string } {
  const { text } = source;
  let start = Math.max(0, Math.min(range.start, text.length));
  // What is missing at the end of a text is shown behind its last line.
  if (start === text.length) start = text.trimEnd().length;
  const lineStart = start === 0 ? 0 : text.lastIndexOf('\n', start - 1) + 1;
  let lineEnd = text.indexOf('\n', start);
  if (lineEnd === -1) lineEnd = text.length;
  if (lineEnd > lineStart && text[lineEnd - 1] === '\r') lineEnd--;
  const end = Math.max(start, Math.min(range.end, lineEnd));
  const bom = lineStart === 0 && text.charCodeAt(0) === 0xfeff ? 1 : 0;
  const column = codePoints(text.slice(Math.min(lineStart + bom, start), start)) + 1;
  const length = Math.max(1, codePoints(text.slice(start, end)));
  return { span: { line: lineOf(text, start), column, length }, sourceLine: text.slice(lineStart + bom, lineEnd) };
}

/** 1-based number of the line that an offset is on. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Line numbers for offsets that only grow: linear over a whole file. */
export function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let at = text.indexOf('\n');
  let last = 0;
  return (offset) => {
    if (offset < last) return lineOf(text, offset);
    last = offset;
    while (at !== -1 && at < offset) {
      line++;
      at = text.indexOf('\n', at + 1);
    }
    return line;
  };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
