import os from 'node:os';
import { type Failure, FailureError, type LockedStage, type Stage, sameArtifact } from '@dag/model';
import type { ReproEvent, ReproSummary } from '../event.ts';
import { Gpus } from '../gpu/gpus.ts';
import { readDurations } from '../history/durations.ts';
import { Leases } from '../leases.ts';
import { memoryLimit } from '../machine.ts';
import type { Project } from '../project.ts';
import { repro } from '../repro.ts';
import type { Made, ReproOptions, ReproSignals } from '../repro-run.ts';
import type { StageTrace } from '../trace/report.ts';
import type { TraceTools } from '../trace/tracer.ts';
import type { ImageCompare } from './compare/out.ts';
import { eachFitting } from './each-fitting.ts';
import { inputsOf } from './inputs.ts';
import { compareOuts, contextsOf, keepCommitted, metricsOf, strayFiles } from './made-again.ts';
import { Owners } from './owners.ts';
import type { CleanTree, ContextDifference, OneRun, Originals, Rerun } from './types.ts';

export interface RerunOptions {
  readonly jobs: number;
  readonly repeat: number;
  readonly signals: ReproSignals;
  /** Takes a tree of the pool, or makes one; it goes back when the work is done. */
  withTree<T>(work: (tree: CleanTree) => Promise<T>): Promise<T>;
  readonly originals: Originals;
  readonly images?: ImageCompare | undefined;
  /** What traces the runs; undefined where they are not to be traced. */
  readonly trace?: TraceTools | undefined;
  emit(event: ReproEvent): void;
  onResult(result: Rerun): void;
}

/**
 * Runs stages again that have lock entries, each from what its own says that it read, in a tree that holds nothing else but what
 * git has, and compares what it makes with what the entry says that it made. Nothing of it is stored or recorded.
 */
export async function rerun(home: Project, stages: readonly Stage[], options: RerunOptions): Promise<void> {
  const { jobs, signals } = options;
  const gpus = new Gpus(home.env);
  const durations = readDurations(home.root);
  const leases = new Leases(
    { cpu: os.availableParallelism(), memory: memoryLimit(), gpus: () => gpus.devices },
    (address) => durations.of(address),
  );
  await eachFitting(stages, { jobs, leases, stop: signals.stop }, async (stage) => {
    const release = await home.workspace.acquire(
      { read: [], write: [], mutex: stage.mutex, purpose: `dag verify: stage '${stage.address}'` },
      { wait: true, signal: signals.stop },
    );
    try {
      options.onResult(await options.withTree((tree) => rerunIn(tree, stage, options)));
    } finally {
      release();
    }
  });
}

/** Lines of what a stage printed last. */
const TAIL = 6;

async function rerunIn(tree: CleanTree, stage: Stage, options: RerunOptions): Promise<Rerun> {
  const runs: OneRun[] = [];
  const digests = new Set<string>();
  let elsewhere: readonly ContextDifference[] = [];
  for (let i = 0; i < options.repeat && !options.signals.stop.aborted; i++) {
    tree.reset();
    const locked = tree.project.locks.stage(stage);
    if (locked === undefined) throw new Error(`no lock entry of ${stage.address}`);
    const { one, made } = await runOnce(tree, stage, locked, options);
    runs.push(one);
    if (made !== undefined) {
      digests.add(
        [...made.outs]
          .map(([path, { digest }]) => `${path} ${digest}`)
          .sort()
          .join('\n'),
      );
      if (one.status === 'ran' && one.differing.length > 0)
        elsewhere = await contextsOf(tree, stage, locked, made, options.originals);
    }
    if (one.status !== 'ran') break;
  }
  return { stage, runs, elsewhere, varies: digests.size > 1 };
}

async function runOnce(
  tree: CleanTree,
  stage: Stage,
  locked: LockedStage,
  options: RerunOptions,
): Promise<{ readonly one: OneRun; readonly made?: Made | undefined }> {
  const { project } = tree;
  const { originals, signals } = options;
  const inputs = inputsOf(project, new Owners(project), stage, locked);
  const missing = await originals.bring(inputs, project.root);
  if (missing.length > 0) return { one: { status: 'no-inputs', missing, failure: originals.failure() } };
  const observed = await project.workspace.observe([...locked.deps.keys()]);
  const other = [...locked.deps].flatMap(([path, artifact]) =>
    sameArtifact(observed.get(path), artifact) ? [] : [path],
  );
  if (other.length > 0) return { one: { status: 'no-inputs', missing: other } };
  const committed = await keepCommitted(tree, stage, locked);
  const tail: string[] = [];
  let made: Made | undefined;
  let trace: StageTrace | undefined;
  let [seconds, failure]: [number, Failure | undefined] = [0, undefined];
  // Tracked data is what the entry of this stage says, whatever its own says by now.
  const { summary, problem } = await attempt(
    { ...project, pipeline: { ...project.pipeline, data: [] } },
    stage,
    {
      trace: options.trace && { ...options.trace, pipeline: project.pipeline },
      onMade: (one) => {
        made = one;
      },
    },
    signals,
    (event) => {
      options.emit(event);
      if (event.event === 'traced') {
        const { event: _, ...found } = event;
        trace = found;
      }
      if (event.event === 'output') tail.push(event.line);
      if (tail.length > TAIL) tail.shift();
      if (event.event === 'finished') ({ seconds, failure } = { failure: undefined, ...event });
    },
  );
  failure ??= problem ?? summary?.failures[0];
  if (failure !== undefined) return { one: { status: 'failed', failure, tail, seconds, trace } };
  if (made === undefined) return { one: { status: 'cancelled' } };
  const compared = await compareOuts(tree, stage, locked, made, committed, options);
  const after = await project.workspace.observe([...locked.deps.keys()]);
  const touched = [...locked.deps].flatMap(([path, artifact]) =>
    sameArtifact(after.get(path), artifact) ? [] : [path],
  );
  return {
    one: {
      status: 'ran',
      seconds,
      ...compared,
      metrics: metricsOf(project, stage),
      touched,
      strays: strayFiles(tree, stage, inputs),
      trace,
    },
    made,
  };
}

/** Runs one stage, and nothing else. What keeps it from beginning is its problem, and nobody else's. */
async function attempt(
  project: Project,
  stage: Stage,
  more: Pick<ReproOptions, 'trace' | 'onMade'>,
  signals: ReproSignals,
  emit: (event: ReproEvent) => void,
): Promise<{ readonly summary?: ReproSummary; readonly problem?: Failure }> {
  const options = { force: true, noRunCache: true, noCommit: true, inGivenOrder: true, ...more };
  try {
    return { summary: await repro(project, [stage.address], options, signals, emit) };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return { problem: error.failure };
  }
}
