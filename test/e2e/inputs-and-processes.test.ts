import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DAG, NODE } from '../rigs/dag.ts';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();
const held = heldPerTest();
beforeEach(async () => void (await project.dag(['init'])));

function stages(text: string): void {
  project.write('pipeline.yaml', `stages:\n${text}`);
}

describe('inputs that change while a stage runs', () => {
  test.each([
    ['a param', 'params.yaml', 'lr: 1\n', 'lr: 2\n', 'params.yaml:lr'],
    ['a dep', 'in', 'one', 'two', 'in'],
  ])('%s: the result is not recorded, and the next run makes it again', async (_, file, before, after, named) => {
    project.write('params.yaml', 'lr: 1\n');
    project.write('in', 'one');
    const cmd = `${held.command('s')} && cat params.yaml in > o`;
    stages(`  s:\n    cmd: ${JSON.stringify(cmd)}\n    deps: [in]\n    params: [lr]\n    outs: [o]\n`);
    const run = project.repro();
    const stage = await held.started('s');
    project.write(file, after);
    stage.release();
    const { events, status } = await run;
    expect(status).toBe(0);
    expect(events.at(-1)).toMatchObject({ ran: ['s'], unrecorded: ['s'] });
    expect(events.find((event) => event['event'] === 'warning')?.['message']).toContain(named);
    expect(project.exists('pipeline.lock')).toBe(false);
    project.write(file, before);
    const again = project.repro();
    (await held.started('s')).release();
    expect(await again).toMatchObject({ ran: ['s'] });
  });
});

test('a frozen stage that is restored stays what it was made from', async () => {
  project.write('in', '1');
  stages('  s:\n    cmd: cp in o\n    deps: [in]\n    outs: [o]\n');
  await project.repro();
  await project.dag(['freeze', 's']);
  project.write('in', '2');
  fs.rmSync(project.path('o'));
  expect(await project.repro()).toMatchObject({ restored: ['s'] });
  await project.dag(['commit', 's']);
  await project.dag(['unfreeze', 's']);
  expect(await project.repro()).toMatchObject({ ran: ['s'] });
  expect(project.read('o')).toBe('2');
});

test('what git tracks on another branch is not taken away', async () => {
  project.write('d.csv', 'data');
  await project.dag(['add', 'd.csv']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'tracked by dag');
  await project.dag(['remove', 'd.csv']);
  project.git('checkout', '-qb', 'plain');
  project.git('add', '-A');
  project.git('commit', '-qm', 'tracked by git');
  project.git('checkout', '-q', 'main');
  await project.dag(['checkout', '-f']);
  project.git('checkout', '-qf', 'plain');
  await project.dag(['checkout']);
  expect(project.read('d.csv')).toBe('data');
  expect(project.git('status', '--porcelain')).toBe('');
});

describe('processes', () => {
  test('a reader that goes away ends the run in good order', async () => {
    stages(`  s:\n    cmd: ${JSON.stringify(`${held.command('s')}; echo s > o`)}\n    outs: [o]\n`);
    const child = spawn(NODE, [DAG, 'repro'], {
      cwd: project.root,
      env: { PATH: process.env['PATH'], HOME: project.home },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const stage = await held.started('s');
    child.stdout.destroy();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    stage.release();
    await ended;
    expect(fs.readdirSync(project.path('.cache/running'))).toEqual([]);
  });

  test('a daemon that a stage starts is not waited for', async () => {
    stages('  s:\n    cmd: setsid sleep 30 & echo s > o\n    outs: [o]\n    timeout: 20s\n');
    const { status, ran } = await project.repro();
    expect({ status, ran }).toEqual({ status: 0, ran: ['s'] });
  });

  test('a dag in a stage does not wait for that stage', async () => {
    const nested = `"${NODE}" "${DAG}" checkout && rc=0 || rc=$?; echo $rc > o`;
    stages(`  s:\n    cmd: ${JSON.stringify(nested)}\n    outs: [o]\n`);
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['s'] });
    expect(project.read('o')).toBe('0\n');
    // Now the lock names its out, which the stage itself holds.
    expect(await project.repro(['-f'])).toMatchObject({ status: 0, ran: ['s'] });
    expect(project.read('o')).toBe('3\n');
  });

  test('a command that is too long, and a time limit that is', async () => {
    stages(
      `  long:\n    cmd: "true ${'x'.repeat(200_000)}"\n  limit:\n    cmd: echo l > l\n    outs: [l]\n    timeout: 600h\n`,
    );
    expect(await project.repro(['-k'])).toMatchObject({ status: 1, failed: ['long'], ran: ['limit'] });
  });
});

describe('targets', () => {
  test('a folder of tracked paths is pulled with -R, and what stages are made from with -d', async () => {
    project.write('d/one', '1');
    stages('  s:\n    cmd: cp d/one o\n    deps: [d/one]\n    outs: [o]\n');
    await project.dag(['add', 'd/one']);
    await project.dag(['remote', 'add', '-d', 'store', path.join(project.home, 'store')]);
    await project.repro();
    await project.dag(['push']);
    for (const [args, there] of [
      [['-R', 'd'], ['d/one']],
      [
        ['-d', 's'],
        ['d/one', 'o'],
      ],
    ] as const) {
      for (const file of ['d/one', 'o', '.cache/objects', '.cache/packs']) {
        fs.rmSync(project.path(file), { recursive: true, force: true });
      }
      expect((await project.dag(['pull', ...args])).status).toBe(0);
      expect(['d/one', 'o'].filter((file) => project.exists(file))).toEqual(there);
    }
  });

  test('a stage without outs has a status', async () => {
    stages('  s:\n    cmd: cat in\n    deps: [in]\n');
    project.write('in', '1');
    expect((await project.dag(['status', 's', '--exit-code'])).status).toBe(1);
    await project.repro();
    expect((await project.dag(['status', 's', '--exit-code'])).status).toBe(0);
  });

  test('a stage of another folder hides no tracked path, and links to the project lead into it', async () => {
    project.write('data', '1');
    await project.dag(['add', 'data']);
    project.write('sub/pipeline.yaml', 'stages:\n  data:\n    cmd: echo\n');
    fs.rmSync(project.path('data'));
    expect((await project.dag(['checkout', 'data'])).stdout).toBe('A  data\n');
    const link = path.join(project.home, 'link');
    fs.symlinkSync(project.root, link);
    project.write('new', 'new');
    expect((await project.dag(['add', path.join(link, 'new')])).status).toBe(0);
  });
});

test('a run that can not begin has touched nothing', async () => {
  project.write('data', '1');
  stages('  s:\n    cmd: cat data gone\n    deps: [data, gone]\n');
  await project.dag(['add', 'data']);
  const lock = project.read('pipeline.lock');
  project.write('data', '2');
  expect((await project.repro()).status).toBe(2);
  expect(project.read('pipeline.lock')).toBe(lock);
});

test('a module that does not compile says so under --json', async () => {
  project.write('w.ts', 'export default (');
  stages('  s:\n    worker: w.ts\n    outs: [o]\n');
  const { events, status } = await project.repro();
  expect(status).toBe(1);
  expect(events.find((event) => event['event'] === 'error')).toMatchObject({ file: 'w.ts', line: 1 });
});

test('a module that was compiled for a run that is killed is gone with the next', async () => {
  const compiled = (): string[] =>
    fs.readdirSync(project.path('.cache/tmp')).filter((name) => name.startsWith('module-'));
  project.write(
    'w.ts',
    `import { spawn } from 'node:child_process';
     import { once } from 'node:events';
     export default async () => { await once(spawn('sh', ['-c', ${JSON.stringify(held.command('w'))}]), 'exit'); };`,
  );
  stages('  s:\n    worker: w.ts\n');
  const { child, ended } = project.start(['repro']);
  const w = await held.started('w');
  expect(compiled()).toHaveLength(1);
  child.kill('SIGKILL');
  await Promise.all([ended, w.gone]);
  stages('  s:\n    cmd: "true"\n');
  expect((await project.repro()).status).toBe(0);
  expect(compiled()).toEqual([]);
});
