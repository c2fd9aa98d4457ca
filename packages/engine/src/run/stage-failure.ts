import fs from 'node:fs';
import path from 'node:path';
import { absolutePath, type Failure, type MetricSummaries, type Stage } from '@dag/model';
import { lastValues } from '../metrics/last.ts';
import type { Project } from '../project.ts';
import type { ProcessEnd } from './process.ts';
import { duration } from './vitals.ts';

/** The end of what a run said. */
interface LastWords {
  readonly output: readonly string[];
  readonly metrics: MetricSummaries;
}

/** Adds what a stage said last. */
export function withLastWords(failure: Failure, { output, metrics }: LastWords): Failure {
  if (failure.code !== 'stage-failed' || output.length + metrics.size === 0) return failure;
  return { ...failure, last: { output, metrics: lastValues(metrics) } };
}

/** A failure in the few words of a warning. */
export function messageOf(failure: Failure): string {
  return failure.code === 'invalid-pipeline' ? 'its module does not compile' : failure.message;
}

/** Undefined where each out of a stage is there. */
export function missingOuts(project: Project, stage: Stage): Failure | undefined {
  const missing = stage.outs.filter((out) => !exists(absolutePath(project.root, out.path)));
  if (missing.length === 0) return undefined;
  const names = missing.map((out) => `'${out.path}'`).join(', ');
  return {
    code: 'stage-failed',
    stage: stage.address,
    message: `stage '${stage.address}' ended without making its out${missing.length > 1 ? 's' : ''} ${names}`,
    hint: `make the ${stage.action.kind === 'worker' ? 'module' : 'command'} write there, or mend the path in pipeline.yaml`,
  };
}

/** What is wrong with how the process of a stage ended; undefined where nothing is, or it was told to end. */
export function endFailure(stage: Stage, end: ProcessEnd, attempt: number): Failure | undefined {
  const tries = attempt > 1 || stage.retries > 0 ? ` (try ${attempt} of ${stage.retries + 1})` : '';
  const failed = (what: string, hint?: string): Failure => ({
    code: 'stage-failed',
    stage: stage.address,
    message: `stage '${stage.address}' ${what}${tries}`,
    ...(hint === undefined ? {} : { hint }),
  });
  switch (end.status) {
    case 'exited':
      if (end.exitCode === 0) return undefined;
      if (end.exitCode === 127) return failed('failed with exit status 127', 'a command was not found: see its output');
      return failed(`failed with exit status ${end.exitCode}`);
    case 'signalled':
      return end.signal === 'SIGKILL'
        ? failed('was killed (SIGKILL)', 'often the kernel does this when memory runs out')
        : failed(`was ended by ${end.signal}`);
    case 'timed-out':
      return failed(`took longer than its timeout of ${(stage.timeout ?? 0) / 1000} s and was ended`);
    case 'stalled':
      return failed(
        `made no progress for ${duration(stage.stall ?? 0)} (stall): no output, no metric and no CPU time; it was ended`,
        'its last output may say what it waited for',
      );
    case 'not-started':
      return failed(`could not be started: ${end.message}`);
    case 'stopped':
      return undefined;
  }
}

/** The absolute path of a stage's `wdir`, and what is wrong with it. */
export function workingFolder(project: Project, stage: Stage): { path: string; failure?: Failure } {
  const folder = path.join(project.root, stage.wdir);
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return { path: folder };
  const what = stat === undefined ? 'does not exist' : 'is not a folder';
  return {
    path: folder,
    failure: { code: 'usage', message: `the wdir of stage '${stage.address}', '${stage.wdir}', ${what}` },
  };
}

/** The exit status of a process, or the signal that ended it. */
export function exitOf(end: ProcessEnd): { readonly exitCode?: number; readonly signal?: string } {
  if (end.status === 'exited') return { exitCode: end.exitCode };
  return end.status === 'signalled' ? { signal: end.signal } : {};
}

function exists(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
