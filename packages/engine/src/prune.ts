import { type AnyPath, isInside, type ProjectPath } from '@dag/model';
import type { Project } from './project.ts';

/**
 * Takes entries of stages and data that are gone from pipeline.yaml out of the locks, and the lines of their paths out of
 * .gitignore. What another process has added since this one read pipeline.yaml is no such entry: it is read again.
 */
export async function pruneLocks(project: Project): Promise<void> {
  const hasStale = (file: ProjectPath): boolean => {
    const stale = project.locks.stale(file, project.pipeline);
    return stale.stages.size > 0 || stale.data.size > 0;
  };
  const files = project.pipeline.files.filter(hasStale);
  const pipeline = files.length === 0 ? undefined : project.reload();
  if (pipeline === undefined) return;
  const kept = new Set<AnyPath>(pipeline.data.map((data) => data.path));
  for (const stage of pipeline.stages.values()) for (const out of stage.outs) kept.add(out.path);
  for (const file of files) {
    const { stages, data } = project.locks.stale(file, pipeline);
    const gone = [...data.keys(), ...[...stages.values()].flatMap((stage) => [...stage.outs.keys()].filter(isInside))];
    // The entries go last: they are what tells of the lines, should it be killed between.
    await project.locks.exclusively(() =>
      project.workspace.updateGitignore({ add: [], remove: gone.filter((path) => !kept.has(path)) }),
    );
    await project.locks.update(file, {
      stages: new Map([...stages.keys()].map((name) => [name, undefined])),
      data: new Map([...data.keys()].map((path) => [path, undefined])),
    });
  }
}
