import fs from 'node:fs';
import { commitStages } from '@dag/engine';
import { type AnyPath, absolutePath, type Stage, type TrackedData } from '@dag/model';
import { EXIT } from '../failure.ts';
import { openProject } from '../project/open.ts';
import { rememberTracked } from '../project/remembered.ts';
import { pick } from '../project/tracked.ts';
import { waiting } from '../project/waiting.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';

export async function commit(
  context: Context,
  targets: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  const project = await openProject(context, { targets, mutates: true });
  try {
    const { items, stages } = pick(project, targets);
    const outs = new Set<AnyPath>();
    const data = new Set<TrackedData>();
    for (const { tracked } of items) {
      if (tracked.kind === 'data') data.add(tracked.owner as TrackedData);
      else outs.add(tracked.path);
    }
    // Without targets, a stage that never ran is left out; with -f, only where it has no outs to be taken for its result.
    const wanted = (stage: Stage): boolean =>
      project.locks.stage(stage) !== undefined ||
      (options.force === true && stage.outs.every((out) => fs.existsSync(absolutePath(project.root, out.path))));
    const known = targets.length > 0 ? [...stages] : [...stages].filter(wanted);
    const paths = [...known.flatMap((stage) => stage.deps.map((dep) => dep.path)), ...outs];
    const release = await project.workspace.acquire(
      { read: [...paths, ...[...data].map((entry) => entry.path)], write: [], purpose: 'dag commit' },
      waiting(context),
    );
    const { committed } = await commitStages(project, {
      stages: known,
      outs,
      data: [...data],
      force: options.force ?? false,
      signal: context.stop,
    }).finally(release);
    let bytes = 0;
    for (const [at, artifact] of committed) {
      bytes += artifact.size;
      context.emit({ event: 'committed', path: at, digest: artifact.digest, size: artifact.size });
      if (context.verbose) context.print(`committed  ${at}`);
    }
    await rememberTracked(project, { settled: committed });
    context.emit({ event: 'summary', objects: committed.size, bytes, failed: [] });
    context.print(`${count(committed.size, 'path')} committed, ${bytesText(bytes)}.`);
    return EXIT.done;
  } finally {
    await project.close();
  }
}
