import { ESCAPES } from '../escapes.ts';
import type { Range } from '../node.ts';
import { BREAKS, ENDS, type Reader, SPACES } from './reader.ts';
import { Broken } from './token.ts';

export interface Scanned {
  readonly text: string;
  readonly end: number;
}

export interface ScannedPlain extends Scanned {
  /** Whether a line break was passed behind its last word: a key may follow. */
  readonly broke: boolean;
}

/** A plain scalar. Lines that are indented at least `indent` go on with it; inside brackets any line does. */
export function scanPlain(reader: Reader, indent: number, flow: boolean): ScannedPlain {
  let text = '';
  let spaces = { text: '', broke: false };
  let end = reader.pos;
  while (reader.peek() !== '#') {
    const start = reader.pos;
    for (;;) {
      const c = reader.peek();
      if (SPACES.includes(c) || (c === ':' && SPACES.includes(reader.peek(1)))) break;
      if (flow && ',[]{}'.includes(c)) break;
      reader.pos++;
    }
    if (reader.pos === start) break;
    text += spaces.text + reader.since(start);
    end = reader.pos;
    spaces = plainSpaces(reader);
    if (spaces.text === '' || reader.peek() === '#' || (!flow && reader.column < indent)) break;
  }
  return { text, end, broke: spaces.broke };
}

/** White space behind a word of a plain scalar, as it reads; empty at a tab, a marker or the end. */
function plainSpaces(reader: Reader): { text: string; broke: boolean } {
  const start = reader.pos;
  reader.skip(' ');
  const white = reader.since(start);
  const first = reader.lineBreak();
  if (first === '') return { text: white, broke: false };
  if (reader.atMarker()) return { text: '', broke: true };
  let breaks = '';
  for (;;) {
    reader.skip(' ');
    const more = reader.lineBreak();
    if (more === '') break;
    breaks += more;
    if (reader.atMarker()) return { text: '', broke: true };
  }
  return { text: folded(first, breaks), broke: true };
}

/** A line break between two pieces of text, with the blank lines behind it: a space, or the breaks. */
function folded(first: string, breaks: string): string {
  if (first !== '\n') return first + breaks;
  return breaks === '' ? ' ' : breaks;
}

const HEX_LENGTH: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** A quoted scalar. Its lines may stand at any indent. */
export function scanQuoted(reader: Reader): Scanned {
  const opening = { start: reader.pos, end: reader.pos + 1 };
  const quote = reader.peek();
  const stop = quote === '"' ? `${SPACES}"\\` : `${SPACES}'`;
  reader.pos++;
  let text = '';
  for (;;) {
    const start = reader.pos;
    while (!stop.includes(reader.peek())) reader.pos++;
    text += reader.since(start);
    const c = reader.peek();
    if (c === quote) {
      reader.pos++;
      if (quote === '"' || reader.peek() !== "'") return { text, end: reader.pos };
      reader.pos++;
      text += "'";
    } else if (c === '\\') text += escaped(reader, opening);
    else text += quotedSpaces(reader, opening);
  }
}

function escaped(reader: Reader, opening: Range): string {
  const start = reader.pos++;
  const c = reader.peek();
  if (BREAKS.includes(c)) {
    reader.lineBreak();
    return quotedBreaks(reader, opening);
  }
  const simple = ESCAPES[c];
  if (simple !== undefined) {
    reader.pos++;
    return simple;
  }
  const length = HEX_LENGTH[c];
  const digits = reader.text.slice(start + 2, start + 2 + (length ?? 0));
  const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : Number.NaN;
  if (!(code <= 0x10ffff)) {
    if (c === '\0') throw new Broken('quote-open', opening);
    throw new Broken('escape', { start, end: start + 2 }, opening);
  }
  reader.pos = start + 2 + digits.length;
  return String.fromCodePoint(code);
}

function quotedSpaces(reader: Reader, opening: Range): string {
  const start = reader.pos;
  reader.skip(' \t');
  const white = reader.since(start);
  if (reader.peek() === '\0') throw new Broken('quote-open', opening);
  const first = reader.lineBreak();
  return first === '' ? white : folded(first, quotedBreaks(reader, opening));
}

function quotedBreaks(reader: Reader, opening: Range): string {
  let breaks = '';
  for (;;) {
    if (reader.atMarker()) throw new Broken('quote-open', opening);
    reader.skip(' \t');
    const next = reader.lineBreak();
    if (next === '') return breaks;
    breaks += next;
  }
}

/**
 * A block scalar, from its `|` or `>`.
 * @param parent indent of what holds it; -1 at the top.
 */
export function scanBlock(reader: Reader, parent: number): Scanned {
  const opening = { start: reader.pos, end: reader.pos + 1 };
  const fold = reader.peek() === '>';
  const { chomp, increment } = blockHeader(reader, opening);
  let end = reader.pos;
  reader.skip(' ');
  if (reader.peek() === '#') reader.skipLine();
  if (!ENDS.includes(reader.peek()))
    throw new Broken('block-header', { start: reader.pos, end: reader.pos + 1 }, opening);
  reader.lineBreak();
  const least = parent + 1;
  const first = increment === 0 ? firstIndent(reader, opening) : undefined;
  const indent = first === undefined ? Math.max(least, 1) + increment - 1 : Math.max(least, first.indent);
  let breaks = first === undefined ? blockBreaks(reader, indent) : first.breaks;
  let text = '';
  let lineBreak = '';
  while (reader.column === indent && reader.peek() !== '\0') {
    text += breaks;
    const more = ' \t'.includes(reader.peek());
    const start = reader.pos;
    reader.skipLine();
    text += reader.since(start);
    if (reader.pos > start) end = reader.pos;
    lineBreak = reader.lineBreak();
    breaks = blockBreaks(reader, indent);
    if (least === 0 && reader.column === 0 && reader.atMarker()) break;
    if (reader.column !== indent || reader.peek() === '\0') break;
    if (fold && lineBreak === '\n' && !more && !' \t'.includes(reader.peek())) {
      if (breaks === '') text += ' ';
    } else text += lineBreak;
  }
  if (chomp !== '-') text += lineBreak;
  if (chomp === '+') text += breaks;
  return { text, end };
}

/** `increment` is 0 where the header gives none. */
function blockHeader(reader: Reader, opening: Range): { chomp: string; increment: number } {
  const header = /[|>](?:([-+])([1-9])?|([1-9])([-+])?)?/y;
  header.lastIndex = reader.pos;
  const match = header.exec(reader.text);
  reader.pos = header.lastIndex;
  const after = reader.peek();
  if (after !== ' ' && !ENDS.includes(after))
    throw new Broken('block-header', { start: reader.pos, end: reader.pos + 1 }, opening);
  return { chomp: match?.[1] ?? match?.[4] ?? '', increment: Number(match?.[2] ?? match?.[3] ?? 0) };
}

/** The blank lines before the first line of text, and the deepest indent up to there. */
function firstIndent(reader: Reader, opening: Range): { breaks: string; indent: number } {
  let breaks = '';
  let firstBlank = -1;
  let indent = 0;
  for (;;) {
    if (reader.peek() === ' ') {
      reader.skip(' ');
      indent = Math.max(indent, reader.column);
    }
    if (!BREAKS.includes(reader.peek())) break;
    if (firstBlank < 0) firstBlank = reader.column;
    breaks += reader.lineBreak();
  }
  if (firstBlank > 0 && indent > firstBlank)
    throw new Broken('block-indent', { start: reader.pos, end: reader.pos + 1 }, opening);
  return { breaks, indent };
}

function blockBreaks(reader: Reader, indent: number): string {
  let breaks = '';
  for (;;) {
    while (reader.column < indent && reader.peek() === ' ') reader.pos++;
    const next = reader.lineBreak();
    if (next === '') return breaks;
    breaks += next;
  }
}
