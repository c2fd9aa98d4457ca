import { byCodeUnit, type ProjectPath, type RunRecord, sameArtifact } from '@dag/model';
import { otherFacts } from './made-with.ts';

/** The outs that two runs with one key made differently: bytes, executable bit, or one of them not at all. Sorted. */
export function differingOuts(a: Pick<RunRecord, 'outs'>, b: Pick<RunRecord, 'outs'>): ProjectPath[] {
  const paths = new Set([...a.outs.keys(), ...b.outs.keys()]);
  return [...paths].filter((path) => !sameArtifact(a.outs.get(path), b.outs.get(path))).sort(byCodeUnit);
}

/** How often the runs of one key made something else. */
export interface Variation {
  /** Different results. */
  readonly results: number;
  /** Outs that were not always the same, sorted. */
  readonly outs: readonly ProjectPath[];
  /** What the runs were made with, where that was not always the same: its values, by name. */
  readonly made_with?: ReadonlyMap<string, readonly (string | number | boolean)[]>;
}

/** Whether runs with one key made different bytes: then their stage is not reproducible. Undefined where they did not. */
export function variationOf(records: readonly RunRecord[]): Variation | undefined {
  const distinct: RunRecord[] = [];
  for (const record of records) {
    if (distinct.every((other) => differingOuts(other, record).length > 0)) distinct.push(record);
  }
  const [first, ...others] = distinct;
  if (first === undefined || others.length === 0) return undefined;
  const outs = new Set(others.flatMap((other) => differingOuts(first, other)));
  const facts = otherFacts(distinct.map(({ context }) => context));
  return {
    results: distinct.length,
    outs: [...outs].sort(byCodeUnit),
    ...(facts.size === 0
      ? {}
      : { made_with: new Map([...facts].map(([name, values]) => [name, [...new Set(values)]])) }),
  };
}
