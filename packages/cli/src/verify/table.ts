import { columnsOf } from '@dag/pipeline';
import { type Paint, paint } from '../render/paint.ts';
import { padColumns } from '../render/width.ts';
import type { Context } from '../verb.ts';
import type { Verdict } from './verdict.ts';

/** Prints verdicts as a table: all under --verbose, else those to look at. */
export function printVerdicts(
  context: Context,
  verdicts: readonly Verdict[],
  always: (verdict: Verdict) => boolean,
): void {
  const shown = verdicts.filter(
    (verdict) => !verdict.ok || verdict.warning === true || context.verbose || always(verdict),
  );
  const width = (of: (verdict: Verdict) => string) => Math.max(0, ...shown.map((verdict) => columnsOf(of(verdict))));
  const [first, second] = [width(({ verdict }) => verdict), width(({ name }) => name)];
  for (const verdict of shown) {
    const lines = [...verdict.reasons, ...(context.verbose ? verdict.notes.map((note) => `note: ${note}`) : [])];
    const word = paint(colourOf(verdict), padColumns(verdict.verdict, first), context.io.colour.out);
    context.print(`${word}  ${padColumns(verdict.name, second)}  ${lines[0] ?? ''}`.trimEnd());
    for (const line of lines.slice(1)) context.print(`${' '.repeat(first + second + 4)}${line}`);
  }
}

function colourOf({ ok, warning }: Verdict): Paint {
  return ok ? (warning === true ? 'yellow' : 'green') : 'red';
}
