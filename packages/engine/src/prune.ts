import type { ProjectPath } from '@dag/model';
import type { Project } from './project.ts';

/**
 * Takes entries of stages and data that are gone from pipeline.yaml out of the locks, and the lines of their paths out of
 * .gitignore. Entries that came in while this process was at work are left: another process knows more than we do.
 */
export async function pruneLocks(project: Project): Promise<void> {
  for (const file of project.pipeline.files) {
    const stale = project.locks.stale(file, project.pipeline);
    if (stale.stages.size === 0 && stale.data.size === 0) continue;
    const kept = new Set<ProjectPath>(project.pipeline.data.map((data) => data.path));
    for (const stage of project.pipeline.stages.values()) for (const out of stage.outs) kept.add(out.path);
    const gone = [...stale.data.keys(), ...[...stale.stages.values()].flatMap((stage) => [...stage.outs.keys()])];
    await project.locks.update(file, project.pipeline, {});
    await project.locks.exclusively(() =>
      project.workspace.updateGitignore({ add: [], remove: gone.filter((path) => !kept.has(path)) }),
    );
  }
}
