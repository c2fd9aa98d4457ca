import { type Left, status, type Variation, variationOf } from '@dag/engine';
import { type Change, groupBy, type RunRecord, type Stage } from '@dag/model';
import { EXIT } from '../failure.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { type RemoteState, remoteState } from '../project/remote-state.ts';
import { wanted } from '../project/wanted.ts';
import { changeJson, changeText, variationText } from '../render/change.ts';
import { leftText } from '../render/left.ts';
import { paint } from '../render/paint.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly cloud?: boolean;
  readonly remote?: string;
  readonly exitCode?: boolean;
}

export async function statusVerb(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const { stages, data, tracked } = wanted(project, targets);
    const found = await status(project, stages, data);
    const cloud = options.cloud === true || options.remote !== undefined;
    const remote = cloud ? await remoteState(project, context, tracked(), options.remote) : undefined;
    const changed = found.stages.size > 0 || found.data.size > 0 || (remote !== undefined && remote.size > 0);
    context.emit({
      stages: new Map([...found.stages].map(([address, changes]) => [address, changes.map(changeJson)])),
      data: new Map([...found.data].map(([path, changes]) => [path, changes.map(changeJson)])),
      ...(found.behind.length === 0 ? {} : { behind: found.behind }),
      ...(found.left.size === 0 ? {} : { left: found.left }),
      ...(remote === undefined ? {} : { remote }),
    });
    const show = (name: string, changes: readonly Change[], left?: Left): void => {
      context.print(paint('bold', name, context.io.colour.out));
      for (const change of changes) context.print(`  ${changeText(change)}`);
      if (left !== undefined) context.print(`  goes on ${leftText(left)}`);
    };
    for (const [name, changes] of found.stages) show(name, changes, found.left.get(name));
    for (const [path, changes] of found.data) show(path, changes);
    if (found.behind.length > 0 && !context.json && !context.quiet) {
      const names = found.behind.map((path) => `'${path}'`).join(', ');
      context.say(
        `git changed what pipeline.lock says of ${names}: 'dag checkout', or 'dag repro', puts that in place`,
      );
    }
    if (context.verbose) {
      for (const [address, variation] of variations(project, stages)) {
        context.print(`${paint('bold', address, context.io.colour.out)}\n  ${variationText(variation)}`);
      }
    }
    for (const [path, how] of remote ?? []) context.print(`${REMOTE_WORDS[how].padEnd(28)} ${path}`);
    if (!changed) context.print('Everything is up to date.');
    return changed && (options.exitCode === true || context.quiet) ? EXIT.unsuccessful : EXIT.done;
  } finally {
    await project.close();
  }
}

/** Stages whose last inputs gave different bytes in different runs. */
function variations(project: OpenProject, stages: readonly Stage[]): Map<string, Variation> {
  const found = new Map<string, Variation>();
  const records = groupBy(project.store.runs.list(), (record) => record.stage);
  for (const { address } of stages) {
    const ofStage = records.get(address) ?? [];
    const newest = ofStage.reduce<RunRecord | undefined>(
      (best, record) => (best === undefined || record.startedAt > best.startedAt ? record : best),
      undefined,
    );
    const variation = variationOf(ofStage.filter((record) => record.key === newest?.key));
    if (variation !== undefined) found.set(address, variation);
  }
  return found;
}

const REMOTE_WORDS: Record<RemoteState, string> = {
  new: 'new (not in the remote)',
  deleted: 'deleted (only in the remote)',
  missing: 'missing (in neither)',
};
