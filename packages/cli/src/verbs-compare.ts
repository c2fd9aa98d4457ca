import type { Command } from 'commander';
import { verb } from './verb.ts';

/** Declares the verbs that compare revisions with each other and with the workspace. */
export function declareCompare(program: Command): void {
  verb(
    betweenRevisions(program.command('diff').summary('show which tracked files differ between revisions'))
      .description(DIFF)
      .option('--targets <path...>', 'only these tracked paths, or paths inside them')
      .option('--show-hash', 'show digests too')
      .option('--show-size', 'show sizes too')
      .option('--md', 'as a table in Markdown')
      .option('--hide-missing', 'leave out what the cache lacks'),
    async () => (await import('./verbs/diff.ts')).diff,
  );
  const metrics = program.command('metrics').summary('show and compare metrics').exitOverride();
  verb(
    metrics
      .command('show')
      .summary('show what metrics files hold')
      .description(METRICS_SHOW)
      .argument('[target...]', 'only these files, or those in these folders; they need not be named as metrics')
      .option('-a, --all-branches', 'also at the heads of all branches')
      .option('-T, --all-tags', 'also at all tags')
      .option('-A, --all-commits', 'also at all commits')
      .option('-R, --recursive', 'folders are always looked into; taken for scripts that say so')
      .option('--md', 'as a table in Markdown')
      .option('--precision <n>', 'digits behind the point (default: 5)'),
    async () => (await import('./verbs/metrics.ts')).metricsShow,
  );
  verb(
    betweenRevisions(metrics.command('diff').summary('show which metrics differ between revisions'))
      .description(METRICS_DIFF)
      .option('--targets <path...>', 'only these files, or those in these folders')
      .option('-R, --recursive', 'folders are always looked into; taken for scripts that say so')
      .option('--all', 'unchanged metrics too')
      .option('--no-path', 'without the column of paths')
      .option('--md', 'as a table in Markdown')
      .option('--precision <n>', 'digits behind the point (default: 5)'),
    async () => (await import('./verbs/metrics.ts')).metricsDiff,
  );
  const params = program.command('params').summary('compare params').exitOverride();
  verb(
    betweenRevisions(params.command('diff').summary('show which params differ between revisions'))
      .description(PARAMS_DIFF)
      .option('--targets <path...>', 'only these files, whole, or those in these folders')
      .option('--deps', 'only params that stages read')
      .option('--all', 'unchanged params too')
      .option('--no-path', 'without the column of paths')
      .option('--md', 'as a table in Markdown')
      .option('--precision <n>', 'digits behind the point (default: all)'),
    async () => (await import('./verbs/params.ts')).paramsDiff,
  );
}

function betweenRevisions(command: Command): Command {
  return command
    .argument('[a]', 'the old revision (default: HEAD)')
    .argument('[b]', 'the new revision (default: the workspace)');
}

const DIFF = `Compares tracked data and outs at two revisions, or at one with the workspace; folders are shown with the files inside them that differ.`;

const METRICS_SHOW = `Shows the numbers, texts and booleans in metrics files (YAML, JSON, TOML, Python): those that stages name, and those under metrics: in pipeline.yaml. What is not in the workspace is read from git or the cache; nothing is checked out.`;

const METRICS_DIFF = `Compares metrics at two revisions, or at one with the workspace: only what differs, with the difference of numbers. 1 and 1.0 are equal; 1, "1" and true are not.`;

const PARAMS_DIFF = `Compares params at two revisions, or at one with the workspace: what stages read, what templates draw from other files, files under params: in pipeline.yaml, and all of params.yaml. 1 and 1.0 are equal; 1, "1" and true are not.`;
