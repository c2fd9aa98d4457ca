import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';
import { startWeb } from '../rigs/web.ts';

const project = projectPerTest();

const PIPELINE = `remotes:
  store: ../store
data:
- raw
stages:
  prepare:
    cmd: cat raw/* > clean && cp clean extra
    deps: [raw]
    outs: [clean, extra]
  train:
    cmd: sh train.sh clean > model
    deps: [clean, train.sh]
    params: [lr]
    outs: [model]
    metrics: [{metrics.json: {cache: false}}]
`;

async function run(...args: string[]): Promise<string> {
  const ran = await project.dag(args);
  if (ran.status !== 0) throw new Error(`dag ${args.join(' ')}: ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/** A pipeline that has run, is pushed, and is committed. */
async function begin(pipeline = PIPELINE): Promise<void> {
  project.write('raw/a', 'a\n');
  project.write('raw/b', 'b\n');
  project.write('train.sh', 'echo "{\\"n\\": 1}" > metrics.json; cat $1; echo model\n');
  project.write('params.yaml', 'lr: 0.1\nother: 1\n');
  await run('init', '-q');
  project.write('pipeline.yaml', pipeline);
  await run('add', '-q', 'raw');
  await run('repro', '-q');
  commit();
}

function commit(): void {
  project.git('add', '-A');
  project.git('commit', '-q', '-m', 'x');
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly verdict: string;
  readonly ok: boolean;
  readonly line?: number;
  readonly reasons: readonly string[];
}

async function verify(where: TestProject, ...args: string[]) {
  const ran = await where.dag(['verify', '--json', ...args]);
  const { verdicts, ok } = ran.events[0] as { verdicts: Row[]; ok: boolean };
  expect(ok).toBe(ran.status === 0);
  return { status: ran.status, verdicts, failed: verdicts.filter((row) => !row.ok) };
}

/** What a clone has: nothing that is cached. */
async function inClone(work: (clone: TestProject) => Promise<void>): Promise<void> {
  const clone = makeProject({ clone: project });
  try {
    await work(clone);
  } finally {
    clone.remove();
  }
}

/** Every file but those of .cache and .git, with its content. */
function snapshot({ root }: TestProject): Map<string, string> {
  const files = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  const own = files.filter((file) => !/^\.(cache|git)(\/|$)/.test(file));
  const content = (file: string) =>
    fs.statSync(`${root}/${file}`).isFile() ? fs.readFileSync(`${root}/${file}`, 'latin1') : 'folder';
  return new Map(own.map((file) => [file, content(file)]));
}

describe('verify, where nothing is here but what git has', () => {
  test('agrees, and writes nothing', async () => {
    await begin();
    await inClone(async (clone) => {
      const before = snapshot(clone);
      const { status, verdicts } = await verify(clone);
      expect(status).toBe(0);
      expect(verdicts.map(({ kind, name, verdict }) => [kind, name, verdict])).toEqual([
        ['stage', 'prepare', 'agrees'],
        ['stage', 'train', 'agrees'],
        ['data', 'raw', 'agrees'],
      ]);
      expect(snapshot(clone)).toEqual(before);
      expect(clone.git('status', '--porcelain')).toBe('');
      const said = await clone.dag(['verify']);
      expect(said.stdout).toMatch(/^Verified 2 stages and 1 tracked path in .*: nothing would run\.\n$/);
    });
  });

  test.each([
    ['a param', 'params.yaml', 'lr: 0.1', 'lr: 0.2', 'train', 'param params.yaml:lr modified (0.1 → 0.2)', 13],
    ['code', 'train.sh', 'echo model', 'echo other', 'train', /^dep train\.sh modified/, 12],
    ['a command', 'pipeline.yaml', 'cp clean', 'cp  clean', 'prepare', /^command modified/, 7],
    [
      'a dep that is gone from the definition',
      'pipeline.yaml',
      '[clean, train.sh]',
      '[clean]',
      'train',
      'dep train.sh removed',
      12,
    ],
    [
      'an out that is new in the definition',
      'pipeline.yaml',
      '[model]',
      '[model, more]',
      'train',
      'out more added',
      14,
    ],
  ])('%s that is not as locked is named, with its line', async (_what, file, from, to, stage, reason, line) => {
    await begin();
    await inClone(async (clone) => {
      clone.write(file, clone.read(file).replace(from, to));
      const { status, failed } = await verify(clone);
      expect(status).toBe(1);
      const row = failed.find(({ name }) => name === stage);
      expect(row?.verdict).toBe('stale');
      expect(row?.reasons[0]).toEqual(typeof reason === 'string' ? reason : expect.stringMatching(reason));
      expect(row?.line).toBe(line);
      // What is made from it may be other then.
      if (stage === 'prepare') expect(failed.map(({ verdict }) => verdict)).toEqual(['stale', 'undecided']);
    });
  });

  test('a param that no stage reads is nothing', async () => {
    await begin();
    project.write('params.yaml', 'lr: 0.1\nother: 2\n');
    expect((await verify(project)).status).toBe(0);
  });

  test('a source that is gone, and that nothing makes, is missed', async () => {
    await begin();
    await inClone(async (clone) => {
      fs.rmSync(clone.path('train.sh'));
      expect((await verify(clone)).failed).toMatchObject([{ name: 'train', reasons: ['dep train.sh deleted'] }]);
    });
  });

  test('a dep that is not what its maker made is told by the two entries alone', async () => {
    await begin();
    // The lock as a wrong merge leaves it: prepare of one side, train of the other.
    const old = project.read('pipeline.lock');
    project.write('raw/c', 'c\n');
    await run('repro', '-q');
    const stages = (text: string) => text.slice(text.indexOf('  train:'));
    const merged = project.read('pipeline.lock').replace(stages(project.read('pipeline.lock')), stages(old));
    project.write('pipeline.lock', merged);
    commit();
    await inClone(async (clone) => {
      const { failed } = await verify(clone);
      expect(failed).toMatchObject([{ name: 'train', verdict: 'stale' }]);
      expect(failed[0]?.reasons).toEqual([
        expect.stringMatching(/^dep clean is not what 'prepare' made \(read .{8}, made .{8}\)$/),
      ]);
    });
  });

  test('tracked data that is not what a stage read is told too', async () => {
    await begin();
    project.write('raw/c', 'c\n');
    await run('add', '-q', 'raw');
    commit();
    await inClone(async (clone) => {
      const { failed } = await verify(clone);
      expect(failed).toMatchObject([
        { name: 'prepare', verdict: 'stale' },
        { name: 'train', verdict: 'undecided' },
      ]);
      expect(failed[0]?.reasons[0]).toMatch(/^dep raw is not the data 'raw'/);
    });
  });

  test('a dep inside tracked data is compared where the cache has the listing, and is said not to be where not', async () => {
    await begin(PIPELINE.replace('cat raw/*', 'cat raw/a').replace('deps: [raw]', 'deps: [raw/a]'));
    project.write('raw/a', 'other\n');
    await run('add', '-q', 'raw');
    commit();
    fs.rmSync(project.path('raw'), { recursive: true });
    expect((await verify(project)).failed[0]?.reasons).toEqual([
      expect.stringMatching(/^dep raw\/a is not the data 'raw'/),
    ]);
    await inClone(async (clone) => {
      const { verdicts, status } = await verify(clone);
      expect(status).toBe(0);
      expect(verdicts[0]).toMatchObject({ notes: ['raw/a was not compared: nothing here tells what is in it'] });
    });
  });

  test('deps of a pattern whose files are in absent data count as locked', async () => {
    await begin(PIPELINE.replace('deps: [raw]', 'deps: ["raw/*"]'));
    await inClone(async (clone) => expect((await verify(clone)).failed).toEqual([]));
    fs.rmSync(project.path('raw/a'));
    const { failed } = await verify(project);
    expect(failed.map(({ name }) => name)).toContain('prepare');
  });

  test('entries that are missing, and entries that are left over, are named', async () => {
    await begin();
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('  train:', '  learn:'));
    project.write('sub/pipeline.lock', 'schema: 1\n');
    project.git('add', '-A');
    const { failed } = await verify(project);
    expect(failed.map(({ kind, name, verdict }) => [kind, name, verdict])).toEqual([
      ['stage', 'learn', 'unlocked'],
      ['lock', 'train', 'left-over'],
      ['lock', 'sub/pipeline.lock', 'left-over'],
    ]);
  });

  test('frozen stages are cut off from what is above them; what always runs would run', async () => {
    await begin();
    project.write('pipeline.yaml', PIPELINE.replace('    params: [lr]', '    params: [lr]\n    frozen: true'));
    project.write('train.sh', 'exit 1\n');
    commit();
    await inClone(async (clone) => expect((await verify(clone)).status).toBe(0));
    const { verdicts } = await verify(project);
    expect(verdicts[1]).toMatchObject({ verdict: 'frozen', ok: true });
    project.write('pipeline.yaml', PIPELINE.replace('    cmd: cat', '    always_changed: true\n    cmd: cat'));
    expect((await verify(project, 'prepare')).failed).toMatchObject([{ reasons: ['always_changed'] }]);
  });

  test('targets limit it to what they name', async () => {
    await begin();
    project.write('train.sh', 'exit 1\n');
    expect((await verify(project, 'prepare')).verdicts.map(({ name }) => name)).toEqual(['prepare']);
    expect((await verify(project, 'model')).failed.map(({ name }) => name)).toEqual(['train']);
    expect((await project.dag(['verify', 'nothing'])).status).toBe(2);
  });
});

describe('verify of what is here', () => {
  test('outs and data that were edited are found', async () => {
    await begin();
    fs.rmSync(project.path('model'));
    project.write('model', 'edited\n');
    project.write('raw/a', 'edited\n');
    const { failed } = await verify(project);
    expect(failed.map(({ name }) => name).sort()).toEqual(['prepare', 'raw', 'train']);
    expect(failed.find(({ name }) => name === 'train')?.reasons.join()).toMatch(/out model modified/);
  });

  test('a lock that is damaged, or full of conflicts, is exit status 2', async () => {
    await begin();
    project.write('pipeline.lock', `<<<<<<< HEAD\n${project.read('pipeline.lock')}`);
    const ran = await project.dag(['verify']);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(/pipeline\.lock/);
  });
});

describe('verify -r', () => {
  test('tells what was not pushed, by few requests, and fetches no object', async () => {
    await begin();
    expect((await verify(project, '-r', 'store')).failed.length).toBe(4);
    await run('push', '-q', '-r', 'store');
    expect((await verify(project, '-r', 'store')).status).toBe(0);
    const web = await startWeb(project.path('../store'));
    try {
      project.write('pipeline.yaml', `${PIPELINE.replace('../store', `../store\n  web: ${web.url}`)}`);
      commit();
      await inClone(async (clone) => {
        const { status } = await verify(clone, '-r', 'web');
        expect(status).toBe(0);
        expect(web.seen.filter(({ path }) => path.startsWith('/packs/'))).toEqual([]);
        expect(web.seen.length).toBeLessThanOrEqual(4);
        expect(fs.existsSync(clone.path('.cache/objects')) || fs.existsSync(clone.path('.cache/packs'))).toBe(false);
      });
      project.write('raw/new', 'x\n');
      await run('repro', '-q');
      commit();
      await inClone(async (clone) => {
        const { failed } = await verify(clone, '-r', 'web');
        expect(failed.map(({ kind, name, verdict }) => [kind, name, verdict])).toEqual([
          ['remote', 'clean', 'missing'],
          ['remote', 'extra', 'missing'],
          ['remote', 'model', 'missing'],
          ['remote', 'raw', 'missing'],
        ]);
      });
      expect((await verify(project, '-r', 'web')).failed.map(({ verdict }) => verdict)).toEqual(
        Array(4).fill('not-pushed'),
      );
    } finally {
      await web.close();
    }
  });

  test('a remote out of reach is exit status 3, and what was found here is told all the same', async () => {
    await begin(PIPELINE.replace('../store', 'http://127.0.0.1:1'));
    project.write('params.yaml', 'lr: 3\n');
    const ran = await project.dag(['verify', '-r', 'store'], { env: { DAG_REMOTE: '' } });
    expect(ran.status).toBe(3);
    expect(ran.stdout).toMatch(/^stale +train +param params\.yaml:lr modified/);
    expect((await project.dag(['verify', '-r', 'nowhere'])).status).toBe(2);
  });
});

describe('reports', () => {
  test('JUnit and annotations name the place', async () => {
    await begin();
    project.write('sub/x', '');
    project.write('params.yaml', 'lr: "<&>"\n');
    const ran = await project.dag(['verify', '--junit', 'out/junit.xml'], { env: { GITHUB_ACTIONS: 'true' } });
    expect(ran.status).toBe(1);
    expect(ran.stderr).toBe(
      '::error file=pipeline.yaml,line=13,title=dag verify%3A train%3A stale::param params.yaml:lr modified (0.1 → <&>)\n',
    );
    const report = project.read('out/junit.xml');
    expect(report).toContain('<testsuite name="dag verify" tests="3" failures="1" errors="0"');
    expect(report).toContain('message="stale: param params.yaml:lr modified (0.1 → &lt;&amp;&gt;)"');
    expect(report).toContain('<testcase classname="pipeline.yaml" name="stage prepare" file="pipeline.yaml" line="6"');
    await project.dag(['verify', '-r', 'store', '--junit', 'out/cloud.xml']);
    expect(project.read('out/cloud.xml')).toContain('<testcase classname="remote" name="remote model" time=');
    const quiet = await project.dag(['verify', '--no-annotations', '-q'], { env: { GITHUB_ACTIONS: 'true' } });
    expect([quiet.stdout, quiet.stderr, quiet.status]).toEqual(['', '', 1]);
  });

  test('paths in annotations are those of the repository', async () => {
    project.write('pipelines/one/pipeline.yaml', 'stages:\n  s:\n    cmd: echo > o\n    outs: [o]\n');
    const ran = await project.dag(['verify', '--annotations'], { cwd: 'pipelines/one' });
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/^::error file=pipelines\/one\/pipeline\.yaml,line=2,/);
  });
});
