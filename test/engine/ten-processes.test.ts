import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { heldPerTest, perTest } from '../rigs/per-test.ts';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

// Ten repros at once over one cache: several projects, and several processes in each. The first stage of each project is held
// open until all ten are at work.

const held = heldPerTest();
const projects = perTest(
  () => Array.from({ length: 4 }, () => makeProject()),
  (all) => {
    for (const project of all) project.remove();
  },
);

/** How many processes each project has; the first two have the same sources, so that one may take what the other made. */
const PROCESSES = [4, 3, 2, 1];
const SOURCES = ['one\n', 'one\n', 'two\n', 'three\n'];
const WIDTH = 5;
const STAGES = ['first', ...Array.from({ length: WIDTH }, (_, i) => [`a${i}`, `b${i}`]).flat(), 'last'];

/** A stage to begin with, five folders made of it, each with a file made of it, and one stage that reads these. */
function yaml(cache: string): string {
  const ran = (name: string, cmd: string): string => JSON.stringify(`echo ${name} >> "$DAG_ROOT/ran"; ${cmd}`);
  const wide = Array.from({ length: WIDTH }, (_, i) => [
    `  a${i}: {cmd: ${ran(`a${i}`, `mkdir d${i}; cp first d${i}/one; echo ${i} > d${i}/two`)}, deps: [first], outs: [d${i}]}`,
    `  b${i}: {cmd: ${ran(`b${i}`, `cat d${i}/one d${i}/two > o${i}`)}, deps: [d${i}], outs: [o${i}]}`,
  ]);
  const outs = Array.from({ length: WIDTH }, (_, i) => `o${i}`);
  return `cache: {dir: ${cache}}
stages:
  first: {cmd: ${ran('first', '$HOLD; cp in first')}, deps: [in], outs: [first]}
${wide.flat().join('\n')}
  last: {cmd: ${ran('last', `cat ${outs.join(' ')} > all`)}, deps: [${outs.join(', ')}], outs: [all: {cache: false}]}
`;
}

test('all succeed, each stage runs once in a project, and every lock is what one process alone would have written', async () => {
  const [front] = projects as unknown as [TestProject];
  const cache = path.join(front.home, 'cache');
  const running: Promise<{ status: number | null; stderr: string }>[] = [];
  const atWork: Promise<void>[] = [];
  for (const [index, project] of Array.from({ length: 4 }, (_, i) => projects[i] as TestProject).entries()) {
    project.write('pipeline.yaml', yaml(cache));
    project.write('in', SOURCES[index] ?? '');
    const hold = project.path('..', 'hold');
    project.write('../hold', `#!/bin/sh\n${held.command(`first${index}`)}\n`);
    const env = { HOLD: `sh ${hold}` };
    for (let i = 0; i < (PROCESSES[index] ?? 0); i++) {
      const { child, ended } = project.start(['repro', '--json', '-j', '3'], { env });
      running.push(ended);
      atWork.push(told(child, ended, /"(started|waiting)"/));
    }
  }
  await Promise.all(atWork);
  for (const index of PROCESSES.keys()) (await held.started(`first${index}`)).release();
  expect((await Promise.all(running)).map(({ status, stderr }) => ({ status, stderr }))).toEqual(
    running.map(() => ({ status: 0, stderr: '' })),
  );
  expect([...held.order].sort()).toEqual(['first0', 'first1', 'first2', 'first3']);
  for (const [index, source] of SOURCES.entries()) {
    const project = projects[index] as TestProject;
    const ran = project.read('ran').trim().split('\n').sort();
    // What only the lock tells of is made in each project; the rest may come from the project with the same sources.
    if (index < 2) expect(ran).toEqual([...new Set(ran)]);
    else expect(ran).toEqual([...STAGES].sort());
    expect(ran).toContain('last');
    expect(project.read('all')).toBe(Array.from({ length: WIDTH }, (_, i) => `${source}${i}\n`).join(''));
    const lock = project.read('pipeline.lock');
    expect((await project.repro()).skipped).toHaveLength(STAGES.length);
    await project.repro(['--force', '--no-run-cache'], { env: { HOLD: 'true' } });
    expect(project.read('pipeline.lock')).toBe(lock);
    expect(project.git('status', '--porcelain', 'first', 'd0', 'o0')).toBe('');
  }
  const both = [0, 1].flatMap((index) => (projects[index] as TestProject).read('ran').trim().split('\n'));
  expect(new Set(both)).toEqual(new Set(STAGES));
  expect((await front.dag(['fsck'])).status).toBe(0);
});

/** Resolves when a process says something of this kind on its standard output. */
function told(child: ChildProcess, ended: Promise<Ran>, what: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      if (what.test(text)) resolve();
    });
    void ended.then(({ stderr }) => reject(new Error(`it ended before it was at work: ${text}${stderr}`)));
  });
}
