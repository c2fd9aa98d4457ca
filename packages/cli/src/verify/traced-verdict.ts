import { isClean, type StageTrace } from '@dag/engine';
import { editLines, tracedAbsent, tracedJson, tracedNotes, tracedReads, tracedWrites } from '../render/traced.ts';
import type { Verdict } from './verdict.ts';

/** So many absent files are named beside a stage that failed, or made something else. */
const FEW = 5;

/**
 * A verdict on a stage that ran again, with what its trace says: what it does not declare fails it, and so does what could
 * not be seen.
 * @param told paths that the verdict names already.
 */
export function withTrace<V extends Omit<Verdict, 'kind' | 'name' | 'place'>>(
  verdict: V,
  trace: StageTrace | undefined,
  told: readonly string[] = [],
): V {
  if (trace === undefined) return verdict;
  const writes = trace.writes.filter(({ path }) => !told.includes(path));
  const found = trace.reads.length + trace.writes.length > 0;
  const word = !verdict.ok ? verdict.verdict : found ? 'undeclared' : trace.complete ? verdict.verdict : 'untraced';
  // What it missed without harm is no mistake: programs look for many a file that may be there.
  const isHarmed = ['failed', 'different'].includes(verdict.verdict);
  const absent = isHarmed ? tracedAbsent(trace).slice(0, FEW) : [];
  const edits = isHarmed && trace.missed.edits.length > 0 ? trace.missed.edits : trace.edits;
  return {
    ...verdict,
    verdict: word,
    ok: verdict.ok && isClean(trace),
    reasons: [
      ...verdict.reasons,
      ...absent.map((text) => `it looked for ${text}`),
      ...tracedReads(trace.reads).map(([path, text]) => `it reads ${path}, which it does not declare: ${text}`),
      ...tracedWrites(writes).map(([path, text]) => `it writes ${path}, which is none of its outs: ${text}`),
      ...edits.flatMap((edit) => editLines(edit, false)),
      ...(trace.complete ? [] : ['it could not be traced in full:', ...trace.problems.map((text) => `  ${text}`)]),
    ],
    notes: [...verdict.notes, ...tracedNotes(trace)],
    json: { ...verdict.json, trace: tracedJson(trace, false) },
  };
}
