/** The hooks of git's that `dag install` places, and what each does. */
export const HOOKS = {
  'post-checkout': 'checks out the data of what was checked out',
  'post-commit': 'checks out the data of what was merged by hand, or picked',
  'post-merge': 'checks out the data of what was merged',
  'post-rewrite': 'checks out the data of what was rebased',
  'pre-commit': 'shows what of stages and data is not recorded',
  'pre-push': 'pushes the data',
} as const;

export type HookName = keyof typeof HOOKS;

export const HOOK_NAMES = Object.keys(HOOKS) as HookName[];

/** Stands in every file that is ours to replace and to take away. */
const MARK = "Written by 'dag install'; 'dag install --uninstall' takes it away.";

export function isOurs(text: string): boolean {
  return text.includes(MARK);
}

/** What lists the stages and data of a project: where none of it differs, there is nothing to check out. */
export const LISTS = [':(glob)**/pipeline.yaml', ':(glob)**/pipeline.lock'];

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const SAME = `-- ${LISTS.map(quoted).join(' ')} 2>/dev/null && exit 0`;

/** Told before Node starts, which takes longer than git's own work. */
const NOTHING_TO_DO: Partial<Record<HookName, string>> = {
  'post-checkout': `[ "$3" = 1 ] || exit 0\ngit diff-tree -r --quiet "$1" "$2" ${SAME}\n`,
  // A merge with --squash changes files and leaves HEAD where it is.
  'post-merge': `[ "$1" = 1 ] || { git diff-tree -r --quiet ORIG_HEAD HEAD ${SAME}; }\n`,
  'post-rewrite': '[ "$1" = rebase ] || exit 0\n',
  // Git tells a commit that ends a merge or takes over another one by its reflog alone.
  'post-commit': `case "$(git log -g -1 --format=%gs HEAD 2>/dev/null)" in
'commit (merge)'*|'commit (cherry-pick)'*|cherry-pick*|revert*) ;;
*) exit 0 ;;
esac
git diff-tree -r --quiet HEAD^ HEAD ${SAME}
`,
};

/** A hook as a file of git's hooks folder. */
export function hookScript(name: HookName): string {
  return `#!/bin/sh
# ${HOOKS[name].replace(/^./, (first) => first.toUpperCase())}. ${MARK}
${NOTHING_TO_DO[name] ?? ''}exec "$(git rev-parse --git-common-dir)/dag/run" hook ${name} "$@"
`;
}

/**
 * What finds the program for hooks and merge driver: the one that the work tree depends on, the one that was used to install,
 * or any on PATH. Without any, git merges a lock line by line, and a hook lets git go on.
 * @param node absolute. @param program absolute path of its entry.
 */
export function runScript(node: string, program: string): string {
  return `#!/bin/sh
# ${MARK}
local="$(git rev-parse --show-toplevel)/node_modules/.bin/dag"
if [ -x "$local" ]; then exec "$local" "$@"; fi
if [ -x ${quoted(node)} ] && [ -f ${quoted(program)} ]; then exec ${quoted(node)} ${quoted(program)} "$@"; fi
if command -v dag >/dev/null 2>&1; then exec dag "$@"; fi
echo "dag is not found, so git goes on without it ($*)" >&2
if [ "$1 $2" = 'lock merge' ]; then exec git merge-file -L ours -L base -L theirs "$4" "$3" "$5"; fi
exit 0
`;
}

/** The name of the merge driver in git's configuration and attributes. */
export const DRIVER = 'dag-lock';

export const DRIVER_COMMAND = '"$(git rev-parse --git-common-dir)/dag/run" lock merge %O %A %B %P';

export const ATTRIBUTES_LINE = `pipeline.lock merge=${DRIVER}`;
