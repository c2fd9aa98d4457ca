import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';
import { freePort } from '../rigs/s3.ts';
import { startWeb } from '../rigs/web.ts';

const project = projectPerTest();

/** Two remotes, near before far, and a tracked folder in the cache. */
async function begin(): Promise<void> {
  await run('init', '-q');
  for (const name of ['a', 'b', 'c']) project.write(`data/${name}`, name.repeat(3000));
  await run('add', '-q', 'data');
  await run('remote', 'add', 'near', '../near');
  await run('remote', 'add', 'far', '../far');
  await run('remote', 'default', 'near', 'far');
}

async function run(...args: string[]) {
  const ran = await project.dag(args);
  if (ran.status !== 0) throw new Error(`dag ${args.join(' ')}: ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

function forget(...more: string[]): void {
  for (const at of ['.cache/objects', '.cache/packs', '.cache/runs', ...more]) {
    fs.rmSync(project.path(at), { recursive: true, force: true });
  }
}

/** Turns some bytes of a file in a remote's packs into others. */
function damage(remote: string, text: string): void {
  const packs = project.path('..', remote, 'packs');
  for (const name of fs.readdirSync(packs, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(packs, name);
    if (!fs.statSync(file).isFile()) continue;
    const before = fs.readFileSync(file, 'latin1');
    if (!before.includes(text)) continue;
    fs.chmodSync(file, 0o644);
    fs.writeFileSync(file, before.replace(text, text.toUpperCase()), 'latin1');
  }
}

const filesOf = () => Object.fromEntries(['a', 'b', 'c'].map((name) => [name, project.read(`data/${name}`).length]));

describe('several remotes', () => {
  test('are written as a list, in their order, and taken out of it again', async () => {
    await begin();
    expect(project.read('pipeline.yaml')).toContain('remote: [near, far]\n');
    expect((await run('remote', 'list')).stdout).toBe(
      "near  ../near  (default)\nfar   ../far  (default 2: asked after 'near')\n",
    );
    expect((await project.dag(['remote', 'list', '--json'])).events[0]).toMatchObject({
      default: 'near',
      defaults: ['near', 'far'],
    });
    await run('remote', 'remove', 'near');
    expect(project.read('pipeline.yaml')).toContain('remote: far\n');
    const wrong = await project.dag(['remote', 'default', 'far', 'fra']);
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("there is no remote 'fra'") });
  });

  test('push sends to the first, fetch takes each object from the first that has it', async () => {
    await begin();
    expect((await run('push')).stdout).toMatch(/^4 objects sent to 'near', /);
    expect(fs.existsSync(project.path('../far'))).toBe(false);
    project.write('data/d', 'only in far');
    await run('add', '-q', 'data');
    await run('push', '-r', 'far');
    // near has three of the files, far all and the listing.
    forget('data');
    expect((await project.dag(['status', '-c', '--json'])).events[0]?.['remote']).toEqual({ data: 'deleted' });
    const fetched = await run('fetch');
    expect(fetched.stdout).toMatch(/^5 objects fetched, .*: \d from '(near|far)'/);
    await run('checkout');
    expect(project.read('data/d')).toBe('only in far');
    // It was never sent home.
    expect((await project.dag(['status', '-c', '--json'])).events[0]?.['remote']).toEqual({ data: 'new' });
    forget('data');
    expect(await project.dag(['fetch', '-r', 'near'])).toMatchObject({ status: 1 });
  });

  test('what is damaged in one comes from another, with a word on it; fsck -r mends it', async () => {
    await begin();
    await run('push');
    await run('push', '-r', 'far');
    damage('near', 'bbbb');
    forget('data');
    const pulled = await run('pull');
    expect(filesOf()).toEqual({ a: 3000, b: 3000, c: 3000 });
    expect(pulled.stderr).toMatch(/1 object damaged in the remote 'near' came whole from another \(data\/b\)/);
    expect(pulled.stderr).toContain('dag fsck -r near');
    forget('data');
    const checked = await project.dag(['fsck', '-r', 'near']);
    expect(checked.status).toBe(1);
    expect(checked.stdout).toMatch(/damaged in the remote 'near', and sent again$/m);
    expect(await project.dag(['fsck', '-r', 'near'])).toMatchObject({ status: 0 });
    fs.rmSync(project.path('../far'), { recursive: true });
    forget('data');
    await run('pull', '-r', 'near');
    expect(filesOf()).toEqual({ a: 3000, b: 3000, c: 3000 });
  });

  test('what is nowhere is named with what each remote says of it', async () => {
    await begin();
    await run('push');
    await run('push', '-r', 'far');
    damage('near', 'bbbb');
    damage('far', 'bbbb');
    damage('far', 'cccc');
    forget('data');
    const fetched = await project.dag(['fetch']);
    expect(fetched.status).toBe(1);
    expect(fetched.stderr).toMatch(/ {2}data\/b \(blake3:[0-9a-f]+\): damaged in the remote: .* \(near, far\)$/m);
    expect(fetched.stderr).not.toContain('data/c');
  });

  test('one that is out of reach is passed over, and is what is told where nobody else has something', async () => {
    await begin();
    await run('push', '-r', 'far');
    const port = await freePort();
    project.write(
      'pipeline.yaml',
      project.read('pipeline.yaml').replace('near: ../near', `near: {url: 'http://127.0.0.1:${port}', retries: 0}`),
    );
    forget('data');
    const fetched = await run('fetch');
    expect(fetched.stderr).toMatch(/^warning: remote 'near' .*it can not be reached.*looked for in the others$/m);
    await run('checkout');
    project.write('data/new', 'nobody has it');
    await run('add', '-q', 'data');
    forget('data');
    expect(await project.dag(['fetch'])).toMatchObject({ status: 3, stderr: expect.stringContaining('near') });
  });

  test('a damaged object of the cache comes back from the first that has it whole', async () => {
    await begin();
    project.write('big', Buffer.alloc(300_000, 'big'));
    await run('add', '-q', 'big');
    await run('push', '-r', 'far');
    const objects = project.path('.cache/objects');
    for (const name of fs.readdirSync(objects, { recursive: true, encoding: 'utf8' })) {
      const file = path.join(objects, name);
      if (!fs.statSync(file).isFile()) continue;
      fs.chmodSync(file, 0o644);
      fs.writeFileSync(file, 'damaged');
    }
    const checked = await project.dag(['fsck']);
    expect(checked.stdout).toMatch(/damaged {2}big .*: fetched again/);
    expect(await project.dag(['fsck'])).toMatchObject({ status: 0 });
  });

  test('an out of a remote of its own goes there and comes from there, for repro --pull too', async () => {
    await begin();
    project.write(
      'pipeline.yaml',
      `${project.read('pipeline.yaml').replace('stages: {}\n', '')}stages:
  one: {cmd: cat data/a data/b > out && echo x >> ran, deps: [data], outs: [{out: {remote: far}}]}
`,
    );
    await run('repro', '-q');
    await run('push');
    expect((await project.dag(['status', '-c', '--json'])).events[0]?.['remote']).toEqual({});
    forget('out');
    fs.rmSync(project.path('.cache/remotes'), { recursive: true, force: true });
    expect(await project.repro(['--pull', '--no-run-cache'])).toMatchObject({ ran: [], restored: ['one'] });
    expect(project.read('ran')).toBe('x\n');
    // With -r only what belongs there moves.
    forget('out');
    expect((await run('fetch', '-r', 'near')).stdout).toMatch(/^4 objects/);
    expect((await run('fetch', '-r', 'far')).stdout).toMatch(/^1 object/);
  });

  test('a colleague gets data, outs and results of what a web server publishes', async () => {
    await begin();
    project.write(
      'pipeline.yaml',
      `${project.read('pipeline.yaml').replace('stages: {}\n', '')}stages:
  one: {cmd: cat data/a data/b > out && echo x >> ran, deps: [data], outs: [out]}
`,
    );
    await run('repro', '-q');
    await run('push', '--run-cache');
    const web = await startWeb(project.path('../near'));
    try {
      await run('remote', 'add', '-d', 'web', web.url);
      forget('data', 'out', 'ran');
      fs.rmSync(project.path('pipeline.lock'));
      project.git('checkout-index', '-fa');
      fs.mkdirSync(project.path('data'));
      for (const name of ['a', 'b', 'c']) project.write(`data/${name}`, name.repeat(3000));
      await run('add', '-q', 'data');
      expect((await project.repro(['--pull'])).restored).toEqual(['one']);
      expect(project.exists('ran')).toBe(false);
      forget('data', 'out');
      expect((await run('pull', '--run-cache')).stdout).toMatch(/5 objects fetched, .*, 1 run record/);
      const push = await project.dag(['push']);
      expect(push).toMatchObject({ status: 2, stderr: expect.stringContaining('is only read') });
      // The first that can be written is where things go.
      await run('remote', 'default', 'web', 'near');
      project.write('data/a', 'another');
      await run('add', '-q', 'data');
      expect((await run('push')).stdout).toMatch(/^2 objects sent to 'near', /);
    } finally {
      await web.close();
    }
  });
});
