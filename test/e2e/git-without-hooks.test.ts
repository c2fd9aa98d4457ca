import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { commitAll, dagOk, gitIn, listingProject } from '../rigs/git.ts';
import type { TestProject } from '../rigs/project.ts';

const made: TestProject[] = [];
afterEach(() => {
  for (const project of made.splice(0)) project.remove();
});

/** Two commits, `data` of `a` and of `a` and `b`, both listed by the stage; nobody calls `dag` for git. */
async function twoCommits() {
  const project = await listingProject();
  made.push(project);
  await commitAll(project, 'b', { 'data/b': 'two\n' });
  const read = () => ({ data: fs.readdirSync(project.path('data')).sort().join(' '), names: project.read('names') });
  return { project, git: gitIn(project), read };
}

const ONE = { data: 'a', names: 'a\n' };
const TWO = { data: 'a b', names: 'a\nb\n' };

/** Runs the stages, and holds that pipeline.lock says after it of the data what it said before. */
async function reproKeepsLock(project: TestProject, args: readonly string[] = []) {
  const before = dataEntry(project);
  const ran = await dagOk(project, ['repro', ...args]);
  expect(dataEntry(project)).toBe(before);
  return ran;
}

const dataEntry = (project: TestProject): string => {
  const [entry] = /^ {2}data: .*$/m.exec(project.read('pipeline.lock')) ?? [];
  if (entry === undefined) throw new Error('no entry of data in pipeline.lock');
  return entry;
};

describe('data that nobody touched follows pipeline.lock, however git changed that', () => {
  test('another commit, and back', async () => {
    const { project, git, read } = await twoCommits();
    for (const [revision, expected] of [
      ['HEAD~1', ONE],
      ['main', TWO],
    ] as const) {
      expect(git('checkout', '-q', revision).status).toBe(0);
      const { stdout } = await reproKeepsLock(project);
      expect(stdout).toContain('followed data');
      expect(read()).toEqual(expected);
      expect(project.git('status', '--porcelain')).toBe('');
    }
  });

  test('a reset', async () => {
    const { project, git, read } = await twoCommits();
    expect(git('reset', '-q', '--hard', 'HEAD~1').status).toBe(0);
    const status = await dagOk(project, ['status']);
    expect(status.stderr).toBe(
      "git changed what pipeline.lock says of 'data': 'dag checkout', or 'dag repro', puts that in place\n",
    );
    expect(JSON.parse((await dagOk(project, ['status', '--json'])).stdout)).toMatchObject({ behind: ['data'] });
    // What is not done is not recorded either.
    expect((await reproKeepsLock(project, ['--dry'])).stdout).toMatch(/^follow {3}data /);
    expect(read()).toEqual(TWO);
    await reproKeepsLock(project);
    expect(read()).toEqual(ONE);
    expect((await dagOk(project, ['status'])).stdout).toBe('Everything is up to date.\n');
  });

  test('a stash of what was recorded, and its pop', async () => {
    const { project, git, read } = await twoCommits();
    project.write('data/c', 'three\n');
    await dagOk(project, ['repro']);
    expect(git('stash').status).toBe(0);
    await reproKeepsLock(project);
    expect(read()).toEqual(TWO);
    expect(git('stash', 'pop').status).toBe(0);
    await reproKeepsLock(project);
    expect(read()).toEqual({ data: 'a b c', names: 'a\nb\nc\n' });
  });

  test('also after other stages ran, and after what was gone came back', async () => {
    const { project, git, read } = await twoCommits();
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('stages:', 'stages:\n  other: {cmd: "true"}'));
    project.git('commit', '-qam', 'other');
    fs.rmSync(project.path('data'), { recursive: true });
    expect((await reproKeepsLock(project, ['list'])).stdout).toContain('restored data');
    git('reset', '-q', '--hard', 'HEAD~2');
    git('checkout', '-q', 'ORIG_HEAD', '--', 'pipeline.yaml');
    await reproKeepsLock(project, ['other']);
    expect(read()).toEqual(TWO);
    await reproKeepsLock(project);
    expect(read()).toEqual(ONE);
  });

  test('also after a run at a commit that has no such data', async () => {
    const { project, git, read } = await twoCommits();
    git('checkout', '-q', '--orphan', 'none');
    fs.writeFileSync(project.path('pipeline.yaml'), 'stages:\n  other: {cmd: "true"}\n');
    fs.rmSync(project.path('pipeline.lock'));
    project.git('add', 'pipeline.yaml', 'pipeline.lock');
    project.git('commit', '-qm', 'none');
    await dagOk(project, ['repro']);
    git('checkout', '-q', '-f', 'main~1');
    await reproKeepsLock(project);
    expect(read()).toEqual(ONE);
    // A checkout there takes it away, however often something ran before.
    git('checkout', '-q', 'none');
    await dagOk(project, ['repro']);
    await dagOk(project, ['checkout']);
    expect(['data', 'names'].filter(project.exists)).toEqual([]);
  });

  test('also after a run that could not read the pipeline.yaml which tracks it', async () => {
    const { project, git } = await twoCommits();
    project.write('sub/raw', 'one\n');
    project.write('sub/pipeline.yaml', 'data: []\n');
    await dagOk(project, ['add', 'sub/raw']);
    project.git('add', '-A');
    project.git('commit', '-qm', 'sub');
    await commitAll(project, 'sub two', { 'sub/raw': 'two\n' });
    fs.appendFileSync(project.path('sub/pipeline.yaml'), 'stages: [');
    await dagOk(project, ['repro', 'list']);
    git('reset', '-q', '--hard', 'HEAD~1');
    await dagOk(project, ['repro']);
    expect(project.read('sub/raw')).toBe('one\n');
    expect(project.git('status', '--porcelain')).toBe('');
  });

  test('also in a copy of the project, and after a change of owner or mode', async () => {
    const { project, git, read } = await twoCommits();
    for (const part of ['data', '.cache']) {
      fs.cpSync(project.path(part), project.path(`${part}.copy`), { recursive: true, preserveTimestamps: true });
      fs.rmSync(project.path(part), { recursive: true });
      fs.renameSync(project.path(`${part}.copy`), project.path(part));
    }
    fs.chmodSync(project.path('data/a'), 0o640);
    git('reset', '-q', '--hard', 'HEAD~1');
    await reproKeepsLock(project);
    expect(read()).toEqual(ONE);
  });

  test.each([[['repro']], [['checkout']]])(
    'also where it was written anew, and %j found it as the lock has it',
    async (args) => {
      const { project, git, read } = await twoCommits();
      project.write('data/a', project.read('data/a'));
      await dagOk(project, args);
      git('reset', '-q', '--hard', 'HEAD~1');
      await reproKeepsLock(project);
      expect(read()).toEqual(ONE);
    },
  );

  test('from the moment on when it was settled, also where a stage is killed', async () => {
    const { project, git, read } = await twoCommits();
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('cmd: ls data', 'cmd: test -e go && ls data'));
    project.git('commit', '-qam', 'waits');
    project.write('data/c', 'three\n');
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('test -e go', 'kill -9 $PPID'));
    expect((await project.dag(['repro'])).signal).toBe('SIGKILL');
    git('reset', '-q', '--hard', 'HEAD~1');
    await reproKeepsLock(project);
    expect(read()).toEqual(TWO);
  });
});

describe('data that was touched', () => {
  test.each([
    ['edited', 'data/a', 'edited\n'],
    ['written anew as it was', 'data/a', 'one\n'],
  ])('%s: is recorded, and it is said that the lock had changed too', async (_, file, text) => {
    const { project, git } = await twoCommits();
    git('reset', '-q', '--hard', 'HEAD~1');
    project.write(file, text);
    expect(JSON.parse((await dagOk(project, ['status', '--json'])).stdout)).not.toHaveProperty('behind');
    const { stdout, stderr } = await dagOk(project, ['repro']);
    expect(stdout).toContain('recorded data');
    expect(stderr).toContain("'data' was changed here, and pipeline.lock had been changed too");
    expect(fs.readdirSync(project.path('data')).sort()).toEqual(['a', 'b']);
    // As the warning says.
    git('checkout', 'pipeline.lock');
    await dagOk(project, ['checkout', 'data']);
    expect(fs.readdirSync(project.path('data'))).toEqual(['a']);
    expect(project.read('data/a')).toBe('one\n');
  });

  test('an edit alone is recorded without a word', async () => {
    const { project } = await twoCommits();
    project.write('data/a', 'edited\n');
    expect((await reproKeepsLock(project, ['--dry'])).stdout).toMatch(/^record {3}data /);
    const { stdout, stderr } = await dagOk(project, ['repro']);
    expect(stdout).toContain('recorded data');
    expect(stderr).not.toContain('warning');
  });
});

describe('nothing is lost', () => {
  test('with several at once: they wait for each other, and all of them succeed', async () => {
    const { project, git, read } = await twoCommits();
    for (const [revision, expected] of [
      ['HEAD~1', ONE],
      ['main', TWO],
      ['HEAD~1', ONE],
    ] as const) {
      git('checkout', '-q', revision);
      const ran = await Promise.all([['repro'], ['checkout'], ['repro'], ['repro']].map((args) => project.dag(args)));
      expect(ran.map(({ status, stderr }) => [status, stderr.replace(/^(list: )?waiting for .*\n/gm, '')])).toEqual(
        ran.map(() => [0, '']),
      );
      expect(read()).toEqual(expected);
      expect(project.git('status', '--porcelain')).toBe('');
    }
  });

  test('a commit that git is ahead of, or of a part: refused, unless it is forced', async () => {
    const { project, git } = await twoCommits();
    await dagOk(project, ['push', '-q']);
    git('reset', '-q', '--hard', 'HEAD~1');
    const before = project.read('pipeline.lock');
    const refused = await project.dag(['commit', 'data']);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining("'data' was not committed: it is as it was before git changed pipeline.lock"),
    ]);
    git('reset', '-q', '--hard', 'ORIG_HEAD');
    for (const gone of ['data', '.cache']) fs.rmSync(project.path(gone), { recursive: true });
    await dagOk(project, ['pull', 'data/b']);
    const part = await project.dag(['commit', 'data']);
    expect([part.status, part.stderr]).toEqual([
      1,
      expect.stringContaining("'data' was not committed: only a part of it is here"),
    ]);
    expect(project.git('status', '--porcelain')).toBe('');
    await dagOk(project, ['commit', '-f', 'data']);
    expect(project.read('pipeline.lock')).not.toBe(before);
  });

  test('where the cache lacks what the lock names now: exit 2, and a pull ends it', async () => {
    const { project, git, read } = await twoCommits();
    await dagOk(project, ['push', '-q']);
    await dagOk(project, ['gc', '-w', '-f']);
    git('reset', '-q', '--hard', 'HEAD~1');
    const lock = project.read('pipeline.lock');
    const refused = await project.dag(['repro']);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("get it with 'dag pull data'")]);
    expect([project.read('pipeline.lock'), read()]).toEqual([lock, TWO]);
    await reproKeepsLock(project, ['--pull']);
    expect(read()).toEqual(ONE);
  });

  test('a checkout that could place nothing, or was refused, makes no part of the data', async () => {
    const { project, git } = await twoCommits();
    await dagOk(project, ['push', '-q']);
    await dagOk(project, ['gc', '-w', '-f']);
    git('reset', '-q', '--hard', 'HEAD~1');
    expect((await project.dag(['checkout'])).status).toBe(1);
    const { stderr } = await project.dag(['repro']);
    expect(stderr).toContain("tracked data 'data' is as it was before git changed pipeline.lock");
    project.write('data/c', 'mine\n');
    await dagOk(project, ['fetch', '-q']);
    expect((await project.dag(['checkout'])).stderr).toContain("'data/c' has content that is nowhere in the cache");
    // As that says.
    await dagOk(project, ['commit', 'data']);
    expect((await dagOk(project, ['status', 'data'])).stdout).toBe('Everything is up to date.\n');
    expect(fs.readdirSync(project.path('data')).sort()).toEqual(['a', 'b', 'c']);
  });

  test('a pull that finds a file in the way does not make that the data', async () => {
    const { project } = await twoCommits();
    await dagOk(project, ['push', '-q']);
    for (const gone of ['data', '.cache']) fs.rmSync(project.path(gone), { recursive: true });
    project.write('data/c', 'mine\n');
    expect((await project.dag(['pull'])).status).toBe(1);
    for (const args of [['repro'], ['commit']]) expect((await project.dag(args)).status).toBeGreaterThan(0);
    expect(project.git('status', '--porcelain')).toBe('');
    expect(fs.readdirSync(project.path('data'))).toEqual(['c']);
  });

  test('where what stands here is nowhere in the cache: exit 2, until one is chosen', async () => {
    const { project, git, read } = await twoCommits();
    project.write('data/c', 'not stored\n');
    await dagOk(project, ['repro', '--no-commit']);
    git('reset', '-q', '--hard', 'HEAD');
    for (const args of [['repro', '--dry'], ['repro']]) {
      const refused = await project.dag(args);
      expect([refused.status, refused.stderr]).toEqual([
        2,
        expect.stringContaining('the cache lacks what stands here'),
      ]);
      expect(read().data).toBe('a b c');
    }
    await dagOk(project, ['checkout', '-f', 'data']);
    await dagOk(project, ['repro']);
    expect(read()).toEqual(TWO);
  });
});
