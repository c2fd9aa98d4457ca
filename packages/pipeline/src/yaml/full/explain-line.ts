import { quote } from '../../diagnostic/quote.ts';
import type { Range } from '../node.ts';
import { columnOf, lineOf } from './lines.ts';
import type { SyntaxProblem } from './problem.ts';
import type { Broken, Token } from './token.ts';

/** A value that has to be quoted, and is not. */
export function unquoted(text: string, start: number, message: string): SyntaxProblem {
  const line = lineOf(text, start);
  const rest = line.text.slice(start - line.start);
  const inBrackets = /[[{]/.test(line.text.slice(0, start - line.start));
  const value = rest.replace(inBrackets ? /[,\]}].*$/ : /\s#.*$/, '').trimEnd() || rest;
  const hint = value.length < 40 && !/["\\]/.test(value) ? `put it in quotes: \`"${value}"\`` : 'put it in quotes';
  return { at: { start, end: start + 1 }, message, hint };
}

/** A line among the keys of a map that is no key. */
export function lacksColon(text: string, from: Range): SyntaxProblem {
  const line = lineOf(text, from.start);
  const end = line.start + line.text.replace(/ #.*$/, '').trimEnd().length;
  const word = text.slice(from.start, end);
  const glued = /^([\w.-]+):(?=[^\s/])/.exec(word);
  if (glued) {
    const colon = from.start + (glued[1] as string).length;
    const hint = `write \`${glued[1]}: ${word.slice(glued[0].length)}\``;
    return { at: { start: colon, end: colon + 1 }, message: 'a space is missing behind the colon', hint };
  }
  const item = /^-([^\s-].*)$/.exec(word)?.[1];
  if (item !== undefined) {
    const at = { start: from.start, end: from.start + 1 };
    return { at, message: 'a space is missing behind the dash', hint: `write \`- ${item}\`` };
  }
  const message = `a colon is missing behind ${quote(word)}`;
  return { at: { start: from.start, end }, message, hint: 'a key ends with a colon: `key: value`' };
}

/** A colon in a value that is not quoted, or behind a value of several lines that was not meant to be one. */
export function secondColon(text: string, at: Range, last: Token | undefined): SyntaxProblem {
  const line = lineOf(text, at.start);
  if (last?.style === 'plain' && last.start < line.start) {
    const first = lineOf(text, last.start);
    const before = first.text.slice(0, last.start - first.start);
    const word = first.text.slice(last.start - first.start);
    if (/^\s*(?:- +)*$/.test(before) || /^[\w.-]+:[^\s/]/.test(word)) return lacksColon(text, last);
    const start = line.start + line.text.search(/\S/);
    return {
      at: { start, end: at.start },
      message: 'this line is indented deeper than the key above it, which has a value on its line',
      hint: 'give both lines the same indent',
    };
  }
  const value = valueOn(line.text);
  const quoted = value !== undefined && value.length < 40 && !/["\\]/.test(value) ? `: \`"${value}"\`` : '';
  return {
    at,
    message: "': ' can not stand in a value without quotes",
    hint: `put the whole value in quotes${quoted}`,
  };
}

/** What stands behind the first key of a line. */
function valueOn(line: string): string | undefined {
  return /^\s*(?:- +)*[^:#]+: +(\S.*)$/.exec(line)?.[1]?.trimEnd();
}

/** Something where the next entry of a map or list belongs, or its end. */
export function strayLine(
  text: string,
  { at, from }: Pick<Broken, 'at' | 'from'>,
  last: Token | undefined,
): SyntaxProblem {
  const line = lineOf(text, at.start);
  const c = text[at.start] ?? '';
  const first = line.text.slice(0, at.start - line.start).trim() === '';
  if (!first) {
    if (']},'.includes(c))
      return { at, message: `${quote(c)} without its opening bracket`, hint: 'a value with it has to be quoted' };
    if (last !== undefined && last.style === undefined && !text.slice(last.end, at.start).includes('\n')) {
      if (last.kind === 'alias') return unquoted(text, last.start, "a value that begins with '*' has to be quoted");
      return {
        at: { start: at.start, end: line.end },
        message: 'text stands behind the closing bracket',
        hint: 'a value that begins with a bracket has to be quoted',
      };
    }
    const message = 'this can not stand behind what is before it on the line';
    return { at, message, hint: 'put the whole value in quotes' };
  }
  const end = at.start + 1;
  if (c === '-' && /^-(?:\s|$)/.test(text.slice(at.start, at.start + 2))) {
    if (from !== undefined && columnOf(text, from.start) === columnOf(text, at.start)) {
      const message = "an item of a list can't stand among the keys of a map";
      return { at: { start: at.start, end }, message, hint: 'put the list under a key' };
    }
    return {
      at: { start: at.start, end },
      message: "this '-' is not lined up with the lines above",
      hint: 'the items of a list begin at the same column',
    };
  }
  if (from !== undefined && columnOf(text, from.start) === columnOf(text, at.start)) {
    return {
      at: { start: at.start, end: line.end },
      message: "a key can't stand among the items of a list",
      hint: 'begin the line with `- `, or put the list under a key',
    };
  }
  return {
    at: { start: at.start, end: line.end },
    message: 'this line is not lined up with those above',
    hint: 'the keys of a map begin at the same column, and so do the items of a list',
  };
}

/** Trouble inside brackets: most often one is not closed. */
export function inBrackets(text: string, { at, from, code }: Broken): SyntaxProblem {
  if (from === undefined) {
    const c = text[at.start] ?? '';
    if (at.start >= text.length) return { at, message: 'the text ends where a value belongs' };
    if (']},'.includes(c)) return unquoted(text, at.start, `a value can't begin with ${quote(c)}`);
    return strayLine(text, { at, from: undefined }, undefined);
  }
  const opening = text[from.start] as string;
  const closing = opening === '[' ? ']' : '}';
  const same = !text.slice(from.start, at.start).includes('\n');
  if (at.start >= text.length || (!same && !closesLater(text, from.start, at.start, closing))) {
    return {
      at: from,
      message: `this ${quote(opening)} is not closed`,
      hint: `put a ${quote(closing)} behind its last entry`,
    };
  }
  const c = text[at.start] ?? '';
  if (code === 'content') {
    if (!',]}:'.includes(c)) return unquoted(text, at.start, `a value can't begin with ${quote(c)}`);
    return { at, message: `a value is missing before this ${quote(c)}`, hint: 'take the comma or the bracket out' };
  }
  return {
    at,
    message: `a ',' or ${quote(closing)} is missing before this`,
    hint: 'entries in brackets are parted by commas; one that holds brackets, commas or quotes has to be quoted',
  };
}

/** Whether a closing bracket stands in the lines that are indented deeper than the one of the opening bracket. */
function closesLater(text: string, opening: number, from: number, closing: string): boolean {
  const indent = lineOf(text, opening).text.search(/\S/);
  for (let line = lineOf(text, from); ; line = lineOf(text, line.end + 1)) {
    if (line.text.search(/\S/) >= 0 && line.text.search(/\S/) <= indent && line.text.trim()[0] !== closing)
      return false;
    if (line.text.includes(closing)) return true;
    if (line.end >= text.length) return false;
  }
}
