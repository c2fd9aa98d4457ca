import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, contenders, dag, initDvc, must } from './bench.ts';
import type { Step, Trial } from './measure.ts';
import { type WorkFolder, writeText } from './work-folder.ts';

/** How long stages take that themselves take no time. */
export const engineBench: Bench = {
  name: 'engine',
  about: [
    'Chains of stages, each a `cat` of the one before and one more line. A stage that dag has run is durable before the next',
    'starts; the run cache restores when pipeline.lock and outs are gone. make looks at modification times only, and keeps',
    'no earlier results.',
  ].join('\n'),
  peers: ['dvc', 'make'],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 3, env: work.env }], close: async () => {} }),
};

function steps(work: WorkFolder): Step[] {
  const short = { dag: work.at('100-dag'), dvc: work.at('100-dvc'), make: work.at('100-make') };
  const forget = (folder: string, lock: string) => () => {
    work.discard(join(folder, lock));
    work.discard(join(folder, 'out'));
    mkdirSync(join(folder, 'out'));
  };
  const ours = (prepare: () => void): Trial => ({ prepare, command: () => dag('repro'), cwd: short.dag });
  const dvc = (prepare: (program: string) => void) => (program: string) => ({
    prepare: () => prepare(program),
    command: () => [program, 'repro'],
    cwd: short.dvc,
  });
  const make = (prepare: () => void) => (program: string) => ({
    prepare,
    command: () => [program],
    cwd: short.make,
  });
  const nothing = (): void => {};
  return [
    {
      what: '100 chained stages, first run',
      by: contenders(
        ours(() => writeChain(work, '100-dag', 'pipeline.yaml', 100)),
        {
          dvc: dvc((program) => {
            writeChain(work, '100-dvc', 'dvc.yaml', 100);
            initDvc(work, program, short.dvc);
          }),
          make: make(() => writeChain(work, '100-make', 'Makefile', 100)),
        },
      ),
    },
    {
      what: '100 chained stages, nothing to do',
      by: contenders(ours(nothing), { dvc: dvc(nothing), make: make(nothing) }),
    },
    {
      what: '100 restores from the run cache',
      by: contenders(ours(forget(short.dag, 'pipeline.lock')), {
        dvc: dvc(forget(short.dvc, 'dvc.lock')),
        make: () => 'has none',
      }),
    },
    longChain(work),
  ];
}

function longChain(work: WorkFolder): Step {
  const once = (name: string, prepare: () => void) => () => {
    if (!existsSync(work.at(name))) prepare();
  };
  const own = once('1000-dag', () => {
    writeChain(work, '1000-dag', 'pipeline.yaml', 1000);
    must(dag('repro'), work.at('1000-dag'), work.env);
  });
  return {
    what: '1,000 chained stages, nothing to do',
    by: contenders(
      { prepare: own, command: () => dag('repro'), cwd: work.at('1000-dag') },
      {
        dvc: (program) => ({
          prepare: once('1000-dvc', () => writeDvcResults(work, program)),
          command: () => [program, 'repro'],
          cwd: work.at('1000-dvc'),
        }),
        make: (program) => ({
          prepare: once('1000-make', () => {
            writeChain(work, '1000-make', 'Makefile', 1000);
            must([program], work.at('1000-make'), work.env);
          }),
          command: () => [program],
          cwd: work.at('1000-make'),
        }),
      },
    ),
  };
}

const nameOf = (i: number): string => (i === 0 ? 'in.txt' : `out/${i}`);
const commandOf = (i: number): string => `{ cat ${nameOf(i - 1)}; echo 1; } > ${nameOf(i)}`;

/** Makes a project anew, with a chain that has not run yet. */
function writeChain(work: WorkFolder, name: string, file: 'pipeline.yaml' | 'dvc.yaml' | 'Makefile', length: number) {
  work.discard(work.at(name));
  const folder = work.project(name);
  mkdirSync(join(folder, 'out'));
  writeText(join(folder, 'in.txt'), 'text\n');
  const numbers = Array.from({ length }, (_, i) => i + 1);
  const text =
    file === 'Makefile'
      ? `all: ${nameOf(length)}\n${numbers.map((i) => `${nameOf(i)}: ${nameOf(i - 1)}\n\t${commandOf(i)}\n`).join('')}`
      : `stages:\n${numbers.map(yamlOf).join('')}`;
  writeText(join(folder, file), text);
}

function yamlOf(i: number): string {
  return `  s${i}:\n    cmd: "${commandOf(i)}"\n    deps:\n    - ${nameOf(i - 1)}\n    outs:\n    - ${nameOf(i)}\n`;
}

/** What DVC keeps of a chain that has run, written for it: it would take an hour over a thousand. */
function writeDvcResults(work: WorkFolder, program: string): void {
  writeChain(work, '1000-dvc', 'dvc.yaml', 1000);
  const folder = work.at('1000-dvc');
  initDvc(work, program, folder);
  let [lock, text, before] = ["schema: '2.0'\nstages:\n", 'text\n', ''];
  for (let i = 0; i <= 1000; i++) {
    if (i > 0) text += '1\n';
    const md5 = createHash('md5').update(text).digest('hex');
    const entry = `    - path: ${nameOf(i)}\n      hash: md5\n      md5: ${md5}\n      size: ${text.length}\n`;
    if (i > 0) {
      lock += `  s${i}:\n    cmd: "${commandOf(i)}"\n    deps:\n${before}    outs:\n${entry}`;
      writeText(join(folder, nameOf(i)), text);
      writeText(join(folder, '.dvc/cache/files/md5', md5.slice(0, 2), md5.slice(2)), text);
    }
    before = entry;
  }
  writeText(join(folder, 'dvc.lock'), lock);
  // So that its own stat cache is warm.
  must([program, 'repro', '-q'], folder, work.env);
}
