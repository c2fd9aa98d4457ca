import fs from 'node:fs';
import { FailureError, type Stage } from '@dag/model';
import type { KeptCheckpoint } from '../project.ts';
import type { ReproRun } from '../repro-run.ts';
import { dropCheckpoints, type Earlier, type Left, leftIn, type StageCheckpoints } from './checkpoints.ts';

/**
 * Brings the newest checkpoint that another machine has sent, where it is further than what is here; or removes all of them there,
 * for a stage that begins afresh. What can't be had is no reason for a stage not to run: it is a warning.
 * @returns what went before, where something came.
 */
export async function bringCheckpoints(
  run: ReproRun,
  stage: Stage,
  checkpoints: StageCheckpoints,
  fresh: boolean,
): Promise<Earlier | undefined> {
  const keeper = run.options.keeper;
  if (keeper === undefined || stage.checkpoints?.push !== true) return undefined;
  const { folder, name } = checkpoints;
  const signal = run.signals.stop;
  const warn = (message: string): void => run.emit({ event: 'warning', stage: stage.address, message });
  try {
    if (fresh) {
      await keeper.drop(name);
      return undefined;
    }
    const here = leftIn(folder, stage);
    for (const kept of await keeper.find(name, signal)) {
      if (here !== undefined && !isFurther(kept, here)) return undefined;
      const coming = `${folder}.coming`;
      fs.rmSync(coming, { recursive: true, force: true });
      fs.mkdirSync(coming, { recursive: true });
      if (await kept.bring(coming, signal)) {
        dropCheckpoints(folder);
        fs.renameSync(coming, folder);
        return { resumes: kept.resumes + 1, seconds: kept.seconds };
      }
      fs.rmSync(coming, { recursive: true, force: true });
      warn(
        `a checkpoint of stage '${stage.address}' in the remote, saved at ${kept.at}, is not whole: it is passed over`,
      );
    }
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof FailureError && 'message' in error.failure ? error.failure.message : String(error);
    warn(`whether the remote has checkpoints of stage '${stage.address}' could not be seen: ${why}`);
  }
  return undefined;
}

/** By the step where both say it, else by the time. */
function isFurther(kept: KeptCheckpoint, here: Left): boolean {
  if (kept.step !== undefined && here.step !== undefined) return kept.step > here.step;
  return Date.parse(kept.at) > Date.parse(here.at);
}
