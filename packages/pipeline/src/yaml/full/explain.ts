import { quote } from '../../diagnostic/quote.ts';
import type { Range } from '../node.ts';
import { inBrackets, lacksColon, secondColon, strayLine, unquoted } from './explain-line.ts';
import { lineOf } from './lines.ts';
import type { SyntaxProblem } from './problem.ts';
import type { Broken, Token } from './token.ts';

/**
 * What to say of a text that is no YAML: the most likely mistake, where it was made, and what to write instead.
 * @param recent the last scalars, aliases and closing brackets that were read.
 */
export function explain(text: string, broken: Broken, recent: readonly Token[]): SyntaxProblem {
  const last = recent.findLast(({ end }) => end <= broken.at.start);
  const problem = misquoted(text, broken, last) ?? byCode(text, broken, last);
  const { start, end } = problem.at;
  return { ...problem, at: { start, end: Math.max(end, start + 1) } };
}

const STRAY = new Set(['block-end', 'content', 'flow-list', 'flow-map', 'colon', 'no-colon', 'character', 'anchor']);

/** A quote that is closed far from where it should be, or text behind one. */
function misquoted(text: string, broken: Broken, last: Token | undefined): SyntaxProblem | undefined {
  if (last?.style !== 'quoted' || !STRAY.has(broken.code)) return undefined;
  const at = Math.max(broken.at.start, last.end);
  if (text.slice(last.end, at).includes('\n')) return undefined;
  if (text.slice(last.end, at).trim() !== '') return undefined;
  const mark = text[last.start] as string;
  const opening = { start: last.start, end: last.start + 1 };
  if (text.slice(last.start, last.end).includes('\n')) return neverClosed(text, opening);
  if (text[at] === ':' || text[at] === ',' || at >= text.length) return undefined;
  const { end } = lineOf(text, at);
  const whole = text.slice(last.start, end).trimEnd();
  const hint = whole.endsWith(mark)
    ? `write \`${mark === '"' ? '\\"' : "''"}\` for a quote inside the text`
    : whole.includes("'")
      ? 'put the whole value in quotes'
      : `put the whole value in quotes: \`'${whole}'\``;
  return { at: { start: at, end }, message: 'text stands behind the closing quote', hint };
}

function neverClosed(text: string, opening: Range): SyntaxProblem {
  const mark = text[opening.start];
  return { at: opening, message: `this ${mark} is not closed`, hint: `put a closing ${mark} behind the text` };
}

function byCode(text: string, broken: Broken, last: Token | undefined): SyntaxProblem {
  const { at, from } = broken;
  const c = text[at.start] ?? '';
  switch (broken.code) {
    case 'quote-open':
      return neverClosed(text, at);
    case 'escape': {
      const sequence = text.slice(at.start, at.end);
      const hint = `write \`\\${sequence}\` for a backslash, or use single quotes`;
      return { at, message: `${quote(sequence)} means nothing in double quotes`, hint };
    }
    case 'tab': {
      const indent = lineOf(text, at.start).text.search(/[^ \t]/) >= at.start - lineOf(text, at.start).start;
      if (indent) return { at, message: 'a tab can not indent in YAML', hint: 'indent with spaces' };
      return { at, message: 'a tab can not stand here', hint: 'use spaces, or put the value in quotes' };
    }
    case 'character':
      return unquoted(text, at.start, `a value can't begin with ${quote(c)}`);
    case 'anchor':
    case 'tag':
      return unquoted(text, at.start, `a value that begins with ${quote(c)} has to be quoted`);
    case 'key':
      return unquoted(text, at.start, "a value can't begin with '? '");
    case 'dash':
      return {
        at,
        message: "a list can't begin on the line of its key",
        hint: 'put each `- ` on a line of its own, or write `[a, b]`; a value that begins with a dash and a space has to be quoted',
      };
    case 'no-colon':
      return lacksColon(text, from ?? at);
    case 'colon':
      return secondColon(text, at, last);
    case 'block-end':
      return strayLine(text, broken, last);
    case 'flow-list':
    case 'flow-map':
    case 'content':
      return inBrackets(text, broken);
    case 'documents':
      return {
        at,
        message: 'more than one YAML document in the file',
        hint: 'leave out the `---` or `...` line',
      };
    case 'directive':
      return unquoted(text, at.start, "a line that begins with '%' is no value");
    case 'version':
      return { at, message: 'only YAML 1.2 is read here', hint: 'leave the line out, or write `%YAML 1.2`' };
    case 'block-header':
      return {
        at: from ?? at,
        message: `nothing else may stand on the line of ${quote(text[(from ?? at).start] ?? '')}`,
        hint: 'its text begins on the next line; a value that begins with this sign has to be quoted',
      };
    case 'block-indent':
      return {
        at,
        message: 'a blank line above is indented less than this one and more than its key',
        hint: 'take the spaces out of the blank lines above',
      };
    case 'depth':
      return { at, message: 'nested too deeply' };
  }
}
