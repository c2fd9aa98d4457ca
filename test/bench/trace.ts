import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, contenders, dag } from './bench.ts';
import type { Step } from './measure.ts';
import type { WorkFolder } from './work-folder.ts';

/** What it costs to watch a stage. */
export const traceBench: Bench = {
  name: 'trace',
  about: [
    'A stage that `dag repro --trace` watches, beside the same stage that nobody watches, its command alone, and its command',
    'under `strace -f`, which stops for every call. The compiler opens each header anew for each file, and starts two programs',
    'for it; the last row does nothing else than open files, which is the worst case.',
  ].join('\n'),
  peers: [],
  open: async (work) => ({ scenarios: [{ steps: steps(work), rounds: 3, env: work.env }], close: async () => {} }),
};

const FILES = 100;

function steps(work: WorkFolder): Step[] {
  const compile = 'mkdir -p obj && for f in src/*.c; do cc -c $f -o obj/$(basename $f .c).o; done';
  const read = `${process.execPath} read.cjs > obj.txt`;
  return [
    watched(work, 'cc', '100 files of C, 100 headers each', compile, 'obj'),
    watched(work, 'read', '10,000 files, opened and read by one process', read, 'obj.txt'),
  ];
}

function watched(work: WorkFolder, name: string, what: string, command: string, out: string): Step {
  const folder = (who: string): string => work.at(`${name}-${who}`);
  const trial = (who: string, program: readonly string[]) => ({
    prepare: (round: number) => {
      if (round === 0) write(work, `${name}-${who}`, command, out);
    },
    command: () => program,
    cwd: folder(who),
  });
  return {
    what,
    by: contenders(
      trial('traced', dag('repro', '-f', '-q', '--trace')),
      {},
      {
        'not watched': trial('plain', dag('repro', '-f', '-q')),
        command: trial('command', ['/bin/sh', '-c', command]),
        'strace -f': trial('strace', ['strace', '-f', '-o', '/dev/null', '/bin/sh', '-c', command]),
      },
    ),
  };
}

function write(work: WorkFolder, name: string, command: string, out: string): void {
  const folder = work.project(name);
  for (const sub of ['src', 'headers', 'many']) mkdirSync(join(folder, sub));
  const names = Array.from({ length: FILES }, (_, i) => i);
  for (const i of names) {
    const functions = names
      .slice(0, 10)
      .map((j) => `static inline int f${i}_${j}(int x) { return x * ${j} + ${i}; }\n`)
      .join('');
    writeFileSync(join(folder, 'headers', `${i}.h`), `#ifndef H${i}\n#define H${i}\n${functions}#endif\n`);
    const includes = names.map((j) => `#include "../headers/${j}.h"\n`).join('');
    writeFileSync(join(folder, 'src', `${i}.c`), `${includes}int g${i}(int x) { return f${i}_3(x); }\n`);
  }
  for (let i = 0; i < FILES * FILES; i++) writeFileSync(join(folder, 'many', `${i}`), `${i}`);
  const script = `for (let i = 0; i < ${FILES * FILES}; i++) require('node:fs').readFileSync('many/' + i);\n`;
  writeFileSync(join(folder, 'read.cjs'), script);
  const stage = { cmd: command, deps: ['src', 'headers', 'many', 'read.cjs'], outs: [out] };
  writeFileSync(join(folder, 'pipeline.yaml'), JSON.stringify({ stages: { s: stage } }));
}
