import { explain } from '@dag/engine';
import { type Change, FailureError } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { type Inside, insideOf } from '../project/inside.ts';
import { openProject } from '../project/open.ts';
import { whyJson, whyLines } from '../render/why.ts';
import type { Context } from '../verb.ts';

export async function why(context: Context, targets: readonly string[]): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const selected = selectStages(project.pipeline, targets, { single: true }, project.cwd);
    if (!selected.ok) throw new FailureError(selected.error);
    const stages = selected.value.flatMap((address) => project.pipeline.stages.get(address) ?? []);
    const explanations = await explain(project, stages);
    const inside = new Map<Change, Inside>();
    for (const { decision, nearest } of explanations) {
      const changes = 'changes' in decision ? decision.changes : [];
      for (const change of [...changes, ...(nearest?.changes ?? [])]) {
        const found = await insideOf(project, change);
        if (found !== undefined) inside.set(change, found);
      }
    }
    const told = explanations.map((explanation) => whyJson(explanation, inside));
    if (context.json) context.emit(told.length === 1 ? told[0] : told);
    for (const explanation of explanations) {
      for (const line of whyLines(explanation, inside, context.io.colour.out)) context.print(line);
    }
    return EXIT.done;
  } finally {
    await project.close();
  }
}
