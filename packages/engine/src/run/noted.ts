import type { AnyPath, Artifact, RunRecord, Stage } from '@dag/model';
import type { GpuLease } from '../gpu/gpus.ts';
import { noteDuration } from '../history/durations.ts';
import { lastValues, metricContext } from '../metrics/last.ts';
import type { StageView } from '../observe-stage.ts';
import type { RunFacts } from '../record.ts';
import type { ReproRun } from '../repro-run.ts';
import { nameFingerprint } from '../run-key.ts';
import type { Earlier, Left } from './checkpoints.ts';
import type { Resumption } from './resumption.ts';
import { type RunTrace, runStage, type StageEnd } from './stage.ts';

/**
 * Runs a stage and notes in the journal that it began and how it ended.
 * @param record asked, once its outs are known, for the run record that is to be kept with them.
 */
export async function runNoted(
  run: ReproRun,
  stage: Stage,
  view: StageView,
  gpus: GpuLease | undefined,
  { checkpoints, left, earlier, onSaved }: Resumption,
  record: (outs: ReadonlyMap<AnyPath, Artifact>, facts: RunFacts) => Promise<RunRecord | undefined>,
): Promise<StageEnd> {
  const { project, journal } = run;
  const { key, text } = nameFingerprint(view.observed.fingerprint);
  // Asked before anything changes that git tracks.
  const { host, gitCommit, gitDirty, dag } = project.context();
  const context = Object.entries({ host, gitCommit, gitDirty, dag }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const resumed = left === undefined || earlier === undefined ? {} : resumedContext(left, earlier);
  await run.ignoreOuts();
  const startedAt = project.clock();
  const id = journal.begin({
    stage: stage.address,
    at: startedAt,
    key,
    fingerprint: text,
    context: { ...Object.fromEntries(context), ...resumed },
  });
  const end = await runStage(project, stage, view, {
    startedAt,
    noCommit: run.options.noCommit ?? false,
    ...run.signals,
    meter: run.meter,
    monitor: run.monitor,
    others: run.others,
    gpus,
    checkpoints,
    left,
    onSaved,
    tracer: run.tracer,
    record: (outs, trace) => {
      const { seconds } = trace;
      return record(outs, {
        startedAt,
        seconds,
        context: { ...gpus?.context, ...trace.context, ...contextOf(trace), ...resumed },
      });
    },
    emit: run.emit,
  });
  const { status, seconds, usage, logs, metrics } = end;
  const failed = end.status === 'failed' ? end : undefined;
  journal.end(id, {
    status,
    seconds,
    usage: { ...usage, ...end.gpus },
    logs,
    ...(metrics.size === 0 ? {} : { metrics: lastValues(metrics) }),
    ...(status === 'ok' ? { exitCode: 0 } : {}),
    ...(failed?.exitCode === undefined ? {} : { exitCode: failed.exitCode }),
    ...(failed?.signal === undefined ? {} : { signal: failed.signal }),
    ...(failed === undefined || failed.failure.code === 'invalid-pipeline' ? {} : { message: failed.failure.message }),
  });
  if (end.status !== 'ok') return end;
  const { peakRss } = usage;
  noteDuration(project.root, stage.address, { seconds, ...(peakRss === undefined ? {} : { peakRss }) });
  return end;
}

/** What a run that goes on from checkpoints adds to its record. */
function resumedContext({ step, at }: Left, { resumes, seconds }: Earlier): Readonly<Record<string, string | number>> {
  return {
    resumes,
    resumedAt: at,
    earlierSeconds: seconds,
    ...(step === undefined ? {} : { resumedFrom: step }),
  };
}

/** What a run record says of the run itself. */
function contextOf({ usage, logs, metrics, gpus }: RunTrace): Readonly<Record<string, string | number | boolean>> {
  const log = logs.at(-1);
  return {
    ...usage,
    ...gpus,
    ...metricContext(metrics),
    exitCode: 0,
    ...(logs.length > 1 ? { tries: logs.length } : {}),
    ...(log === undefined ? {} : { log }),
  };
}
