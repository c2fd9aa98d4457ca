import fs from 'node:fs';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { type PastRun, pastRuns } from '@dag/engine';
import { FailureError } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { metricValues } from '../project/metric-values.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { pastRunJson, pastRunLines } from '../render/log.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly num?: string;
  readonly output?: string | true;
}

/** Runs that are shown where nobody says how many. */
const SHOWN = 20;

export async function log(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const stages = wantedStages(project, targets);
    const runs = pastRuns(project, (stage) => stages === undefined || stages.has(stage));
    if (options.output !== undefined) {
      printOutput(context, project, stages, runs, options.output);
      return EXIT.done;
    }
    const most = options.num === undefined ? SHOWN : positiveInteger('-n', options.num);
    const shown = runs.slice(0, most).map((run) => ({ run, metrics: metricValues(project, run) }));
    if (context.json) {
      context.emit(shown.map(({ run, metrics }) => pastRunJson(run, metrics, logFiles(project, run))));
      return EXIT.done;
    }
    for (const line of pastRunLines(shown, { single: stages?.size === 1, colour: context.io.colour.out })) {
      context.print(line);
    }
    if (runs.length === 0) context.say(stages === undefined ? 'Nothing has run yet.' : 'It has not run yet.');
    if (runs.length > most) context.say(`${runs.length - most} more: -n ${runs.length} shows them all`);
    return EXIT.done;
  } finally {
    await project.close();
  }
}

/** Undefined for all, those that are gone from pipeline.yaml too. */
function wantedStages(project: OpenProject, targets: readonly string[]): ReadonlySet<string> | undefined {
  if (targets.length === 0) return undefined;
  const selected = selectStages(project.pipeline, targets, { single: true }, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  return new Set(selected.value);
}

function logFiles({ store }: OpenProject, run: PastRun): string[] {
  return run.logs.map((name) => path.join(store.dir, 'logs', name));
}

/** Prints all that a run printed: the newest, or the one of this number. */
function printOutput(
  context: Context,
  project: OpenProject,
  stages: ReadonlySet<string> | undefined,
  runs: readonly PastRun[],
  which: string | true,
): void {
  if (stages?.size !== 1) throw usage('log --output needs one stage', "such as 'dag log train --output'");
  if (context.json) throw usage('log --output prints text', "'dag log STAGE --json' names the files that hold it");
  const number = which === true ? 1 : positiveInteger('--output', which);
  const run = runs[number - 1];
  if (run === undefined) {
    const many = runs.length === 0 ? 'it has not run yet' : `there are ${runs.length}`;
    throw usage(`there is no run ${number} of stage '${[...stages][0]}': ${many}`);
  }
  const files = logFiles(project, run).filter((file) => fs.existsSync(file));
  if (files.length === 0) {
    const { host } = run.context;
    throw new FailureError({
      code: 'refused',
      message: `what that run of stage '${run.stage}' printed is not here${host === undefined ? '' : `: it ran on ${host}`}`,
      hint: 'output is kept where a stage ran, until gc removes its run record',
    });
  }
  for (const file of files) printFile(context, file);
}

/** Prints a file of any size piece by piece. */
function printFile(context: Context, file: string): void {
  const handle = fs.openSync(file, 'r');
  const decoder = new StringDecoder('utf8');
  const buffer = Buffer.alloc(256 * 1024);
  try {
    for (let read = fs.readSync(handle, buffer); read > 0; read = fs.readSync(handle, buffer)) {
      if (context.stop.aborted) return;
      if (!context.quiet) context.io.out(decoder.write(buffer.subarray(0, read)));
    }
    if (!context.quiet) context.io.out(decoder.end());
  } finally {
    fs.closeSync(handle);
  }
}

function usage(message: string, hint?: string): FailureError {
  return new FailureError({ code: 'usage', message, ...(hint === undefined ? {} : { hint }) });
}
