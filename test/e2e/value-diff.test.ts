import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

beforeEach(() => {
  project.write('pipeline.yaml', 'metrics: [m.json]\n');
  project.write('m.json', '{"a": 1}');
});

function commit(message: string): void {
  project.git('add', '-A');
  project.git('commit', '-qm', message);
}

async function json(...args: string[]): Promise<unknown> {
  const { stdout, status, stderr } = await project.dag([...args, '--json']);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe('metrics diff and params diff', () => {
  test('1 and 1.0 are equal; 1, "1" and true are not, and have no difference; integers of any size have', async () => {
    project.write('m.json', '{"same": 1, "text": 1, "bool": 1, "both": true, "big": 9007199254740993, "f": 0.5}');
    commit('one');
    project.write('m.json', '{"same": 1.0, "text": "1", "bool": true, "both": false, "big": 9007199254740994, "f": 1}');
    const { stdout } = await project.dag(['metrics', 'diff', '--json']);
    expect(stdout).toBe(
      '{"m.json":{"big":{"old":9007199254740993,"new":9007199254740994,"diff":1},"bool":{"old":1,"new":true},' +
        '"both":{"old":true,"new":false},"f":{"old":0.5,"new":1,"diff":0.5},"text":{"old":1,"new":"1"}}}\n',
    );
  });

  test('no commits: nothing; no git, or a revision that there is not: exit status 2', async () => {
    for (const verb of ['metrics', 'params']) {
      expect(await json(verb, 'diff')).toEqual({});
    }
    expect(await project.dag(['plots', 'diff'])).toMatchObject({ status: 0, stdout: '' });
    commit('one');
    for (const verb of ['metrics', 'params', 'plots']) {
      const unknown = await project.dag([verb, 'diff', 'nope']);
      expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining("there is no revision 'nope'")]);
      const range = await project.dag([verb, 'diff', 'HEAD~1..HEAD']);
      expect([range.status, range.stderr]).toEqual([2, expect.stringContaining("two words: 'HEAD~1 HEAD'")]);
    }
    fs.rmSync(project.path('.git'), { recursive: true });
    expect((await project.dag(['params', 'diff'])).status).toBe(2);
  });

  test('in the middle of a merge with conflicts two revisions are compared all the same', async () => {
    const stage = 'cmd: "echo ${lr} > out && cp m.json n.json", outs: [out], metrics: [{n.json: {cache: false}}]';
    project.write('pipeline.yaml', `stages: {s: {${stage}}}\nplots: [p.csv]\n`);
    const version = async (lr: number) => {
      project.write('params.yaml', `lr: ${lr}\n`);
      project.write('m.json', `{"a": ${lr}}`);
      project.write('p.csv', `x,y\n1,${lr}\n`);
      expect((await project.dag(['repro'])).status).toBe(0);
      commit(`${lr}`);
    };
    await version(1);
    project.git('checkout', '-qb', 'side');
    await version(2);
    project.git('checkout', '-q', 'main');
    await version(3);
    expect(() => project.git('merge', '-q', 'side')).toThrow();
    expect(await json('params', 'diff', 'HEAD', 'MERGE_HEAD')).toEqual({
      'params.yaml': { lr: { old: 3, new: 2, diff: -1 } },
    });
    expect(await json('metrics', 'diff', 'HEAD', 'side')).toMatchObject({ 'n.json': { a: { old: 3, new: 2 } } });
    expect(await json('diff', 'HEAD', 'side')).toMatchObject({ modified: [{ path: 'out' }] });
    expect((await project.dag(['plots', 'diff', 'HEAD', 'side'])).status).toBe(0);
    // What concerns the workspace can't be told.
    expect((await project.dag(['params', 'diff'])).status).toBe(2);
  });

  test('a file that is gone, one that is broken, and a pipeline that was invalid: the other side, and a word', async () => {
    project.write('params.yaml', 'lr: 0.1\n');
    commit('one');
    project.write('pipeline.yaml', 'stages: 1\n');
    commit('invalid');
    project.write('pipeline.yaml', 'metrics: [m.json]\nparams: [params.yaml]\n');
    project.write('m.json', '{"a": ');
    fs.rmSync(project.path('params.yaml'));
    const metrics = await project.dag(['metrics', 'diff', 'HEAD~1', '--json']);
    expect(metrics).toMatchObject({ status: 0, stdout: '{"m.json":{"a":{"old":1,"new":null}}}\n' });
    expect(metrics.stderr).toMatch(/^warning: m\.json:1:\d+: not JSON: /);
    const params = await project.dag(['params', 'diff', 'HEAD~1', '--json']);
    expect(params).toMatchObject({ status: 0, stdout: '{"params.yaml":{"lr":{"old":0.1,"new":null}}}\n' });
    expect(params.stderr).toBe("warning: there is no 'params.yaml'\n");
    const invalid = await project.dag(['metrics', 'diff', 'HEAD']);
    expect(invalid.status).toBe(0);
    expect(invalid.stderr).toContain('warning: HEAD: pipeline.yaml: ');
  });

  test('a project that was not there yet had nothing', async () => {
    fs.rmSync(project.path('pipeline.yaml'));
    commit('before');
    project.write('pipeline.yaml', 'metrics: [m.json]\n');
    expect(await json('metrics', 'diff')).toEqual({ 'm.json': { a: { old: null, new: 1 } } });
    expect((await project.dag(['metrics', 'diff'])).stderr).toBe('');
  });

  test('git is asked as often for 200 files in 20 folders as for one', async () => {
    const many = Array.from({ length: 200 }, (_, i) => `d${i % 20}/m${i}.json`);
    project.write('pipeline.yaml', `metrics:\n${many.map((file) => `  - ${file}\n`).join('')}`);
    for (const file of many) project.write(file, '{"a": 1}');
    commit('one');
    for (const file of many) project.write(file, '{"a": 2}');
    const asked = project.path('../asked');
    const bin = project.path('../bin');
    const git = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    fs.mkdirSync(bin);
    fs.writeFileSync(path.join(bin, 'git'), `#!/bin/sh\necho x >> '${asked}'\nexec '${git}' "$@"\n`, { mode: 0o755 });
    const { stdout } = await project.dag(['metrics', 'diff', '--json'], {
      env: { PATH: `${bin}:${path.dirname(process.execPath)}:${process.env['PATH']}` },
    });
    expect(Object.keys(JSON.parse(stdout))).toHaveLength(200);
    expect(fs.readFileSync(asked, 'utf8').trim().split('\n').length).toBeLessThan(10);
  });
});

describe('diff', () => {
  test('sizes beside what differs, in text, JSON and Markdown; the workspace by its name', async () => {
    project.write('data/a|b', 'one\n');
    await project.dag(['add', 'data']);
    commit('one');
    project.write('data/a|b', 'longer\n');
    project.write('data/new', 'new\n');
    expect(await json('diff', '--show-size')).toMatchObject({
      added: [{ path: 'data/new', size: 4 }],
      modified: [
        { path: 'data/', size: { old: 4, new: 11 } },
        { path: 'data/a|b', size: { old: 4, new: 7 } },
      ],
    });
    expect((await project.dag(['diff', 'HEAD', 'workspace', '--md', '--show-size'])).stdout).toBe(
      `| Status   | Path      | Size        |
|----------|-----------|-------------|
| added    | data/new  | 4 B         |
| modified | data/     | 4 B -> 11 B |
| modified | data/a\\|b | 4 B -> 7 B  |

`,
    );
    expect((await project.dag(['diff', 'workspace', 'HEAD'])).stdout).toContain('Deleted:\n    data/new\n');
  });
});

describe('diff --stages', () => {
  const PIPELINE = `stages:
  gone: {cmd: echo > g, outs: [g]}
  kept: {cmd: cp in k, deps: [in], params: [lr], outs: [k]}
  same: {cmd: echo > s, outs: [s]}
`;

  test('stages that came and went, and what set the last runs of the others apart', async () => {
    project.write('pipeline.yaml', PIPELINE);
    project.write('params.yaml', 'lr: 1\n');
    project.write('in', 'one\n');
    await project.repro();
    commit('one');
    expect(await json('diff', '--stages')).toEqual({});
    project.write('pipeline.yaml', PIPELINE.replace('gone', 'new').replace('cp in k', 'cat in > k'));
    project.write('params.yaml', 'lr: 2\n');
    project.write('in', 'other\n');
    await project.repro();
    expect(await json('diff', '--stages')).toMatchObject({
      stages: {
        added: ['new'],
        deleted: ['gone'],
        modified: {
          kept: [
            { changed: 'command', how: 'modified' },
            { changed: 'dep', path: 'in', how: 'modified' },
            { changed: 'param', path: 'params.yaml:lr', before: 1, after: 2 },
            { changed: 'out', path: 'k', how: 'modified' },
          ],
        },
      },
    });
    const text = (await project.dag(['diff', '--stages'])).stdout.split('Stages:\n')[1];
    expect(text?.replaceAll(/\([0-9a-f]{8} → [0-9a-f]{8}\)/g, '(…)')).toBe(`    added new
    deleted gone
    modified kept
        command modified: "cp in k" → "cat in > k"
        dep in modified (…)
        param params.yaml:lr modified (1 → 2)
        out k modified (…)
`);
    expect((await project.dag(['diff', '--stages', '--md'])).stdout).toContain('| Status   | Stage   | Change ');
  });
});

describe('plots', () => {
  beforeEach(() => {
    project.write('pipeline.yaml', 'plots:\n  - loss.csv: {x: step}\n  - img\n');
    project.write('loss.csv', 'step,loss\n1,0.5\n2,0.25\n');
    project.write('img/1.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>');
    commit('one');
  });

  test('one page that fetches nothing and holds everything', async () => {
    project.write('loss.csv', 'step,loss\n1,0.4\n2,</script>\n');
    const { stdout, status } = await project.dag(['plots', 'diff', '-o', 'out']);
    expect([status, stdout]).toEqual([0, `file://${project.path('out/index.html')}\n`]);
    expect(fs.readdirSync(project.path('out'))).toEqual(['.gitignore', 'index.html']);
    expect(project.git('status', '--porcelain')).toBe(' M loss.csv\n');
    // A folder of the user's own gets the page alone, and it may be committed.
    fs.rmSync(project.path('out/.gitignore'));
    expect((await project.dag(['plots', 'diff', '-o', 'out'])).status).toBe(0);
    expect(fs.readdirSync(project.path('out'))).toEqual(['index.html']);
    // Without what draws: its text is no markup.
    const page = project.read('out/index.html').replace(/<script>[\s\S]*?<\/script>/g, '');
    expect(page.length).toBeLessThan(10_000);
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)="(?!data:)/);
    expect(page.match(/<img src="data:image\/svg\+xml;base64,/g)).toHaveLength(2);
    const spec = /<script type="application\/json" id="spec-0">([^<]*)<\/script>/.exec(page)?.[1] ?? '';
    expect(JSON.parse(spec).data.values).toEqual([
      { step: 1, loss: '0.4', rev: 'workspace' },
      { step: 2, loss: '</script>', rev: 'workspace' },
      { step: 1, loss: 0.5, rev: 'HEAD' },
      { step: 2, loss: 0.25, rev: 'HEAD' },
    ]);
  });

  test('templates by name, by file and by the folder of DVC; a specification alone', async () => {
    const templates = await json('plots', 'templates');
    expect(templates).toContain('confusion_normalized');
    const simple = (await project.dag(['plots', 'templates', 'simple'])).stdout;
    project.write('.dvc/plots/mine.json', simple.replace('"line"', '"area"'));
    for (const name of ['mine', '.dvc/plots/mine.json']) {
      const { stdout } = await project.dag(['plots', 'show', 'loss.csv', '--show-vega', '-t', name]);
      expect(JSON.parse(stdout)).toMatchObject({ mark: { type: 'area' }, title: { text: 'loss.csv' } });
    }
    const unknown = await project.dag(['plots', 'show', '-t', 'simpel']);
    expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining("did you mean 'simple'?")]);
    project.write('no.json', '{"mark": "line"}');
    expect((await project.dag(['plots', 'show', '-t', 'no.json'])).stderr).toContain('no.json is no template');
    expect((await project.dag(['plots', 'show', '--show-vega'])).status).toBe(2);
  });

  test('a page of one own; what is missing is said, and hides nothing else', async () => {
    project.write('page.html', '<title>Mine</title>{scripts}<b>{plot_divs}</b>');
    project.write('pipeline.yaml', 'plots:\n  - loss.csv: {y: nope}\n  - img\n  - lost.json\n');
    const { status, stderr } = await project.dag(['plots', 'show', '--html-template', 'page.html']);
    expect(status).toBe(0);
    expect(stderr).toBe("warning: loss.csv has no field 'nope', only step, loss\nwarning: there is no 'lost.json'\n");
    const start = project.read('dag_plots/index.html').slice(0, 60);
    expect(start).toMatch(/^<title>Mine<\/title><b><section class="images">/);
    project.write('page.html', 'nothing');
    expect((await project.dag(['plots', 'show', '--html-template', 'page.html'])).status).toBe(2);
  });
});
