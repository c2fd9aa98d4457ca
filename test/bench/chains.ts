import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { initDvc, must } from './bench.ts';
import { type WorkFolder, writeText } from './work-folder.ts';

/** The file that a program reads the graph from. */
export type GraphFile = 'pipeline.yaml' | 'dvc.yaml' | 'Makefile' | 'package.json';

const nameOf = (i: number): string => (i === 0 ? 'in.txt' : `out/${i}`);
const commandOf = (i: number): string => `{ cat ${nameOf(i - 1)}; echo 1; } > ${nameOf(i)}`;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Makes a project anew, with a chain that has not run yet: each stage is a `cat` of the one before, and one line. */
export function writeChain(work: WorkFolder, name: string, file: GraphFile, length: number): void {
  work.discard(work.at(name));
  const folder = work.project(name);
  mkdirSync(join(folder, 'out'));
  writeText(join(folder, 'in.txt'), 'text\n');
  writeText(join(folder, file), chainText(file, length));
}

function chainText(file: GraphFile, length: number): string {
  if (file === 'package.json') return wireitChain(length);
  if (file !== 'Makefile') return `stages:\n${upTo(length).map(yamlOf).join('')}`;
  const rule = (i: number): string => `${nameOf(i)}: ${nameOf(i - 1)}\n\t${commandOf(i)}\n`;
  return `all: ${nameOf(length)}\n${upTo(length).map(rule).join('')}`;
}

function yamlOf(i: number): string {
  return `  s${i}:\n    cmd: "${commandOf(i)}"\n    deps:\n    - ${nameOf(i - 1)}\n    outs:\n    - ${nameOf(i)}\n`;
}

function wireitChain(length: number): string {
  const entryOf = (i: number) => ({
    command: commandOf(i),
    files: i === 1 ? [nameOf(0)] : [],
    output: [nameOf(i)],
    dependencies: i === 1 ? [] : [`s${i - 1}`],
  });
  return JSON.stringify({
    name: 'chain',
    private: true,
    scripts: Object.fromEntries(upTo(length).map((i) => [`s${i}`, 'wireit'])),
    wireit: Object.fromEntries(upTo(length).map((i) => [`s${i}`, entryOf(i)])),
  });
}

/** Makes a project anew, with stages that wait for nothing but 0.2 s each. */
export function writeWide(work: WorkFolder, name: string, file: 'pipeline.yaml' | 'Makefile', count: number): void {
  work.discard(work.at(name));
  const folder = work.project(name);
  mkdirSync(join(folder, 'out'));
  const command = (i: number): string => `sleep 0.2; echo ${i} > out/${i}`;
  const text =
    file === 'Makefile'
      ? `all: ${upTo(count).map(nameOf).join(' ')}\n${upTo(count)
          .map((i) => `out/${i}:\n\t${command(i)}\n`)
          .join('')}`
      : `stages:\n${upTo(count)
          .map((i) => `  s${i}:\n    cmd: "${command(i)}"\n    outs:\n    - out/${i}\n`)
          .join('')}`;
  writeText(join(folder, file), text);
}

/** Makes a project anew, with one stage for each of many items, none of which has run. */
export function writeForeach(work: WorkFolder, name: string, file: 'pipeline.yaml' | 'dvc.yaml', count: number): void {
  work.discard(work.at(name));
  const folder = work.project(name);
  writeText(join(folder, 'in.txt'), 'text\n');
  writeText(
    join(folder, 'params.yaml'),
    `items:\n${upTo(count)
      .map((i) => `- i${i}\n`)
      .join('')}`,
  );
  writeText(
    join(folder, file),
    'stages:\n  s:\n    foreach: ${items}\n    do:\n      cmd: cat in.txt > o/${item}\n      deps: [in.txt]\n      outs: ["o/${item}"]\n',
  );
}

/** What DVC keeps of a chain that has run, written for it: it would take an hour over a thousand. Its stat cache is warm. */
export function writeDvcChain(work: WorkFolder, program: string, name: string, length: number): void {
  writeChain(work, name, 'dvc.yaml', length);
  const folder = work.at(name);
  initDvc(work, program, folder);
  let [lock, text, before] = ["schema: '2.0'\nstages:\n", 'text\n', ''];
  for (let i = 0; i <= length; i++) {
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
  must([program, 'repro', '-q'], folder, work.env);
}
