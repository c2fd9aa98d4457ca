import { paramsOf } from '../compare/params.ts';
import { precisionOf } from '../options.ts';
import type { Context } from '../verb.ts';
import { type ValueDiffOptions, valueDiff } from './value-diff.ts';

interface DiffOptions extends ValueDiffOptions {
  readonly deps?: boolean;
  readonly precision?: string;
}

/** `dag params diff`: which params differ between revisions. */
export async function paramsDiff(
  context: Context,
  revisions: readonly string[],
  options: DiffOptions,
): Promise<number> {
  return await valueDiff(context, revisions, options, {
    title: 'Param',
    withChange: false,
    precision: options.precision === undefined ? undefined : precisionOf(options.precision),
    collect: (snapshot, targets) => paramsOf(snapshot, targets, { depsOnly: options.deps === true }),
  });
}
