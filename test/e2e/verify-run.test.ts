import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

const project = projectPerTest();
const held = heldPerTest();

async function run(...args: string[]): Promise<string> {
  const ran = await project.dag(args);
  if (ran.status !== 0) throw new Error(`dag ${args.join(' ')}: ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/** Stages over tracked data, run and committed. */
async function begin(stages: string, more: Readonly<Record<string, string>> = {}, remote = ''): Promise<void> {
  project.write('raw/a', 'a\n');
  project.write('raw/b', 'b\n');
  for (const [file, text] of Object.entries(more)) project.write(file, text);
  await run('init', '-q');
  project.write('pipeline.yaml', `${remote}data: [raw]\nstages:\n${stages}`);
  await run('add', '-q', 'raw');
  await run('repro', '-q');
  commit();
}

const store = () => `remotes: {store: '${project.path('../store')}'}\nremote: store\n`;

function commit(): void {
  project.git('add', '-A');
  project.git('commit', '-q', '-m', 'x');
}

interface Row {
  readonly name: string;
  readonly verdict: string;
  readonly ok: boolean;
  readonly reasons: readonly string[];
  readonly notes?: readonly string[];
  readonly outs?: readonly Record<string, unknown>[];
}

async function verify(args: readonly string[] = [], env: Record<string, string> = {}, where: TestProject = project) {
  const ran = await where.dag(['verify', '--json', ...args, '--run'], { env });
  const rows = ran.events.filter(({ event }) => event === 'verdict') as unknown as Row[];
  const verdicts = Object.fromEntries(rows.map(({ name, verdict }) => [name, verdict]));
  return { ...ran, rows, verdicts, row: (name: string) => rows.find((row) => row.name === name) };
}

/** All that a run must leave alone: the workspace, and what the cache keeps. */
function snapshot(): Record<string, string> {
  const files = fs.readdirSync(project.root, { recursive: true, encoding: 'utf8' }).sort();
  const kept = files.filter(
    (file) => !/^\.git(\/|$)/.test(file) && !/^\.cache\/(stat|locks|remotes|users|tmp\/.)/.test(file),
  );
  return Object.fromEntries(
    kept.map((file) => {
      const stat = fs.lstatSync(project.path(file));
      return [file, stat.isFile() ? `${stat.mtimeMs} ${fs.readFileSync(project.path(file), 'latin1')}` : 'folder'];
    }),
  );
}

const temporary = () => fs.readdirSync(project.path('.cache/tmp')).filter((name) => name.startsWith('verify'));

const GOOD = `  sum:
    cmd: cat raw/* > sum.txt && mkdir -p parts && cp raw/a parts/
    deps: [raw]
    outs: [sum.txt, parts]
  count:
    cmd: wc -l < sum.txt | tr -d ' ' > count.txt
    deps: [sum.txt]
    metrics: [{count.txt: {cache: false}}]
`;

describe('verify --run', () => {
  test('says that results are made again, and leaves all as it was', async () => {
    await begin(GOOD);
    const before = snapshot();
    const { status, verdicts } = await verify();
    expect([status, verdicts]).toEqual([0, { sum: 'identical', count: 'identical' }]);
    expect(snapshot()).toEqual(before);
    expect(temporary()).toEqual([]);
    expect(project.git('status', '--porcelain')).toBe('');
    expect(project.git('worktree', 'list').split('\n').length).toBe(2);
    const said = await project.dag(['verify', '--run', 'sum', '-j', '2']);
    expect(said.stdout).toMatch(/^identical {2}sum\nVerified 1 stage of commit [0-9a-f]{7} in .*: made again\.\n$/);
  });

  test('fetches what it needs, and keeps none of it', async () => {
    await begin(GOOD, {}, store());
    await run('push', '-q');
    const clone = makeProject({ clone: project });
    try {
      expect((await verify([], {}, clone)).verdicts).toEqual({ sum: 'identical', count: 'identical' });
      for (const folder of ['objects', 'packs', 'runs']) expect(clone.exists(`.cache/${folder}`)).toBe(false);
      expect(clone.git('status', '--porcelain')).toBe('');
    } finally {
      clone.remove();
    }
  });

  test('inputs that are nowhere are named', async () => {
    await begin(GOOD);
    const clone = makeProject({ clone: project });
    try {
      const { status, row } = await verify([], {}, clone);
      expect(status).toBe(1);
      clone.write(
        'pipeline.yaml',
        clone.read('pipeline.yaml').replace(/^/, 'remotes: {gone: http://127.0.0.1:1}\nremote: gone\n'),
      );
      expect((await verify([], {}, clone)).status).toBe(3);
      expect(row('sum')).toMatchObject({
        verdict: 'no-inputs',
        reasons: [expect.stringMatching(/^dep raw can't be had/)],
      });
    } finally {
      clone.remove();
    }
  });

  test('catches a hidden dep, the clock, what is written elsewhere, and a path in an out; no one hides another', async () => {
    await begin(
      `  hidden:
    cmd: cat secret.txt raw/a > hidden.txt
    deps: [raw]
    outs: [hidden.txt]
  clock:
    cmd: date +%s%N > clock.txt
    deps: [raw]
    outs: [clock.txt]
  outside:
    cmd: cp raw/a outside.txt; echo x > more.txt; echo y >> notes.md; echo z > clock.txt; echo t > scratch.tmp
    deps: [raw]
    outs: [outside.txt]
  path:
    cmd: pwd > path.txt
    deps: [raw]
    outs: [path.txt]
  own:
    cmd: cp raw/a own.txt
    deps: [raw]
    outs: [own.txt]
`,
      { 'notes.md': 'n\n', 'secret.txt': 's\n', '.gitignore': 'secret.txt\n*.tmp\n' },
    );
    // As `outside` left them.
    project.write('notes.md', 'n\n');
    project.git('rm', '-q', '--cached', 'more.txt');
    commit();
    project.git('rm', '-q', '--cached', 'more.txt');
    project.git('commit', '-q', '-m', "more.txt is nobody's");
    const { status, row, verdicts } = await verify(['--repeat', '2']);
    expect(status).toBe(1);
    expect(verdicts).toEqual({
      hidden: 'failed',
      clock: 'different',
      outside: 'undeclared',
      path: 'different',
      own: 'identical',
    });
    expect(row('hidden')?.reasons.join('\n')).toMatch(
      /secret\.txt: No such file[\s\S]*read something that is no dep\?/,
    );
    expect(row('clock')?.reasons.join('\n')).toMatch(/line 1 is .*, was .*\n2 runs made different results/);
    expect(row('outside')?.reasons).toEqual([
      'it writes clock.txt, which is none of its outs',
      'it writes more.txt, which is none of its outs',
      'it writes notes.md, which is none of its outs',
    ]);
    expect(row('outside')?.notes).toEqual(['it leaves files that git ignores: scratch.tmp']);
    expect(row('path')?.reasons).toContain('path.txt holds the path of the folder that the stage ran in');
  });

  test('a stage that changes its own dep is told', async () => {
    await begin(
      '  s:\n    cmd: cat raw/a > o; if [ -n "$BAD" ]; then echo more >> raw/a; fi\n    deps: [raw]\n    outs: [o]\n',
    );
    const before = snapshot();
    const { row } = await verify([], { BAD: '1' });
    expect(row('s')).toMatchObject({ verdict: 'undeclared', ok: false, reasons: ['it changes its own dep raw'] });
    expect(snapshot()).toEqual(before);
  });

  test('what differs from its lock entry in code or params, or is frozen, is not run; a broken chain is', async () => {
    await begin(`${GOOD}  ice:\n    cmd: date > ice.txt\n    deps: [raw]\n    outs: [ice.txt]\n`);
    project.write(
      'pipeline.yaml',
      project.read('pipeline.yaml').replace('wc -l', 'wc  -l').replace('cmd: date', 'frozen: true\n    cmd: date'),
    );
    project.write('raw/c', 'c\n');
    await run('add', '-q', 'raw');
    commit();
    const { verdicts, row } = await verify();
    expect(verdicts).toEqual({ ice: 'frozen', count: 'stale', sum: 'identical' });
    expect(row('count')?.reasons[0]).toMatch(/^command modified/);
  });

  test('says which commit it is about, and what of the workspace is not in it', async () => {
    await begin(GOOD, { 'code.sh': 'a\n' });
    project.write('code.sh', 'b\n');
    const ran = await project.dag(['verify', '--run', 'sum']);
    expect(ran.status).toBe(0);
    const id = project.git('rev-parse', '--short=7', 'HEAD').trim();
    expect(ran.stderr).toContain(`note: this verifies commit ${id}; what differs from it here is left out: code.sh\n`);
  });

  test('a share of the stages is chosen, and chosen again by its seed', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
    await begin(
      names
        .map((name) => `  ${name}:\n    cmd: echo ${name} > ${name}.txt\n    deps: [raw]\n    outs: [${name}.txt]\n`)
        .join(''),
    );
    const first = await verify(['--sample', '25%', '--seed', 'x']);
    expect(first.rows.length).toBe(2);
    expect((await verify(['--sample', '25%', '--seed', 'x'])).verdicts).toEqual(first.verdicts);
    const chosen = new Set(
      await Promise.all(
        ['1', '2', '3'].map(async (seed) =>
          Object.keys((await verify(['--sample', '25', '--seed', seed])).verdicts)
            .sort()
            .join(),
        ),
      ),
    );
    expect(chosen.size).toBeGreaterThan(1);
  });

  test('wrong usage is exit status 2', async () => {
    await begin('  s:\n    cmd: echo > o\n    outs: [o]\n');
    for (const [args, message] of [
      [['--sample', '0%', '--run'], /--sample takes a percentage/],
      [['--sample', '10%'], /needs --run/],
      [['--repeat', 'no', '--run'], /--repeat takes a whole number/],
      [['--run', 'nothing'], /nothing/],
      [['--run', '-c'], /--cloud does not go together/],
    ] as const) {
      const ran = await project.dag(['verify', ...args]);
      expect([ran.status, ran.stderr]).toEqual([2, expect.stringMatching(message)]);
    }
    expect(temporary()).toEqual([]);
  });

  test('without a commit there is nothing to verify', async () => {
    await run('init', '-q');
    const ran = await project.dag(['verify', '--run']);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(/there is none here\n {2}git init/);
    project.git('commit', '-q', '--allow-empty', '-m', 'nothing');
    const uncommitted = await project.dag(['verify', '--run']);
    expect(uncommitted.status).toBe(2);
    expect(uncommitted.stderr).toMatch(/^error: commit [0-9a-f]{7} has no pipeline\.yaml/);
    expect(temporary()).toEqual([]);
  });

  test('broken off, it ends what runs and removes its folder', async () => {
    await begin(
      `  slow:\n    cmd: |
      if [ -n "$HOLD" ]; then ${held.command('slow')}; fi; cp raw/a o\n    deps: [raw]\n    outs: [o]\n`,
    );
    await project.dag(['verify', '--run', '--save-baseline', '../base.json']);
    const baseline = project.read('../base.json');
    const { child, ended } = project.start(['verify', '--run', '--save-baseline', '../base.json'], {
      env: { HOLD: '1' },
    });
    const command = await held.started('slow');
    expect(temporary().length).toBe(1);
    child.kill('SIGTERM');
    const { status, stdout } = await ended;
    expect([status, stdout]).toEqual([143, expect.stringMatching(/^Verified 0 stages .*interrupted/)]);
    await command.gone;
    expect(temporary()).toEqual([]);
    expect(project.read('../base.json')).toBe(baseline);
  });

  test('stages run at once, each in a folder of its own; those of one mutex do not', async () => {
    const stage = (name: string, more = '') =>
      `  ${name}:\n    cmd: |
      if [ -n "$HOLD" ]; then ${held.command(name)}; fi; cp raw/a ${name}.txt\n    deps: [raw]\n    outs: [${name}.txt]\n${more}`;
    await begin(`${stage('a', '    mutex: [m]\n')}${stage('b', '    mutex: [m]\n')}${stage('c')}`);
    const verified = verify(['-j', '3'], { HOLD: '1' });
    const first = await held.started('a');
    const other = await held.started('c');
    expect(held.running()).toEqual(['a', 'c']);
    first.release();
    (await held.started('b')).release();
    other.release();
    expect((await verified).verdicts).toEqual({ a: 'identical', b: 'identical', c: 'identical' });
  });
});

describe('how outs are compared', () => {
  /** A stage that makes what VARIANT says, locked with variant a. */
  const variants = (out: string, make: string, check: string) =>
    `  s:\n    cmd: ${make}\n    deps: [raw, make.cjs]\n    outs: [${out}]\n    verify: {${check}}\n`;

  const MAKE = `const fs = require('node:fs');
const b = process.env.VARIANT === 'b';
const out = process.argv[2];
const model = (w, order) => {
  fs.mkdirSync(out, { recursive: true });
  const weights = [{ name: 'k', shape: [2, 2], dtype: 'float32' }, { name: 'i', shape: [1], dtype: 'int32' }];
  const data = { k: Buffer.from(new Float32Array(w).buffer), i: Buffer.from(new Int32Array([7]).buffer) };
  const specs = order ? weights : weights.toReversed();
  fs.writeFileSync(out + '/w.bin', Buffer.concat(specs.map(({ name }) => data[name])));
  const json = { format: 'layers-model', modelTopology: { a: 1 }, weightsManifest: [{ paths: ['w.bin'], weights: specs }] };
  fs.writeFileSync(out + '/model.json', order ? JSON.stringify(json) : JSON.stringify(json, null, 1));
};
({
  keys: () => fs.writeFileSync(out, b ? '{"b": 2.0, "a": 1}' : '{"a":1,"b":2}'),
  numbers: () => fs.writeFileSync(out, b ? '{"acc": 0.905, "loss": {"val": 1.04}}' : '{"acc": 0.9, "loss": {"val": 1.0}}'),
  weights: () => model(b ? [1, 2, 3.0005, 4] : [1, 2, 3, 4], true),
})[process.argv[3]]();
`;

  test.each([
    [
      'json in other bytes',
      'o.json',
      'keys',
      'o.json: {as: json}',
      'canonical',
      'o.json says the same in other bytes (as json)',
    ],
    [
      'numbers within tolerances by key',
      'o.json',
      'numbers',
      'o.json: {tolerance: {acc: 0.01, loss: 5%}}',
      'tolerated',
      '2 of 2 numbers off, by 0.04 (4.0%) at most',
    ],
    [
      'a model beyond its tolerance',
      'm',
      'weights',
      'm: {as: tfjs, tolerance: 1e-4}',
      'different',
      'm: tensor k[1, 0] is 3.000',
    ],
    ['what is to be ignored', 'm', 'weights', 'm/w.bin: {ignore: true}', 'identical', ''],
  ])('%s', async (_what, out, what, check, verdict, reason) => {
    await begin(variants(out, `node make.cjs ${out} ${what}`, check), { 'make.cjs': MAKE });
    expect((await verify()).verdicts).toEqual({ s: 'identical' });
    const { row, status } = await verify([], { VARIANT: 'b' });
    expect(row('s')?.verdict).toBe(verdict);
    expect(status).toBe(verdict === 'different' ? 1 : 0);
    expect(row('s')?.reasons.join('\n')).toContain(reason);
  });

  test('where all that differs is numbers, and the recorded run was made elsewhere, it is drift', async () => {
    await begin(variants('o.json', 'node make.cjs o.json numbers', ''), { 'make.cjs': MAKE });
    expect((await verify([], { VARIANT: 'b' })).status).toBe(1);
    const folder = project.path('.cache/runs');
    const records = fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(folder, name))
      .filter((file) => fs.statSync(file).isFile());
    expect(records.length).toBe(1);
    for (const file of records) {
      fs.chmodSync(file, 0o644);
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"platform":"[^"]*"/, '"platform":"plan9-mips"'));
    }
    const { row, status } = await verify(['--annotations'], { VARIANT: 'b' });
    expect(status).toBe(0);
    expect(row('s')).toMatchObject({ verdict: 'drift', ok: true });
    expect(row('s')?.reasons.at(-1)).toMatch(/^it was made with platform plan9-mips; here it is /);
    // Runs that differ among themselves are no drift, wherever they ran; nor is anything but numbers.
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('cmd: node', 'cmd: echo >> raw/a; node'));
  });

  test('with a baseline, the numbers of metrics decide: those of a file, or of a revision', async () => {
    const stage = (extra: string) =>
      `  s:\n    cmd: node make.cjs o.json numbers; date +%s%N > log\n    deps: [raw, make.cjs]\n    outs: [log]\n    metrics: [o.json]\n    verify: {o.json: {tolerance: {acc: 0.01, loss: ${extra}}}}\n`;
    await begin(stage('5%'), { 'make.cjs': MAKE });
    expect((await verify(['--save-baseline', 'base.json'])).status).toBe(1);
    expect(JSON.parse(project.read('base.json'))).toEqual({
      schema: 1,
      commit: project.git('rev-parse', 'HEAD').trim(),
      metrics: { 'o.json': { acc: 0.9, 'loss.val': 1 } },
    });
    const within = await verify(['--baseline', 'base.json'], { VARIANT: 'b' });
    expect([within.status, within.verdicts]).toEqual([0, { s: 'within' }]);
    expect(within.row('s')?.reasons.join()).toContain('2 of 2 numbers off, by 0.04 (4.0%) at most (base.json)');
    expect((await verify(['--baseline', 'HEAD'], { VARIANT: 'b' })).verdicts).toEqual({ s: 'within' });
    project.write('base.json', project.read('base.json').replace('0.9', '0.5'));
    const beyond = await verify(['--baseline', 'base.json'], { VARIANT: 'b' });
    expect([beyond.status, beyond.verdicts]).toEqual([1, { s: 'beyond' }]);
    expect(beyond.row('s')?.reasons.join()).toContain('o.json: acc is 0.905, was 0.5');
    project.write('base.json', '[]');
    expect((await verify(['--baseline', 'base.json'])).status).toBe(2);
    expect((await verify(['--baseline', 'nowhere'])).status).toBe(2);
  });

  test('a change of what is tolerated is no reason to run', async () => {
    await begin(variants('o.json', 'node make.cjs o.json numbers', 'o.json: {tolerance: 1}'), { 'make.cjs': MAKE });
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('tolerance: 1', 'tolerance: 2'));
    expect((await project.repro()).skipped).toEqual(['s']);
  });
});

describe('what a clean tree is made of', () => {
  test('installed packages are there; those of the project itself are its own files', async () => {
    project.write('node_modules/far/package.json', '{"name":"far","version":"1.0.0","main":"index.js"}');
    project.write('node_modules/far/index.js', 'module.exports = "far"');
    project.write('packages/near/package.json', '{"name":"@me/near","version":"1.0.0","main":"index.js"}');
    project.write('packages/near/index.js', 'module.exports = __dirname.includes("verify-") ? "tree" : "here"');
    fs.mkdirSync(project.path('node_modules/@me'));
    fs.symlinkSync('../../packages/near', project.path('node_modules/@me/near'));
    await begin('  s:\n    cmd: node s.cjs > o\n    deps: [s.cjs, raw]\n    outs: [o]\n', {
      's.cjs': 'console.log(require("far"), require("@me/near"))',
      '.gitignore': 'node_modules/\n',
    });
    const { row } = await verify();
    expect(row('s')).toMatchObject({ verdict: 'different', reasons: ['o: byte 4 is 0x74, was 0x68'] });
  });

  test('submodules come along, in other work trees too', async () => {
    const library = makeProject();
    try {
      library.write('lib.sh', 'cat raw/a\n');
      library.git('add', '-A');
      library.git('commit', '-q', '-m', 'lib');
      project.git('config', 'protocol.file.allow', 'always');
      const env = { ...process.env, HOME: project.home, GIT_ALLOW_PROTOCOL: 'file' };
      const git = (folder: string, ...args: string[]) => execFileSync('git', args, { cwd: folder, env, stdio: 'pipe' });
      git(project.root, 'submodule', '--quiet', 'add', library.root, 'lib');
      await begin('  s:\n    cmd: sh lib/lib.sh > o\n    deps: [raw, lib/lib.sh]\n    outs: [o]\n');
      expect((await verify()).verdicts).toEqual({ s: 'identical' });
      const other = project.path('../other');
      git(project.root, 'worktree', 'add', '-q', other);
      git(other, 'submodule', '--quiet', 'update', '--init');
      expect((await project.dag(['verify', '--run', '--cd', other])).stdout).toMatch(/^identical {2}s\n/);
    } finally {
      library.remove();
    }
  });

  test('a shallow clone, with its head detached', async () => {
    await begin(GOOD, {}, store());
    await run('push', '-q');
    project.write('x', 'x');
    commit();
    const folder = project.path('../shallow');
    execFileSync('git', ['clone', '-q', '--depth', '1', `file://${project.root}`, folder], {
      env: { ...process.env, HOME: project.home },
    });
    execFileSync('git', ['checkout', '-q', '--detach'], { cwd: folder });
    const ran = await project.dag(['verify', '--run', '--cd', '../shallow']);
    expect(ran.stdout).toMatch(/^identical {2}sum\nidentical {2}count\n/);
  });

  test('a project inside the repository, with what lies in its folders', async () => {
    project.write('in/one/raw.txt', 'raw\n');
    project.write(
      'in/one/sub/pipeline.yaml',
      'stages:\n  t:\n    cmd: cat ../o > p\n    deps: [../o]\n    outs: [p]\n',
    );
    project.write(
      'in/one/pipeline.yaml',
      'stages:\n  s:\n    cmd: cat raw.txt > o\n    deps: [raw.txt]\n    outs: [o]\n',
    );
    expect((await project.dag(['repro', '-q', '-P'], { cwd: 'in/one' })).status).toBe(0);
    commit();
    const ran = await project.dag(['verify', '--run'], { cwd: 'in/one' });
    expect(ran.stdout).toMatch(/^identical {2}s\nidentical {2}sub\/pipeline\.yaml:t\n/);
  });
});
