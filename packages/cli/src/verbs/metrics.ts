import { ROOT } from '@dag/model';
import { metricsOf } from '../compare/metrics.ts';
import { workspaceSnapshot } from '../compare/open.ts';
import { openRevisions, type Shown } from '../compare/revisions.ts';
import type { ValueFiles } from '../compare/values.ts';
import { EXIT } from '../failure.ts';
import { precisionOf } from '../options.ts';
import { openProject } from '../project/open.ts';
import { projectPaths } from '../project/targets.ts';
import { jsonLine } from '../render/json.ts';
import { metricsJson, metricsLines, sayErrors } from '../render/metrics.ts';
import type { Context } from '../verb.ts';
import type { LiveOptions } from './metrics-live.ts';
import { type ValueDiffOptions, valueDiff } from './value-diff.ts';

interface ShowOptions extends Shown, LiveOptions {
  readonly md?: boolean;
  readonly precision?: string;
}

/** `dag metrics show`: what metrics files hold, here and at the revisions asked for. */
export async function metricsShow(context: Context, targets: readonly string[], options: ShowOptions): Promise<number> {
  if (options.live === true || options.follow === true || options.system === true) {
    return await (await import('./metrics-live.ts')).metricsLive(context, targets, options);
  }
  const precision = precisionOf(options.precision);
  const withRevisions = options.allBranches === true || options.allTags === true || options.allCommits === true;
  const project = await openProject(context, { targets });
  try {
    const paths = projectPaths(project, targets);
    const workspace = workspaceSnapshot(project);
    const revisions = withRevisions ? openRevisions(project) : undefined;
    const found = new Map<string, ValueFiles>([[withRevisions ? workspace.name : '', metricsOf(workspace, paths)]]);
    for (const snapshot of revisions?.shown(options) ?? []) found.set(snapshot.name, metricsOf(snapshot, paths));
    if (revisions !== undefined) hideWorkspace(found, workspace.name, revisions.currentBranch());
    context.emit(metricsJson(found, project.cwd));
    sayErrors(context, found);
    const lines = metricsLines(found, project.cwd, {
      markdown: options.md === true,
      precision,
      withRevisions,
    });
    for (const line of lines) context.print(line);
    if (lines.length === 0) context.say(NOTHING);
    return EXIT.done;
  } finally {
    await project.close();
  }
}

interface DiffOptions extends ValueDiffOptions {
  readonly precision?: string;
}

/** `dag metrics diff`: which metrics differ between revisions, and by how much. */
export async function metricsDiff(
  context: Context,
  revisions: readonly string[],
  options: DiffOptions,
): Promise<number> {
  return await valueDiff(context, revisions, options, {
    title: 'Metric',
    withChange: true,
    precision: precisionOf(options.precision),
    collect: metricsOf,
  });
}

const NOTHING = "no metrics: name their files as `metrics:` of a stage, or on this command's line";

/** The workspace is not shown where it has what the branch has that is checked out. */
function hideWorkspace(found: Map<string, ValueFiles>, workspace: string, branch: string | undefined): void {
  if (branch === undefined) return;
  const asText = (values: ValueFiles | undefined): string =>
    values === undefined ? '' : jsonLine(metricsJson(new Map([['', values]]), ROOT));
  const same = [...found].find(([name]) => name !== workspace && name.split(',').includes(branch));
  if (same !== undefined && asText(same[1]) === asText(found.get(workspace))) found.delete(workspace);
}
