import fs from 'node:fs';
import {
  absolutePath,
  FailureError,
  groupBy,
  isInside,
  type ProjectPath,
  parentPath,
  relativePath,
  type Stage,
  type TrackedData,
} from '@dag/model';
import { removeDataText, removeStageText, selectStages } from '@dag/pipeline';
import { withIo } from '@dag/store';
import { EXIT } from '../failure.ts';
import { edited, textOf } from '../project/edit.ts';
import { type OpenProject, openProject, reloaded } from '../project/open.ts';
import { forgetTracked, rememberTracked } from '../project/remembered.ts';
import { pickTracked } from '../project/tracked.ts';
import { waiting } from '../project/waiting.ts';
import { workProgress } from '../render/progress.ts';
import type { Context } from '../verb.ts';

export async function remove(
  context: Context,
  targets: readonly string[],
  options: { readonly outs?: boolean },
): Promise<number> {
  const project = await openProject(context, { mutates: true });
  try {
    const data = new Set<TrackedData>();
    const stages = new Set<Stage>();
    for (const target of targets) {
      const entry = trackedAt(project, target);
      if (entry !== undefined) data.add(entry);
      else for (const stage of stagesAt(project, target)) stages.add(stage);
    }
    const paths = [...[...stages].flatMap((stage) => stage.outs), ...data].map((item) => item.path);
    const purpose = `dag remove ${targets.join(' ')}`;
    const held = options.outs === true ? paths : [];
    const release = await project.workspace.acquire({ read: [], write: held, purpose }, waiting(context));
    try {
      textsWithout(project, stages, data);
      const progress = workProgress(context, 'looking');
      await project.workspace.keep(held.filter(isInside), { ...progress.options, signal: context.stop });
      progress.end();
      // While the entry is there, a checkout brings back what was killed half-way; from then on the files are the user's.
      for (const out of held) {
        withIo('remove', out, () => fs.rmSync(absolutePath(project.root, out), { recursive: true, force: true }));
      }
      await forgetTracked(project, paths);
      await project.locks.exclusively(() => {
        for (const [file, text] of textsWithout(project, stages, data)) project.workspace.writeFileAtomic(file, text);
        project.workspace.updateGitignore({ add: [], remove: paths.filter(isInside) });
      });
      await forget(project, stages, data);
      for (const file of new Set([...stages, ...data].map((item) => item.file))) removeEmpty(project, file);
    } finally {
      release();
    }
    for (const stage of stages) context.print(`removed  stage ${stage.address}`);
    for (const entry of data) context.print(`removed  ${entry.path}`);
    context.emit({ stages: [...stages].map((stage) => stage.address), data: [...data].map((entry) => entry.path) });
    return EXIT.done;
  } finally {
    await project.close();
  }
}

/** The texts of pipeline.yaml files without these entries; all are made before the first is written. */
function textsWithout(
  project: OpenProject,
  stages: ReadonlySet<Stage>,
  data: ReadonlySet<TrackedData>,
): ReadonlyMap<ProjectPath, string> {
  const texts = new Map<ProjectPath, string>();
  for (const [file, entries] of groupBy(data, (entry) => entry.file)) {
    const paths = entries.map((entry) => relativePath(parentPath(file), entry.path));
    texts.set(file, edited(removeDataText(texts.get(file) ?? textOf(project, file), file, paths)));
  }
  for (const stage of stages) {
    const text = texts.get(stage.file) ?? textOf(project, stage.file);
    texts.set(stage.file, edited(removeStageText(text, stage.file, stage.name)));
  }
  return texts;
}

function trackedAt(project: OpenProject, target: string): TrackedData | undefined {
  if (project.pipeline.stages.has(target as Stage['address'])) return undefined;
  try {
    const [picked, ...more] = pickTracked(project, [target]);
    const whole = picked !== undefined && more.length === 0 && picked.inside === undefined;
    return whole && picked.tracked.kind === 'data' ? (picked.tracked.owner as TrackedData) : undefined;
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}

function stagesAt(project: OpenProject, target: string): Stage[] {
  const selected = selectStages(project.pipeline, [target], { single: true }, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  if (selected.value.length === 0) {
    throw new FailureError({
      code: 'usage',
      message: `'${target}' lies in what is tracked, and can't be taken out of it alone`,
      hint: 'name the whole tracked path; or delete the file and record the folder as it is with dag add',
    });
  }
  return selected.value.flatMap((address) => project.pipeline.stages.get(address) ?? []);
}

/** Deletes a pipeline.yaml that says nothing; the one at the top stays, as it marks the project. */
function removeEmpty(project: OpenProject, file: ProjectPath): void {
  if (parentPath(file) === '' || textOf(project, file).trim() !== '') return;
  fs.rmSync(absolutePath(project.root, file), { force: true });
}

/** Takes the lock entries out, and the paths out of what is remembered as tracked: their files are the user's now. */
async function forget(project: OpenProject, stages: ReadonlySet<Stage>, data: ReadonlySet<TrackedData>): Promise<void> {
  const of = <T extends { file: ProjectPath }>(items: ReadonlySet<T>, file: ProjectPath): T[] =>
    [...items].filter((item) => item.file === file);
  for (const file of new Set([...stages, ...data].map((item) => item.file))) {
    await project.locks.update(file, {
      stages: new Map(of(stages, file).map((stage) => [stage.name, undefined])),
      data: new Map(of(data, file).map((entry) => [entry.path, undefined])),
    });
  }
  await rememberTracked(reloaded(project));
}
