import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Step } from './measure.ts';
import { findPeer } from './peers.ts';
import { type WorkFolder, writeText } from './work-folder.ts';

const STAGES = `stages:
  first: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt]}
  second: {cmd: cp a.txt b.txt, deps: [a.txt], outs: [b.txt]}
  third: {cmd: cp b.txt c.txt, deps: [b.txt], outs: [c.txt]}
`;

/** How long a command takes that has next to nothing to do. */
export const startBench: Bench = {
  name: 'start',
  about:
    'The time until a command is over that has nothing to do, beside Node that does nothing. `repro` has 3 stages.',
  peers: ['dvc'],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 15, env: work.env }], close: async () => {} }),
};

function steps(work: WorkFolder): Step[] {
  const { path: dvc } = findPeer('dvc');
  const [ours, theirs] = [work.project('dag'), work.project('dvc')];
  for (const folder of [ours, theirs]) writeText(`${folder}/in.txt`, 'text\n');
  writeText(`${ours}/pipeline.yaml`, STAGES);
  writeText(`${theirs}/dvc.yaml`, STAGES);
  must(dag('repro'), ours, work.env);
  if (dvc !== undefined) {
    initDvc(work, dvc, theirs);
    must([dvc, 'repro', '-q'], theirs, work.env);
  }
  const node = { command: () => [process.execPath, '-e', '0'], cwd: ours };
  return [['--version'], ['--help'], ['repro']].map((args) => ({
    what: args[0] === 'repro' ? '`repro`, nothing to do' : `\`${args[0]}\``,
    by: contenders(
      { command: () => dag(...args), cwd: ours },
      { dvc: (program) => ({ command: () => [program, ...args], cwd: theirs }) },
      { 'node -e 0': node },
    ),
  }));
}
