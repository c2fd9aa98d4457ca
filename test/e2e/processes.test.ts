import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { atCall } from '../rigs/at-call.ts';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();
const held = heldPerTest();

/** Writes a pipeline of held stages: each makes NAME.txt once it is let go. */
function stages(deps: Readonly<Record<string, { deps?: string[]; extra?: string; before?: string }>>, head = ''): void {
  const texts = Object.entries(deps).map(([name, { deps: needs = [], extra = '', before = '' }]) => {
    const cmd = `${before}${held.command(name)} && echo ${name} > ${name}.txt`;
    return `  ${name}:\n    cmd: ${JSON.stringify(cmd)}\n    deps: ${JSON.stringify(needs)}\n    outs: [${name}.txt]\n${extra}`;
  });
  project.write('pipeline.yaml', `${head}stages:\n${texts.join('')}`);
}

describe('at once', () => {
  test('as many as -j allows, and nothing before all that it needs', async () => {
    stages({ a: {}, b: {}, c: {}, d: { deps: ['a.txt', 'b.txt'] } });
    const run = project.repro(['-j', '2']);
    const [a, b] = [await held.started('a'), await held.started('b')];
    expect(held.running()).toEqual(['a', 'b']);
    a.release();
    const c = await held.started('c');
    expect(held.running()).toEqual(['b', 'c']);
    b.release();
    const d = await held.started('d');
    expect(held.running()).toEqual(['c', 'd']);
    c.release();
    d.release();
    expect(await run).toMatchObject({ status: 0, ran: ['a', 'b', 'c', 'd'] });
  });

  test('one, where nothing says otherwise', async () => {
    stages({ a: {}, b: {} });
    const run = project.repro();
    const a = await held.started('a');
    a.release();
    (await held.started('b')).release();
    expect(await run).toMatchObject({ ran: ['a', 'b'] });
    expect(held.order).toEqual(['a', 'b']);
  });

  test('never two that share a mutex', async () => {
    const extra = '    mutex: [db]\n';
    stages({ a: { extra }, b: { extra }, c: {} }, 'jobs: 3\n');
    const run = project.repro();
    const a = await held.started('a');
    const c = await held.started('c');
    expect(held.running()).toEqual(['a', 'c']);
    a.release();
    (await held.started('b')).release();
    c.release();
    expect(await run).toMatchObject({ status: 0 });
  });
});

describe('interrupted', () => {
  test('once: stages end, old outs come back, the exit status is 130', async () => {
    stages({ a: {}, b: { deps: ['a.txt'] } });
    const first = project.repro();
    (await held.started('a')).release();
    (await held.started('b')).release();
    expect(await first).toMatchObject({ status: 0 });
    const lock = project.read('pipeline.lock');
    const { child, ended } = project.start(['repro', '-f', '--json']);
    const a = await held.started('a');
    expect(project.exists('a.txt')).toBe(false);
    child.kill('SIGINT');
    await a.gone;
    const run = await ended;
    expect(run.status).toBe(130);
    expect(run.events.at(-1)).toMatchObject({ event: 'summary', ran: [], cancelled: ['a', 'b'] });
    expect(project.read('a.txt')).toBe('a\n');
    expect(project.read('pipeline.lock')).toBe(lock);
    expect(await project.repro()).toMatchObject({ skipped: ['a', 'b'] });
  });

  test('twice: what does not end is killed', async () => {
    project.write(
      'pipeline.yaml',
      `stages:\n  a:\n    cmd: ${JSON.stringify(`trap '' TERM; ${held.command('a').replace(/ a$/, ' a trap')}`)}\n`,
    );
    const { child, ended } = project.start(['repro']);
    const a = await held.started('a');
    const told = new Promise<void>((resolve) =>
      child.stderr?.on('data', (text) => String(text).includes('stopping') && resolve()),
    );
    child.kill('SIGINT');
    await told;
    child.kill('SIGINT');
    await a.gone;
    expect((await ended).status).toBe(130);
  });

  test('by a reader that goes away, and not by another pipe that breaks: a killed compiler, say', async () => {
    stages({ a: {}, b: { deps: ['a.txt'] } });
    const first = project.start(['repro', '--json']);
    const a = await held.started('a');
    first.child.kill('SIGPIPE');
    a.release();
    (await held.started('b')).release();
    expect((await first.ended).status).toBe(0);
    const second = project.start(['repro', '-f', '--json']);
    const again = await held.started('a');
    second.child.stdout?.destroy();
    again.release();
    expect((await second.ended).status).toBe(141);
  });

  test('by kill -9: the next run puts the outs back and goes on', async () => {
    stages({ a: {}, b: { deps: ['a.txt'] } });
    const first = project.repro();
    (await held.started('a')).release();
    (await held.started('b')).release();
    await first;
    const { child, ended } = project.start(['repro', '-f']);
    (await held.started('a')).release();
    const b = await held.started('b');
    child.kill('SIGKILL');
    await ended;
    expect(project.exists('b.txt')).toBe(false);
    expect(held.running()).toEqual(['b']);
    const again = await project.dag(['repro']);
    await b.gone;
    expect(again.stderr).toContain("ended stage 'b'");
    expect(again.stderr).toContain("put back 'b.txt', which an interrupted run had set aside");
    expect(again.status).toBe(0);
    expect(project.read('b.txt')).toBe('b\n');
  });
});

test('while a stage runs, what only looks at the project or sends what is done does not wait for it', async () => {
  stages({ a: {}, b: { deps: ['a.txt'] }, c: {} }, `remotes: {store: ${project.home}/store}\nremote: store\n`);
  const first = project.repro(['-j', '2']);
  for (const name of ['a', 'b', 'c']) void held.started(name).then((stage) => stage.release());
  expect(await first).toMatchObject({ status: 0 });
  project.git('add', '-A');
  project.git('commit', '-qm', 'made');
  const second = project.repro(['-f']);
  const a = await held.started('a');
  // Its old out is aside, and nothing stands there: that is what there is to be seen.
  expect(JSON.parse((await project.dag(['status', '--json'])).stdout)).toMatchObject({
    stages: { a: [{ changed: 'out', path: 'a.txt', how: 'deleted' }], b: [{ changed: 'dep', path: 'a.txt' }] },
  });
  expect(JSON.parse((await project.dag(['diff', '--json'])).stdout)).toMatchObject({ deleted: [{ path: 'a.txt' }] });
  const pushed = await project.dag(['push', '--json']);
  expect({ status: pushed.status, summary: pushed.events.at(-1) }).toMatchObject({
    status: 0,
    summary: { objects: 3 },
  });
  for (const verb of [['status', '-c'], ['why', 'b'], ['graph'], ['log'], ['fetch'], ['checkout', 'c']]) {
    expect(await project.dag(verb)).toMatchObject({ status: 0, stderr: expect.not.stringContaining('waiting') });
  }
  expect(held.running()).toEqual(['a']);
  a.release();
  for (const name of ['b', 'c']) (await held.started(name)).release();
  expect(await second).toMatchObject({ status: 0, ran: ['a', 'b', 'c'] });
});

test('who wants what a stage makes is told who holds it, and since when', async () => {
  stages({ a: {} });
  const first = project.repro();
  (await held.started('a')).release();
  await first;
  const { ended } = project.start(['repro', '-f']);
  const a = await held.started('a');
  const waiting = project.start(['checkout']);
  const told = await new Promise<string>((resolve) =>
    waiting.child.stderr?.once('data', (text) => resolve(String(text))),
  );
  expect(told).toMatch(/^waiting for dag repro: stage 'a' \(pid \d+ on .*, since \d{4}-\d\d-\d\dT[\d:.]+Z\)\n$/);
  a.release();
  expect(await ended).toMatchObject({ status: 0 });
  expect(await waiting.ended).toMatchObject({ status: 0 });
});

describe('what a dag that was killed leaves at work', () => {
  /** Resolves when a process writes words of this kind to its standard error. */
  const said = (child: ChildProcess, what: string): Promise<void> =>
    new Promise((resolve) => child.stderr?.on('data', (text) => String(text).includes(what) && resolve()));

  test('a stage: who waited for it ends it, puts its outs back, and runs it then', async () => {
    stages({ a: {} });
    const first = project.repro();
    (await held.started('a')).release();
    await first;
    const killed = project.start(['repro', '-f']);
    const orphan = await held.started('a');
    const waiting = project.start(['repro', '-f']);
    await said(waiting.child, 'waiting for');
    killed.child.kill('SIGKILL');
    const again = await held.started('a');
    expect(held.running()).toEqual(['a']);
    await orphan.gone;
    again.release();
    const { status, stderr } = await waiting.ended;
    expect(status).toBe(0);
    expect(stderr).toContain(`ended stage 'a' (pid `);
    expect(stderr).toContain("put back 'a.txt', which an interrupted run had set aside");
    expect(project.read('a.txt')).toBe('a\n');
    expect(await project.dag(['repro'])).toMatchObject({ status: 0, stderr: expect.not.stringContaining('put back') });
  });

  test('a daemon, but not one that was meant to go on', async () => {
    const [left, daemon] = [held.command('left'), held.command('daemon')];
    const cmd = `setsid sh -c '(${left.replaceAll("'", `'"'"'`)} </dev/null >/dev/null 2>&1 &)'; env -u DAG_STAGE setsid ${daemon} </dev/null >/dev/null 2>&1 & ${held.command('s')}`;
    project.write('pipeline.yaml', `stages:\n  s:\n    cmd: ${JSON.stringify(cmd)}\n`);
    const { child, ended } = project.start(['repro']);
    const [stray, meant, stage] = await Promise.all([held.started('left'), held.started('daemon'), held.started('s')]);
    child.kill('SIGKILL');
    await ended;
    // The group ends by itself; what left it does not.
    stage.release();
    await stage.gone;
    expect(held.running()).toEqual(['daemon', 'left']);
    const { status, stderr } = await project.dag(['checkout']);
    await stray.gone;
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining("ended stage 's'") });
    expect(held.running()).toEqual(['daemon']);
    meant.release();
    await meant.gone;
  });

  test('a stage that had begun right before, and that nobody had noted yet', async (context) => {
    const library = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-death-'));
    const death = atCall(library);
    if ('why' in death) return context.skip(death.why);
    stages({ a: {} });
    // The folder and an empty note, before there is a process; then what that process is.
    const env = death.die(4, project.path('.cache/running'));
    const { ended } = project.start(['repro'], { env });
    const orphan = await held.started('a');
    expect((await ended).signal).toBe('SIGKILL');
    expect(await project.dag(['checkout'])).toMatchObject({ stderr: expect.stringContaining("ended stage 'a'") });
    await orphan.gone;
    fs.rmSync(library, { recursive: true });
  });
});

test('no grandchild survives its stage', async () => {
  const left = held.command('left');
  project.write('pipeline.yaml', `stages:\n  s:\n    cmd: ${JSON.stringify(`${left} & ${held.command('s')}`)}\n`);
  const run = project.repro();
  const [child, stage] = [await held.started('left'), await held.started('s')];
  stage.release();
  await child.gone;
  expect(await run).toMatchObject({ status: 0, ran: ['s'] });
});

test('nor does what left the group of its stage, unless it was meant to', async () => {
  const [left, daemon] = [held.command('left'), held.command('daemon')];
  const cmd = `setsid sh -c '(${left.replaceAll("'", `'"'"'`)} </dev/null >/dev/null 2>&1 &)'; env -u DAG_STAGE setsid ${daemon} </dev/null >/dev/null 2>&1 & ${held.command('s')}`;
  project.write('pipeline.yaml', `stages:\n  s:\n    cmd: ${JSON.stringify(cmd)}\n`);
  const run = project.repro();
  const [child, meant, stage] = await Promise.all([held.started('left'), held.started('daemon'), held.started('s')]);
  stage.release();
  await child.gone;
  expect(await run).toMatchObject({ status: 0, ran: ['s'] });
  expect(held.running()).toEqual(['daemon']);
  meant.release();
  await meant.gone;
});

describe('two processes', () => {
  test('work side by side on different stages, and both results stand in the lock', async () => {
    stages({ a: {}, b: {} });
    const [one, two] = [project.repro(['a']), project.repro(['b'])];
    const [a, b] = [await held.started('a'), await held.started('b')];
    a.release();
    b.release();
    expect(await one).toMatchObject({ status: 0, ran: ['a'] });
    expect(await two).toMatchObject({ status: 0, ran: ['b'] });
    expect(await project.repro()).toMatchObject({ skipped: ['a', 'b'] });
  });

  test('the second waits for a stage that the first runs, and then has nothing to do', async () => {
    stages({ a: {} });
    const one = project.repro();
    const a = await held.started('a');
    const { child, ended } = project.start(['repro']);
    await new Promise<void>((resolve) =>
      child.stderr?.on('data', (text) => String(text).includes('waiting for') && resolve()),
    );
    const { status, stderr } = await project.dag(['repro', '--no-wait']);
    expect(status).toBe(3);
    expect(stderr).toMatch(/a\.txt is in use by process \d+ .*\(dag repro: stage 'a'\) since/);
    expect((await project.dag(['status'])).status).toBe(0);
    a.release();
    expect(await one).toMatchObject({ ran: ['a'] });
    const second = await ended;
    expect(second.status).toBe(0);
    expect(second.stderr).toMatch(/waiting for dag repro: stage 'a' \(pid \d+/);
    expect(held.order).toEqual(['a']);
  });

  test('never run a stage without outs at once either, and not again where nothing changed since', async () => {
    project.write('in', '1');
    const cmd = JSON.stringify(held.command('check'));
    project.write('pipeline.yaml', `stages:\n  check:\n    cmd: ${cmd}\n    deps: [in]\n`);
    const one = project.repro();
    const check = await held.started('check');
    const two = project.start(['repro', '--json']);
    await new Promise<void>((resolve) =>
      two.child.stdout?.on('data', (text) => String(text).includes('"waiting"') && resolve()),
    );
    expect((await project.dag(['repro', '--no-wait'])).stderr).toMatch(/mutex 'stage check' is in use by process \d+/);
    expect(held.running()).toEqual(['check']);
    check.release();
    expect(await one).toMatchObject({ status: 0, ran: ['check'] });
    expect((await two.ended).events.at(-1)).toMatchObject({ ran: [], skipped: ['check'] });
  });

  test('what one made while the other was elsewhere is not made again', async () => {
    project.write('in', 'old');
    const cmd = `echo ran >> "$DAG_ROOT/../ran"; cat in > out`;
    const last = `  last:\n    cmd: ${JSON.stringify(cmd)}\n    deps: [in]\n    outs: [out: {cache: false}]\n`;
    stages({ first: {} });
    project.write('pipeline.yaml', project.read('pipeline.yaml') + last);
    const one = project.repro();
    const first = await held.started('first');
    project.write('in', 'new');
    expect(await project.repro(['last'])).toMatchObject({ ran: ['last'] });
    first.release();
    expect(await one).toMatchObject({ status: 0, ran: ['first'], skipped: ['last'] });
    expect(project.read('../ran')).toBe('ran\n');
    expect(project.read('pipeline.lock')).toContain('last:');
  });
});
