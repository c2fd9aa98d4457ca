import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(async () => {
  project = makeProject();
  await run('init');
});
afterEach(() => project.remove());

/** Runs a verb that must succeed. */
async function run(...args: string[]): Promise<Ran> {
  const ran = await project.dag(args);
  expect(ran, args.join(' ')).toMatchObject({ status: 0 });
  return ran;
}

/** The last line of `--json`. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const ran = await project.dag([...args, '--json']);
  return { status: ran.status, ...ran.events.at(-1) };
}

function commitAll(message: string): void {
  project.git('add', '-A');
  project.git('commit', '-q', '-m', message);
}

/** Tracks `data` (a folder of 20 files) and `big` (one above the size of packs), and commits. */
async function trackSome(): Promise<void> {
  for (let i = 0; i < 20; i++) project.write(`data/f${i}`, `content ${i}\n`);
  project.write('big', Buffer.alloc(100_000, 'a'));
  await run('add', 'data', 'big');
  commitAll('first');
}

/** Every loose object and pack of the cache. */
function cacheFiles(folder = project.path('.cache')): string[] {
  return ['objects', 'packs'].flatMap((kind) => {
    const at = path.join(folder, kind);
    return fs.existsSync(at) ? (fs.readdirSync(at, { recursive: true }) as string[]).map((f) => path.join(at, f)) : [];
  });
}

function looseFiles(folder?: string): string[] {
  return cacheFiles(folder).filter((file) => /[0-9a-f]{62}$/.test(file));
}

/** Flips a byte in the middle of a read-only file, whoever we are. */
function damage(file: string, at = Math.floor(fs.statSync(file).size / 3)): void {
  const bytes = fs.readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  fs.chmodSync(file, 0o644);
  fs.writeFileSync(file, bytes);
}

describe('diff', () => {
  test('shows what differs from HEAD in the shape that DVC has', async () => {
    await trackSome();
    project.write('data/f1', 'changed\n');
    fs.renameSync(project.path('data/f2'), project.path('data/g2'));
    fs.rmSync(project.path('data/f3'));
    project.write('new', 'new\n');
    await run('add', 'new');
    const { stdout } = await run('diff', '--json');
    expect(JSON.parse(stdout)).toEqual({
      added: [{ path: 'new' }],
      deleted: [{ path: 'data/f3' }],
      modified: [{ path: 'data/' }, { path: 'data/f1' }],
      renamed: [{ path: { old: 'data/f2', new: 'data/g2' } }],
      'not in cache': [],
    });
    expect((await run('diff')).stdout).toMatchInlineSnapshot(`
      "Added:
          new

      Deleted:
          data/f3

      Renamed:
          data/f2 -> data/g2

      Modified:
          data/
          data/f1

      files summary: 1 added, 1 deleted, 1 renamed, 1 modified
      "
    `);
    const narrowed = JSON.parse((await run('diff', '--json', '--targets', 'data/f1')).stdout);
    expect(narrowed).toMatchObject({ added: [], modified: [{ path: 'data/f1' }] });
  });

  test('compares two revisions, whatever the workspace holds', async () => {
    await trackSome();
    project.write('data/f1', 'changed\n');
    await run('add', 'data');
    commitAll('second');
    project.git('tag', 'v2');
    fs.rmSync(project.path('data'), { recursive: true });
    const [there, back] = [await run('diff', '--json', 'HEAD~1', 'v2'), await run('diff', '--json', 'v2', 'HEAD~1')];
    for (const { stdout } of [there, back]) {
      expect(JSON.parse(stdout)).toMatchObject({ modified: [{ path: 'data/' }, { path: 'data/f1' }], added: [] });
    }
    expect((await run('diff', '--json', 'v2', 'HEAD')).stdout).toBe('{}\n');
    expect(JSON.parse((await run('diff', '--json')).stdout)).toMatchObject({ added: [], modified: [] });
  });

  test('names what the cache lacks', async () => {
    await trackSome();
    fs.rmSync(project.path('.cache'), { recursive: true });
    const { stdout } = await run('diff', '--json');
    expect(JSON.parse(stdout)['not in cache']).toEqual([{ path: 'big' }, { path: 'data/' }]);
    expect((await run('diff', '--hide-missing')).stdout).toBe('');
  });

  test('without commits nothing differs; without such a revision or git it is refused', async () => {
    expect((await run('diff', '--json')).stdout).toBe('{}\n');
    await trackSome();
    const unknown = await project.dag(['diff', 'nowhere']);
    expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining("no revision 'nowhere'")]);
    fs.rmSync(project.path('.git'), { recursive: true });
    const outside = await project.dag(['diff']);
    expect([outside.status, outside.stderr]).toEqual([2, expect.stringContaining('no git repository')]);
  });
});

describe('move', () => {
  test('moves data, its entry and its .gitignore line, and nothing else changes', async () => {
    await trackSome();
    const text = `# mine\n${project.read('pipeline.yaml').replace(/- data\n/, '- {path: data, desc: of it} # kept\n')}`;
    project.write('pipeline.yaml', text);
    fs.mkdirSync(project.path('sub'));
    await run('move', 'data', 'sub');
    await run('move', 'big', 'sub/huge');
    expect(project.read('pipeline.yaml')).toBe(
      text.replace('path: data', 'path: sub/data').replace('- big', '- sub/huge'),
    );
    expect(project.exists('data')).toBe(false);
    expect(project.read('sub/data/f7')).toBe('content 7\n');
    expect(project.read('sub/.gitignore')).toBe('/data\n/huge\n');
    expect(project.read('.gitignore')).not.toMatch(/data|big/);
    expect((await run('status', '--json')).stdout).toBe('{"stages":{},"data":{}}\n');
    expect(project.git('status', '--porcelain', '-uall')).not.toMatch(/f7|huge/);
  });

  test.each([
    ['out', 'other', 'is made by stage'],
    ['nothing', 'other', 'is not tracked'],
    ['data/f1', 'other', "'data' is"],
    ['data', 'big', 'tracked already'],
    ['data', 'data/inside', 'inside it'],
    ['data', 'no/such/folder', 'there is no folder'],
    ['data', '../outside', 'inside the project'],
    ['big', 'params.yaml', 'exists already'],
  ])('%s to %s is refused', async (from, to, why) => {
    await trackSome();
    project.write('params.yaml', 'a: 1\n');
    await run('stage', 'add', '-n', 's', '-o', 'out', 'echo x > out');
    const before = project.read('pipeline.yaml');
    const ran = await project.dag(['move', from, to]);
    expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(project.read('pipeline.yaml')).toBe(before);
    expect(project.exists('data/f1')).toBe(true);
  });

  test('one that was killed before it wrote the entry is finished by the next', async () => {
    await trackSome();
    fs.renameSync(project.path('data'), project.path('moved'));
    await run('move', 'data', 'moved');
    expect((await run('status', '--json')).stdout).toBe('{"stages":{},"data":{}}\n');
  });
});

describe('fsck', () => {
  test('says that all is whole', async () => {
    await trackSome();
    expect(await json('fsck')).toMatchObject({ status: 0, event: 'summary', objects: 22, failed: [], mended: [] });
    expect(await json('fsck', '--sample', '50%')).toMatchObject({ status: 0, failed: [] });
  });

  test('names damaged objects by the paths that use them, and quarantines them', async () => {
    await trackSome();
    for (const file of looseFiles().filter((one) => fs.statSync(one).size === 100_000)) damage(file);
    for (const file of cacheFiles().filter((one) => one.endsWith('.pack'))) damage(file, 12);
    const { status, failed } = await json('fsck');
    expect(status).toBe(1);
    const paths = (failed as { path: string }[]).map((one) => one.path).sort();
    expect(paths).toHaveLength(2);
    expect(paths[0]).toBe('big');
    expect(paths[1]).toMatch(/^data\/f\d+$/);
    expect(fs.readdirSync(project.path('.cache/quarantine'))).toHaveLength(2);
    expect(await json('fsck')).toMatchObject({ status: 0, objects: 20 });
    // The workspace still has both, so they can be stored again.
    await run('add', 'data', 'big');
    fs.rmSync(project.path('data'), { recursive: true });
    await run('checkout');
  });

  test('fetches damaged objects again where the remote has them, folders too', async () => {
    await trackSome();
    await run('remote', 'add', '-d', 'store', '../remote');
    await run('push');
    for (const file of looseFiles()) damage(file);
    for (const file of cacheFiles().filter((one) => one.endsWith('.pack'))) {
      for (let at = 12; at < 2500; at += 5) damage(file, at);
    }
    const found = await json('fsck');
    expect(found['status']).toBe(1);
    expect((found['mended'] as string[]).length).toBe((found['failed'] as unknown[]).length);
    expect(await json('fsck')).toMatchObject({ status: 0, objects: 22 });
    fs.rmSync(project.path('data'), { recursive: true });
    await run('checkout');
    expect(project.read('data/f9')).toBe('content 9\n');
  });

  test('names what lies in a damaged folder by what the workspace holds', async () => {
    await trackSome();
    for (const file of looseFiles().filter((one) => fs.statSync(one).size < 100_000)) damage(file);
    for (const file of cacheFiles().filter((one) => one.endsWith('.pack'))) damage(file, 12);
    const { failed } = await json('fsck');
    const paths = (failed as { path: string }[]).map((one) => one.path).sort();
    expect(paths).toEqual(['data', expect.stringMatching(/^data\/f\d+$/)]);
  });

  test('an unknown remote or share is wrong usage', async () => {
    expect(await json('fsck', '-r', 'nope')).toMatchObject({ status: 2 });
    expect(await json('fsck', '--sample', '0')).toMatchObject({ status: 2 });
  });
});

describe('gc', () => {
  test('without a scope is refused and lists the scopes; without -f and a terminal nothing goes', async () => {
    const { status, hint } = await json('gc');
    expect([status, hint]).toEqual([2, expect.stringContaining('-w (workspace)')]);
    await trackSome();
    const before = cacheFiles();
    expect(await json('gc', '-w')).toMatchObject({ status: 1, code: 'refused' });
    expect(cacheFiles()).toEqual(before);
  });

  test('keeps what the workspace names, and removes exactly the rest', async () => {
    await trackSome();
    const first = looseFiles();
    project.write('big', Buffer.alloc(100_000, 'b'));
    project.write('data/f1', 'changed\n');
    await run('add', 'big', 'data');
    const before = cacheFiles();
    const dry = await project.dag(['gc', '-w', '--dry', '--json']);
    expect(cacheFiles()).toEqual(before);
    const named = dry.events.slice(0, -1).map(({ path: at, size }) => [at, size]);
    expect(named).toEqual(
      expect.arrayContaining([
        ['big', 100_000],
        ['data/f1', 10],
      ]),
    );
    expect(named).toHaveLength(3);
    expect(await json('gc', '-w', '-f')).toMatchObject({ status: 0, objects: 3, failed: [], dry: false });
    expect(first.filter((file) => fs.existsSync(file))).toEqual([]);
    fs.rmSync(project.path('data'), { recursive: true });
    fs.rmSync(project.path('big'));
    await run('checkout');
    expect(project.read('data/f1')).toBe('changed\n');
    expect(await json('gc', '-w', '-f')).toMatchObject({ status: 0, objects: 0 });
  });

  test('keeps what lies in folders in folders, here and in history', async () => {
    const fill = (version: string): void => {
      for (let i = 0; i < 60; i++) project.write(`deep/${i % 3}/${i % 5}/${i % 7}/f${i}`, `${version} ${i}\n`);
      project.write('deep/1/1/big', Buffer.alloc(100_000, version));
    };
    fill('first');
    await run('add', 'deep');
    commitAll('first');
    fill('second');
    await run('add', 'deep');
    commitAll('second');
    expect(await json('gc', '-A', '-f')).toMatchObject({ status: 0, objects: 0 });
    project.git('checkout', '-q', 'HEAD~1', '--', 'pipeline.lock');
    await run('checkout');
    expect(project.read('deep/1/1/4/f46')).toBe('first 46\n');
    expect((await json('gc', '-w', '-f'))['objects']).toBeGreaterThan(60);
    fs.rmSync(project.path('deep'), { recursive: true });
    await run('checkout');
    expect(project.read('deep/2/4/3/f59')).toBe('first 59\n');
    expect((await run('status')).stdout).toBe('Everything is up to date.\n');
  });

  test.each([
    ['-w', ['3']],
    ['-n 1', ['3']],
    ['-n 2', ['2', '3']],
    ['-T', ['1', '3']],
    ['-a', ['3', 'side']],
    ['-A', ['1', '2', '3', 'side']],
    ['--date 2024-03-01', ['3', 'side']],
  ])('%s keeps what those revisions name', async (scope, kept) => {
    const digits: Record<string, string> = {};
    const version = async (name: string, date: string): Promise<void> => {
      project.write('big', Buffer.alloc(100_000, name));
      const known = new Set(looseFiles());
      await run('add', 'big');
      digits[name] = looseFiles().find((file) => !known.has(file)) ?? '';
      project.git('add', '-A');
      const shell = `GIT_COMMITTER_DATE='${date}' git commit -q -m ${name}`;
      project.git('-c', `alias.dated=!${shell}`, 'dated');
    };
    await version('1', '2024-01-01T12:00:00Z');
    project.git('tag', '-a', '-m', 'x', 'v1');
    project.git('checkout', '-q', '-b', 'side');
    await version('side', '2024-04-01T12:00:00Z');
    project.git('checkout', '-q', 'main');
    await version('2', '2024-02-01T12:00:00Z');
    await version('3', '2024-03-01T12:00:00Z');
    await run('gc', '-f', ...scope.split(' '));
    const left = Object.entries(digits).filter(([, file]) => fs.existsSync(file));
    expect(left.map(([name]) => name).sort()).toEqual(kept);
  });

  test('recent run records keep their outs; --runs drops them', async () => {
    project.write('params.yaml', 'x: 0\n');
    const command = 'head -c 100000 /dev/zero > out; echo ${x} >> out';
    await run('stage', 'add', '-n', 's', '-p', 'x', '-o', 'out', command);
    for (const x of ['1', '2']) {
      project.write('params.yaml', `x: ${x}\n`);
      await run('repro');
    }
    await run('gc', '-w', '-f');
    project.write('params.yaml', 'x: 1\n');
    expect(await project.repro()).toMatchObject({ restored: ['s'] });
    expect(await json('gc', '-w', '-f', '--runs')).toMatchObject({ status: 0, runs: 2 });
    project.write('params.yaml', 'x: 2\n');
    expect(await project.repro()).toMatchObject({ ran: ['s'] });
  });

  test('keeps what other projects that share the cache need', async () => {
    const other = makeProject();
    try {
      const shared = path.join(project.home, 'shared');
      const env = { DAG_CACHE_DIR: shared };
      await other.dag(['init']);
      other.write('theirs', Buffer.alloc(100_000, 't'));
      expect(await other.dag(['add', 'theirs'], { env })).toMatchObject({ status: 0 });
      project.write('mine', Buffer.alloc(100_000, 'm'));
      expect(await project.dag(['add', 'mine'], { env })).toMatchObject({ status: 0 });
      expect(looseFiles(shared)).toHaveLength(2);
      expect(await project.dag(['gc', '-w', '-f'], { env })).toMatchObject({ status: 0 });
      expect(looseFiles(shared)).toHaveLength(2);
      fs.rmSync(other.root, { recursive: true });
      const ran = await project.dag(['gc', '-w', '-f'], { env });
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining('no longer there')]);
      expect(looseFiles(shared)).toHaveLength(1);
    } finally {
      other.remove();
    }
  });

  test('keeps objects that symlinks of the workspace lead to, whatever the lock says', async () => {
    project.write('.cache/local.yaml', 'cache: {link: [symlink]}\n');
    await trackSome();
    fs.rmSync(project.path('pipeline.lock'));
    await run('gc', '-w', '-f');
    expect(project.read('big')).toBe('a'.repeat(100_000));
  });

  test('loses nothing that others add while it works', async () => {
    await trackSome();
    let stop = false;
    const collecting = (async () => {
      while (!stop) expect(await json('gc', '-w', '-f')).toMatchObject({ status: 0 });
    })();
    for (let i = 0; i < 8; i++) {
      for (let j = 0; j < 20; j++) project.write(`more${i}/f${j}`, `content ${(j * 7 + i) % 40}\n`);
      project.write(`huge${i}`, Buffer.alloc(100_000, `${i % 3}`));
      await run('add', `more${i}`, `huge${i}`);
      await run('remove', `huge${i}`);
    }
    stop = true;
    await collecting;
    for (let i = 0; i < 8; i++) fs.rmSync(project.path(`more${i}`), { recursive: true });
    expect(await json('checkout')).toMatchObject({ status: 0, failed: [] });
    expect(await json('fsck')).toMatchObject({ status: 0 });
  });
});

test('doctor says what is used here', async () => {
  await trackSome();
  await run('remote', 'add', '-d', 'store', '../remote');
  const facts = await json('doctor');
  expect(facts).toMatchObject({
    status: 0,
    node: expect.stringMatching(/^v\d+/),
    hashing: expect.stringMatching(/^(native|portable)$/),
    git: expect.stringContaining('git version'),
    project: {
      cache: { dir: project.path('.cache'), works: { hardlink: true, symlink: true, copy: true } },
      remotes: [{ name: 'store', url: '../remote', default: true }],
      data: 2,
    },
  });
  expect(fs.readdirSync(project.root).filter((name) => name.startsWith('.dag'))).toEqual([]);
  const outside = await project.dag(['doctor', '--json'], { cwd: '../home' });
  expect(outside.events.at(-1)).toMatchObject({ project: null, problems: [expect.stringContaining('pipeline.yaml')] });
});

describe('gc refuses where what is needed can not be told', () => {
  test('a lock of an old commit that can not be read', async () => {
    await trackSome();
    const lock = project.read('pipeline.lock');
    project.write('pipeline.lock', lock.slice(0, 40));
    commitAll('damaged');
    project.write('pipeline.lock', lock);
    commitAll('mended');
    const before = cacheFiles();
    const { status, stderr } = await project.dag(['gc', '-A', '-f']);
    expect(status).toBe(1);
    expect(stderr).toContain('pipeline.lock of commit');
    expect(cacheFiles()).toEqual(before);
    await run('gc', '-w', '-f');
  });

  test('a listing that is in quarantine', async () => {
    for (let i = 0; i < 3; i++) project.write(`data/f${i}`, `content ${i}\n`);
    await run('add', 'data');
    const listing = /data: \{digest: 'blake3:([0-9a-f]{64})'/.exec(project.read('pipeline.lock'))?.[1] ?? '';
    damage(project.path('.cache/objects', listing.slice(0, 2), listing.slice(2)), 3);
    expect((await project.dag(['fsck'])).status).toBe(1);
    const before = cacheFiles();
    const { status, stderr } = await project.dag(['gc', '-w', '-f', '--runs']);
    expect(status).toBe(1);
    expect(stderr).toContain("the listing of 'data' is lost");
    expect(cacheFiles()).toEqual(before);
  });
});
