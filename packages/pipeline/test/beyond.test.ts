import { describe, expect, it } from 'vitest';
import { load, path, problems, sound } from './rig/memory.ts';

/** The deps of a stage, sorted. */
function deps(files: { readonly [path: string]: string }, address = 's'): string[] {
  const stage = [...sound(files).stages.values()].find((one) => one.address === address);
  return (stage?.deps ?? []).map((dep) => dep.path).sort();
}

const names = (text: string) => [...sound({ 'pipeline.yaml': text }).stages.keys()];
const stage = (body: string) => `stages:\n  s: {cmd: run, ${body}}\n`;

describe('a dep that is a pattern', () => {
  const data = { 'd/a.csv': '', 'd/b.csv': '', 'd/.c.csv': '', 'd/e/f.csv': '', 'd/e/.g/h.csv': '', 'd/x[1].csv': '' };
  it.each([
    ['d/*.csv', ['d/a.csv', 'd/b.csv', 'd/x[1].csv']],
    ['d/?.csv', ['d/a.csv', 'd/b.csv']],
    ['d/[!a].csv', ['d/b.csv']],
    ['d/[a-b].csv', ['d/a.csv', 'd/b.csv']],
    ['d/.*.csv', ['d/.c.csv']],
    ['**/*.csv', ['d/a.csv', 'd/b.csv', 'd/e/f.csv', 'd/x[1].csv']],
    ['d/**/f.csv', ['d/e/f.csv']],
    ['d/*', ['d/a.csv', 'd/b.csv', 'd/e', 'd/x[1].csv']],
    ['./d/../d/*.csv', ['d/a.csv', 'd/b.csv', 'd/x[1].csv']],
    ['d/x[1].csv', ['d/x[1].csv']],
    ['d/*.tsv', ['d/*.tsv']],
  ])('%s', (pattern, expected) => {
    expect(deps({ 'pipeline.yaml': stage(`deps: ['${pattern}']`), ...data })).toEqual(expected);
  });

  it('is seen from wdir, and may lead out of it', () => {
    const text = "stages:\n  s: {cmd: run, wdir: d/e, deps: ['../*.csv', '*.csv']}\n";
    expect(deps({ 'pipeline.yaml': text, ...data })).toEqual(['d/a.csv', 'd/b.csv', 'd/e/f.csv', 'd/x[1].csv']);
  });

  it('comes from a template', () => {
    const text = `vars: [{d: d, p: '?'}]\n${stage("deps: ['${d}/${p}.csv']")}`;
    expect(deps({ 'pipeline.yaml': text, ...data })).toEqual(['d/a.csv', 'd/b.csv']);
  });

  it('matches what stages will make, and so needs them', () => {
    const text = `stages:
  make: {foreach: [1, 2], do: {cmd: run, outs: ['o/\${item}.csv']}}
  s: {cmd: run, deps: ['o/*.csv']}
`;
    const pipeline = sound({ 'pipeline.yaml': text });
    expect(pipeline.edges).toEqual([
      ['make@1', 's'],
      ['make@2', 's'],
    ]);
  });

  it('can not match what its own stage makes', () => {
    expect(problems(stage("deps: ['o/*'], outs: [o/x]"))).toContain("stage 's' both reads and makes 'o/x'");
  });

  it('counts a file once that two of them match', () => {
    expect(deps({ 'pipeline.yaml': stage("deps: ['d/*.csv', d/a.csv, 'd/a*']"), 'd/a.csv': '' })).toEqual(['d/a.csv']);
  });
});

describe('a dep on a stage or group', () => {
  const group = "  build: {foreach: [1, 2], do: {cmd: run, outs: ['o${item}']}}\n";
  const use = (name: string) => ({ 'pipeline.yaml': `stages:\n${group}  s: {cmd: run, deps: [{stage: '${name}'}]}\n` });

  it.each([
    ['build', ['o1', 'o2']],
    [':build', ['o1', 'o2']],
    ['build@2', ['o2']],
    ['pipeline.yaml:build', ['o1', 'o2']],
  ])('%s', (name, expected) => expect(deps(use(name))).toEqual(expected));

  it('of another file', () => {
    const files = {
      'pipeline.yaml': "stages:\n  s: {cmd: run, deps: [{stage: 'sub/pipeline.yaml:k'}]}\n",
      'sub/pipeline.yaml':
        "stages:\n  k: {foreach: {'a:b': 1}, do: {cmd: run, outs: [x]}}\n  u: {cmd: run, deps: [{stage: '../pipeline.yaml:s'}, {stage: 'k@a:b'}]}\n",
    };
    expect(deps(files)).toEqual(['sub/x']);
    expect(deps(files, 'sub/pipeline.yaml:u')).toEqual(['sub/x']);
  });

  it('is nothing where the group makes nothing', () => {
    expect(deps({ 'pipeline.yaml': 'stages:\n  n: {cmd: run}\n  s: {cmd: run, deps: [{stage: n}]}\n' })).toEqual([]);
    expect(deps({ 'pipeline.yaml': 'stages:\n  n: {foreach: [], do: {cmd: run}}\n  t: {cmd: run}\n' }, 't')).toEqual(
      [],
    );
  });

  it('is a cycle where the group needs the stage', () => {
    const text = `stages:
  build: {foreach: [1], do: {cmd: run, deps: [x], outs: ['o\${item}']}}
  s: {cmd: run, deps: [{stage: build}], outs: [x]}
`;
    expect(problems(text)).toContain('depend on each other in a circle');
  });

  it('says what it does not know, with the nearest name', () => {
    const text = `stages:\n${group}  s: {cmd: run, deps: [{stage: biuld}]}\n`;
    expect(problems(text)).toContain("there is no stage or group 'biuld'");
    expect(problems(text)).toContain('build');
    expect(problems('stages:\n  s: {cmd: run, deps: [{stage: gone.txt:s}]}\n')).toContain('there is no stage or group');
  });
});

describe('exclude and include of a matrix', () => {
  const matrix = (more: string) =>
    `stages:\n  m:\n    cmd: run \${key}\n    matrix: {a: [1, 2], b: [x, {k: 1}]}\n${more}`;

  it('leave out and add', () => {
    expect(names(matrix('    exclude: [{a: 1, b: x}, {a: 2, b: {k: 1}}]\n'))).toEqual(['m@1-b1', 'm@2-x']);
    expect(names(matrix('    exclude: [{a: 1}]\n    include: [{b: z, a: 3}]\n'))).toEqual(['m@2-b1', 'm@2-x', 'm@3-z']);
  });

  it('an include of what is there adds nothing, and one of what was left out brings it back', () => {
    expect(names(matrix('    include: [{a: 1, b: x}]\n'))).toHaveLength(4);
    expect(names(matrix('    exclude: [{b: x}]\n    include: [{a: 1, b: x}]\n'))).toEqual([
      'm@1-b1',
      'm@1-x',
      'm@2-b1',
    ]);
  });

  it('an exclude that matches nothing leaves all, and 1 is not the text "1"', () => {
    expect(names(matrix("    exclude: [{a: '1'}, {a: 9}]\n"))).toHaveLength(4);
  });

  it('take templates', () => {
    const text = `vars: [{one: 1}]\n${matrix("    exclude: [{a: '${one}'}]\n")}`;
    expect(names(text)).toEqual(['m@2-b1', 'm@2-x']);
  });

  it.each([
    ['    exclude: [{c: 1}]\n', "'c' is no key of the matrix"],
    ['    include: [{a: 1}]\n', "lacks 'b'"],
    ['    exclude: {a: 1}\n', 'must be a list'],
    ['    exclude: [1]\n', 'must be a map'],
  ])('%s is refused', (more, message) => expect(problems(matrix(more))).toContain(message));

  it('need a matrix', () => {
    expect(problems(stage('exclude: [{a: 1}]'))).toContain('needs a matrix');
  });
});

describe('keys that DVC does not have', () => {
  it.each([
    ["env: ['1X']", 'no name of a variable'],
    ['env: [A, A=1]', 'declared twice'],
    ['env: {A: 1}', 'must be a list'],
    ['strict_env: 1', 'must be true or false'],
    ['resources: {gpu: 0.5}', 'whole number'],
    ['resources: {gpu: 0.5}', 'write `gpu_memory: 8GB`'],
    ['resources: {vram: 8GB}', "did you mean 'gpu_memory'?"],
    ['resources: {gpu: -1}', 'whole number'],
    ['resources: {memory: much}', 'no amount of memory'],
    ['resources: {gpu_memory: much}', "'much' is no amount of memory"],
    ['resources: {gpu_memory: 0}', 'no amount of memory'],
    ['resources: {gpu: 0, gpu_memory: 8GB}', "'gpu_memory' is of GPUs, and 'gpu' is 0"],
    ['resources: {gpus: 1}', "unknown key 'gpus'"],
    ['mutex: 1', 'must be'],
    ['retries: -1', 'whole number'],
    ['retries: 1.5', 'whole number'],
    ['timeout: soon', 'no length of time'],
    ['timeout: 0', 'no length of time'],
    ['stall: never', "stages.s.stall: 'never' is no length of time"],
    ['checkpoints: {keep: 0}', 'whole number'],
    ['checkpoints: {grace: soon}', "checkpoints.grace: 'soon' is no length of time"],
    ['checkpoints: {push: store}', 'must be true or false'],
    ['checkpoints: {kept: 2}', "unknown key 'kept'"],
    ['checkpoints: true', 'must be a map'],
    ['worker: w.ts', 'both cmd and worker'],
    ['backend: cpu', 'worker stages only'],
  ])('%s is refused', (body, message) => expect(problems(stage(body))).toContain(message));

  describe('backend', () => {
    const worker = (backend: string): string => `stages:\n  s: {worker: w.ts, deps: [a], backend: ${backend}}\n`;

    it.each([
      ['abacus', 'must be one of gpu, node, webgpu, wasm, cpu or a map'],
      ['{name: abacus}', 'backend.name must be one of gpu, node, webgpu, wasm, cpu'],
      ['{name: abacus, isa: avx2}', 'backend.name must be one of gpu, node, webgpu, wasm, cpu'],
      ['{threads: 0}', 'a whole number from 1 up'],
      ['{tensorflow: 2.15}', 'backend.tensorflow must be a string, not the number 2.15'],
      ['{onednn: yes}', 'backend.onednn must be true or false'],
      ['{isa: mmx}', 'backend.isa must be one of sse41, avx, avx2'],
      ['{cores: 2}', "unknown key 'cores'"],
      ['{name: wasm, threads: 2}', 'backend.threads: the backend wasm runs on one thread, not 2'],
      [
        '{name: cpu, tensorflow: "2.15.1"}',
        "backend.tensorflow: the backend cpu has nothing that 'tensorflow' would pin",
      ],
      ['{name: webgpu, deterministic: true}', "the backend webgpu has nothing that 'deterministic' would pin"],
      ['gpu, resources: {gpu: 0}', 'the backend gpu needs a GPU, and resources say gpu: 0'],
    ])('%s is refused, and pointed at', (backend, message) => {
      const text = problems(worker(backend));
      expect(text).toContain(message);
      expect(text).toMatch(/^pipeline\.yaml:2:\d+: [\s\S]*\n +\^/);
    });

    it('is a name, or a map of pins; on a GPU it holds one', () => {
      const read = (backend: string) => [...sound({ 'pipeline.yaml': worker(backend), a: '' }).stages.values()][0];
      expect(read('node')).toMatchObject({ action: { backend: { name: 'node' } }, resources: {} });
      expect(read("{name: node, threads: 2, onednn: false, isa: avx2, tensorflow: '2.15.1'}")?.action).toEqual({
        ...{ kind: 'worker', module: 'w.ts' },
        backend: { name: 'node', threads: 2, onednn: false, isa: 'avx2', tensorflow: '2.15.1' },
      });
      expect(read('{}')?.action).toEqual({ kind: 'worker', module: 'w.ts' });
      expect(read('gpu')?.resources).toEqual({ gpu: 1 });
      expect(read('{name: gpu}, resources: {gpu: 2}')?.resources).toEqual({ gpu: 2 });
    });
  });

  it('are read', () => {
    const text = stage(
      "env: [A, 'B=x=y', C=], strict_env: true, resources: {cpu: 0.5, gpu: 2, memory: 1.5GiB}, mutex: db, retries: 2, timeout: 1h30m, stall: 10m, checkpoints: {keep: 3, grace: 1m, push: true}",
    );
    const [one] = [...sound({ 'pipeline.yaml': text }).stages.values()];
    expect(one).toMatchObject({
      env: [{ name: 'A' }, { name: 'B', value: 'x=y' }, { name: 'C', value: '' }],
      strictEnv: true,
      checkpoints: { keep: 3, grace: 60_000, push: true },
      resources: { cpu: 0.5, gpu: 2, memory: 1.5 * 2 ** 30 },
      mutex: ['db'],
      retries: 2,
      timeout: 5_400_000,
      stall: 600_000,
    });
  });

  it('take templates', () => {
    const text = `vars: [{n: 2, w: A, t: 90s}]\n${stage("env: ['${w}=${n}'], retries: '${n}', timeout: '${t}', mutex: ['${w}']")}`;
    const [one] = [...sound({ 'pipeline.yaml': text }).stages.values()];
    expect(one).toMatchObject({ env: [{ name: 'A', value: '2' }], retries: 2, timeout: 90_000, mutex: ['A'] });
  });

  it('make no result stale by values that only they name', () => {
    const how =
      "resources: {gpu: '${gpu}'}, retries: '${n}', timeout: '${n}', mutex: ['${w}'], outs: [o], verify: {o: {tolerance: '${t}'}}";
    const text = `stages:\n  s: {cmd: 'run ${'${lr}'}', ${how}}\n`;
    const { used, stages } = sound({ 'pipeline.yaml': text, 'params.yaml': 'gpu: 1\nn: 2\nw: A\nt: 1%\nlr: 0.1\n' });
    expect([...stages.values()][0]).toMatchObject({ resources: { gpu: 1 }, retries: 2, mutex: ['A'] });
    expect([...used.values()].map((files) => [...files.values()].map((values) => [...values.keys()]))).toEqual([
      [['lr']],
    ]);
  });
});

describe('.dagignore', () => {
  it('refuses an out that it leaves out, by file or by folder', () => {
    const files = (rules: string, out: string) => ({ 'pipeline.yaml': stage(`outs: [${out}]`), '.dagignore': rules });
    const refused = (rules: string, out: string, more = {}) =>
      load({ ...files(rules, out), ...more }).diagnostics.map(({ message }) => message);
    expect(refused('*.tmp\n', 'x/y.tmp')).toEqual(["'x/y.tmp' is ignored by .dagignore"]);
    expect(refused('x/\n', 'x/y')).toEqual(["'x/y' is ignored by .dagignore"]);
    expect(refused('x/\n', 'x')).toEqual([]);
    expect(refused('x/\n', 'x', { 'x/f': '' })).toEqual(["'x' is ignored by .dagignore"]);
    expect(refused('*.tmp\n!y.tmp\n', 'x/y.tmp')).toEqual([]);
  });

  it('lets a deeper file take a folder back', () => {
    const text = 'stages:\n  t: {cmd: run}\n';
    const pipeline = sound({
      '.dagignore': 'b\n*.x\n',
      'a/.dagignore': '!b\n',
      'a/b/pipeline.yaml': text,
      'b/pipeline.yaml': '[',
    });
    expect(pipeline.files).toEqual([path('a/b/pipeline.yaml')]);
  });
});

describe('a project inside a project', () => {
  const stages = (name: string) => `stages: {${name}: {cmd: x, outs: [${name}.out]}}\n`;

  it.each([
    ['says `root: true`', { 'own/pipeline.yaml': `root: true\n${stages('b')}` }],
    ['says so beside a mistake', { 'own/pipeline.yaml': 'root: true # own\nstages: {b: {cmmd: x}}\n' }],
    ['is a git repository', { 'own/.git': 'gitdir: ../.git/modules/own\n', 'own/pipeline.yaml': stages('b') }],
  ])('that %s is left out, with all below it', (_, files) => {
    const { pipeline, diagnostics } = load({
      'pipeline.yaml': stages('a'),
      ...files,
      'own/deep/pipeline.yaml': stages('c'),
      'sub/pipeline.yaml': stages('d'),
    });
    expect(diagnostics).toEqual([]);
    expect([...(pipeline?.stages.keys() ?? [])]).toEqual(['a', 'sub/pipeline.yaml:d']);
  });
});
