import type { Diagnostic } from '@dag/model';
import { visible } from './quote.ts';
import { columnsOf } from './width.ts';

/** How the parts of a diagnostic are set off from each other. */
export interface DiagnosticStyle {
  /** The marks under the place. */
  mark(text: string): string;
  /** File, line and column. */
  place(text: string): string;
}

const PLAIN: DiagnosticStyle = { mark: (text) => text, place: (text) => text };

/** The most columns that a line of the file takes; of a longer one the part around the place is shown. */
const WIDEST = 100;

/**
 * A diagnostic as text: `file:line:column: message`, the source line, a caret under the place, the hint. Columns are those
 * of an editor, in characters; the caret stands where a terminal shows the place.
 */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  return styleDiagnostic(diagnostic, PLAIN);
}

/** The same with its parts set off. */
export function styleDiagnostic(diagnostic: Diagnostic, style: DiagnosticStyle): string {
  const { file, span, message, sourceLine, hint } = diagnostic;
  const place = `${visible(file)}${span ? `:${span.line}:${span.column}` : ''}:`;
  const lines = [`${style.place(place)} ${message}`];
  if (span && sourceLine !== undefined && sourceLine.trim() !== '') {
    const { before, marked, after } = excerpt([...sourceLine], span.column - 1, span.length);
    const marks = '^'.repeat(Math.max(1, columnsOf(marked)));
    lines.push(`  ${before}${marked}${after}`, `  ${' '.repeat(columnsOf(before))}${style.mark(marks)}`);
  }
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join('\n');
}

interface Excerpt {
  readonly before: string;
  readonly marked: string;
  readonly after: string;
}

/** The part of a line that is shown, as a terminal shows it: tabs as two spaces, nothing that would act on it. */
function excerpt(line: readonly string[], start: number, length: number): Excerpt {
  const shown = line.map((character) => (character === '\t' ? '  ' : visible(character)));
  const total = columnsOf(shown.join(''));
  const marked = shown.slice(start, start + length);
  if (total <= WIDEST) {
    return {
      before: shown.slice(0, start).join(''),
      marked: marked.join(''),
      after: shown.slice(start + length).join(''),
    };
  }
  const mark = takeWhole(marked, WIDEST / 2, 'front');
  const room = WIDEST - columnsOf(mark.text);
  const rest = shown.slice(start + length);
  const front = shown.slice(0, start);
  const after = mark.cut
    ? { text: '', cut: false }
    : takeWhole(rest, Math.max(room / 2, room - columnsOf(front.join(''))), 'front');
  const before = takeWhole(front, room - columnsOf(after.text), 'back');
  return {
    before: `${before.cut ? '…' : ''}${before.text}`,
    marked: mark.text,
    after: `${after.text}${mark.cut || after.cut ? '…' : ''}`,
  };
}

/** As many characters from one end as fit into that many columns. */
function takeWhole(characters: readonly string[], room: number, end: 'front' | 'back'): { text: string; cut: boolean } {
  const order = end === 'front' ? characters : characters.toReversed();
  let width = 0;
  let count = 0;
  for (const character of order) {
    width += columnsOf(character);
    if (width > room) break;
    count++;
  }
  const kept = end === 'front' ? characters.slice(0, count) : characters.slice(characters.length - count);
  return { text: kept.join(''), cut: count < characters.length };
}
