import type { Place } from '@dag/pipeline';

/** One row of what `verify` says: about a stage, tracked data, an entry of a lock, or what a remote holds. */
export interface Verdict {
  readonly kind: 'stage' | 'data' | 'lock' | 'remote';
  readonly name: string;
  /** One word. */
  readonly verdict: string;
  readonly ok: boolean;
  /** Worth a look, though it is no failure. */
  readonly warning?: boolean;
  /** Why, in the words of the user; a line each. */
  readonly reasons: readonly string[];
  /** What is to be known and decides nothing. */
  readonly notes: readonly string[];
  /** Where to look, in a file of the project. */
  readonly place?: Place | undefined;
  /** What it took, where something was run. */
  readonly seconds?: number;
  /** What else scripts get. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A verdict as scripts read it. */
export function verdictJson({ kind, name, verdict, ok, reasons, notes, place, seconds, json }: Verdict): object {
  const where = place === undefined ? {} : { file: place.file, line: place.span?.line };
  return {
    kind,
    name,
    verdict,
    ok,
    ...where,
    reasons,
    ...(notes.length === 0 ? {} : { notes }),
    ...(seconds === undefined ? {} : { seconds }),
    ...json,
  };
}
