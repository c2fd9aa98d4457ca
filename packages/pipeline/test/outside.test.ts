import { describe, expect, it } from 'vitest';
import { parseLock, readParams, renderLock } from '../src/index.ts';
import { load, memoryReader, path, problems, sound, words } from './rig/memory.ts';

const stageOf = (text: string, more = {}) => [...sound({ 'pipeline.yaml': text, ...more }).stages.values()][0];

describe('paths outside the project', () => {
  it('stand in deps, params and uncached outs as they were written, in normal form', () => {
    const pipeline = sound({
      'sub/pipeline.yaml': `stages:
  a:
    cmd: a
    deps: [../../x/./y, /data//in/../raw, ../up, ~/home]
    params: [{../../p.yaml: [lr]}]
    outs:
      - ../../out: {cache: false, persist: true}
    metrics:
      - /data/m.json: {cache: false}
`,
    });
    const [stage] = pipeline.stages.values();
    expect(stage?.deps.map((dep) => dep.path)).toEqual(['../x/y', '/data/raw', 'up', 'sub/~/home']);
    expect(stage?.params).toEqual([{ file: '../p.yaml', keys: ['lr'] }]);
    expect(stage?.outs.map(({ path, cache, persist }) => [path, cache, persist])).toEqual([
      ['../out', false, true],
      ['/data/m.json', false, false],
    ]);
  });

  it('are refused where the cache, git or the project itself would be meant, with what to do instead', () => {
    expect(
      problems(`data: [../raw]
stages:
  a: {cmd: a, outs: [../a]}
  b: {cmd: b, wdir: ../w}
  c: {cmd: c, deps: [.., ../.., /], outs: [{..: {cache: false}}]}
  d: {worker: ../d.ts}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:8: data: '../raw' lies outside the project, and tracked data must lie in it
        data: [../raw]
               ^^^^^^
        name it in the deps of the stages that read it, or copy it into the project
      pipeline.yaml:3:22: stages.a.outs: '../a' lies outside the project, and what the cache keeps must lie in it
          a: {cmd: a, outs: [../a]}
                             ^^^^
        add \`cache: false\` to it, or make it in the project
      pipeline.yaml:4:21: stages.b.wdir: '../w' lies outside the project
          b: {cmd: b, wdir: ../w}
                            ^^^^
        run the stage in the project, and let its command go there: \`cd ../there && …\`
      pipeline.yaml:5:22: stages.c.deps: '..' holds the project itself
          c: {cmd: c, deps: [.., ../.., /], outs: [{..: {cache: false}}]}
                             ^^
        name what is needed in it
      pipeline.yaml:5:26: stages.c.deps: '../..' holds the project itself
          c: {cmd: c, deps: [.., ../.., /], outs: [{..: {cache: false}}]}
                                 ^^^^^
        name what is needed in it
      pipeline.yaml:5:33: stages.c.deps: '/' holds the project itself
          c: {cmd: c, deps: [.., ../.., /], outs: [{..: {cache: false}}]}
                                        ^
        name what is needed in it
      pipeline.yaml:5:45: stages.c.outs: '..' holds the project itself
          c: {cmd: c, deps: [.., ../.., /], outs: [{..: {cache: false}}]}
                                                    ^^
        name what is needed in it
      pipeline.yaml:6:15: stages.d.worker: '../d.ts' lies outside the project
          d: {worker: ../d.ts}
                      ^^^^^^^
        bring it into the project, and name it by its path there"
    `);
  });

  it('make edges, and may not be made twice, overlap, or be read and made by one stage', () => {
    const pipeline = sound({
      'pipeline.yaml': `stages:
  a: {cmd: a, deps: [x], outs: [{../out/a: {cache: false}}]}
  b: {cmd: b, deps: [../out/a/inner], params: [{/q.yaml: null}]}
  c: {cmd: c, deps: [.], outs: [{/q.yaml: {cache: false}}]}
`,
    });
    expect(pipeline.edges).toEqual([
      ['a', 'b'],
      ['c', 'b'],
    ]);
    const text = problems(`stages:
  a: {cmd: a, outs: [{../o: {cache: false}}]}
  b: {cmd: b, outs: [{../o: {cache: false}}]}
  c: {cmd: c, outs: [{../o/in: {cache: false}}]}
  d: {cmd: d, deps: [/d], outs: [{/d/x: {cache: false}}]}
`);
    expect(text).toContain("'../o' is made by stage 'b', and made by stage 'a'");
    expect(text).toContain("'../o/in' (made by stage 'c') lies inside '../o' (made by stage 'a'");
    expect(text).toContain("stage 'd' reads '/d' and makes '/d/x', which overlap");
  });

  it('give values to templates, and these are params of the stages that draw on them', () => {
    const pipeline = sound({
      'pipeline.yaml': `vars: [../v.yaml, "/w.yaml:k"]
stages:
  a: {cmd: "a \${v} \${k}"}
`,
      '../v.yaml': 'v: 1\n',
      '/w.yaml': 'k: 2\nother: 3\n',
    });
    const [stage] = pipeline.stages.values();
    expect(stage?.action).toEqual({ kind: 'command', cmd: 'a 1 2' });
    expect([...(pipeline.used.get(stage?.address as never) ?? [])].map(([file]) => file)).toEqual([
      '../v.yaml',
      '/w.yaml',
    ]);
  });

  it('are read as params files', () => {
    const reader = memoryReader({ '../p.yaml': 'lr: 1\n' });
    const { values } = readParams(reader, [{ file: '../p.yaml' as never, keys: ['lr'] }]);
    expect([...values].map(([file, found]) => [file, ...found])).toEqual([['../p.yaml', ['lr', 1]]]);
  });

  it('may be patterns; the project itself is no match', () => {
    const files = {
      'pipeline.yaml': 'stages:\n  a: {cmd: a, deps: ["../*.csv", "../*", "/d/*/x"]}\n',
      '../1.csv': '',
      '../2.csv': '',
      '../lib/a.py': '',
      '../project/pipeline.yaml': '',
      '/d/1/x': '',
      '/d/2/y': '',
    };
    const reader = { ...memoryReader(files), root: '/home/project' };
    const { pipeline, diagnostics } = load(files, {}, reader);
    expect(words(diagnostics)).toBe('');
    const [stage] = pipeline?.stages.values() ?? [];
    expect(stage?.deps.map((dep) => dep.path)).toEqual(['../1.csv', '../2.csv', '../lib', '/d/1/x']);
  });
});

describe('paths that only seem to lie outside', () => {
  const text = `stages:
  a:
    cmd: a
    deps: [/home/me/project/raw, ../project/lib, /alias/project/more, /home/me/projects/other]
    outs: [/home/me/project/made]
`;

  it('are paths of the project, by their name and by where symlinks lead', () => {
    const reader = {
      ...memoryReader({ 'pipeline.yaml': text }),
      root: '/home/me/project',
      real: (absolute: string) => absolute.replace(/^\/alias\//, '/home/me/'),
    };
    const { pipeline, diagnostics } = load({}, {}, reader);
    expect(words(diagnostics)).toBe('');
    const [stage] = pipeline?.stages.values() ?? [];
    expect(stage?.deps.map((dep) => dep.path)).toEqual(['raw', 'lib', 'more', '/home/me/projects/other']);
    expect(stage?.outs.map((out) => [out.path, out.cache])).toEqual([['made', true]]);
  });

  it('are refused where they mean the project, what holds it, or its cache', () => {
    const written = `stages:
  a: {cmd: a, outs: [{/home/me: {cache: false}}, {/home/me/project: {cache: false}}, {../project/.cache: {cache: false}}]}
`;
    const reader = { ...memoryReader({ 'pipeline.yaml': written }), root: '/home/me/project' };
    const messages = load({}, {}, reader).diagnostics.map((one) => one.message);
    expect(messages).toEqual([
      "stages.a.outs: '/home/me' holds the project itself",
      "stages.a.outs: the project itself can't be an out or tracked data",
      "stages.a.outs: a path in .cache can't be an out or tracked data",
    ]);
  });
});

describe('the lock', () => {
  const digest = `blake3:${'a'.repeat(64)}`;
  const artifact = `{digest: '${digest}', size: 1}`;
  const withStage = (lines: string) => `schema: 1\nstages:\n  a:\n    cmd: a\n${lines}`;

  it('keeps deps, params and outs outside under the path as seen from its folder', () => {
    const text = withStage(`    deps:
      ../../x: ${artifact}
      /data/x: ${artifact}
    params:
      ../../p.yaml: {lr: 1}
    outs:
      ../../out: ${artifact}
`);
    const parsed = parseLock(text, path('sub/pipeline.lock'));
    if (!parsed.ok) throw new Error(words(parsed.error));
    const stage = parsed.value.stages.get('a');
    expect([...(stage?.deps.keys() ?? []), ...(stage?.params.keys() ?? []), ...(stage?.outs.keys() ?? [])]).toEqual([
      '../x',
      '/data/x',
      '../p.yaml',
      '../out',
    ]);
    expect(renderLock(parsed.value, path('sub/pipeline.lock'))).toBe(text);
  });

  it.each([
    `schema: 1\ndata:\n  ../x: ${artifact}\n`,
    `schema: 1\ndata:\n  /etc/x: ${artifact}\n`,
    withStage('    wdir: ../w\n'),
    withStage(`    worker:\n      module: ../m.ts\n      files:\n        m.ts: '${digest}'\n`),
    withStage(`    worker:\n      module: m.ts\n      files:\n        /m.ts: '${digest}'\n`),
    withStage(`    outs:\n      ..: ${artifact}\n`),
    withStage(`    outs:\n      /: ${artifact}\n`),
    withStage(`    outs:\n      .git/hooks: ${artifact}\n`),
  ])('that names anything else outside is refused: %j', (text) => {
    expect(parseLock(text, path('pipeline.lock')).ok).toBe(false);
  });
});

it('a stage that reads through another name is the same stage', () => {
  const text = 'stages:\n  a: {cmd: a, deps: [../x, ./../x, ../y/../x]}\n';
  expect(stageOf(text)?.deps.map((dep) => dep.path)).toEqual(['../x']);
});
