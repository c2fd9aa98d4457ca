import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, contenders, dag, must } from './bench.ts';
import { writeChain, writeDvcChain } from './chains.ts';
import type { Step, Trial } from './measure.ts';
import { findPeer } from './peers.ts';
import { type WorkFolder, writeSmallFiles } from './work-folder.ts';

const STAGES = 1000;
const FILES = 70_000;

/** What it takes to say in CI, in a fresh clone, that results are up to date. */
export const verifyBench: Bench = {
  name: 'verify',
  about: [
    `${STAGES.toLocaleString('en')} chained stages that have run, and a tracked folder of ${FILES.toLocaleString('en')} files of 270 B, in a fresh \`git clone\`: no data, no cache, and no`,
    'remote is asked. `dag verify` does what DVC has two commands for. `node` is `node -e 0`: what no program in Node can do',
    'without.',
  ].join('\n'),
  peers: ['dvc'],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 3, env: work.env }], close: async () => {} }),
};

function steps(work: WorkFolder): Step[] {
  writeOurs(work);
  const { path: dvc } = findPeer('dvc');
  if (dvc !== undefined) writeTheirs(work, dvc);
  const [ours, theirs] = [work.at('dag-clone'), work.at('dvc-clone')];
  const plain: Trial = { command: () => [process.execPath, '-e', '0'], cwd: work.at() };
  const rows: readonly (readonly [what: string, ...peer: string[]])[] = [
    ['would anything run?', 'repro', '--dry', '--allow-missing'],
    ['does the data agree?', 'data', 'status'],
  ];
  return rows.map(([what, ...args]) => ({
    what,
    by: contenders(
      { command: () => dag('verify'), cwd: ours },
      { dvc: (program) => ({ command: () => [program, ...args], cwd: theirs }) },
      { node: plain },
    ),
  }));
}

function writeOurs(work: WorkFolder): void {
  writeChain(work, 'dag', 'pipeline.yaml', STAGES);
  const folder = work.at('dag');
  writeSmallFiles(join(folder, 'data'), FILES, 270);
  must(dag('init', '-q'), folder, work.env);
  must(dag('add', '-q', 'data'), folder, work.env);
  must(dag('repro', '-q'), folder, work.env);
  cloneOf(work, 'dag');
}

function writeTheirs(work: WorkFolder, dvc: string): void {
  writeDvcChain(work, dvc, 'dvc', STAGES);
  const folder = work.at('dvc');
  writeSmallFiles(join(folder, 'data'), FILES, 270);
  must([dvc, 'add', '-q', 'data'], folder, work.env);
  appendFileSync(join(folder, '.gitignore'), '/out/\n');
  cloneOf(work, 'dvc');
}

/** Commits all that is for git, and clones it. */
function cloneOf(work: WorkFolder, name: string): void {
  const folder = work.at(name);
  must(['git', 'add', '-A'], folder, work.env);
  must(['git', 'commit', '-q', '-m', 'results'], folder, work.env);
  must(['git', 'clone', '-q', folder, work.at(`${name}-clone`)], work.at(), work.env);
  const there = ['data/0', 'out/1'].find((path) => existsSync(work.at(`${name}-clone`, path)));
  if (there !== undefined) throw new Error(`${there} of ${name} is in git`);
}
