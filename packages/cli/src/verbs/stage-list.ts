import { FailureError, relativePath, type Stage } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { openProject } from '../project/open.ts';
import type { Context } from '../verb.ts';

export async function stageList(
  context: Context,
  targets: readonly string[],
  options: { readonly nameOnly?: boolean },
): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const selected = selectStages(
      project.pipeline,
      targets,
      targets.length === 0 ? { allPipelines: true } : { single: true },
      project.cwd,
    );
    if (!selected.ok) throw new FailureError(selected.error);
    const stages = selected.value.flatMap((address) => project.pipeline.stages.get(address) ?? []);
    const width = Math.max(0, ...stages.map((stage) => stage.address.length));
    for (const stage of stages) {
      context.print(options.nameOnly === true ? stage.address : `${stage.address.padEnd(width)}  ${describe(stage)}`);
    }
    context.emit({
      stages: stages.map((stage) => ({
        address: stage.address,
        file: stage.file,
        desc: stage.desc,
        frozen: stage.frozen,
      })),
    });
    return EXIT.done;
  } finally {
    await project.close();
  }
}

/** The stage's own words, else what it makes. */
function describe(stage: Stage): string {
  if (stage.desc !== undefined) return stage.desc.split('\n', 1)[0] ?? '';
  if (stage.outs.length === 0) return 'makes no outs';
  return `makes ${stage.outs.map((out) => relativePath(stage.wdir, out.path)).join(', ')}`;
}
