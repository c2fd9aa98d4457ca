import { type Explanation, explain } from '@dag/engine';
import { FailureError } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { openProject } from '../project/open.ts';
import { changeJson, changeText, reasonText, variationText } from '../render/change.ts';
import { paint } from '../render/paint.ts';
import { count, secondsText } from '../render/units.ts';
import type { Context } from '../verb.ts';

export async function why(context: Context, targets: readonly string[]): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const selected = selectStages(project.pipeline, targets, { single: true }, project.cwd);
    if (!selected.ok) throw new FailureError(selected.error);
    const explanations: Explanation[] = [];
    for (const address of selected.value) {
      const stage = project.pipeline.stages.get(address);
      if (stage !== undefined) explanations.push(await explain(project, stage));
    }
    if (context.json) context.emit(explanations.length === 1 ? json(explanations[0]) : explanations.map(json));
    for (const explanation of explanations) {
      for (const line of lines(explanation, context.io.colour.out)) context.print(line);
    }
    return EXIT.done;
  } finally {
    await project.close();
  }
}

function json(explanation: Explanation | undefined): unknown {
  if (explanation === undefined) return undefined;
  const { stage, decision, nearest, variation, unchanged } = explanation;
  return {
    stage,
    decision: decision.kind,
    reason: reasonText(decision),
    changes: 'changes' in decision ? decision.changes.map(changeJson) : [],
    ...(nearest === undefined
      ? {}
      : {
          nearest: {
            started_at: nearest.record.startedAt,
            key: nearest.record.key,
            changes: nearest.changes.map(changeJson),
          },
        }),
    ...(variation === undefined ? {} : { not_reproducible: variation }),
    unchanged,
  };
}

function* lines(explanation: Explanation, colour: boolean): Generator<string> {
  const { stage, decision, nearest, variation, unchanged } = explanation;
  const name = paint('bold', stage, colour);
  const compared = [
    count(unchanged.deps, 'dep'),
    count(unchanged.params, 'param'),
    count(unchanged.env, 'variable'),
    count(unchanged.outs, 'out'),
  ].join(', ');
  switch (decision.kind) {
    case 'skip':
      yield `${name} is skipped: ${decision.reason === 'frozen' ? 'it is frozen' : 'nothing changed'}`;
      yield `  compared and equal: its definition, ${compared}`;
      break;
    case 'restore':
      yield `${name} is restored, not run: ${reasonText(decision)}`;
      break;
    case 'run':
    case 'undecided':
      yield `${name} would run, because`;
      for (const change of decision.changes) yield `  ${changeText(change)}`;
      yield `unchanged: ${compared}`;
      break;
    case 'blocked':
      yield `${name} is blocked by ${decision.by}`;
      break;
  }
  if (variation !== undefined) yield variationText(variation);
  if (nearest === undefined || decision.kind !== 'run') return;
  const { record, changes } = nearest;
  const when = `${record.startedAt.slice(0, 16).replace('T', ' ')} UTC`;
  yield `nearest earlier run: ${when}, ${secondsText(record.seconds)}; since then`;
  for (const change of changes) yield `  ${changeText(change)}`;
  if (changes.length === 0) yield '  nothing changed, but its outs are not all in the cache';
}
