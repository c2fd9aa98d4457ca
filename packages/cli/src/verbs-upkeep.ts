import { type Command, Option } from 'commander';
import { NO_WAIT, verb } from './verb.ts';

/** Declares the verbs that look after cache and tracked paths. */
export function declareUpkeep(program: Command): void {
  verb(
    program
      .command('move')
      .summary('rename tracked data, and keep tracking it')
      .description(MOVE)
      .argument('<src>', 'a tracked file or folder')
      .argument('<dst>', 'its new path, or an existing folder to move it into')
      .option(...NO_WAIT),
    async () => (await import('./verbs/move.ts')).move,
  );
  verb(
    program
      .command('gc')
      .summary('remove from cache and remotes what nothing needs any more')
      .description(GC)
      .option('-w, --workspace', 'keep what the workspace names (always kept)')
      .option('-a, --all-branches', 'keep what any branch names')
      .option('-T, --all-tags', 'keep what any tag names')
      .option('-A, --all-commits', 'keep what any commit names')
      .option('-n, --num <n>', 'keep what the last n commits name, counted back from HEAD')
      .option('--date <date>', 'keep what commits of this day (2026-01-31) or later name')
      .option('-p, --projects <dir...>', 'keep what these projects need too')
      .option('--runs', 'drop all run records of this project, instead of those of more than 30 days')
      .option('-c, --cloud', 'remove from remotes too what nothing needs')
      .option('--not-in-remote', 'keep only what is not in the remote: free the copies here of what is there')
      .option('-r, --remote <name>', 'with -c or --not-in-remote: only this remote')
      .option('--dry', 'list what would be removed; remove nothing')
      .option('-f, --force', 'do not ask'),
    async () => (await import('./verbs/gc.ts')).gc,
  );
  verb(
    program
      .command('fsck')
      .summary('check that every object in the cache is what its name says')
      .description(FSCK)
      .option('--sample <percent>', 'only a random share, such as 10%')
      .option('-r, --remote <name>', 'check this remote too, and fetch damaged objects from it again'),
    async () => (await import('./verbs/fsck.ts')).fsck,
  );
  const lock = program.command('lock').summary('merge versions of pipeline.lock').exitOverride();
  verb(
    lock
      .command('resolve')
      .summary("settle git's conflicts in pipeline.lock")
      .description(LOCK_RESOLVE)
      .argument('[file...]', 'pipeline.lock files (default: all with conflicts)')
      .addOption(new Option('--ours', 'of tracked data that both sides changed, take ours').conflicts('theirs'))
      .option('--theirs', 'the same, take theirs'),
    async () => (await import('./verbs/lock.ts')).lockResolve,
  );
  verb(
    lock
      .command('merge')
      .summary("git's merge driver: see 'dag install'")
      .description(
        'Merges two versions of a pipeline.lock into the file that holds ours; exits with 1 where a person must choose.',
      )
      .argument('<base>', 'file with what both sides began with')
      .argument('<ours>', 'file with our version; the result goes here')
      .argument('<theirs>', 'file with their version')
      .argument('[path]', 'where the lock belongs'),
    async () => (await import('./verbs/lock.ts')).lockMerge,
  );
  verb(
    program
      .command('install')
      .summary("let git check out, push and merge data: its hooks, and pipeline.lock's merge driver")
      .description(INSTALL)
      .option('--uninstall', 'take them away again'),
    async () => (await import('./verbs/install.ts')).install,
  );
  verb(
    program
      .command('hook', { hidden: true })
      .description("The work of one of git's hooks; see 'dag install'.")
      .argument('<name>', 'of the hook')
      .argument('[arg...]', 'what git gives it'),
    async () => (await import('./verbs/hook.ts')).hook,
  );
  verb(
    program
      .command('check-ignore')
      .summary('say whether .dagignore leaves paths out, and by which line')
      .description(CHECK_IGNORE)
      .argument('[path...]', 'files and folders; they need not exist')
      .option('-d, --details', 'show file, line and pattern that decide')
      .option('-n, --non-matching', 'with --details: show paths of which no line speaks, too')
      .option('--stdin', 'read paths from standard input, one a line'),
    async () => (await import('./verbs/check-ignore.ts')).checkIgnore,
  );
  verb(
    program
      .command('doctor')
      .summary('show what dag uses on this machine, and what is wrong with it')
      .option('--backends', 'load each TensorFlow backend in a process of its own, and train on it for a second'),
    async () => (await import('./verbs/doctor.ts')).doctor,
  );
}

const MOVE = `Renames a tracked file or folder: the data itself, its entry in pipeline.yaml and pipeline.lock, and its line in .gitignore. Outs of stages are moved by changing their stage.`;

const GC = `Removes objects from the cache that are named by nothing in the scope: the workspace always counts, and so do run records of the last 30 days (cache.keep_runs) and other projects that share the cache. Checkpoints go that were not touched for as long. A scope is required. What is to go is shown first. In a remote (-c), others may be at work: what nothing needs is marked first, can still be fetched for a day, and is deleted by the next gc -c after that. What others have pushed to it within 14 days stays.`;

const CHECK_IGNORE = `Prints those of the paths that .dagignore leaves out of tracked folders. Exits with 0 where there is one, else with 1.`;

const FSCK = `Reads and re-hashes the objects in the cache. Damaged ones are moved to quarantine, named by the paths that use them, and fetched again where a remote has them. Exits with 1 when something was found.`;

const LOCK_RESOLVE = `Merges, entry by entry, what the two sides of git's conflict markers say. Stages that each side ran in its own way are taken out, so that 'dag repro' settles them. Tracked folders that both changed are merged file by file, where the cache has their listings; where both changed the same file, choose with --ours or --theirs.`;

const INSTALL = `Places hooks in the git repository: after a checkout, merge or rebase that changes what is tracked, the data is checked out; before a commit, what is not recorded is shown; before a push, data is pushed. And a merge driver that merges pipeline.lock entry by entry. Hooks that are there already stay as they are, and the lines to add to them are shown. It holds for all work trees of this clone; nothing of it is committed.`;
