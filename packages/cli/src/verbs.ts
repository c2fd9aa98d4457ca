import { type Command, Option } from 'commander';
import { NO_WAIT, verb } from './verb.ts';
import { declareCompare } from './verbs-compare.ts';
import { declareUpkeep } from './verbs-upkeep.ts';

/** Declares all verbs: names, flags and help. What each does is loaded when it is used. */
export function declareVerbs(program: Command): Command {
  program
    .description(
      'Keeps data, code and results of machine-learning work together: runs only what changed, restores the rest from a cache that is shared, and can say what made a file.',
    )
    .option('--cd <dir>', 'work as if started in this folder')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, helpWidth: 100 })
    .addHelpText(
      'after',
      '\nExit status: 0 done; 1 tried and not succeeded; 2 wrong usage or an invalid pipeline, nothing touched;\n3 the surroundings failed (remote, disk, lock); 130, 143 interrupted.',
    );
  declareProject(program);
  declareRun(program);
  declareCache(program);
  declareCompare(program);
  declareUpkeep(program);
  declareRemote(program);
  return program;
}

function declareProject(program: Command): void {
  verb(
    program
      .command('init')
      .summary('make a project here')
      .description(INIT)
      .option('--force', 'complete a project that is there; its pipeline.yaml stays as it is'),
    async () => (await import('./verbs/init.ts')).init,
  );
  verb(
    program
      .command('add')
      .summary('track data files or folders')
      .description(ADD)
      .argument('<path...>', 'files or folders')
      .option('--glob', 'the paths are patterns (*, ?, [a-z], **)')
      .option('--desc <text>', 'what it is, written beside the path')
      .option('-r, --remote <name>', 'the one remote that it belongs to')
      .option(...NO_WAIT),
    async () => (await import('./verbs/add.ts')).add,
  );
  verb(
    program
      .command('remove')
      .summary('stop tracking data, or take stages out of pipeline.yaml')
      .argument('<target...>', 'tracked paths or stages')
      .option('--outs', 'delete the files too')
      .option(...NO_WAIT),
    async () => (await import('./verbs/remove.ts')).remove,
  );
  const stage = program.command('stage').summary('add and list stages').exitOverride();
  verb(
    stage
      .command('add')
      .summary('write a stage into pipeline.yaml')
      .description(STAGE_ADD)
      .argument('<cmd...>', 'the command; quote it to keep the shell away from it')
      .requiredOption('-n, --name <name>', 'name of the stage')
      .option('-d, --deps <path>', 'a file or folder that it reads', many)
      .option('-o, --outs <path>', 'a file or folder that it makes', many)
      .option('-O, --outs-no-cache <path>', 'an out that is not cached', many)
      .option('--outs-persist <path>', 'an out that stays in place while the stage runs', many)
      .option('--outs-persist-no-cache <path>', 'the same, not cached', many)
      .option('-m, --metrics <path>', 'a metrics file that it makes', many)
      .option('-M, --metrics-no-cache <path>', 'the same, not cached', many)
      .option('--plots <path>', 'a plot file that it makes', many)
      .option('--plots-no-cache <path>', 'the same, not cached', many)
      .option('-p, --params <[file:]keys>', 'params that it reads: keys of params.yaml, or file:key,key', many)
      .option('-w, --wdir <dir>', 'folder that it runs in')
      .option('--env <name[=value]>', 'a variable that counts; with a value it is set too', many)
      .option('--gpu <n>', 'GPUs that it leases')
      .option('--gpu-memory <size>', 'of each of them, which it shares with others then (8GB)')
      .option('--desc <text>', 'what it does')
      .option('--frozen', 'write it frozen')
      .option('--always-changed', 'run it with every repro')
      .option('-f, --force', 'replace a stage of that name')
      .option('--run', 'run it now'),
    async () => (await import('./verbs/stage-add.ts')).stageAdd,
  );
  verb(
    stage
      .command('list')
      .summary('list the stages')
      .argument('[target...]', 'stages, groups, files')
      .option('--name-only', 'names without descriptions'),
    async () => (await import('./verbs/stage-list.ts')).stageList,
  );
  for (const frozen of [true, false]) {
    verb(
      program
        .command(frozen ? 'freeze' : 'unfreeze')
        .summary(frozen ? 'keep stages as they are, whatever changes' : 'let stages change again')
        .argument('<stage...>'),
      async () => (await import('./verbs/freeze.ts')).setFrozen(frozen),
    );
  }
  verb(
    program
      .command('graph')
      .alias('dag')
      .summary('show the graph of stages')
      .argument('[target...]', 'only these and what they need')
      .addOption(new Option('--mermaid', 'as a Mermaid flowchart').conflicts('dot'))
      .option('--dot', 'as a Graphviz digraph')
      .option('--outs', 'paths instead of stages')
      .option('--full', 'with targets: the whole pipelines that hold them'),
    async () => (await import('./verbs/graph.ts')).graph,
  );
}

function declareRun(program: Command): void {
  verb(
    program
      .command('repro')
      .summary('bring stages up to date: run what changed, restore the rest')
      .description(REPRO)
      .argument('[target...]', 'stages, groups, files or outs; without any, the pipeline.yaml of this folder')
      .option('-f, --force', 'run them even if nothing changed')
      .option('--force-downstream', 'run what lies downstream of a stage that ran, even if its outs came out the same')
      .option('-s, --single-item', 'only the targets, in this order, nothing upstream')
      .option('-p, --pipeline', 'the whole pipelines that hold the targets')
      .option('-P, --all-pipelines', 'all pipelines of the project')
      .option('--downstream', 'the targets and what depends on them')
      .option('--glob', 'the targets are patterns')
      .option('--dry', 'say what would be done; do nothing')
      .option('--pull', 'fetch what the cache lacks, results of others too')
      .option('--allow-missing', 'take absent files for what pipeline.lock says they are')
      .option('--no-run-cache', 'take no result of an earlier run')
      .option('--resume', 'go on from checkpoints even with --force')
      .option('--no-resume', 'begin afresh: drop the checkpoints of earlier tries')
      .option('--no-commit', 'leave outs out of the cache; store them later with dag commit')
      .option('-k, --keep-going', 'after a failure go on with what does not need it')
      .option('--ignore-errors', 'after a failure go on with everything')
      .option('-i, --interactive', 'ask before each stage runs')
      .option(...NO_WAIT)
      .option('-r, --remote <name>', 'with --pull: the remote to fetch from')
      .option('-j, --jobs <n>', 'stages at once (default: jobs of pipeline.yaml, else 1)')
      .option('--trace', 'watch what stages that run read and write; say what they do not declare')
      .option('--timeline <file>', 'write when what ran, and why, as a Chrome trace (for Perfetto)'),
    async () => (await import('./verbs/repro.ts')).reproVerb,
  );
  verb(
    program
      .command('watch')
      .summary('bring stages up to date, and again whenever what they read changes')
      .description(WATCH)
      .argument('[target...]', 'stages, groups, files or outs; without any, the pipeline.yaml of this folder')
      .option('--downstream', 'the targets and what depends on them')
      .option('-p, --pipeline', 'the whole pipelines that hold the targets')
      .option('-P, --all-pipelines', 'all pipelines of the project')
      .option('--glob', 'the targets are patterns')
      .option('--pull', 'fetch what the cache lacks, results of others too')
      .option('--no-run-cache', 'take no result of an earlier run')
      .option('--no-commit', 'leave outs out of the cache; store them later with dag commit')
      .option('-k, --keep-going', 'after a failure go on with what does not need it')
      .option(...NO_WAIT)
      .option('-r, --remote <name>', 'with --pull: the remote to fetch from')
      .option('--poll', 'look at the files again and again, where the file system does not tell of changes')
      .option('-j, --jobs <n>', 'stages at once (default: jobs of pipeline.yaml, else 1)'),
    async () => (await import('./verbs/watch.ts')).watchVerb,
  );
  verb(
    program
      .command('status')
      .summary('show what changed')
      .argument('[target...]', 'stages, outs or tracked data')
      .option('-c, --cloud', 'compare the cache with the remote too')
      .option('-r, --remote <name>', 'the remote to compare with; implies -c')
      .option('--exit-code', 'exit with 1 when something changed'),
    async () => (await import('./verbs/status.ts')).statusVerb,
  );
  verb(
    program
      .command('verify')
      .summary('say whether pipeline.lock still tells the truth, and whether results can be made again')
      .description(VERIFY)
      .argument('[target...]', 'stages, outs or tracked data (default: all of the project)')
      .option('-r, --remote <name>', 'also whether this remote has every object that pipeline.lock names')
      .option('-c, --cloud', 'the same for the remotes that push sends to')
      .option(
        '--run [stage...]',
        'run stages of the last commit again, each in a clean clone, and compare what they make',
      )
      .option('--sample <percent>', 'with --run: only a random share of the stages, such as 10%')
      .option('--seed <text>', 'with --sample: choose the same ones again')
      .option('--repeat <n>', 'with --run: run each so often')
      .option('--trace', 'with --run: also watch what they read and write, and fail where they do not declare it')
      .option('-j, --jobs <n>', 'with --run: stages at once (default: jobs of pipeline.yaml, else 1)')
      .option(
        '--baseline <what>',
        'with --run: compare the numbers of metrics, with those of a file or a revision, and nothing else',
      )
      .option('--save-baseline <file>', 'with --run: write the numbers of metrics that were made')
      .option('--junit <file>', 'write the verdicts as a JUnit report too')
      .option('--annotations', 'print them for GitHub too (default where GITHUB_ACTIONS is true)')
      .option('--no-annotations', 'do not'),
    async () => (await import('./verbs/verify.ts')).verifyVerb,
  );
  verb(
    program
      .command('why')
      .summary('say why a stage would run, or why not')
      .argument('<stage...>', 'stages, or paths that they make'),
    async () => (await import('./verbs/why.ts')).why,
  );
  verb(
    program
      .command('log')
      .summary('show past runs, newest first, and what they printed')
      .description(LOG)
      .argument('[stage...]', 'only these stages or groups, or what makes these paths')
      .option('-n, --num <n>', 'so many of them (default: 20)')
      .option('--output [run]', 'print all that a run of the stage printed: the newest, or the one of this number'),
    async () => (await import('./verbs/log.ts')).log,
  );
}

function declareCache(program: Command): void {
  verb(
    program
      .command('commit')
      .summary('take outs and data as they stand into the cache and pipeline.lock')
      .argument('[target...]', 'stages, outs or tracked data')
      .option('-f, --force', 'also where deps, params or the command changed')
      .option(...NO_WAIT),
    async () => (await import('./verbs/commit.ts')).commit,
  );
  verb(
    program
      .command('checkout')
      .summary('put the outs and data that pipeline.lock names into the workspace')
      .description(CHECKOUT)
      .argument('[target...]', 'stages, outs, tracked data, or paths inside them')
      .option('-f, --force', 'also overwrite or delete content that is nowhere in the cache')
      .option('--relink', 'place every file anew, by the strategy of cache.link')
      .option('--allow-missing', 'succeed where the cache lacks something')
      .option('--summary', 'print only how many paths changed')
      .option(...NO_WAIT),
    async () => (await import('./verbs/checkout.ts')).checkout,
  );
  verb(
    program
      .command('unprotect')
      .summary('turn links into the cache into copies that can be edited')
      .argument('<path...>', 'files or folders')
      .option(...NO_WAIT),
    async () => (await import('./verbs/unprotect.ts')).unprotect,
  );
}

function declareRemote(program: Command): void {
  for (const name of ['push', 'fetch', 'pull'] as const) {
    const command = program
      .command(name)
      .summary(TRANSFER[name])
      .argument('[target...]', 'stages, outs, tracked data, or paths inside them')
      .option('-r, --remote <name>', 'this remote, instead of the default one')
      .option('-j, --jobs <n>', 'requests at once, at most')
      .option('-d, --with-deps', 'with targets: also what they are made from')
      .option('-R, --recursive', 'the targets are folders: all that is in them')
      .option('-a, --all-branches', 'also what the heads of all branches name')
      .option('-T, --all-tags', 'also what all tags name')
      .option('-A, --all-commits', 'also what all commits name')
      .option('--run-cache', name === 'push' ? 'run records too, with all that they name' : 'run records too')
      .option('--allow-missing', 'succeed where something is nowhere to be had');
    if (name === 'pull') {
      command.option('-f, --force', 'also overwrite content that is nowhere in the cache').option(...NO_WAIT);
    }
    verb(command, async () => (await import('./verbs/transfer.ts'))[name]);
  }
  const remote = program.command('remote').summary('add, list and remove remotes').exitOverride();
  verb(
    remote
      .command('add')
      .summary('write a remote into pipeline.yaml')
      .argument('<name>')
      .argument('<url>', 's3://bucket/prefix, https://host/path (only read), file:///folder or a folder')
      .option('-d, --default', 'make it the default')
      .option('-f, --force', 'replace a remote of that name')
      .option('--endpoint <url>', 'of an S3-compatible server')
      .option('--region <name>', 'of the bucket')
      .option('--profile <name>', 'of the AWS configuration')
      .option('--local', 'write into .cache/local.yaml, which is not committed'),
    async () => (await import('./verbs/remote.ts')).remoteAdd,
  );
  verb(remote.command('list').summary('list the remotes'), async () => (await import('./verbs/remote.ts')).remoteList);
  verb(
    remote.command('remove').summary('take a remote out').argument('<name>').option('--local', 'of .cache/local.yaml'),
    async () => (await import('./verbs/remote.ts')).remoteRemove,
  );
  verb(
    remote
      .command('default')
      .summary('show or set the default remote, or several in their order')
      .argument('[name...]', 'looked in by this order; sent to is the first that can be written')
      .option('-u, --unset', 'have none')
      .option('--local', 'in .cache/local.yaml'),
    async () => (await import('./verbs/remote.ts')).remoteDefault,
  );
}

function many(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

const INIT = `Makes a project in this folder: an empty pipeline.yaml, and .cache/ in .gitignore.`;

const ADD = `Tracks data: stores it in the cache, writes its path into pipeline.yaml and its digest into pipeline.lock, and keeps git from seeing it. Adding what is tracked already records how it stands now.`;

const STAGE_ADD = `Writes a stage into the pipeline.yaml of this folder and its cached outs into .gitignore. It is not run.`;

const REPRO = `Brings stages up to date. Each is skipped when nothing changed, restored when an earlier run had the same command, deps, params and variables, and run otherwise; and each says why. Outs of a stage that fails come back. One that was ended early goes on from what it saved in DAG_CHECKPOINT_DIR.`;

const VERIFY = `Says whether pipeline files, pipeline.lock and what stands here agree, so that nothing would run; downloads nothing, and data may be absent: it is taken for what pipeline.lock says. Exits with 1 where a stage would run, a dep is not what made it, or pipeline.lock has entries too few or too many. With --run it runs stages again: nothing is there for them but what git has and what they declare, and nothing is stored. Exits with 1 where what they make is other than what was recorded, by more than 'verify:' of the stage allows.`;

const WATCH = `Runs as dag repro does, then waits and does so again whenever a dep, a params file, a module or a pipeline.yaml has other content. A file that is touched, or written anew with the same bytes, runs nothing. A change while stages run ends those that it concerns and starts over; others may end first.`;

const LOG = `Shows when stages ran, how it ended, what it took, what differed from the run before, and the metrics that came of it; runs that failed or were killed too. A + behind the commit: files that git tracks differed from it.`;

const CHECKOUT = `Makes the workspace hold the outs and data that pipeline.lock names; use it after git checkout or git pull. Touches only what differs. Content that is nowhere in the cache is left alone unless forced.`;

const TRANSFER = {
  push: 'send what the remote lacks',
  fetch: 'bring what the cache lacks',
  pull: 'fetch, and check out',
} as const;
