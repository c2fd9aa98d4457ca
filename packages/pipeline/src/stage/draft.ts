import type { Dep, Stage } from '@dag/model';
import type { Source } from '../diagnostic/source.ts';
import type { PlotProperties, UsedValues } from '../pipeline.ts';
import type { MapNode, Range } from '../yaml/node.ts';

/** A stage before it is seen among the others: patterns and group deps are still to be expanded. */
export interface Draft {
  readonly stage: Stage;
  readonly source: Source;
  /** Where its name stands. */
  readonly at: Range;
  /** The foreach or matrix that made it. */
  readonly group: string | undefined;
  readonly deps: readonly DraftDep[];
  /** Places of `stage.outs`, in their order. */
  readonly outPlaces: readonly Range[];
  readonly plotProperties: readonly PlotProperties[];
  readonly used: UsedValues;
  /** Problems are reported: it is known in part, so that nothing else is blamed, and never becomes part of a graph. */
  readonly broken: boolean;
  /** What it was built from, for telling where a part of it stands. */
  readonly definition: MapNode;
}

export type DraftDep =
  | { readonly kind: 'path'; readonly dep: Dep; readonly at: Range }
  /** A path with wildcards, as written and relative to the stage's wdir. */
  | { readonly kind: 'pattern'; readonly dep: Dep; readonly pattern: string; readonly at: Range }
  /** All outs of a stage or group. */
  | { readonly kind: 'stage'; readonly name: string; readonly at: Range };
