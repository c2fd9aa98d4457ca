import { type Decision, type RunRecord, type Stage, sameArtifact } from '@dag/model';
import type { Hold } from '@dag/store';
import { mendedText } from '@dag/workspace';
import type { StageView } from '../observe-stage.ts';
import { recordInLock } from '../record.ts';
import type { Outcome, ReproRun } from '../repro-run.ts';
import { announce } from './announce.ts';

type Restore = Extract<Decision, { kind: 'restore' }>;

/** Takes a result from the cache. @returns undefined, which has been told, where the cache could not give it back. */
export async function restore(
  run: ReproRun,
  stage: Stage,
  view: StageView,
  decision: Restore,
): Promise<Outcome | undefined> {
  const hold = run.project.store.hold();
  try {
    const outcome = await restoreHeld(run, stage, view, decision, hold);
    if (outcome === undefined) hold.end();
    return outcome;
  } catch (error) {
    hold.end();
    throw error;
  }
}

/** Under a hold, which ends when the lock is written: what only a run record names, a gc may take as soon as it is decided upon. */
async function restoreHeld(
  run: ReproRun,
  stage: Stage,
  view: StageView,
  decision: Restore,
  hold: Hold,
): Promise<Outcome | undefined> {
  const gone = [...decision.outs].find(([, artifact]) => !run.cached.complete(artifact));
  if (gone !== undefined) return lost(run, stage, `'${gone[0]}': a gc took it meanwhile`);
  const items = [...decision.outs].map(([path, artifact]) => ({ path, artifact }));
  await run.ignoreOuts();
  const report = await run.project.workspace.checkout(items, {
    force: true,
    signal: run.signals.kill,
    onMended: (path, quarantined) =>
      run.emit({ event: 'warning', stage: stage.address, message: mendedText(path, quarantined) }),
  });
  run.observer.forget(decision.outs.keys());
  if (report.failed.length > 0) {
    // A damaged object is in quarantine by now, so that the next decision knows that it isn't there.
    const named = report.failed.map((failure) => `${failure.path} (${failure.reason})`).join(', ');
    return lost(run, stage, named);
  }
  if (hold.gcAtWork) {
    const stored = await run.project.workspace.commit([...decision.outs.keys()], { signal: run.signals.kill });
    const other = [...decision.outs].find(([path, artifact]) => !sameArtifact(stored.get(path), artifact));
    if (other !== undefined) return lost(run, stage, `'${other[0]}': someone changed it meanwhile`);
  }
  announce(run, stage, decision);
  if (decision.from.kind === 'run') noteRestored(run, stage, decision.from.record);
  run.observer.learn(decision.outs);
  // What came back as the lock has it changes nothing there, least of all for a frozen stage, whose deps may be others now.
  if (decision.from.kind === 'lock') hold.end();
  else await recordInLock(run.project, { stage, view, outs: decision.outs }, hold, true);
  return { kind: 'restored', savedSeconds: savedSeconds(decision) };
}

function lost(run: ReproRun, stage: Stage, named: string): undefined {
  run.emit({ event: 'warning', stage: stage.address, message: `the cache could not give back ${named}` });
}

function noteRestored({ project, journal }: ReproRun, stage: Stage, { key, startedAt }: RunRecord): void {
  journal.restored({ stage: stage.address, at: project.clock(), key, from: startedAt });
}

/** What the run took whose result comes back. */
export function savedSeconds(decision: Restore): number {
  return decision.from.kind === 'run' ? decision.from.record.seconds : 0;
}
