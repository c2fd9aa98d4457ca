import { repro } from '@dag/engine';
import { type AnyPath, FailureError, type StageAddress } from '@dag/model';
import { showError } from '../failure.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { rememberTracked } from '../project/remembered.ts';
import { requireRoot } from '../project/root.ts';
import { reproReporter } from '../render/repro.ts';
import { count } from '../render/units.ts';
import type { Context } from '../verb.ts';
import { Contents, type Inputs, inputsOf } from '../watch/inputs.ts';
import { Watcher } from '../watch/watcher.ts';
import { engineOptions, type ReproFlags, selectedStages } from './repro.ts';

interface Options extends ReproFlags {
  readonly poll?: boolean;
}

/** Brings the targets up to date, and again whenever something that they are made from has other content. */
export async function watchVerb(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const root = requireRoot({ root: context.root, cwd: context.cwd, env: context.io.env });
  const news = new News();
  const watcher = new Watcher({
    root,
    poll: options.poll ?? false,
    onChange: (paths) => news.tell(paths),
    onPoll: (reason) => context.say(`looking at the files again and again from now on: ${reason}`),
  });
  context.stop.addEventListener('abort', () => news.tell(new Set()), { once: true });
  let watched: ReadonlySet<AnyPath> = new Set();
  try {
    while (!context.stop.aborted) {
      const round = await openRound(context, targets, options);
      try {
        watched = round.kind === 'broken' ? new Set([...watched, ...round.files]) : round.inputs.paths;
        // What changed between the reading of it and the watching is not told: it is read again.
        if (await watcher.set(watched)) continue;
        if (round.kind === 'sound') {
          await follow(context, round, options, news);
        } else {
          showError(round.error, context.io, context.json);
          await idle(context, watched.size);
          await news.next();
        }
      } finally {
        if (round.kind === 'sound') await round.project.close();
      }
    }
    return 0;
  } finally {
    await watcher.close();
  }
}

/** What was touched since somebody last asked. */
class News {
  #touched = new Set<AnyPath>();
  #told = false;
  #wake = (): void => {};

  /** Wakes whoever waits, with these paths; with none to make it look around. */
  tell(paths: ReadonlySet<AnyPath>): void {
    for (const path of paths) this.#touched.add(path);
    this.#told = true;
    this.#wake();
  }

  /** Waits until somebody has told something, and takes it. */
  async next(): Promise<ReadonlySet<AnyPath>> {
    if (!this.#told) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#touched;
    this.#touched = new Set();
    this.#told = false;
    return taken;
  }
}

interface Round {
  readonly kind: 'sound';
  readonly project: OpenProject;
  readonly selection: readonly StageAddress[];
  readonly inputs: Inputs;
}

/** A project that does not hold together: why, and the files that may mend it. */
interface Broken {
  readonly kind: 'broken';
  readonly error: FailureError;
  readonly files: ReadonlySet<AnyPath>;
}

/** The project as it stands. */
async function openRound(context: Context, targets: readonly string[], options: Options): Promise<Round | Broken> {
  let project: OpenProject | undefined;
  try {
    project = await openProject(context, { targets, mutates: true });
    const selection = selectedStages(project, targets, options);
    return { kind: 'sound', project, selection, inputs: inputsOf(project, selection) };
  } catch (error) {
    await project?.close();
    if (!(error instanceof FailureError) || error.failure.code !== 'invalid-pipeline') throw error;
    const named = error.failure.diagnostics.map((diagnostic) => diagnostic.file as AnyPath);
    return { kind: 'broken', error, files: new Set([...named, 'pipeline.yaml' as AnyPath]) };
  }
}

/** Runs once, then waits until an input has changed. A change while stages run ends those that it concerns. */
async function follow(context: Context, round: Round, options: Options, news: News): Promise<void> {
  const { project, inputs } = round;
  const contents = new Contents(project, inputs);
  await contents.learn();
  const reins = new Reins();
  let state = 'running' as 'running' | 'ended' | 'waiting' | 'broken';
  const run = runOnce(context, round, options, reins).then(
    () => {
      state = 'ended';
      news.tell(new Set());
    },
    (error: unknown) => {
      state = 'broken';
      news.tell(new Set());
      throw error;
    },
  );
  run.catch(() => {});
  for (;;) {
    const paths = await contents.changed(await news.next());
    if (paths.length > 0) {
      context.emit({ event: 'changed', paths });
      if (!context.json) context.say(`changed: ${paths.map((path) => `'${path}'`).join(', ')}`);
      for (const path of paths) reins.stop(inputs.affected(path));
    }
    if (state === 'broken' || (state !== 'running' && (reins.pulled || context.stop.aborted))) break;
    if (state === 'ended') {
      await idle(context, inputs.paths.size);
      state = 'waiting';
    }
  }
  await run;
}

/** Holds a run: once something has changed nothing more starts, and the stages that it concerns end. */
class Reins {
  readonly #drain = new AbortController();
  readonly #stages = new Map<StageAddress, AbortController>();

  get pulled(): boolean {
    return this.#drain.signal.aborted;
  }

  get drain(): AbortSignal {
    return this.#drain.signal;
  }

  stop(stages: ReadonlySet<StageAddress>): void {
    this.#drain.abort();
    for (const stage of stages) this.#of(stage).abort();
  }

  stopOf(stage: StageAddress): AbortSignal {
    return this.#of(stage).signal;
  }

  #of(stage: StageAddress): AbortController {
    const controller = this.#stages.get(stage) ?? new AbortController();
    this.#stages.set(stage, controller);
    return controller;
  }
}

async function runOnce(context: Context, round: Round, options: Options, reins: Reins): Promise<void> {
  const { project, selection } = round;
  const engine = engineOptions(context, project, options);
  const reporter = reproReporter(context, project, selection, { dry: false, jobs: engine.jobs ?? 1, asks: false });
  const { stop, kill } = context;
  const signals = { stop, kill, drain: reins.drain, stopOf: (stage: StageAddress) => reins.stopOf(stage) };
  try {
    const summary = await repro(project, selection, engine, signals, (event) => {
      reporter.event(event);
    });
    reporter.summary(summary);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    reporter.close();
    showError(error, context.io, context.json);
  } finally {
    reporter.close();
    await rememberTracked(project);
  }
}

async function idle(context: Context, paths: number): Promise<void> {
  context.emit({ event: 'watching', paths });
  if (!context.json) context.say(`watching ${count(paths, 'path')}; Ctrl-C ends`);
}
