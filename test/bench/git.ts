import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Step, Trial } from './measure.ts';
import { findPeer } from './peers.ts';
import { type WorkFolder, writeText } from './work-folder.ts';

const FILES = 200;
const FOLDERS = Array.from({ length: 10 }, (_, at) => `data${at}`);

/** What hooks cost a person who changes branches. */
export const gitBench: Bench = {
  name: 'git',
  about: `\`git checkout\` of another branch in a repository of ${FILES} files and ${FOLDERS.length} tracked folders, with the hooks of \`dag install\` and
\`dvc install\`. \`no hooks\` is git's own time; it leaves data as it is.`,
  peers: ['dvc'],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 15, env: work.env }], close: async () => {} }),
};

function steps(work: WorkFolder): Step[] {
  const { path: dvc } = findPeer('dvc');
  const [ours, theirs, plain] = [work.project('dag'), work.project('dvc'), work.project('plain')];
  must(dag('init', '-q'), ours, work.env);
  makeBranches(work, ours, (...args) => must(dag(...args), ours, work.env));
  if (dvc !== undefined) {
    initDvc(work, dvc, theirs);
    makeBranches(work, theirs, (...args) => must([dvc, ...args], theirs, work.env));
  }
  writeText(`${plain}/.gitignore`, FOLDERS.map((one) => `/${one}\n`).join(''));
  makeBranches(work, plain, () => {});
  const to = (branch: string, cwd: string): Trial => ({
    prepare: () => must(['git', 'checkout', '-q', 'main'], cwd, work.env),
    command: () => ['git', 'checkout', '-q', branch],
    cwd,
  });
  return [
    ['to other code, the same data', 'code'],
    ['to other data, one file of it', 'data'],
  ].map(([what = '', branch = '']) => ({
    what,
    by: contenders(to(branch, ours), { dvc: () => to(branch, theirs) }, { 'no hooks': to(branch, plain) }),
  }));
}

/** Commits on `main`, `code` with other code, and `data` with another file of data; `main` is checked out, hooks are in place. */
function makeBranches(work: WorkFolder, folder: string, tool: (...args: string[]) => void): void {
  const git = (...args: string[]): void => must(['git', ...args], folder, work.env);
  const commit = (): void => {
    tool('add', '-q', ...FOLDERS);
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', 'a');
  };
  for (let at = 0; at < FILES; at++) writeText(`${folder}/code/${at}.txt`, `${at}\n`);
  for (const one of FOLDERS) writeText(`${folder}/${one}/a`, `${one}\n`);
  commit();
  git('checkout', '-q', '-b', 'code');
  writeText(`${folder}/code/0.txt`, 'other\n');
  commit();
  git('checkout', '-q', '-b', 'data', 'main');
  writeText(`${folder}/data0/a`, 'other\n');
  commit();
  git('checkout', '-q', 'main');
  tool('checkout', '-q');
  tool('install');
}
