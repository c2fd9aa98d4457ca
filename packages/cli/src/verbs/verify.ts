import fs from 'node:fs';
import path from 'node:path';
import { agreement } from '@dag/engine';
import { FailureError } from '@dag/model';
import { EXIT } from '../failure.ts';
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
import { printVerdicts } from '../verify/table.ts';
import { type Verdict, verdictJson } from '../verify/verdict.ts';

interface Options {
  readonly remote?: string;
  readonly cloud?: boolean;
  readonly junit?: string;
  readonly annotations?: boolean;
}

export async function verifyVerb(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const began = performance.now();
  const project = await openProject(context, { targets });
  try {
    const about = wanted(project, targets);
    const verdicts = agreementVerdicts(project, await agreement(project, about.stages, about.data));
    if (targets.length === 0) verdicts.push(...orphans(project));
    // What was found here is told also where the remote is out of reach.
    const remote = await inRemote(context, project, about, options);
    verdicts.push(...remote.verdicts);
    report(context, project, verdicts, options, (performance.now() - began) / 1000);
    if (remote.failure !== undefined) throw remote.failure;
    return verdicts.every(({ ok }) => ok) ? EXIT.done : EXIT.unsuccessful;
  } finally {
    await project.close();
  }
}

function report(
  context: Context,
  project: OpenProject,
  verdicts: readonly Verdict[],
  options: Options,
  seconds: number,
): void {
  const failed = verdicts.filter(({ ok }) => !ok).length;
  context.emit({ ok: failed === 0, checked: verdicts.length, failed, verdicts: verdicts.map(verdictJson) });
  printVerdicts(context, verdicts, () => false);
  context.print(summaryText(verdicts, failed, seconds));
  if (options.junit !== undefined) writeReport(context, options.junit, junit(verdicts, seconds));
  if (options.annotations ?? context.io.env['GITHUB_ACTIONS'] === 'true') {
    const top = gitTop(project.root) ?? project.root;
    const prefix = path.relative(top, project.root);
    for (const line of annotations(verdicts, prefix === '' ? '' : `${prefix}/`)) context.io.err(`${line}\n`);
  }
}

function summaryText(verdicts: readonly Verdict[], failed: number, seconds: number): string {
  const count = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
  const [stages, data] = [count('stage'), count('data')];
  const about = `${stages} stage${stages === 1 ? '' : 's'}${data === 0 ? '' : ` and ${data} tracked path${data === 1 ? '' : 's'}`}`;
  const took = secondsText(seconds);
  if (failed === 0) return `Verified ${about} in ${took}: nothing would run.`;
  return `Verified ${about} in ${took}: ${failed} problem${failed === 1 ? '' : 's'}.`;
}

function orphans(project: OpenProject): Verdict[] {
  return lockFilesInGit(project.root)
    .filter((lock) => !fs.existsSync(path.join(project.root, path.dirname(lock), 'pipeline.yaml')))
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
