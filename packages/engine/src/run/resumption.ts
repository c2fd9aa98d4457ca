import os from 'node:os';
import type { CheckpointNote, RunKey, Stage } from '@dag/model';
import type { ReproRun } from '../repro-run.ts';
import { type CheckpointSender, startSending } from './checkpoint-sender.ts';
import { type Earlier, earlierTries, type Left, openCheckpoints, type StageCheckpoints } from './checkpoints.ts';
import { bringCheckpoints } from './checkpoints-elsewhere.ts';
import { GRACE_MS } from './process.ts';

/** How a stage goes on from an earlier try, and what it leaves for the next. */
export interface Resumption {
  readonly checkpoints: StageCheckpoints;
  /** What it goes on from, and what went before; undefined where it begins. */
  readonly left: Left | undefined;
  readonly earlier: Earlier | undefined;
  /** Told of each checkpoint that a worker saved. */
  onSaved(): void;
  /** It ended. `left`: what its next run goes on from. */
  ended(finished: boolean): Promise<{ readonly left: Left | undefined }>;
}

/** Finds what a stage that is about to run goes on from. Its paths are held. */
export async function openResumption(run: ReproRun, stage: Stage, key: RunKey): Promise<Resumption> {
  const { project } = run;
  const fresh = !(run.options.resume ?? run.options.force !== true);
  const checkpoints = openCheckpoints(project.root, stage, key, fresh);
  const came = await bringCheckpoints(run, stage, checkpoints, fresh);
  const left = checkpoints.isNew && came === undefined ? undefined : checkpoints.left();
  const earlier = left === undefined ? undefined : (came ?? earlierTries(project.root, stage, key, left));
  const sender = senderOf(run, stage, checkpoints, earlier);
  return {
    checkpoints,
    left,
    earlier,
    onSaved: () => sender?.saved(),
    ended: async (finished) => {
      if (finished) {
        await sender?.end(false, run.signals.kill);
        checkpoints.drop();
        if (sender !== undefined) await run.options.keeper?.drop(checkpoints.name);
        return { left: undefined };
      }
      checkpoints.keep();
      const enough = AbortSignal.timeout(stage.checkpoints?.grace ?? GRACE_MS);
      await sender?.end(true, AbortSignal.any([run.signals.kill, enough]));
      return { left: checkpoints.left() };
    },
  };
}

function senderOf(
  run: ReproRun,
  stage: Stage,
  checkpoints: StageCheckpoints,
  earlier: Earlier | undefined,
): CheckpointSender | undefined {
  const { keeper } = run.options;
  if (keeper === undefined || stage.checkpoints?.push !== true) return undefined;
  const begun = performance.now();
  const note = (): CheckpointNote => {
    const { step, at = run.project.clock().toISOString() } = checkpoints.left() ?? {};
    return {
      stage: stage.address,
      host: os.hostname(),
      ...(step === undefined ? {} : { step }),
      at,
      resumes: earlier?.resumes ?? 0,
      seconds: Math.round((earlier?.seconds ?? 0) * 1000 + performance.now() - begun) / 1000,
    };
  };
  return startSending({
    checkpoints,
    copies: keeper.copies(checkpoints.name),
    isWorker: stage.action.kind === 'worker',
    note,
    warn: (why) =>
      run.emit({
        event: 'warning',
        stage: stage.address,
        message: `checkpoints of stage '${stage.address}' are not in the remote: ${why}`,
        hint: 'it goes on, and they are here; sending is tried again',
      }),
  });
}
