import type { AnyPath } from '@dag/model';
import { compareValues } from '../compare/changes.ts';
import { WORKSPACE } from '../compare/open.ts';
import { openRevisions } from '../compare/revisions.ts';
import type { Snapshot } from '../compare/snapshot.ts';
import type { ValueFiles } from '../compare/values.ts';
import { EXIT } from '../failure.ts';
import { openProject } from '../project/open.ts';
import { projectPaths } from '../project/targets.ts';
import { sayErrors } from '../render/metrics.ts';
import { type TableOptions, valueChangesJson, valueChangesLines } from '../render/value-changes.ts';
import type { Context } from '../verb.ts';

/** Flags of `metrics diff` and `params diff`. */
export interface ValueDiffOptions {
  readonly targets?: readonly string[];
  readonly all?: boolean;
  readonly md?: boolean;
  /** False for `--no-path`. */
  readonly path?: boolean;
}

/** What sets the two verbs apart. */
export interface ValueDiff extends Pick<TableOptions, 'title' | 'withChange' | 'precision'> {
  collect(snapshot: Snapshot, targets: readonly AnyPath[]): ValueFiles;
}

/** Compares values at two revisions, or at one with the workspace. */
export async function valueDiff(
  context: Context,
  [a = 'HEAD', b = WORKSPACE]: readonly string[],
  options: ValueDiffOptions,
  { collect, ...table }: ValueDiff,
): Promise<number> {
  const project = await openProject(context, { revisionsOnly: a !== WORKSPACE && b !== WORKSPACE });
  try {
    const paths = projectPaths(project, options.targets ?? []);
    const revisions = openRevisions(project);
    // Without commits there is nothing to compare with.
    if (revisions === undefined) {
      context.emit({});
      return EXIT.done;
    }
    const [old, now] = [a, b].map((name) => revisions.snapshot(name)) as [Snapshot, Snapshot];
    const [before, after] = [collect(old, paths), collect(now, paths)];
    const changes = compareValues(before, after, { all: options.all === true });
    context.emit(valueChangesJson(changes, project.cwd));
    sayErrors(context, new Map([[old.name, before] as const, [now.name, after] as const]));
    const lines = valueChangesLines(changes, project.cwd, {
      ...table,
      old: a,
      new: b,
      withPath: options.path !== false,
      markdown: options.md === true,
    });
    for (const line of lines) context.print(line);
    return EXIT.done;
  } finally {
    await project.close();
  }
}
