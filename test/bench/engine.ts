import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import { type GraphFile, writeChain, writeDvcChain, writeForeach, writeWide } from './chains.ts';
import type { Step, Trial } from './measure.ts';
import type { PeerId } from './peers.ts';
import type { WorkFolder } from './work-folder.ts';

/** How long stages take that themselves take no time. */
export const engineBench: Bench = {
  name: 'engine',
  about: [
    'Chains of stages, each a `cat` of the one before and one more line. A stage that dag has run is durable before the next',
    "starts, which no other's is; the run cache restores when pipeline.lock and outs are gone. make looks at modification",
    'times only, and keeps no earlier results. `sh` does what the stages do, one after the other, a new shell for each; in',
    'the wide graph, 100 stages wait for 0.2 s each, 20 at once, which is 1 s at best.',
  ].join('\n'),
  peers: ['dvc', 'make', 'wireit'],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 3, env: work.env }], close: async () => {} }),
};

const FILES = { dag: 'pipeline.yaml', dvc: 'dvc.yaml', make: 'Makefile', wireit: 'package.json' } as const;
const LOCKS = { dag: 'pipeline.lock', dvc: 'dvc.lock', make: '', wireit: '' } as const;
type Who = keyof typeof FILES;

const nothing = (): void => {};

function steps(work: WorkFolder): Step[] {
  return [
    {
      what: '100 chained stages, first run',
      by: onChain(work, 100, (who, program) => () => newChain(work, who, 100, program), { sh: shells(work, 100) }),
    },
    { what: '100 chained stages, nothing to do', by: onChain(work, 100, () => nothing) },
    {
      what: '100 restores from the run cache',
      by: onChain(work, 100, (who) => () => forget(work, who, 100), {}, { make: 'has none' }),
    },
    {
      what: '1,000 chained stages, first run',
      by: onChain(
        work,
        1000,
        (who, program) => () => newChain(work, who, 1000, program),
        { sh: shells(work, 1000) },
        { dvc: 'not waited for' },
      ),
    },
    {
      what: '1,000 chained stages, nothing to do',
      by: onChain(work, 1000, (who, program) => ran1000(work, who, program)),
    },
    foreachDry(work),
    wide(work),
  ];
}

/** Each program over a chain of its own, in the state that `prepare` brings about. */
function onChain(
  work: WorkFolder,
  length: number,
  prepare: (who: Who, program: string) => () => void,
  plain: Readonly<Record<string, Trial>> = {},
  instead: { readonly [P in PeerId]?: string } = {},
): Step['by'] {
  const trial =
    (who: Who) =>
    (program: string): Trial => ({
      prepare: prepare(who, program),
      command: () => commandOf(who, program, length),
      cwd: work.at(`${length}-${who}`),
    });
  const peers = { dvc: trial('dvc'), make: trial('make'), wireit: trial('wireit') };
  const said = Object.fromEntries(Object.entries(instead).map(([who, word]) => [who, () => word]));
  return contenders(trial('dag')(''), { ...peers, ...said }, plain);
}

function commandOf(who: Who, program: string, length: number): readonly string[] {
  if (who === 'dag') return dag('repro', '-j', '1');
  if (who === 'dvc') return [program, 'repro'];
  if (who === 'make') return [program];
  // It is made to be started by npm only, and keeps nothing where CI is set.
  const env = [`PATH=${join(program, '..')}:${process.env['PATH'] ?? ''}`, 'WIREIT_CACHE=local', 'WIREIT_PARALLEL=1'];
  return ['env', ...env, 'npm', 'run', '--silent', `s${length}`];
}

function newChain(work: WorkFolder, who: Who, length: number, program: string): void {
  const file: GraphFile = FILES[who];
  writeChain(work, `${length}-${who}`, file, length);
  if (who === 'dvc') initDvc(work, program, work.at(`${length}-${who}`));
}

function forget(work: WorkFolder, who: Who, length: number): void {
  const folder = work.at(`${length}-${who}`);
  if (LOCKS[who] !== '') work.discard(join(folder, LOCKS[who]));
  work.discard(join(folder, 'out'));
  mkdirSync(join(folder, 'out'));
}

/**
 * A chain of 1,000 that has run and was looked at once since, so that all stat caches are warm; DVC's is written for it,
 * since it would take an hour over it.
 */
function ran1000(work: WorkFolder, who: Who, program: string): () => void {
  return () => {
    const folder = work.at(`1000-${who}`);
    if (who === 'dvc' && !existsSync(folder)) writeDvcChain(work, program, '1000-dvc', 1000);
    if (who !== 'dvc') must(commandOf(who, program, 1000), folder, work.env);
  };
}

/** The shells alone that a chain needs, started by Node one after the other. */
function shells(work: WorkFolder, count: number): Trial {
  const script =
    'for (let i = 1; i <= Number(process.argv[1]); i++) require("node:child_process").spawnSync("/bin/sh", ' +
    '["-c", `{ cat ${i === 1 ? "in.txt" : `out/${i - 1}`}; echo 1; } > out/${i}`])';
  const name = `${count}-sh`;
  return {
    prepare: () => writeChain(work, name, 'Makefile', count),
    command: () => [process.execPath, '-e', script, `${count}`],
    cwd: work.at(name),
  };
}

function foreachDry(work: WorkFolder): Step {
  const cwd = { dag: work.at('foreach-dag'), dvc: work.at('foreach-dvc') };
  return {
    what: 'foreach of 1,000 items: `repro --dry`',
    by: contenders(
      {
        prepare: () => writeForeach(work, 'foreach-dag', 'pipeline.yaml', 1000),
        command: () => dag('repro', '--dry'),
        cwd: cwd.dag,
      },
      {
        dvc: (program) => ({
          prepare: () => {
            writeForeach(work, 'foreach-dvc', 'dvc.yaml', 1000);
            initDvc(work, program, cwd.dvc);
          },
          command: () => [program, 'repro', '--dry'],
          cwd: cwd.dvc,
        }),
      },
    ),
  };
}

function wide(work: WorkFolder): Step {
  return {
    what: '100 stages of 0.2 s, 20 at once',
    by: contenders(
      {
        prepare: () => writeWide(work, 'wide-dag', 'pipeline.yaml', 100),
        command: () => dag('repro', '-j', '20'),
        cwd: work.at('wide-dag'),
      },
      {
        dvc: () => 'has no -j',
        make: (program) => ({
          prepare: () => writeWide(work, 'wide-make', 'Makefile', 100),
          command: () => [program, '-j', '20'],
          cwd: work.at('wide-make'),
        }),
      },
    ),
  };
}
