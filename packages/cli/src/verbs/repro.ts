import os from 'node:os';
import path from 'node:path';
import { type ReproOptions, type ReproSummary, repro } from '@dag/engine';
import { type Failure, FailureError, type StageAddress } from '@dag/model';
import { type SelectOptions, selectStages } from '@dag/pipeline';
import { EXIT, exitStatus } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { checkpointKeeper } from '../project/checkpoint-keeper.ts';
import { remoteFetcher } from '../project/fetcher.ts';
import { type OpenProject, openProject, traceTools } from '../project/open.ts';
import { rememberTracked } from '../project/remembered.ts';
import { mayWait } from '../project/waiting.ts';
import { reproReporter } from '../render/repro.ts';
import type { Timeline } from '../render/timeline.ts';
import type { Context } from '../verb.ts';

/** The flags of `repro`, and of verbs that run stages as it does. */
export interface ReproFlags {
  readonly force?: boolean;
  readonly forceDownstream?: boolean;
  readonly singleItem?: boolean;
  readonly pipeline?: boolean;
  readonly allPipelines?: boolean;
  readonly downstream?: boolean;
  readonly glob?: boolean;
  readonly dry?: boolean;
  readonly pull?: boolean;
  readonly allowMissing?: boolean;
  readonly runCache: boolean;
  readonly resume?: boolean;
  readonly commit: boolean;
  readonly keepGoing?: boolean;
  readonly ignoreErrors?: boolean;
  readonly interactive?: boolean;
  readonly wait: boolean;
  readonly remote?: string;
  readonly jobs?: string;
}

interface Options extends ReproFlags {
  readonly timeline?: string;
  readonly trace?: boolean;
}

export async function reproVerb(context: Context, targets: readonly string[], options: Options): Promise<number> {
  if (options.interactive === true && !context.io.interactive) {
    throw new FailureError({ code: 'usage', message: 'repro -i asks, and there is no terminal to ask on' });
  }
  // Before anything is opened: a mistake on the command line touches nothing.
  if (options.jobs !== undefined) positiveInteger('--jobs', options.jobs);
  const project = await openProject(context, { targets, mutates: options.dry !== true });
  try {
    const selection = selectedStages(project, targets, options);
    const timeline = await timelineOf(context, project, options.timeline);
    const remember = async () => (options.dry === true ? undefined : await rememberTracked(project));
    const keeper = options.dry === true ? undefined : checkpointKeeper(context, project, selection, options.remote);
    const engine = { ...engineOptions(context, project, options), keeper };
    const show = { dry: options.dry ?? false, jobs: engine.jobs ?? 1, asks: options.interactive ?? false };
    const reporter = reproReporter(context, project, selection, show);
    try {
      const summary = await repro(
        project,
        selection,
        {
          ...engine,
          allData: targets.length === 0,
          inGivenOrder: options.singleItem ?? false,
          trace: options.trace === true && options.dry !== true ? await traceTools(project.env) : undefined,
        },
        { stop: context.stop, kill: context.kill },
        (event) => {
          timeline?.event(event);
          reporter.event(event);
        },
      );
      const forgot = await remember().then(() => undefined, failureOf);
      if (forgot !== undefined) reporter.event({ event: 'warning', message: notNoted(forgot) });
      reporter.summary(summary);
      return exitOf(
        { ...summary, failures: [...summary.failures, ...(forgot === undefined ? [] : [forgot])] },
        options,
      );
    } catch (error) {
      // Where it fails as well, what went wrong first is what is told.
      await remember().catch(() => undefined);
      throw error;
    } finally {
      reporter.close();
      await keeper?.close();
      const problem = timeline?.close();
      if (problem !== undefined) context.say(`warning: '${options.timeline}' is not whole: ${problem}`);
    }
  } finally {
    await project.close();
  }
}

async function timelineOf(
  context: Context,
  project: OpenProject,
  file: string | undefined,
): Promise<Timeline | undefined> {
  if (file === undefined) return undefined;
  const { openTimeline } = await import('../render/timeline.ts');
  return openTimeline(path.resolve(context.cwd, file), project);
}

/** The stages that targets and flags name, in the order in which they are to be settled. */
export function selectedStages(project: OpenProject, targets: readonly string[], options: ReproFlags): StageAddress[] {
  const how: SelectOptions = {
    ...(options.singleItem === true ? { single: true } : {}),
    ...(options.downstream === true ? { downstream: true } : {}),
    ...(options.pipeline === true ? { pipeline: true } : {}),
    ...(options.allPipelines === true ? { allPipelines: true } : {}),
    ...(options.glob === true ? { glob: true } : {}),
  };
  const selected = selectStages(project.pipeline, targets, how, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  return selected.value;
}

/** The flags as the engine has them. */
export function engineOptions(context: Context, project: OpenProject, options: ReproFlags): ReproOptions {
  return {
    force: options.force ?? false,
    forceDownstream: options.forceDownstream ?? false,
    dry: options.dry ?? false,
    noRunCache: !options.runCache,
    resume: options.resume,
    noCommit: !options.commit,
    allowMissing: options.allowMissing ?? false,
    onFailure: options.ignoreErrors === true ? 'ignore' : options.keepGoing === true ? 'keep-going' : 'stop',
    jobs: jobsOf(project, context, options.jobs),
    wait: options.wait && mayWait(context),
    waitForGpus: options.wait,
    fetcher: options.pull === true ? remoteFetcher(context, project, options.remote) : undefined,
    confirm: options.interactive === true ? (stage) => confirm(context, stage) : undefined,
  };
}

/** Stages at once: the flag, else `DAG_JOBS`, else `jobs` of pipeline.yaml, else 1: old pipelines lean on an order they never declared. */
export function jobsOf(project: OpenProject, context: Context, flag: string | undefined): number {
  if (flag !== undefined) return positiveInteger('--jobs', flag);
  const variable = context.io.env['DAG_JOBS'];
  const set = variable === undefined || variable === '' ? project.pipeline.settings.jobs : variable;
  if (set === 'auto') return os.availableParallelism();
  return set === undefined ? 1 : typeof set === 'number' ? set : positiveInteger('DAG_JOBS', set);
}

async function confirm(context: Context, stage: StageAddress): Promise<boolean> {
  const answer = await context.io.ask(`run stage '${stage}'? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}

/** What the surroundings did to an upkeep that no result depends on; anything else is thrown. */
function failureOf(error: unknown): Failure {
  if (error instanceof FailureError) return error.failure;
  throw error;
}

function notNoted(failure: Failure): string {
  return `which files are tracked could not be noted${'message' in failure ? `: ${failure.message}` : ''}`;
}

function exitOf(summary: ReproSummary, options: ReproFlags): number {
  if (options.dry === true) return EXIT.done;
  const [first] = summary.failures;
  if (first === undefined) return EXIT.done;
  return summary.failures.some((failure) => exitStatus(failure) === EXIT.surroundings)
    ? EXIT.surroundings
    : EXIT.unsuccessful;
}
