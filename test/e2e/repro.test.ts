import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

/** up: a.txt → b.txt (upper case); twice: b.txt, lr → c.txt. Each appends its name to `ran`, which nothing declares. */
const CHAIN = `stages:
  up:
    cmd: echo up >> ran; tr a-z A-Z < a.txt > b.txt
    deps: [a.txt]
    outs: [b.txt]
  twice:
    cmd: echo twice >> ran; cat b.txt b.txt > c.txt
    deps: [b.txt]
    params: [lr]
    outs: [c.txt]
`;

function chain(): void {
  project.write('pipeline.yaml', CHAIN);
  project.write('params.yaml', 'lr: 0.1\nother: 1\n');
  project.write('a.txt', 'hello\n');
}

const commandsRun = (): string[] => (project.exists('ran') ? project.read('ran').trim().split('\n') : []);

describe('what runs', () => {
  test('everything once, then nothing', async () => {
    chain();
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['up', 'twice'] });
    expect(project.read('c.txt')).toBe('HELLO\nHELLO\n');
    const lock = project.read('pipeline.lock');
    expect(await project.repro()).toMatchObject({ status: 0, ran: [], skipped: ['up', 'twice'] });
    expect(commandsRun()).toEqual(['up', 'twice']);
    expect(project.read('pipeline.lock')).toBe(lock);
  });

  test('what a changed source reaches, and no further than its content does', async () => {
    chain();
    await project.repro();
    project.write('a.txt', 'world\n');
    expect(await project.repro(['twice'])).toMatchObject({ ran: ['up', 'twice'] });
    // Other bytes in, the same bytes out: what lies downstream is left alone.
    project.write('a.txt', 'WORLD\n');
    expect(await project.repro()).toMatchObject({ ran: ['up'], skipped: ['twice'] });
    project.write('a.txt', 'World\n');
    expect(await project.repro(['--force-downstream'])).toMatchObject({ ran: ['up', 'twice'] });
  });

  test('only the stage whose param key changed', async () => {
    chain();
    await project.repro();
    project.write('params.yaml', 'lr: 0.1\nother: 2\n');
    expect(await project.repro()).toMatchObject({ ran: [] });
    project.write('params.yaml', 'lr: 0.2\nother: 2\n');
    expect(await project.repro()).toMatchObject({ ran: ['twice'], skipped: ['up'] });
  });

  test('a stage from which a dep or param was taken away', async () => {
    chain();
    await project.repro();
    project.write('pipeline.yaml', CHAIN.replace('    params: [lr]\n', ''));
    expect(await project.repro()).toMatchObject({ ran: ['twice'] });
  });

  test('nothing for another order of deps, outs and keys', async () => {
    chain();
    project.write('pipeline.yaml', CHAIN.replace('deps: [b.txt]', 'deps: [b.txt, a.txt]'));
    await project.repro();
    const lock = project.read('pipeline.lock');
    project.write('pipeline.yaml', CHAIN.replace('deps: [b.txt]', 'deps: [a.txt, b.txt]'));
    expect(await project.repro()).toMatchObject({ ran: [], restored: [] });
    expect(project.read('pipeline.lock')).toBe(lock);
  });

  test('forced stages and what they need; single ones alone', async () => {
    chain();
    await project.repro();
    expect(await project.repro(['-f', 'twice'])).toMatchObject({ ran: ['up', 'twice'] });
    expect(await project.repro(['-f', '-s', 'twice'])).toMatchObject({ ran: ['twice'], skipped: [] });
  });

  test('always: what says so, and what declares nothing; not once it is frozen', async () => {
    const yaml =
      'stages:\n  say:\n    cmd: echo say >> ran\n  always:\n    cmd: date > d\n    outs: [d]\n    always_changed: true\n';
    project.write('pipeline.yaml', yaml);
    await project.repro();
    expect(await project.repro()).toMatchObject({ ran: ['say', 'always'] });
    await project.dag(['freeze', 'say']);
    expect(await project.repro()).toMatchObject({ ran: ['always'], skipped: ['say'] });
    await project.dag(['unfreeze', 'say']);
    expect(project.read('pipeline.yaml')).toBe(yaml);
    expect(await project.repro()).toMatchObject({ ran: ['say', 'always'] });
  });

  test('nothing of a dry run, which says what would, and its commands in order', async () => {
    chain();
    const commands = [...project.read('pipeline.yaml').matchAll(/cmd: (.*)/g)].map(([, cmd]) => cmd);
    const { stdout, status } = await project.dag(['repro', '--dry']);
    expect(status).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'run      up     never run',
      `                $ ${commands[0]}`,
      "may run  twice  never run; depends on what 'up' makes",
      `                $ ${commands[1]}`,
      '1 to run, 1 may run.',
      '',
    ]);
    const { events } = await project.dag(['repro', '--dry', '--json']);
    expect(events.flatMap(({ event, command }) => (event === 'stage' ? [command] : []))).toEqual(commands);
    expect(commandsRun()).toEqual([]);
    expect(project.exists('pipeline.lock')).toBe(false);
  });

  test('a list of commands, to the first that fails', async () => {
    project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: [echo 1 >> ran, "false", echo 3 >> ran]\n');
    expect(await project.repro()).toMatchObject({ status: 1, failed: ['s'] });
    project.write(
      'pipeline.yaml',
      'stages:\n  s:\n    cmd: |\n      echo 1 >> ran\n      false\n      echo 3 >> ran\n',
    );
    expect(await project.repro()).toMatchObject({ status: 1, failed: ['s'] });
    expect(commandsRun()).toEqual(['1', '1']);
  });
});

describe('the run cache', () => {
  test('gives back what is gone: out, lock, or both', async () => {
    chain();
    await project.repro();
    fs.rmSync(project.path('c.txt'));
    expect(await project.repro()).toMatchObject({ ran: [], restored: ['twice'] });
    fs.rmSync(project.path('pipeline.lock'));
    expect(await project.repro()).toMatchObject({ ran: [], restored: ['up', 'twice'] });
    fs.rmSync(project.path('pipeline.lock'));
    fs.rmSync(project.path('b.txt'));
    expect(await project.repro()).toMatchObject({ ran: [], restored: ['up', 'twice'] });
    expect(commandsRun()).toEqual(['up', 'twice']);
  });

  test('remembers more than the last run', async () => {
    chain();
    for (const lr of ['0.1', '0.2', '0.3']) {
      project.write('params.yaml', `lr: ${lr}\n`);
      await project.repro();
    }
    project.write('params.yaml', 'lr: 0.1\n');
    expect(await project.repro()).toMatchObject({ ran: [], restored: ['twice'] });
    project.write('params.yaml', 'lr: 0.2\n');
    expect(await project.repro(['--no-run-cache'])).toMatchObject({ ran: ['twice'] });
  });

  test('is a miss where its object is damaged: the object is named and the stage runs', async () => {
    chain();
    await project.repro();
    for (const file of objects()) {
      fs.chmodSync(file, 0o644);
      fs.writeFileSync(file, 'damaged');
    }
    fs.rmSync(project.path('b.txt'));
    const again = await project.repro();
    expect(again).toMatchObject({ status: 0, ran: ['up'] });
    expect(project.read('b.txt')).toBe('HELLO\n');
  });

  function objects(): string[] {
    const root = project.path('.cache/objects');
    return fs
      .readdirSync(root)
      .flatMap((two) => fs.readdirSync(`${root}/${two}`).map((name) => `${root}/${two}/${name}`));
  }

  test('holds metrics that are not cached, and puts them back', async () => {
    const yaml =
      'stages:\n  m:\n    cmd: echo x >> ran; cp a.txt m.json\n    deps: [a.txt]\n    metrics: [{m.json: {cache: false}}]\n';
    project.write('pipeline.yaml', yaml);
    project.write('a.txt', '{"accuracy": 1}');
    await project.repro();
    fs.rmSync(project.path('m.json'));
    expect(await project.repro()).toMatchObject({ restored: ['m'] });
    expect(commandsRun()).toEqual(['x']);
    expect(project.exists('.gitignore') ? project.read('.gitignore') : '').not.toContain('m.json');
  });
});

describe('a stage that fails', () => {
  const FAILING = `stages:
  bad:
    cmd: echo new > b.txt; echo why it failed >&2; test ! -e fail
    deps: [a.txt]
    outs: [b.txt]
  next:
    cmd: cp b.txt c.txt
    deps: [b.txt]
    outs: [c.txt]
  other:
    cmd: cp a.txt d.txt
    deps: [a.txt]
    outs: [d.txt]
`;

  test('leaves its old outs and its lock entry as they were, and blocks what needs it', async () => {
    project.write('pipeline.yaml', FAILING);
    project.write('a.txt', '1');
    await project.repro();
    fs.writeFileSync(project.path('b.txt'), 'by hand');
    await project.dag(['commit', '-f', 'bad']);
    const lock = project.read('pipeline.lock');
    project.write('a.txt', '2');
    project.write('fail', '');
    const failed = await project.repro();
    expect(failed).toMatchObject({ status: 1, failed: ['bad'], blocked: ['next'], cancelled: ['other'] });
    expect(failed.stderr).toBe('');
    expect(project.read('b.txt')).toBe('by hand');
    expect(project.read('pipeline.lock')).toBe(lock);
    const kept = await project.repro(['-k']);
    expect(kept).toMatchObject({ status: 1, ran: ['other'], failed: ['bad'], blocked: ['next'] });
    const text = await project.dag(['repro', '-k']);
    expect(text.stderr).toContain('why it failed');
    expect(text.stderr).toContain("error: stage 'bad' failed with exit status 1\n");
    expect(text.stdout).toContain("blocked  next   stage 'bad' failed or was blocked\n");
  });

  test('is one that exits 0 without making its out', async () => {
    project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: "true"\n    outs: [gone.txt]\n');
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(1);
    expect(stderr).toContain("stage 's' ended without making its out 'gone.txt'");
  });

  test('is tried again as often as retries allows', async () => {
    const cmd = 'echo x >> ran; test $(wc -l < ran) -ge 3 && echo done > out.txt';
    project.write(
      'pipeline.yaml',
      `stages:\n  s:\n    cmd: ${JSON.stringify(cmd)}\n    retries: 2\n    outs: [out.txt]\n`,
    );
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['s'] });
    expect(commandsRun()).toEqual(['x', 'x', 'x']);
  });

  test('can be one that takes too long', async () => {
    project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: sleep 100\n    timeout: 300ms\n');
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(1);
    expect(stderr).toContain('took longer than its timeout of 0.3 s');
  });
});

describe('what is missing or wrong is told before anything runs', () => {
  test('a dep that nothing makes', async () => {
    chain();
    fs.rmSync(project.path('a.txt'));
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toContain(
      "pipeline.yaml:4:12: 'a.txt', a dep of stage 'up', does not exist, and no stage makes it\n      deps: [a.txt]\n             ^^^^^",
    );
    expect(commandsRun()).toEqual([]);
  });

  test('a param', async () => {
    chain();
    project.write('params.yaml', 'other: 1\n');
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toContain("asks for the param 'lr' of params.yaml, which is not there");
    expect(commandsRun()).toEqual([]);
  });

  test('a worker module that is a folder, or in another language', async () => {
    project.write('src/train.py', 'pass\n');
    project.write('pipeline.yaml', 'stages:\n  a: {worker: src, outs: [a]}\n  b: {worker: src/train.py, outs: [b]}\n');
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toMatchInlineSnapshot(`
      "error: pipeline.yaml:2:15: the worker module 'src' of stage 'a' is not a file
          a: {worker: src, outs: [a]}
                      ^^^
        name the module in it that is to run: 'worker: FOLDER/main.ts'

      error: pipeline.yaml:3:15: the worker module 'src/train.py' of stage 'b' is neither TypeScript nor JavaScript
          b: {worker: src/train.py, outs: [b]}
                      ^^^^^^^^^^^^
        a program in another language is started by 'cmd:'
      "
    `);
  });

  test('a worker module that throws: where, and what that came of', async () => {
    project.write('pipeline.yaml', 'stages:\n  a: {worker: a.js}\n');
    project.write('a.js', `export default () => { throw new Error('no data', { cause: new Error('no route') }); };\n`);
    const { status, stderr } = await project.dag(['repro', '-q']);
    expect(status).toBe(1);
    expect(stderr).toMatchInlineSnapshot(`
      "error: stage 'a' (a.js): it threw Error: no data
          at a_default (a.js:1:30)
      Caused by: Error: no route
          at a_default (a.js:1:60)
      "
    `);
  });

  test('all of it in one go, with its place, the stage that a template made, and what was meant', async () => {
    project.write(
      'pipeline.yaml',
      `stages:
  make:
    cmd: echo make >> ran; echo x > made.txt
    outs: [made.txt]
  each:
    foreach: [us, eu]
    do:
      cmd: echo \${item} >> ran
      deps: ['\${item}.csv', data/trian.csv, 'x/*.csv']
      params: [opt.rat]
  inside:
    wdir: data
    cmd: echo inside >> ran
    deps: [data/train.csv]
  away: { wdir: daata, cmd: echo away >> ran }
`,
    );
    project.write('params.yaml', 'opt: {rate: 1}\n');
    project.write('data/train.csv', 'x\n');
    project.write('us.csv', 'x\n');
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toMatchInlineSnapshot(`
      "error: pipeline.yaml:9:14: 'eu.csv', a dep of stage 'each@eu', does not exist, and no stage makes it
              deps: ['\${item}.csv', data/trian.csv, 'x/*.csv']
                     ^^^^^^^^^^^^^
        create it, track it with 'dag add eu.csv', or take it out of the deps

      error: pipeline.yaml:9:29: 'data/trian.csv', a dep of stage 'each@us' and 1 more, does not exist, and no stage makes it
              deps: ['\${item}.csv', data/trian.csv, 'x/*.csv']
                                    ^^^^^^^^^^^^^^
        did you mean 'data/train.csv'?

      error: pipeline.yaml:9:45: 'x/*.csv', a dep of stage 'each@us' and 1 more, matches no file, and nothing that a stage makes
              deps: ['\${item}.csv', data/trian.csv, 'x/*.csv']
                                                    ^^^^^^^^^
        correct the pattern, or put a file there

      error: pipeline.yaml:10:16: stage 'each@us' and 1 more asks for the param 'opt.rat' of params.yaml, which is not there
              params: [opt.rat]
                       ^^^^^^^
        did you mean 'opt.rate'?

      error: pipeline.yaml:14:12: 'data/data/train.csv', a dep of stage 'inside', does not exist, and no stage makes it
            deps: [data/train.csv]
                   ^^^^^^^^^^^^^^
        paths are relative to 'data', its wdir: 'data/train.csv' of the project is 'train.csv' there

      error: pipeline.yaml:15:17: the wdir 'daata' of stage 'away' does not exist
          away: { wdir: daata, cmd: echo away >> ran }
                        ^^^^^
        did you mean 'data'?
      "
    `);
    const { status: jsonStatus, stdout } = await project.dag(['repro', '--json']);
    expect(jsonStatus).toBe(2);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toHaveLength(6);
    expect(events[0]).toMatchInlineSnapshot(`
      {
        "code": "missing-dep",
        "column": 14,
        "event": "error",
        "file": "pipeline.yaml",
        "hint": "create it, track it with 'dag add eu.csv', or take it out of the deps",
        "line": 9,
        "message": "'eu.csv', a dep of stage 'each@eu', does not exist, and no stage makes it",
      }
    `);
    expect(commandsRun()).toEqual([]);
  });

  test('two damaged locks', async () => {
    project.write('pipeline.yaml', 'stages: {a: {cmd: echo a >> ran}, b: {cmd: echo b >> ran, deps: [sub/out]}}\n');
    project.write('sub/pipeline.yaml', 'stages: {c: {cmd: echo x > out, outs: [out]}}\n');
    project.write('pipeline.lock', 'schema: 1\nstages: {a: {cmd: 3}}\n');
    project.write('sub/pipeline.lock', 'schema: 1\nstages: {c: {out: {}}}\n');
    for (const verb of ['status', 'repro']) {
      const { status, stderr } = await project.dag([verb]);
      expect(status).toBe(2);
      expect(stderr).toContain('pipeline.lock:2:19: cmd must be text');
      expect(stderr).toContain("sub/pipeline.lock:2:14: unknown key 'out' in the lock");
    }
  });

  test('a truncated lock', async () => {
    chain();
    await project.repro();
    const lock = project.read('pipeline.lock');
    project.write('pipeline.lock', lock.slice(0, lock.length - 40));
    for (const verb of ['status', 'repro', 'checkout']) {
      const { status, stderr } = await project.dag([verb]);
      expect(status).toBe(2);
      expect(stderr).toContain('pipeline.lock:');
      expect(stderr).not.toContain('    at ');
    }
    expect(project.read('pipeline.lock')).toBe(lock.slice(0, lock.length - 40));
  });

  test('an unknown target', async () => {
    chain();
    const { status, stderr } = await project.dag(['repro', 'twise']);
    expect(status).toBe(2);
    expect(stderr).toContain('twice');
  });
});

test('changed tracked data is recorded anew', async () => {
  project.write('data/x', '1');
  await project.dag(['init']);
  await project.dag(['add', 'data']);
  await project.dag(['stage', 'add', '-n', 's', '-d', 'data', '-o', 's.txt', 'cat data/* > s.txt']);
  await project.repro();
  const before = project.read('pipeline.lock');
  project.write('data/x', '2');
  expect(await project.repro()).toMatchObject({ status: 0, ran: ['s'] });
  expect(project.read('pipeline.lock')).not.toBe(before);
  expect(JSON.parse((await project.dag(['status', '--json'])).stdout)).toEqual({ stages: {}, data: {} });
});

test('commands run in a fixed shell, know their stage and root, and their whole output is kept', async () => {
  project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: echo "$0 $DAG_STAGE $DAG_ROOT"\n');
  const { stderr, status } = await project.dag(['repro'], { env: { SHELL: '/bin/false' } });
  expect(status).toBe(0);
  expect(stderr).toContain(`/bin/sh s ${project.root}\n`);
  const [log, ...more] = fs.readdirSync(project.path('.cache/logs/s'));
  expect(more).toEqual([]);
  expect(project.read(`.cache/logs/s/${log}`)).toBe(`/bin/sh s ${project.root}\n`);
});

test('a frozen stage never runs: what nobody made is missing, and what was put there is taken', async () => {
  const stages =
    '  n:\n    cmd: touch ran-n\n    frozen: true\n  b:\n    cmd: cat a > b\n    deps: [a]\n    outs: [b]\n';
  project.write('pipeline.yaml', `stages:\n  a:\n    cmd: echo 1 > a\n    outs: [a]\n    frozen: true\n${stages}`);
  const refused = await project.dag(['repro', '-f']);
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toMatchInlineSnapshot(`
    "error: pipeline.yaml:4:12: 'a', an out of stage 'a', does not exist, and the stage is frozen: it never runs
          outs: [a]
                 ^
      put it there, or let the stage make it: 'dag unfreeze a'
    "
  `);
  expect((await project.dag(['status', '--json'])).stdout).toContain(
    '"a":[{"changed":"out","path":"a","how":"deleted"}]',
  );
  project.write('a', 'by hand\n');
  expect(await project.repro(['-f'])).toMatchObject({ skipped: ['a', 'n'], ran: ['b'], status: 0 });
  expect(project.read('b')).toBe('by hand\n');
  expect(project.exists('ran-n')).toBe(false);
});
