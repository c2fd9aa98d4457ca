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
      .option('--stages', 'show which stages differ too, and what their last runs differ in')
      .option('--md', 'as a table in Markdown')
      .option('--hide-missing', 'leave out what the cache lacks'),
    async () => (await import('./verbs/diff.ts')).diff,
  );
  const data = program.command('data').summary('show what became of tracked data').exitOverride();
  verb(
    data
      .command('status')
      .summary('show tracked data that differs between HEAD, pipeline.lock and the workspace')
      .description(DATA_STATUS)
      .argument('[target...]', 'only these tracked paths, paths inside them, folders or stages')
      .option('--granular', 'folders with the files inside them')
      .option('--unchanged', 'what is unchanged too')
      .option('--untracked-files [how]', 'files too that neither git nor dag knows: all (default: no)')
      .option('--not-in-remote', 'also ask the remote what it lacks')
      .option('-r, --remote <name>', 'ask this remote; implies --not-in-remote')
      .option('--exit-code', 'end with exit status 1 if anything is shown but --unchanged'),
    async () => (await import('./verbs/data.ts')).dataStatus,
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
      .option('--precision <n>', 'digits behind the point (default: 5)')
      .option('--live', 'what the newest runs reported while they ran; the targets are stages')
      .option('--follow', 'the same, as it comes, until none of them runs any more')
      .option('--system', 'the same of what they used: CPU, memory, GPUs'),
    async () => (await import('./verbs/metrics.ts')).metricsShow,
  );
  verb(
    metrics
      .command('export')
      .summary('write what stages reported while they ran for another program')
      .description(METRICS_EXPORT)
      .argument('[stage...]', 'only these stages')
      .requiredOption('--tensorboard <dir>', 'as event files of TensorBoard, a folder for each run')
      .option('--all', 'all runs that are kept, not only the newest of each stage')
      .option('--follow', 'go on as it comes, until none of them runs any more'),
    async () => (await import('./verbs/metrics-export.ts')).metricsExport,
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
  const plots = program.command('plots').summary('show and compare plots').exitOverride();
  verb(
    looks(plots.command('show').summary('make a page of the plots'))
      .description(PLOTS_SHOW)
      .argument('[target...]', 'only these files or plots; files need not be named as plots'),
    async () => (await import('./verbs/plots.ts')).plotsShow,
  );
  verb(
    looks(plots.command('diff').summary('make a page of the plots at several revisions'))
      .description(PLOTS_DIFF)
      .argument('[revision...]', 'with one, the workspace is the other (default: HEAD)')
      .option('--targets <path...>', 'only these files or plots'),
    async () => (await import('./verbs/plots.ts')).plotsDiff,
  );
  verb(
    plots.command('templates').summary('list the templates, or print one to make your own from').argument('[name]'),
    async () => (await import('./verbs/plots.ts')).plotsTemplates,
  );
}

function looks(command: Command): Command {
  return command
    .option('-t, --template <name>', 'a template, or the file of one; see dag plots templates')
    .option('-x <field>', 'the field along the x axis')
    .option('-y <field>', 'the field along the y axis')
    .option('--x-label <text>', 'what the x axis is called')
    .option('--y-label <text>', 'what the y axis is called')
    .option('--title <text>', 'what stands above the plots')
    .option('--no-header', 'the first line of CSV and TSV is data')
    .option('-o, --out <dir>', 'the folder that the page is written to (default: dag_plots)')
    .option('--html-template <file>', 'a page with {scripts} and {plot_divs} in it')
    .option('--show-vega', 'print the specification of one plot, for Vega-Lite; writes no page')
    .option('--open', 'open the page in a browser');
}

function betweenRevisions(command: Command): Command {
  return command
    .argument('[a]', 'the old revision (default: HEAD)')
    .argument('[b]', 'the new revision (default: the workspace)');
}

const DIFF = `Compares tracked data and outs at two revisions, or at one with the workspace; folders are shown with the files inside them that differ.`;

const DATA_STATUS = `Compares tracked data and outs at three places: HEAD with pipeline.lock (what is to be committed to git), pipeline.lock with the workspace (what is not recorded yet), and pipeline.lock with the cache, or the remote (what is missing there). Nothing is changed or fetched. A folder is one line, but for --granular or a target inside it; then a file is "unknown" where the cache lacks the listing that would tell.`;

const METRICS_EXPORT = `Writes the values, histograms and images that stages reported, and what they used of the machine, where other programs read them. What is there already is not written twice: run it again, or with --follow.`;

const METRICS_SHOW = `Shows the numbers, texts and booleans in metrics files (YAML, JSON, TOML, Python): those that stages name, and those under metrics: in pipeline.yaml. What is not in the workspace is read from git or the cache; nothing is checked out.`;

const METRICS_DIFF = `Compares metrics at two revisions, or at one with the workspace: only what differs, with the difference of numbers. 1 and 1.0 are equal; 1, "1" and true are not.`;

const PARAMS_DIFF = `Compares params at two revisions, or at one with the workspace: what stages read, what templates draw from other files, files under params: in pipeline.yaml, and all of params.yaml. 1 and 1.0 are equal; 1, "1" and true are not.`;

const PLOTS_SHOW = `Makes one HTML page of the plots that stages and pipeline.yaml name: lines, points and bars from CSV, TSV, JSON and YAML, and images. It holds all that it needs, and can be mailed or kept as an artifact of CI. --json prints the plots, and writes no page.`;

const PLOTS_DIFF = `Makes one HTML page of the plots at several revisions, each in a colour of its own, images side by side. With one revision or none the workspace is compared with it, or with HEAD. --json prints the plots, and writes no page.`;
