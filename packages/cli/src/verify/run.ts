import fs from 'node:fs';
import path from 'node:path';
import { agreement, type CleanTree, type Rerun, rerun, type StageAgreement } from '@dag/engine';
import type { Stage } from '@dag/model';
import { type OpenProject, traceTools } from '../project/open.ts';
import { gitTop } from '../project/root.ts';
import type { Context } from '../verb.ts';
import { stageVerdicts } from './agree.ts';
import { type Commit, headCommit } from './git-tree.ts';
import { imagesOf } from './images.ts';
import { openOriginals } from './originals.ts';
import { rerunVerdict } from './rerun-verdict.ts';
import { openTrees, temporaryFolder } from './trees.ts';
import type { Verdict } from './verdict.ts';

export interface RunOptions {
  readonly jobs: number;
  readonly repeat: number;
  readonly remote: string | undefined;
  /** Whether to watch what they read and write. */
  readonly trace: boolean;
  /** The stages to run, of those that the commit has. */
  choose(project: OpenProject): readonly Stage[];
  /** `result` is undefined for a stage that did not run. */
  onVerdict(verdict: Verdict, result: Rerun | undefined): void;
  onCommit(commit: Commit): void;
}

/**
 * Runs stages of the last commit again, each in a clean tree, and says how what they make compares with what the locks name.
 * All of it is in one temporary folder, which goes away however this ends, short of a kill; then the next `dag` that changes
 * something removes it.
 */
export async function runAgain(context: Context, home: OpenProject, options: RunOptions): Promise<void> {
  const commit = headCommit(gitTop(home.root));
  options.onCommit(commit);
  const base = temporaryFolder(home);
  const trees = openTrees(context, home, commit, base);
  try {
    const { able, verdicts } = await trees.withTree((tree) => sortOut(tree, options));
    for (const verdict of verdicts) options.onVerdict(verdict, undefined);
    const originals = openOriginals(context, home, { dir: path.join(base, 'fetched'), remote: options.remote });
    await rerun(home, able, {
      jobs: options.jobs,
      repeat: options.repeat,
      signals: { stop: context.stop, kill: context.kill },
      withTree: trees.withTree,
      originals,
      trace: options.trace ? await traceTools(home.env) : undefined,
      images: imagesOf(home.root),
      emit: (event) => {
        if (event.event === 'started') context.say(`running  ${event.stage}`);
        if (event.event === 'output' && context.verbose) context.say(`${event.stage} │ ${event.line}`);
        if (event.event === 'waiting') context.say(event.message);
      },
      onResult: (result) => {
        const verdict = rerunVerdict(result);
        if (verdict !== undefined) options.onVerdict(verdict, result);
      },
    });
  } finally {
    await trees.close();
    fs.rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Tells stages whose inputs are still those that their entries name from those that would be run with others. */
async function sortOut(tree: CleanTree, options: RunOptions): Promise<{ able: Stage[]; verdicts: Verdict[] }> {
  const project = tree.project as OpenProject;
  const stages = options.choose(project);
  const found = (await agreement(project, stages, [])).stages;
  const able = found.filter(canRun).map(({ stage }) => stage);
  const unable = found.filter((one) => !canRun(one));
  return { able, verdicts: stageVerdicts(project, unable) };
}

/** Whether running it from what its entry names says something of the entry: it runs the same command with the same params. */
function canRun({ verdict, changes }: StageAgreement): boolean {
  return verdict !== 'frozen' && verdict !== 'unlocked' && changes.every(({ changed }) => changed === 'always');
}
