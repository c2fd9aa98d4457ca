import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Bench, contenders, dag, initDvc } from './bench.ts';
import { measure, type Scenario, type Step } from './measure.ts';
import { findPeer } from './peers.ts';
import { renderSection, renderTable } from './report.ts';
import { makeWorkFolder, type WorkFolder, writeText } from './work-folder.ts';

/** A project as texts by path; a pipeline.yaml goes to DVC as dvc.yaml. */
type Files = { readonly [path: string]: string };

interface Case {
  readonly name: string;
  readonly title: string;
  readonly files: Files;
  /** Too many stages for DVC to be waited for. */
  readonly alone?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'chain', title: '1,000 chained stages', files: chain(1000) },
  { name: 'foreach', title: 'foreach of 1,000 items', files: foreach(1000) },
  { name: 'sub-projects', title: '300 sub-projects', files: subProjects(300) },
  { name: 'long-chain', title: '10,000 chained stages', files: chain(10_000), alone: true },
];

const ABOUT = [
  'How long it takes to read a pipeline: `dag graph --json` beside `dvc stage list --all --name-only`, and `status` of both,',
  'on the same files. Nothing has run yet. `node -e 0` is what Node takes to do nothing.',
].join('\n');

/** The language's section of docs/benchmarks.md, without its heading. */
export async function run(): Promise<string> {
  const work = makeWorkFolder();
  try {
    const table = renderTable(await measure({ steps: steps(work), rounds: 3, env: work.env }, work, console.error));
    const peak = (...args: string[]) => peakMemory(dag(...args), work.at('long-chain-dag'), work.env);
    const memory = `Peak memory with 10,000 stages: \`dag graph --json\` ${peak('graph', '--json')} MB, \`dag status\` ${peak('status')} MB.`;
    const peers: Bench['peers'] = ['dvc'];
    return renderSection('language', ABOUT, peers, `${table}\n${memory}`).replace(/^## .*\n\n/, '');
  } finally {
    work.remove();
  }
}

function steps(work: WorkFolder): Scenario['steps'] {
  const { path: dvc } = findPeer('dvc');
  const projects = CASES.map(({ name, title, files, alone }) => {
    const [ours, theirs] = [work.project(`${name}-dag`), work.project(`${name}-dvc`)];
    if (dvc !== undefined) initDvc(work, dvc, theirs);
    for (const [path, text] of Object.entries(files)) {
      writeText(join(ours, path), text);
      writeText(join(theirs, path.replace(/pipeline\.yaml$/, 'dvc.yaml')), text);
    }
    return { title, ours, theirs, alone: alone === true };
  });
  const large = corpusCase(work, dvc);
  return [...projects, ...(large === undefined ? [] : [large])].flatMap(stepsOf);
}

function stepsOf(project: { title: string; ours: string; theirs: string; alone: boolean }): Step[] {
  const { title, ours, theirs, alone } = project;
  const compared = (args: readonly string[], dvcArgs: readonly string[]): Step['by'] =>
    contenders(
      { command: () => dag(...args), cwd: ours },
      alone ? {} : { dvc: (program) => ({ command: () => [program, ...dvcArgs], cwd: theirs }) },
      { 'node -e 0': { command: () => [process.execPath, '-e', '0'], cwd: ours } },
    );
  return [
    { what: `${title}: graph`, by: compared(['graph', '--json'], ['stage', 'list', '--all', '--name-only']) },
    { what: `${title}: status`, by: compared(['status'], ['status']) },
  ];
}

/** A public project of 4,172 stages and 44,895 edges, where the corpus is there: DAG_CORPUS, or ../shared/corpus. */
function corpusCase(work: WorkFolder, dvc: string | undefined) {
  const source = resolve(process.env['DAG_CORPUS'] ?? join(import.meta.dirname, '../../../shared/corpus'), '071/repo');
  if (!existsSync(source)) return undefined;
  const [ours, theirs] = [work.project('corpus-dag'), work.project('corpus-dvc')];
  if (dvc !== undefined) initDvc(work, dvc, theirs);
  for (const folder of [ours, theirs]) cpSync(source, folder, { recursive: true });
  for (const path of readdirSync(ours, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('dvc.yaml'))
      renameSync(join(ours, path), join(ours, path.replace(/dvc\.yaml$/, 'pipeline.yaml')));
  }
  // A project here has a file at its root.
  if (!existsSync(join(ours, 'pipeline.yaml'))) writeText(join(ours, 'pipeline.yaml'), '');
  return { title: '4,172 stages, 44,895 edges', ours, theirs, alone: false };
}

function chain(count: number): Files {
  let text = 'stages:\n';
  for (let i = 0; i < count; i++) {
    text += `  s${i}:\n    cmd: python step.py ${i}\n    deps:\n    - ${i === 0 ? 'in.txt' : `o${i - 1}`}\n`;
    text += `    params:\n    - lr\n    outs:\n    - o${i}\n`;
  }
  return { 'pipeline.yaml': text, 'params.yaml': 'lr: 0.1\n', 'in.txt': 'text\n' };
}

function foreach(count: number): Files {
  const items = Array.from({ length: count }, (_, i) => `- i${i}\n`).join('');
  const text =
    'stages:\n  s:\n    foreach: ${items}\n    do:\n      cmd: python step.py ${item} ${lr}\n      deps: [in.txt]\n      outs: ["o/${item}"]\n';
  return { 'pipeline.yaml': text, 'params.yaml': `lr: 0.1\nitems:\n${items}`, 'in.txt': 'text\n' };
}

function subProjects(count: number): Files {
  const files: Record<string, string> = { 'pipeline.yaml': 'stages: {}\n', 'in.txt': 'text\n' };
  for (let i = 0; i < count; i++) {
    const dep = i === 0 ? '../in.txt' : `../p${i - 1}/o`;
    files[`p${i}/pipeline.yaml`] = `stages:\n  s:\n    cmd: python step.py \${lr}\n    deps: [${dep}]\n    outs: [o]\n`;
    files[`p${i}/params.yaml`] = 'lr: 0.1\n';
  }
  return files;
}

/** Megabytes that the process held at most. */
function peakMemory(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): string {
  const report = 'process.on("exit", () => process.stderr.write(`peak ${process.resourceUsage().maxRSS}\\n`))';
  const [node = '', ...args] = command;
  const all = ['--import', `data:text/javascript,${encodeURIComponent(report)}`, ...args];
  const { stderr } = spawnSync(node, all, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28 });
  return (Number(/^peak (\d+)$/m.exec(stderr)?.[1]) / 1024).toFixed(0);
}
