import fs from 'node:fs';
import path from 'node:path';
import { agreement, type Rerun } from '@dag/engine';
import { FailureError } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { lockFilesInGit } from '../project/git.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { remoteState } from '../project/remote-state.ts';
import { gitTop } from '../project/root.ts';
import { type Wanted, wanted } from '../project/wanted.ts';
import { secondsText } from '../render/units.ts';
import type { Context } from '../verb.ts';
import { agreementVerdicts, orphanVerdict, remoteVerdict } from '../verify/agree.ts';
import { annotations } from '../verify/annotations.ts';
import { junit } from '../verify/junit.ts';
import { parseSample, type Sample, sampled } from '../verify/sample.ts';
import { printVerdicts } from '../verify/table.ts';
import { type Verdict, verdictJson } from '../verify/verdict.ts';
import { jobsOf } from './repro.ts';

interface Options {
  readonly remote?: string;
  readonly cloud?: boolean;
  readonly run?: true | readonly string[];
  readonly sample?: string;
  readonly seed?: string;
  readonly repeat?: string;
  readonly jobs?: string;
  readonly trace?: boolean;
  readonly baseline?: string;
  readonly saveBaseline?: string;
  readonly junit?: string;
  readonly annotations?: boolean;
}

export async function verifyVerb(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const began = performance.now();
  const names = [...targets, ...(Array.isArray(options.run) ? (options.run as readonly string[]) : [])];
  const how = runFlags(options);
  const project = await openProject(context, { targets: names });
  try {
    const found =
      options.run === undefined
        ? await compared(context, project, names, options)
        : await ranAgain(context, project, names, options, how);
    report(context, project, found, options, (performance.now() - began) / 1000);
    if (found.failure !== undefined) throw found.failure;
    const { verdicts } = found;
    if (verdicts.every(({ ok }) => ok)) return EXIT.done;
    return verdicts.some(({ json }) => json['surroundings'] === true) ? EXIT.surroundings : EXIT.unsuccessful;
  } finally {
    await project.close();
  }
}

interface Found {
  readonly verdicts: readonly Verdict[];
  /** What kept it from looking at the rest; what was found is told all the same. */
  readonly failure?: FailureError;
  /** The commit whose stages ran; undefined where none did. */
  readonly commit?: string;
}

/** What the locks, the workspace and the remote say. */
async function compared(
  context: Context,
  project: OpenProject,
  targets: readonly string[],
  options: Options,
): Promise<Found> {
  const about = wanted(project, targets);
  const here = agreementVerdicts(project, await agreement(project, about.stages, about.data));
  const left = targets.length === 0 ? orphans(project) : [];
  const { verdicts, ...rest } = await inRemote(context, project, about, options);
  return { verdicts: [...here, ...left, ...verdicts], ...rest };
}

interface RunFlags {
  readonly repeat: number;
  readonly sample: Sample | undefined;
}

/** Before anything is opened: a mistake on the command line touches nothing. */
function runFlags(options: Options): RunFlags {
  for (const flag of ['sample', 'seed', 'repeat', 'jobs', 'baseline', 'saveBaseline', 'trace'] as const) {
    if (options[flag] === undefined || options.run !== undefined) continue;
    throw new FailureError({
      code: 'usage',
      message: `--${flag === 'saveBaseline' ? 'save-baseline' : flag} is for stages that run again: it needs --run`,
    });
  }
  if (options.run !== undefined && options.cloud === true) {
    const hint = "'dag verify -c' asks the remotes; with --run, -r names the one that content is fetched from";
    throw new FailureError({ code: 'usage', message: '--cloud does not go together with --run', hint });
  }
  if (options.jobs !== undefined) positiveInteger('--jobs', options.jobs);
  return {
    repeat: options.repeat === undefined ? 1 : positiveInteger('--repeat', options.repeat),
    sample: parseSample(options.sample, options.seed),
  };
}

async function ranAgain(
  context: Context,
  home: OpenProject,
  names: readonly string[],
  options: Options,
  { repeat, sample }: RunFlags,
): Promise<Found> {
  const { runAgain } = await import('../verify/run.ts');
  const { baselineText, judgedBy, readBaseline } = await import('../verify/baseline.ts');
  const baseline = options.baseline === undefined ? undefined : readBaseline(context, home, options.baseline);
  const verdicts: Verdict[] = [];
  const results: Rerun[] = [];
  let id = '';
  await runAgain(context, home, {
    jobs: jobsOf(home, context, options.jobs),
    repeat,
    remote: options.remote,
    trace: options.trace === true,
    choose: (project) => {
      const selected = selectStages(
        project.pipeline,
        names,
        { ...(names.length > 0 ? { single: true } : { allPipelines: true }) },
        home.cwd,
      );
      if (!selected.ok) throw new FailureError(selected.error);
      const stages = selected.value.flatMap((address) => project.pipeline.stages.get(address) ?? []);
      if (sample === undefined) return stages;
      const chosen = sampled(stages, ({ address }) => address, sample);
      context.say(`chose ${chosen.length} of ${stages.length} stages (--seed ${sample.seed} chooses them again)`);
      return chosen;
    },
    onVerdict: (found, result) => {
      if (result !== undefined) results.push(result);
      const verdict = baseline === undefined || result === undefined ? found : judgedBy(baseline, result, found);
      verdicts.push(verdict);
      context.emit({ event: 'verdict', ...verdictJson(verdict) });
    },
    onCommit: (commit) => {
      id = commit.id;
      const { uncommitted } = commit;
      if (uncommitted.length === 0) return;
      const some = uncommitted.slice(0, 3).join(', ');
      const more = uncommitted.length > 3 ? ` and ${uncommitted.length - 3} more` : '';
      context.say(
        `note: this verifies commit ${id.slice(0, 7)}; what differs from it here is left out: ${some}${more}`,
      );
    },
  });
  // Half of it is none: it would stand in the place of a whole one.
  if (options.saveBaseline !== undefined && !context.stop.aborted)
    writeReport(context, options.saveBaseline, baselineText(id, results));
  const order = new Map(home.pipeline.order.map((address, place) => [address as string, place]));
  verdicts.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
  return { verdicts, commit: id };
}

function report(
  context: Context,
  project: OpenProject,
  { verdicts, commit }: Found,
  options: Options,
  seconds: number,
): void {
  const failed = verdicts.filter(({ ok }) => !ok).length;
  const interrupted = commit !== undefined && context.stop.aborted;
  const counts = { ok: failed === 0 && !interrupted, checked: verdicts.length, failed };
  if (commit === undefined) context.emit({ ...counts, verdicts: verdicts.map(verdictJson) });
  else context.emit({ event: 'summary', commit, ...counts });
  printVerdicts(context, verdicts, () => commit !== undefined);
  const took = secondsText(seconds);
  context.print(
    commit === undefined
      ? summaryText(verdicts, failed, took)
      : rerunText(verdicts, { failed, interrupted, commit, took }),
  );
  if (options.junit !== undefined) writeReport(context, options.junit, junit(verdicts, seconds));
  if (options.annotations ?? context.io.env['GITHUB_ACTIONS'] === 'true') {
    const top = gitTop(project.root) ?? project.root;
    const prefix = path.relative(top, project.root);
    for (const line of annotations(verdicts, prefix === '' ? '' : `${prefix}/`)) context.io.err(`${line}\n`);
  }
}

function summaryText(verdicts: readonly Verdict[], failed: number, took: string): string {
  const count = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
  const [stages, data] = [count('stage'), count('data')];
  const about = `${stages} stage${stages === 1 ? '' : 's'}${data === 0 ? '' : ` and ${data} tracked path${data === 1 ? '' : 's'}`}`;
  if (failed === 0) return `Verified ${about} in ${took}: nothing would run.`;
  return `Verified ${about} in ${took}: ${failed} problem${failed === 1 ? '' : 's'}.`;
}

interface Rerunning {
  readonly failed: number;
  readonly interrupted: boolean;
  readonly commit: string;
  readonly took: string;
}

function rerunText(verdicts: readonly Verdict[], { failed, interrupted, commit, took }: Rerunning): string {
  const stages = `${verdicts.length} stage${verdicts.length === 1 ? '' : 's'} of commit ${commit.slice(0, 7)}`;
  if (interrupted) return `Verified ${stages} in ${took}, and was interrupted: the others are not known.`;
  if (failed === 0) return `Verified ${stages} in ${took}: made again.`;
  return `Verified ${stages} in ${took}: ${failed} not made again.`;
}

/** Of a sparse work tree neither is there, which tells nothing. */
function orphans(project: OpenProject): Verdict[] {
  const isThere = (file: string): boolean => fs.existsSync(path.join(project.root, file));
  return lockFilesInGit(project.root)
    .filter((lock) => isThere(lock) && !isThere(path.join(path.dirname(lock), 'pipeline.yaml')))
    .map(orphanVerdict);
}

/** What the locks name and the remote lacks. It is asked which objects it has, and nothing is fetched. */
async function inRemote(
  context: Context,
  project: OpenProject,
  about: Wanted,
  { cloud, remote: named }: Options,
): Promise<{ readonly verdicts: readonly Verdict[]; readonly failure?: FailureError }> {
  if (cloud !== true && named === undefined) return { verdicts: [] };
  try {
    const states = await remoteState(project, context, about.tracked(), named);
    return { verdicts: [...states].flatMap(([at, state]) => (state === 'deleted' ? [] : [remoteVerdict(at, state)])) };
  } catch (error) {
    if (!(error instanceof FailureError) || error.failure.code !== 'remote') throw error;
    return { verdicts: [], failure: error };
  }
}

function writeReport(context: Context, file: string, text: string): void {
  const at = path.resolve(context.cwd, file);
  fs.mkdirSync(path.dirname(at), { recursive: true });
  fs.writeFileSync(at, text);
}
