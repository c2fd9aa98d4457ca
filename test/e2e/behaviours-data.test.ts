import fs from 'node:fs';
import type { ProjectPath } from '@dag/model';
import { openStore } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { expect, test } from 'vitest';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

// What users count on of tracked data, cache, gc, ignore files and locks, a row each: the numbers are those of the list that
// they were agreed by, sections F, H, I and J.

class Row {
  readonly project: TestProject = makeProject();
  readonly others: TestProject[] = [];

  async dag(...args: string[]): Promise<Ran> {
    return await this.project.dag(args);
  }

  /** One that has to work. @returns what it printed. */
  async ok(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.dag(...args);
    expect([status, stderr], `dag ${args.join(' ')}: ${stderr}`).toEqual([0, expect.anything()]);
    return stdout;
  }

  async refuses(args: readonly string[], status: number, words: RegExp): Promise<void> {
    const ran = await this.dag(...args);
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringMatching(words)]);
  }

  write(file: string, content: string | Buffer): void {
    this.project.write(file, content);
  }

  read(file: string): string {
    return this.project.read(file);
  }

  remove(file: string): void {
    fs.rmSync(this.project.path(file), { recursive: true, force: true });
  }

  mode(file: string): number {
    return fs.lstatSync(this.project.path(file)).mode & 0o777;
  }

  commit(message: string): void {
    this.project.git('add', '-A');
    this.project.git('commit', '-qm', message);
  }

  /** A folder of three files, tracked; large ones, which links can be made to. */
  async tracked(): Promise<void> {
    await this.ok('init');
    for (const name of ['a', 'b', 'sub/c']) this.write(`data/${name}`, Buffer.alloc(70_000, name));
    await this.ok('add', 'data');
  }

  files(below = '.cache/objects'): string[] {
    if (!this.project.exists(below)) return [];
    const names = fs.readdirSync(this.project.path(below), { recursive: true }).map(String);
    return names.filter((name) => fs.statSync(this.project.path(below, name)).isFile());
  }
}

const all = (letter: string): string => Buffer.alloc(70_000, letter).toString();

const ROWS: readonly [number | string, string, (row: Row) => Promise<void>][] = [
  [
    95,
    'checkout restores files and folders, prints A, M, D; totals with --summary; nothing the second time',
    async (row) => {
      await row.tracked();
      row.write('one', 'one');
      await row.ok('add', 'one');
      row.remove('data');
      row.remove('one');
      expect(await row.ok('checkout')).toBe('A  data\nA  one\n');
      expect(row.read('data/sub/c')).toBe(Buffer.alloc(70_000, 'sub/c').toString());
      expect(await row.ok('checkout')).toBe('');
      row.remove('data/a');
      expect(await row.ok('checkout', '--summary')).toBe('0 added, 1 modified, 0 deleted.\n');
    },
  ],
  [
    96,
    'checkout follows git: added, changed, deleted; only what it put there itself',
    async (row) => {
      await row.tracked();
      row.commit('first');
      row.write('data/a', 'changed');
      row.write('new', 'new');
      await row.ok('add', 'data', 'new');
      row.commit('second');
      row.write('mine', 'mine');
      row.project.git('checkout', '-q', 'HEAD~1');
      expect(await row.ok('checkout')).toBe('M  data\nD  new\n');
      expect([row.read('data/a'), row.read('mine')]).toEqual([all('a'), 'mine']);
      row.project.git('checkout', '-q', 'main');
      expect(await row.ok('checkout')).toBe('A  new\nM  data\n');
    },
  ],
  [
    98,
    'unchanged files keep their inode',
    async (row) => {
      await row.tracked();
      const before = fs.statSync(row.project.path('data/a')).ino;
      row.remove('data/b');
      await row.ok('checkout');
      expect(fs.statSync(row.project.path('data/a')).ino).toBe(before);
      expect(row.read('data/b')).toBe(all('b'));
    },
  ],
  [
    99,
    'a part of a tracked folder alone, and later more of it',
    async (row) => {
      await row.tracked();
      row.remove('data');
      await row.ok('checkout', 'data/sub');
      expect(row.files('data')).toEqual(['sub/c']);
      await row.ok('checkout', 'data/a');
      expect(row.files('data').sort()).toEqual(['a', 'sub/c']);
    },
  ],
  [
    100,
    'what the cache lacks is listed, the rest comes; --allow-missing tolerates it',
    async (row) => {
      await row.tracked();
      row.write('one', 'one');
      await row.ok('add', 'one');
      const before = row.files();
      const lost = before.find((name) => fs.statSync(row.project.path('.cache/objects', name)).size === 3) as string;
      row.remove(`.cache/objects/${lost}`);
      row.remove('data');
      row.remove('one');
      await row.refuses(['checkout'], 1, /one .*not in the cache/);
      expect(row.read('data/a')).toBe(all('a'));
      await row.ok('checkout', '--allow-missing');
    },
  ],
  [
    102,
    'relink makes links of the kind that is set: hard and symbolic ones read-only, copies writable',
    async (row) => {
      await row.tracked();
      const set = (link: string): void => row.write('.cache/local.yaml', `cache: {link: [${link}]}\n`);
      set('hardlink');
      await row.ok('checkout', '--relink');
      expect([fs.statSync(row.project.path('data/a')).nlink, row.mode('data/a') & 0o222]).toEqual([2, 0]);
      set('symlink');
      await row.ok('checkout', '--relink');
      expect(fs.lstatSync(row.project.path('data/a')).isSymbolicLink()).toBe(true);
      expect(fs.statSync(row.project.path('data/a')).mode & 0o222).toBe(0);
      set('copy');
      await row.ok('checkout', '--relink');
      expect(row.mode('data/a') & 0o200).toBe(0o200);
      expect(await row.ok('status')).toBe('Everything is up to date.\n');
    },
  ],
  [
    '103, 104',
    'executable bits and empty folders are kept',
    async (row) => {
      await row.ok('init');
      row.write('data/run', 'run');
      fs.chmodSync(row.project.path('data/run'), 0o755);
      fs.mkdirSync(row.project.path('data/empty'));
      fs.mkdirSync(row.project.path('nothing'));
      await row.ok('add', 'data', 'nothing');
      row.remove('data');
      row.remove('nothing');
      await row.ok('checkout');
      expect(row.mode('data/run') & 0o111).toBe(0o111);
      expect(fs.readdirSync(row.project.path('data/empty'))).toEqual([]);
      expect(fs.readdirSync(row.project.path('nothing'))).toEqual([]);
    },
  ],
  [
    106,
    'targets: a stage, a pipeline.yaml with and without a stage, an out; a stage wins over an out, ./ means the path',
    async (row) => {
      row.write('in', 'in');
      const stages =
        'stages:\n  s: {cmd: cp in t, deps: [in], outs: [t]}\n  t: {cmd: cp in u, deps: [in], outs: [u]}\n';
      row.write('pipeline.yaml', stages);
      await row.ok('repro');
      for (const [target, back] of [
        ['s', ['t']],
        [':s', ['t']],
        ['pipeline.yaml:s', ['t']],
        ['pipeline.yaml', ['t', 'u']],
        ['u', ['u']],
        ['t', ['u']],
        ['./t', ['t']],
      ] as const) {
        for (const out of ['t', 'u']) row.remove(out);
        await row.ok('checkout', target);
        expect([target, ['t', 'u'].filter((out) => row.project.exists(out))]).toEqual([target, back]);
      }
    },
  ],
  [
    107,
    'a target needs its own file alone: mistakes elsewhere are warnings',
    async (row) => {
      await row.tracked();
      row.write('other/pipeline.yaml', 'stages: [what is this\n');
      row.remove('data');
      const { status, stderr } = await row.dag('checkout', 'data');
      expect([status, stderr]).toEqual([0, expect.stringContaining('files that are not needed here')]);
      await row.refuses(['status'], 2, /other\/pipeline\.yaml/);
    },
  ],
  [
    108,
    'objects are read-only',
    async (row) => {
      await row.tracked();
      for (const name of row.files()) expect(row.mode(`.cache/objects/${name}`)).toBe(0o444);
    },
  ],
  [
    '109, 136',
    'projects share a cache by a path, absolute or relative; gc in one keeps what others use',
    async (row) => {
      const other = makeProject();
      row.others.push(other);
      await row.tracked();
      const shared = row.project.path('.cache');
      expect((await other.dag(['init'])).status).toBe(0);
      other.write('.cache/local.yaml', `cache: {dir: ${shared}}\n`);
      other.write('theirs', Buffer.alloc(80_000, 't'));
      expect((await other.dag(['add', 'theirs'])).status).toBe(0);
      await row.ok('gc', '-w', '-f');
      fs.rmSync(other.path('theirs'));
      expect(await other.dag(['checkout'])).toMatchObject({ status: 0, stdout: 'A  theirs\n' });
    },
  ],
  [
    110,
    'an edit never reaches the cache by default; unprotect makes links writable copies, add protects them again',
    async (row) => {
      await row.tracked();
      fs.writeFileSync(row.project.path('data/a'), 'X', { flag: 'r+' });
      expect(await row.ok('fsck')).toMatch(/all are whole/);
      row.write('.cache/local.yaml', 'cache: {link: [hardlink]}\n');
      await row.ok('add', 'data');
      expect(row.mode('data/a') & 0o222).toBe(0);
      await row.ok('unprotect', 'data');
      expect([row.mode('data/a') & 0o200, fs.statSync(row.project.path('data/a')).nlink]).toEqual([0o200, 1]);
      fs.writeFileSync(row.project.path('data/a'), 'Y', { flag: 'r+' });
      expect(await row.ok('fsck')).toMatch(/all are whole/);
      await row.ok('add', 'data');
      expect(row.mode('data/a') & 0o222).toBe(0);
    },
  ],
  [
    111,
    'a listing that is none is damage, and named',
    async (row) => {
      await row.ok('init');
      row.write('data/a', 'a');
      await row.ok('add', 'data');
      for (const name of row.files()) {
        const file = row.project.path('.cache/objects', name);
        if (!fs.readFileSync(file, 'utf8').startsWith('dag tree')) continue;
        fs.chmodSync(file, 0o644);
        fs.writeFileSync(file, '[{"this": "is none"}]');
      }
      row.remove('data');
      await row.refuses(['checkout'], 1, /data .*damaged/);
    },
  ],
  [
    112,
    'an edit of the same size with its time put back is seen',
    async (row) => {
      await row.tracked();
      await row.ok('status');
      const { atime, mtime } = fs.statSync(row.project.path('data/a'));
      fs.writeFileSync(row.project.path('data/a'), all('x'));
      fs.utimesSync(row.project.path('data/a'), atime, mtime);
      expect(await row.ok('status')).toMatch(/data modified/);
    },
  ],
  [
    114,
    'an add that fails leaves no trace, and what was there before',
    async (row) => {
      await row.tracked();
      const before = ['pipeline.yaml', 'pipeline.lock', '.gitignore'].map((file) => row.read(file));
      row.write('data/a', 'edited');
      fs.symlinkSync('nowhere', row.project.path('broken'));
      await row.refuses(['add', 'data', 'broken'], 3, /broken is a symlink that leads nowhere/);
      expect(['pipeline.yaml', 'pipeline.lock', '.gitignore'].map((file) => row.read(file))).toEqual(before);
    },
  ],
  [
    115,
    'add twice is nothing, a changed folder is updated, an out of a stage is refused with advice',
    async (row) => {
      await row.tracked();
      expect(await row.ok('add', 'data')).toMatch(/^unchanged/);
      row.write('data/d', 'd');
      expect(await row.ok('add', 'data')).toMatch(/^modified/);
      row.write('sub/pipeline.yaml', 'stages:\n  s: {cmd: touch out, outs: [out]}\n');
      row.write('sub/out', '');
      await row.refuses(['add', 'sub/out'], 2, /an out of stage 'sub\/pipeline\.yaml:s'\n +its stage tracks it/);
    },
  ],
  [
    116,
    'a pipeline.yaml or lock that git ignores is refused',
    async (row) => {
      await row.ok('init');
      row.write('sub/a', 'a');
      row.write('.gitignore', '.cache/\npipeline.yaml\n');
      await row.refuses(['add', 'sub/a'], 2, /git ?ignore/);
    },
  ],
  [
    133,
    'gc without a scope is refused, and lists the scopes',
    async (row) => {
      await row.tracked();
      await row.refuses(['gc', '-f'], 2, /-w \(workspace\).*-a .*-T .*-A .*-n N.*--date D/s);
    },
  ],
  [
    '134, 135',
    'gc removes what nothing in its scope names, listings too; other scopes keep history',
    async (row) => {
      await row.tracked();
      row.commit('first');
      row.write('data/a', Buffer.alloc(70_000, 'n'));
      await row.ok('add', 'data');
      row.commit('second');
      const both = row.files().length;
      for (const scope of [['-A'], ['-a', '-n', '2'], ['-n', '2']]) {
        expect(await row.ok('gc', '-f', ...scope)).toMatch(/^Nothing to remove/);
        expect(row.files()).toHaveLength(both);
      }
      // The file, and the listing that named it.
      expect(await row.ok('gc', '-w', '-f')).toMatch(/2 objects removed/);
      row.remove('data');
      await row.ok('checkout');
      expect(row.read('data/a')).toBe(all('n'));
    },
  ],
  [
    137,
    'gc --dry lists files by name and size, and removes nothing',
    async (row) => {
      await row.tracked();
      row.commit('first');
      row.write('data/a', 'small');
      await row.ok('add', 'data');
      const before = row.files();
      expect(await row.ok('gc', '-w', '--dry')).toMatch(/70 kB {2}data\/a {2}\(/);
      expect(row.files()).toEqual(before);
    },
  ],
  [
    140,
    'what recent runs made stays, and can be restored; --runs drops it',
    async (row) => {
      row.write('in', '1');
      row.write('pipeline.yaml', 'stages:\n  s: {cmd: cp in out, deps: [in], outs: [out]}\n');
      await row.ok('repro');
      row.write('in', '2');
      await row.ok('repro');
      expect(await row.ok('gc', '-w', '-f')).toMatch(/^Nothing to remove/);
      row.write('in', '1');
      expect((await row.project.repro()).restored).toEqual(['s']);
      await row.ok('gc', '-w', '-f', '--runs');
      row.write('in', '2');
      expect((await row.project.repro()).ran).toEqual(['s']);
    },
  ],
  [
    '141, 142',
    'status tells kinds of changes, of a target alone; -q prints nothing and exits 1',
    async (row) => {
      row.write('in', '1');
      row.write(
        'pipeline.yaml',
        'stages:\n  s: {cmd: cp in out, deps: [in], outs: [out]}\n  t: {cmd: cp in t, deps: [in], outs: [t]}\n',
      );
      await row.ok('repro');
      row.write('in', '2');
      row.write('out', 'edited');
      row.remove('t');
      const { stages } = JSON.parse(await row.ok('status', '--json')) as { stages: Record<string, unknown[]> };
      expect(stages['s']).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ changed: 'dep', path: 'in', how: 'modified' }),
          expect.objectContaining({ changed: 'out', path: 'out', how: 'modified' }),
        ]),
      );
      expect(stages['t']).toContainEqual(expect.objectContaining({ changed: 'out', path: 't', how: 'deleted' }));
      expect(Object.keys(JSON.parse(await row.ok('status', '--json', 't')).stages)).toEqual(['t']);
      expect(await row.dag('status', '-q')).toMatchObject({ status: 1, stdout: '', stderr: '' });
      expect((await row.dag('status', '--exit-code')).status).toBe(1);
      expect((await row.dag('status')).status).toBe(0);
    },
  ],
  [
    143,
    'diff: added, deleted, modified, renamed, not in cache; the same revisions, an unknown one, no git, no commits',
    async (row) => {
      await row.tracked();
      expect(await row.ok('diff', '--json')).toBe('{}\n');
      row.commit('first');
      expect(await row.ok('diff', 'HEAD', 'HEAD')).toBe('');
      await row.refuses(['diff', 'nope'], 2, /nope/);
      fs.renameSync(row.project.path('data/a'), row.project.path('data/z'));
      row.write('data/b', 'edited');
      row.write('data/new', 'new');
      row.remove('data/sub/c');
      const found = JSON.parse(await row.ok('diff', '--json')) as Record<string, unknown[]>;
      expect(found).toMatchObject({
        added: [{ path: 'data/new' }],
        deleted: [{ path: 'data/sub/' }, { path: 'data/sub/c' }].slice(-1),
        renamed: [{ path: { old: 'data/a', new: 'data/z' } }],
      });
      expect(found['modified']).toContainEqual({ path: 'data/b' });
      row.remove('.git');
      await row.refuses(['diff'], 2, /git/);
    },
  ],
  [
    146,
    '.dagignore has the semantics of .gitignore',
    async (row) => {
      await row.ok('init');
      row.write('.dagignore', '# a comment\n\n*.tmp\n!keep.tmp\nbuild/\n/data/top\n');
      for (const file of ['a', 'x.tmp', 'keep.tmp', 'build/keep.tmp', 'top', 'sub/top', 'sub/build']) {
        row.write(`data/${file}`, file);
      }
      await row.ok('add', 'data');
      row.write('.dagignore', '');
      row.remove('data');
      await row.ok('checkout');
      expect(row.files('data').sort()).toEqual(['a', 'keep.tmp', 'sub/build', 'sub/top']);
    },
  ],
  [
    148,
    'an ignore file in a tracked folder is refused',
    async (row) => {
      await row.ok('init');
      row.write('data/sub/.dagignore', 'x');
      await row.refuses(['add', 'data'], 3, /data\/sub\/\.dagignore/);
    },
  ],
  [
    150,
    'check-ignore: exit status, the line that decides, standard input',
    async (row) => {
      await row.ok('init');
      row.write('.dagignore', '*.tmp\n!keep.tmp\n');
      expect(await row.ok('check-ignore', 'a.tmp', 'b')).toBe('a.tmp\n');
      expect(await row.dag('check-ignore', 'b', 'keep.tmp')).toMatchObject({ status: 1, stdout: '' });
      const details = await row.ok('check-ignore', '-d', '-n', 'a.tmp', 'keep.tmp', 'b');
      expect(details).toBe('.dagignore:1:*.tmp\ta.tmp\n.dagignore:2:!keep.tmp\tkeep.tmp\n::\tb\n');
    },
  ],
  [
    151,
    '.gitignore has an anchored, escaped line for each out that the cache holds; it goes with the stage, the file with its last',
    async (row) => {
      row.write('in', 'in');
      row.write(
        'sub/pipeline.yaml',
        'stages:\n  s: {cmd: "cp ../in \'[a] #b!\'; cp ../in m", deps: [../in], outs: ["[a] #b!"], metrics: [m: {cache: false}]}\n',
      );
      row.write('pipeline.yaml', '');
      await row.ok('repro', 'sub/pipeline.yaml');
      expect(row.read('sub/.gitignore')).toBe('/\\[a\\] #b!\n');
      row.project.git('add', '-A');
      expect(row.project.git('status', '--porcelain', '--', 'sub').trim().split('\n').sort()).toEqual([
        'A  sub/.gitignore',
        'A  sub/m',
        'A  sub/pipeline.lock',
        'A  sub/pipeline.yaml',
      ]);
      await row.ok('remove', 'sub/pipeline.yaml:s');
      expect(row.project.exists('sub/.gitignore')).toBe(false);
    },
  ],
  [
    154,
    'a second process waits and says for whom, or does not with --no-wait; of a dead one nothing is left',
    async (row) => {
      await row.tracked();
      const store = openStore({ dir: row.project.path('.cache') });
      const workspace = openWorkspace({ root: row.project.root, store });
      const data = 'data' as ProjectPath;
      const release = await workspace.acquire({ read: [], write: [data], purpose: 'a test' }, { wait: true });
      row.remove('data');
      await row.refuses(['checkout', '--no-wait'], 3, /a test/);
      const waiting = row.project.start(['checkout']);
      let said = '';
      waiting.child.stderr?.on('data', (chunk) => {
        said += chunk;
      });
      await expect.poll(() => said).toMatch(/a test/);
      release();
      expect(await waiting.ended).toMatchObject({ status: 0, stdout: 'A  data\n' });
      await workspace.close();
      store.close();
      expect(row.files('.cache/locks')).toEqual([]);
    },
  ],
  [
    157,
    'broken YAML is named with its line, and nothing is changed',
    async (row) => {
      await row.tracked();
      row.write('pipeline.yaml', 'data: [data\nstages: {\n');
      row.remove('data');
      for (const args of [['checkout'], ['add', 'x'], ['commit'], ['gc', '-w', '-f'], ['remove', 'data']]) {
        await row.refuses(args, 2, /pipeline\.yaml:\d+:\d+/);
      }
      row.write('pipeline.yaml', 'data: [data]\n');
      const lock = row.read('pipeline.lock');
      row.write('pipeline.lock', `${lock.slice(0, -20)}\n<<<<<<<\n`);
      await row.refuses(['checkout'], 2, /pipeline\.lock/);
      expect(row.read('pipeline.lock')).toContain('<<<<<<<');
    },
  ],
];

test.for(ROWS)('%s: %s', async ([, , check]) => {
  const row = new Row();
  try {
    await check(row);
  } finally {
    row.project.remove();
    for (const other of row.others) other.remove();
  }
});
