import { status, type Variation, variationOf } from '@dag/engine';
import { type Digest, groupBy, type ProjectPath, type RunRecord, type Stage, type TrackedData } from '@dag/model';
import type { Remote } from '@dag/remote';
import { EXIT } from '../failure.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { homeOf, openRemotes, remoteConfig, remotesOf } from '../project/remotes.ts';
import { allTracked, pick, type Tracked } from '../project/tracked.ts';
import { changeJson, changeText, variationText } from '../render/change.ts';
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
    const remote = cloud ? await remoteStatus(project, context, tracked(), options.remote) : undefined;
    const changed = found.stages.size > 0 || found.data.size > 0 || (remote !== undefined && remote.size > 0);
    context.emit({
      stages: new Map([...found.stages].map(([address, changes]) => [address, changes.map(changeJson)])),
      data: new Map([...found.data].map(([path, changes]) => [path, changes.map(changeJson)])),
      ...(remote === undefined ? {} : { remote }),
    });
    for (const [name, changes] of [...found.stages, ...found.data]) {
      context.print(paint('bold', name, context.io.colour.out));
      for (const change of changes) context.print(`  ${changeText(change)}`);
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

interface Wanted {
  readonly stages: readonly Stage[];
  readonly data: readonly TrackedData[];
  readonly tracked: () => readonly Tracked[];
}

function wanted(project: OpenProject, targets: readonly string[]): Wanted {
  if (targets.length === 0) {
    const stages = project.pipeline.order.flatMap((address) => project.pipeline.stages.get(address) ?? []);
    return { stages, data: project.pipeline.data, tracked: () => allTracked(project) };
  }
  const { items, stages: named } = pick(project, targets);
  const tracked = items.map((item) => item.tracked);
  const data = tracked.filter((item) => item.kind === 'data').map((item) => item.owner as TrackedData);
  return { stages: [...named], data: [...new Set(data)], tracked: () => tracked };
}

type RemoteState = 'new' | 'deleted' | 'missing';

const REMOTE_WORDS: Record<RemoteState, string> = {
  new: 'new (not in the remote)',
  deleted: 'deleted (only in the remote)',
  missing: 'missing (in neither)',
};

/**
 * Where what the lock names is: in the cache only, in a remote only, or in neither; what is in both is left out. What is here is
 * looked for where push sends it, what is not wherever fetch looks.
 */
async function remoteStatus(
  project: OpenProject,
  context: Context,
  tracked: readonly Tracked[],
  named: string | undefined,
): Promise<Map<ProjectPath, RemoteState>> {
  const states = new Map<ProjectPath, RemoteState>();
  const items = tracked.flatMap((item) => {
    if (!item.cache || !item.push || item.artifact === undefined) return [];
    const { path, artifact } = item;
    const remotes = remotesOf(project, context, item, named);
    if (remotes.length === 0) {
      if (named === undefined) remoteConfig(project, undefined);
      return [];
    }
    const here = project.store.isComplete(artifact);
    return [{ path, digest: artifact.digest, here, asked: here ? [homeOf(project, remotes) ?? ''] : remotes }];
  });
  const opened = openRemotes(project, context);
  try {
    const there = new Map<string, ReadonlySet<Digest>>();
    for (const name of new Set(items.flatMap(({ asked }) => asked))) {
      const digests = items.filter(({ asked }) => asked.includes(name)).map(({ digest }) => digest);
      const remote = await opened.get(name);
      const found = await remote.presence(digests, { signal: context.stop });
      there.set(name, found);
      if (digests.some((digest) => !found.has(digest))) sayAsOf(context, remote);
    }
    for (const { path, digest, here, asked } of items) {
      const sent = asked.some((name) => there.get(name)?.has(digest) === true);
      if (here && !sent) states.set(path, 'new');
      else if (!here) states.set(path, sent ? 'deleted' : 'missing');
    }
  } finally {
    await opened.close();
  }
  return new Map([...states].sort());
}

/** A remote that can't be asked for a list may have more than it is known to have. */
function sayAsOf(context: Context, remote: Remote): void {
  const at = remote.asOf();
  if (at === undefined) return;
  const time = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  context.say(`note: what is in the remote '${remote.name}' is told by its list of ${time} UTC`);
}
