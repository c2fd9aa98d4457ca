import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Failure,
  FailureError,
  isInside,
  isWithin,
  type LockedStage,
  type ProjectPath,
  type RunKey,
  type RunRecord,
  type Stage,
  sameArtifact,
} from '@dag/model';
import type { ReproEvent, ReproSummary } from '../event.ts';
import { Gpus } from '../gpu/gpus.ts';
import { readDurations } from '../history/durations.ts';
import { BACKEND_FACTS } from '../history/made-with.ts';
import { Leases } from '../leases.ts';
import { memoryLimit } from '../machine.ts';
import { viewStage } from '../observe-stage.ts';
import { Observer } from '../observer.ts';
import type { FetchItem, Project } from '../project.ts';
import { repro } from '../repro.ts';
import type { Made, ReproOptions, ReproSignals } from '../repro-run.ts';
import { runKey } from '../run-key.ts';
import type { StageTrace } from '../trace/report.ts';
import type { TraceTools } from '../trace/tracer.ts';
import { type NumbersByKey, numbersIn } from './compare/numbers.ts';
import { anyHolds, compareOut, type ImageCompare, type PathComparison } from './compare/out.ts';
import { eachFitting } from './each-fitting.ts';
import { inputsOf } from './inputs.ts';
import { Owners } from './owners.ts';

/** What was found in a tree beside what the stage was to make there; paths from the root. */
export interface Strays {
  /** Files of git's that are other ones, or gone. */
  readonly changed: readonly ProjectPath[];
  readonly added: readonly ProjectPath[];
  /** Added, and ignored by git. */
  readonly ignored: readonly ProjectPath[];
}

/** A folder with what git has at one commit, in which one stage at a time runs. */
export interface CleanTree {
  /** The project opened there; its cache is one of its own, and is removed with it. */
  readonly project: Project;
  /** A folder beside it for what is compared. Absolute. */
  readonly beside: string;
  /** Makes it what the commit has again, and empties the folder beside it. */
  reset(): void;
  strays(): Strays;
}

/** Where content comes from that git does not have. */
export interface Originals {
  /** Puts content at its paths in a folder. @returns what is nowhere to be had. */
  bring(items: readonly FetchItem[], root: string): Promise<readonly AnyPath[]>;
  /** Why a remote could not be asked; undefined while there was nothing wrong. */
  failure(): Failure | undefined;
  /** Earlier runs with this key. */
  records(key: RunKey): Promise<readonly RunRecord[]>;
}

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

/** What came of running a stage again from the inputs that its lock entry names. */
export interface Rerun {
  readonly stage: Stage;
  readonly runs: readonly OneRun[];
  /** Where the record of the locked run says that it ran somewhere else: what differs. */
  readonly elsewhere: readonly ContextDifference[];
  /** Runs from the same inputs made other bytes than each other. */
  readonly varies: boolean;
}

export interface ContextDifference {
  readonly name: string;
  readonly before: string;
  readonly now: string;
}

/** One run. */
export type OneRun =
  /** `failure`: the remote that might have them can't be asked. */
  | { readonly status: 'no-inputs'; readonly missing: readonly AnyPath[]; readonly failure?: Failure | undefined }
  | {
      readonly status: 'failed';
      readonly failure: Failure;
      readonly tail: readonly string[];
      readonly seconds: number;
      readonly trace?: StageTrace | undefined;
    }
  | { readonly status: 'cancelled' }
  | {
      readonly status: 'ran';
      readonly seconds: number;
      /** What is not identical. */
      readonly differing: readonly PathComparison[];
      /** Outs that differ, of which what they were is nowhere to be had. */
      readonly unknown: readonly AnyPath[];
      /** Outs that hold the path of the folder in which it ran. */
      readonly holdsPath: readonly AnyPath[];
      /** The numbers in its metrics files. */
      readonly metrics: ReadonlyMap<AnyPath, NumbersByKey>;
      /** Deps that it changed itself. */
      readonly touched: readonly AnyPath[];
      readonly strays: Strays;
      readonly trace?: StageTrace | undefined;
    };

/**
 * Runs stages again that have lock entries, each from what its own says that it read, in a tree that holds nothing else but what git has,
 * and compares what it makes with what the entry says that it made. Nothing of it is stored or recorded.
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
        elsewhere = await contextsOf(tree, stage, locked, made, options);
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

/** The numbers in the metrics files that a stage has made. */
function metricsOf({ root }: Project, stage: Stage): Map<AnyPath, NumbersByKey> {
  const files = stage.outs.filter(({ kind, path: at }) => {
    return kind === 'metric' && fs.statSync(absolutePath(root, at), { throwIfNoEntry: false })?.isFile() === true;
  });
  return new Map(files.map(({ path: at }) => [at, numbersIn(fs.readFileSync(absolutePath(root, at)), at)]));
}

/** Lines of what a stage printed last. */
const TAIL = 6;

/** What git has of outs that are not cached, kept beside before they are made again. @returns those that are as locked. */
async function keepCommitted(tree: CleanTree, stage: Stage, locked: LockedStage): Promise<ReadonlySet<AnyPath>> {
  const paths = stage.outs.filter(({ cache, path }) => !cache && isInside(path)).map(({ path }) => path);
  const there = await tree.project.workspace.observe(paths);
  const kept = paths.filter(
    (path) => there.get(path) !== undefined && sameArtifact(there.get(path), locked.outs.get(path)),
  );
  for (const path of kept) copy(absolutePath(tree.project.root, path), absolutePath(tree.beside, path));
  return new Set(kept);
}

async function compareOuts(
  tree: CleanTree,
  stage: Stage,
  locked: LockedStage,
  made: Made,
  committed: ReadonlySet<AnyPath>,
  { originals, images }: RerunOptions,
): Promise<Pick<Extract<OneRun, { status: 'ran' }>, 'differing' | 'unknown' | 'holdsPath'>> {
  const { root } = tree.project;
  const differs = stage.outs.flatMap(({ path }) => {
    const before = locked.outs.get(path);
    return before === undefined || sameArtifact(before, made.outs.get(path)) ? [] : [{ path, artifact: before }];
  });
  const wanted = differs.filter((item): item is FetchItem => !committed.has(item.path) && isInside(item.path));
  const gone = new Set(await originals.bring(wanted, tree.beside));
  const isKnown = ({ path }: { path: AnyPath; artifact: Artifact }) => isInside(path) && !gone.has(path);
  const checks = stage.verify ?? [];
  const differing = differs
    .filter(isKnown)
    .flatMap(({ path }) =>
      compareOut(path, absolutePath(tree.beside, path), absolutePath(root, path), { checks, images }),
    );
  const isIgnored = (path: AnyPath) => checks.some((check) => check.path === path && check.ignore === true);
  return {
    differing,
    unknown: differs.filter((item) => !isKnown(item) && !isIgnored(item.path)).map(({ path }) => path),
    holdsPath: differing
      .filter(({ path, comparison }) => comparison.verdict === 'different' && anyHolds(absolutePath(root, path), root))
      .map(({ path }) => path),
  };
}

/** What was written beside the outs: neither them, nor what was put there for the stage to read. */
function strayFiles(tree: CleanTree, stage: Stage, inputs: readonly FetchItem[]): Strays {
  const known = [...stage.outs.map(({ path }) => path), ...inputs.map(({ path }) => path)];
  const isStray = (path: ProjectPath) => !known.some((one) => isWithin(one, path));
  const { changed, added, ignored } = tree.strays();
  const owners = new Owners(tree.project);
  const isOwned = (path: ProjectPath) => (owners.at(path) ?? owners.around(path)) !== undefined;
  const strays = ignored.filter(isStray);
  return {
    changed: changed.filter(isStray),
    // What belongs to another stage is ignored by git as a rule, and is not this one's to write.
    added: [...added.filter(isStray), ...strays.filter(isOwned)].sort(),
    ignored: strays.filter((path) => !isOwned(path)),
  };
}

/** How the surroundings differ from those of the locked run, where there is a record of it. */
async function contextsOf(
  { project }: CleanTree,
  stage: Stage,
  locked: LockedStage,
  made: Made,
  { originals }: RerunOptions,
): Promise<readonly ContextDifference[]> {
  const { observed } = await viewStage(project, new Observer(project), stage);
  const records = await originals.records(runKey(observed.fingerprint));
  const record = records.find(({ outs }) =>
    [...outs].every(([path, artifact]) => sameArtifact(artifact, locked.outs.get(path))),
  );
  if (record === undefined) return [];
  const now = { ...project.context(), ...made.context };
  const names = stage.action.kind === 'worker' ? [...PLATFORM, ...WORKER] : PLATFORM;
  return names.flatMap((name) => {
    const [before, after] = [record.context[name], now[name]];
    return before === undefined || after === undefined || before === after
      ? []
      : [{ name, before: `${before}`, now: `${after}` }];
  });
}

/** What of the surroundings may decide the last bits of a number. */
const PLATFORM = ['platform', 'backend', 'backendPackage'];
const WORKER = ['cpu', 'node', ...BACKEND_FACTS, 'gpus', 'gpuDriver'];

function copy(from: string, to: string): void {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true, mode: fs.constants.COPYFILE_FICLONE });
}
