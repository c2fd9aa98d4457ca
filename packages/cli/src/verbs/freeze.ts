import { FailureError } from '@dag/model';
import { selectStages, setFrozenText } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { edited, textOf } from '../project/edit.ts';
import { openProject } from '../project/open.ts';
import type { Context, Run } from '../verb.ts';

/** `freeze` and `unfreeze`. */
export function setFrozen(frozen: boolean): Run<object> {
  return async (context: Context, targets: readonly string[]): Promise<number> => {
    const project = await openProject(context, { targets, mutates: true });
    try {
      const selected = selectStages(project.pipeline, targets, { single: true }, project.cwd);
      if (!selected.ok) throw new FailureError(selected.error);
      for (const address of selected.value) {
        const stage = project.pipeline.stages.get(address);
        if (stage === undefined || stage.frozen === frozen) continue;
        await project.locks.exclusively(() => {
          const text = edited(setFrozenText(textOf(project, stage.file), stage.file, stage.name, frozen));
          project.workspace.writeFileAtomic(stage.file, text);
        });
        context.print(`${frozen ? 'froze' : 'unfroze'}  ${address}`);
      }
      context.emit({ stages: selected.value, frozen });
      return EXIT.done;
    } finally {
      await project.close();
    }
  };
}
