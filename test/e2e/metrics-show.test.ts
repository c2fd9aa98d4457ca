import fs from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

/** `t` writes the same metrics twice: one file in git, one in the cache. */
const PIPELINE = `stages:
  t:
    cmd: cp src.json kept.json && cp src.json cached.json
    deps: [src.json]
    metrics: [kept.json: {cache: false}, cached.json]
metrics: [top.yaml]
`;

async function makeMetrics(json: string): Promise<void> {
  project.write('src.json', json);
  expect((await project.dag(['repro'])).status).toBe(0);
}

async function show(...args: string[]): Promise<unknown> {
  const { stdout, status } = await project.dag(['metrics', 'show', '--json', ...args]);
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

beforeEach(async () => {
  project.write('pipeline.yaml', PIPELINE);
  project.write('top.yaml', '0.5\n');
  await makeMetrics('{"auc": 0.123456789, "n": {"a": 12345678901234567890, "l": [1], "z": null, "e": {}, "f": 2.0}}');
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  project.git('tag', 'v1');
});

describe('metrics show', () => {
  test('numbers, texts and booleans of every metrics file, each digit of integers', async () => {
    const { stdout } = await project.dag(['metrics', 'show', '--json']);
    const data = '{"auc":0.123456789,"n":{"a":12345678901234567890,"f":2}}';
    expect(stdout).toBe(
      `{"":{"data":{"kept.json":{"data":${data}},"cached.json":{"data":${data}},"top.yaml":{"data":0.5}}}}\n`,
    );
  });

  test('as a table, and as one in Markdown, of which no cell can make more', async () => {
    await makeMetrics('{"auc": 0.123456789, "n": {"t": true, "f": 2.0, "w|\\u001b[31m": "a\\nb|"}}');
    expect((await project.dag(['metrics', 'show', 'kept.json'])).stdout).toBe(
      'Path       auc      n.f    n.t    n.w|\nkept.json  0.12346  2.0    True   a b|\n',
    );
    expect((await project.dag(['metrics', 'show', '--md', '--precision', '2', 'kept.json'])).stdout).toBe(
      `| Path      | auc   | n.f   | n.t   | n.w\\|   |
|-----------|-------|-------|-------|---------|
| kept.json | 0.12  | 2.0   | True  | a b\\|   |

`,
    );
    expect(await project.dag(['metrics', 'show', '--precision', 'x'])).toMatchObject({ status: 2 });
  });

  test('of branches, tags and commits, from git and the cache; a workspace that is the same is not shown', async () => {
    const one = await show('-a');
    expect(one).toMatchObject({ main: { data: { 'cached.json': { data: { auc: 0.123456789 } } } } });
    expect(one).not.toHaveProperty('workspace');
    await makeMetrics('{"auc": 1}');
    fs.rmSync(project.path('cached.json'));
    expect(await show('-a')).toMatchObject({
      workspace: { data: { 'cached.json': { data: { auc: 1 } } } },
      main: { data: { 'cached.json': { data: { auc: 0.123456789 } }, 'kept.json': { data: { auc: 0.123456789 } } } },
    });
    expect(Object.keys((await show('-a', '-T')) as object)).toEqual(['workspace', 'main,v1']);
    expect(Object.keys((await show('-A')) as object)).toEqual(['workspace', project.git('rev-parse', 'HEAD').trim()]);
    const lines = (await project.dag(['metrics', 'show', '-T', 'cached.json'])).stdout.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'Revision    Path         auc      n.a                   n.f',
      'workspace   cached.json  1        -                     -',
      'v1          cached.json  0.12346  12345678901234567890  2.0',
    ]);
  });

  test('what can not be read is said, with what is to be done, and hides nothing else', async () => {
    project.write('kept.json', '{"auc": 1');
    for (const name of ['cached.json', '.cache/objects', '.cache/packs']) {
      fs.rmSync(project.path(name), { recursive: true, force: true });
    }
    const { stdout, stderr, status } = await project.dag([
      'metrics',
      'show',
      '--json',
      'cached.json',
      'kept.json',
      'no',
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      '': {
        data: {
          'cached.json': { error: { type: 'not-in-cache', hint: "'dag pull' brings it" } },
          'kept.json': { error: { type: 'invalid', msg: expect.stringMatching(/^kept\.json:1:10: not JSON: /) } },
          no: { error: { type: 'missing' } },
        },
      },
    });
    expect(stderr).toContain("warning: there is no 'no'");
    expect(stderr).toContain("'dag pull' brings it");
  });

  test('files in folders, seen from a folder of the project; no metrics; a project without git', async () => {
    project.write('sub/deep/m.yaml', 'a: 1\n');
    project.write('sub/n.toml', 'b = 0.5\n');
    const fromSub = await project.dag(['metrics', 'show', '-R', '.', '../top.yaml', '--json'], { cwd: 'sub' });
    expect(JSON.parse(fromSub.stdout)).toEqual({
      '': { data: { 'deep/m.yaml': { data: { a: 1 } }, 'n.toml': { data: { b: 0.5 } }, '../top.yaml': { data: 0.5 } } },
    });
    project.write('pipeline.yaml', '');
    fs.rmSync(project.path('.git'), { recursive: true });
    expect(await project.dag(['metrics', 'show'])).toMatchObject({ status: 0, stdout: '' });
    expect(await show('top.yaml')).toEqual({ '': { data: { 'top.yaml': { data: 0.5 } } } });
    expect(await project.dag(['metrics', 'show', '-a'])).toMatchObject({ status: 2 });
  });
});
