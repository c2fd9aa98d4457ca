import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { DAG, NODE, scrubbedEnv } from '../rigs/dag.ts';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';
import { needRig } from '../rigs/s3.ts';
import { missingCc, missingStrace, pathOf } from '../rigs/strace.ts';

const project = projectPerTest();
const held = heldPerTest();

interface Traced {
  readonly stage: string;
  readonly by: string;
  readonly complete: boolean;
  readonly problems: readonly string[];
  readonly reads: readonly { path: string; from: string; files?: number; program: string; stage?: string }[];
  readonly writes: readonly { path: string; how: string; of?: string; stage?: string }[];
  readonly edits: readonly { file: string; line: number; before: string[]; after: string[] }[];
  readonly unread: readonly string[];
  readonly connections: readonly string[];
  readonly leftovers: readonly string[];
  readonly reads_git: boolean;
  readonly absent: readonly string[];
}

/** Runs all stages, and gives what was said of each that was traced. */
async function traced(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const ran = await project.repro(['--trace', '-f', '-v', ...args], { env });
  const traces = ran.events.filter(({ event }) => event === 'traced') as unknown as Traced[];
  const of = (stage: string): Traced => {
    const trace = traces.find((one) => one.stage === stage);
    if (trace === undefined) throw new Error(`${stage} was not traced:\n${ran.stdout}${ran.stderr}`);
    return trace;
  };
  return { ...ran, traces, of };
}

const nothing = { complete: true, problems: [], reads: [], writes: [], edits: [] };
const paths = (list: readonly { path: string }[]): string[] => list.map((one) => one.path);

/** One stage; its command as a list of lines, so that quotes need no care. */
function stage(cmd: string, rest = 'deps: [in.txt]\n    outs: [out.txt]'): void {
  project.write('pipeline.yaml', `stages:\n  s:\n    cmd: ${JSON.stringify(cmd)}\n    ${rest}\n`);
  project.write('in.txt', 'in\n');
}

describe('by strace', () => {
  beforeEach((context) => needRig(context, missingStrace()));

  test('a hidden dep and a write outside of the outs are named, with the lines to write; with them there is nothing to say', async () => {
    project.write('in.txt', 'in\n');
    project.write('secret.txt', 'not in git\n');
    project.write('lib/helper.sh', 'cat secret.txt\n');
    project.write(
      'pipeline.yaml',
      `stages:
  # deps as a list
  s:
    cmd: (cat in.txt; sh lib/helper.sh) > out.txt; date > log.txt
    deps:
      - in.txt  # the first
    outs: [out.txt]
`,
    );
    project.write('.gitignore', 'secret.txt\n');
    project.git('add', '.');
    const said = (await traced()).of('s');
    expect(said).toMatchObject({
      by: 'strace',
      complete: true,
      reads: [
        { path: 'lib/helper.sh', from: 'git', program: 'sh' },
        { path: 'secret.txt', from: 'workspace', program: 'cat' },
      ],
      writes: [{ path: 'log.txt', how: 'written' }],
      unread: [],
      reads_git: false,
    });
    expect(said.edits).toEqual([
      {
        file: 'pipeline.yaml',
        key: 'deps',
        paths: ['lib/helper.sh', 'secret.txt'],
        line: 7,
        before: [],
        after: ['      - lib/helper.sh', '      - secret.txt'],
      },
      {
        file: 'pipeline.yaml',
        key: 'outs',
        paths: ['log.txt'],
        line: 7,
        before: ['    outs: [out.txt]'],
        after: ['    outs: [out.txt, log.txt]'],
      },
    ]);
    const ran = await project.dag(['repro', '--trace', '-f']);
    expect(ran.status).toBe(0);
    expect(ran.stderr.split('\n').slice(1)).toEqual([
      "warning: stage 's' reads what it does not declare",
      '  lib/helper.sh  read by sh; it is in git',
      '  secret.txt     read by cat; it is neither in git nor tracked: nobody else has it',
      "warning: stage 's' writes what it does not declare",
      '  log.txt  written by sh',
      '  to declare it, in pipeline.yaml behind line 6:',
      '  +       - lib/helper.sh',
      '  +       - secret.txt',
      '  to declare it, in pipeline.yaml, line 7:',
      '  -     outs: [out.txt]',
      '  +     outs: [out.txt, log.txt]',
      '',
    ]);
    // Each edit is of the text as it is: the later place first.
    const lines = project.read('pipeline.yaml').split('\n');
    for (const { line, before, after } of said.edits.toReversed()) lines.splice(line - 1, before.length, ...after);
    project.write('pipeline.yaml', lines.join('\n'));
    expect((await traced()).of('s')).toMatchObject({ ...nothing, unread: [] });
  });

  test('what a stage makes and takes away again, outs that are moved into place, and its own folders are nothing to say', async () => {
    stage(
      [
        'mkdir -p work/a && cd work/a && cp ../../in.txt copy && cat copy > ../sum && cd ../..',
        'mv work/sum out.tmp && mv out.tmp out.txt && ln -s out.txt link && cat link && rm -r work link',
        't=$(mktemp) && cat in.txt > $t && cat $t && rm $t',
        'mkdir new && echo 1 > new/one && mv new folder && cat folder/one',
      ].join('\n'),
      'deps: [in.txt]\n    outs: [out.txt, folder]',
    );
    expect((await traced()).of('s')).toMatchObject({ ...nothing, unread: [], leftovers: [] });
  });

  test("others' outs, deps that it changes, files that it deletes, what it leaves, and what it never opens", async () => {
    project.write(
      'pipeline.yaml',
      `data: [kept.csv]
stages:
  first: {cmd: echo 1 > first.txt, outs: [first.txt]}
  s:
    cmd: cat first.txt in.txt kept.csv > out.txt; echo x >> in.txt; rm gone.txt; echo left > $TMPDIR/left; echo y > first.txt
    deps: [in.txt, unused.txt]
    outs: [out.txt]
`,
    );
    for (const file of ['in.txt', 'unused.txt', 'gone.txt', 'kept.csv']) project.write(file, `${file}\n`);
    project.git('add', 'gone.txt');
    const temporary = fs.mkdtempSync(path.join(project.home, 'tmp-'));
    const said = (await traced([], { TMPDIR: temporary })).of('s');
    expect(said.reads).toMatchObject([
      { path: 'first.txt', from: 'stage', stage: 'first' },
      { path: 'kept.csv', from: 'data' },
    ]);
    expect(said.writes).toMatchObject([
      { path: 'first.txt', how: 'written', of: 'stage', stage: 'first' },
      { path: 'gone.txt', how: 'deleted', of: 'git' },
      { path: 'in.txt', how: 'written', of: 'dep' },
    ]);
    expect(said).toMatchObject({ unread: ['unused.txt'], leftovers: [path.join(temporary, 'left')] });
    // What it changes is no out to declare, and no dep.
    expect(said.edits).toMatchObject([{ key: 'deps', paths: ['kept.csv'] }]);
  });

  test('files whose names hold anything', async () => {
    const part = fc.stringMatching(/^[ -.0-~\n\t\r\u00e9\u4e16\u{1f600}]{1,20}$/u);
    const name = part.filter((text) => !/^\.|^\s|\s$/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 30 }), async (names) => {
        fs.rmSync(project.path('odd'), { recursive: true, force: true });
        for (const one of names) project.write(`odd/${one}`, 'x');
        project.write('names.json', JSON.stringify(names));
        const script = `const fs = require('fs');
          process.chdir('odd');
          for (const one of JSON.parse(fs.readFileSync('../names.json'))) fs.readFileSync(one);
          fs.writeFileSync('../out.txt', '');`;
        project.write('read.cjs', script);
        // One of its own outs lies in the folder, so that each file is named.
        project.write(
          'pipeline.yaml',
          'stages: {s: {cmd: node read.cjs, deps: [names.json, read.cjs], outs: [out.txt, {odd/.out: {persist: true, cache: false}}]}}',
        );
        project.write('odd/.out', '');
        const said = (await traced()).of('s');
        expect(said).toMatchObject({ complete: true, problems: [] });
        expect(paths(said.reads).sort()).toEqual(names.map((one) => `odd/${one}`).sort());
      }),
      {
        numRuns: runs(2),
        examples: [[['a"b', 'c<d>', 'e\\n', '(f', '$(g)', "h'", 'i\nj', '= -1 ENOENT', '<unfinished ...>']]],
      },
    );
  });

  test('many processes, threads, folders that change, symlinks, and a folder for many files', async () => {
    for (let i = 0; i < 40; i++) project.write(`parts/${i % 4}/${i}.txt`, `${i}`);
    project.write('real/data.txt', 'x');
    fs.symlinkSync('real', project.path('alias'));
    project.write(
      'threads.cjs',
      `const { Worker, isMainThread, workerData } = require('worker_threads');
       if (isMainThread) for (let i = 0; i < 4; i++) new Worker(__filename, { workerData: i });
       else require('fs').readFileSync('thread' + workerData + '.txt');`,
    );
    for (let i = 0; i < 4; i++) project.write(`thread${i}.txt`, 'x');
    stage(
      [
        'for i in $(seq 0 39); do (cd parts/$((i % 4)) && cat ../$((i % 4))/$i.txt) & done > /dev/null; wait',
        'node threads.cjs',
        'cat alias/data.txt in.txt > out.txt',
      ].join('\n'),
    );
    const said = (await traced()).of('s');
    expect(said).toMatchObject({ complete: true, problems: [], writes: [] });
    expect(said.reads.map(({ path, files = 1 }) => [path, files])).toEqual([
      ['parts/0', 10],
      ['parts/1', 10],
      ['parts/2', 10],
      ['parts/3', 10],
      ['real/data.txt', 1],
      ['thread0.txt', 1],
      ['thread1.txt', 1],
      ['thread2.txt', 1],
      ['thread3.txt', 1],
      ['threads.cjs', 1],
    ]);
  });

  test('a dep by another path to it, a pattern, a folder, params, and a link from the cache are declared', async () => {
    for (const file of ['data/a.csv', 'data/b.csv', 'folder/x/y', 'elsewhere/z']) project.write(file, 'x\n');
    fs.symlinkSync('elsewhere', project.path('dep'));
    project.write('params.yaml', 'a: 1\n');
    project.write(
      'pipeline.yaml',
      `cache: {link: [symlink]}
data: [tracked]
stages:
  s:
    cmd: cat data/*.csv folder/x/../x/y dep/z $(pwd)/elsewhere/z params.yaml tracked/big > out.txt
    deps: ['data/*.csv', folder, dep, tracked]
    params: [a]
    outs: [out.txt]
`,
    );
    project.write('tracked/big', 'x'.repeat(200_000));
    expect(await project.dag(['add', 'tracked'])).toMatchObject({ status: 0 });
    expect((await traced()).of('s')).toMatchObject({ ...nothing, unread: [] });
  });

  test('a program that shares no library, and one that would queue its calls', async (context) => {
    needRig(context, missingCc());
    project.write(
      'hidden.c',
      `#include <errno.h>
       #include <fcntl.h>
       #include <stdio.h>
       #include <sys/syscall.h>
       #include <unistd.h>
       int main(void) {
         char ring[512] = {0};
         long made = syscall(SYS_io_uring_setup, 1, ring);
         printf("%d\\n", made == -1 && errno == ENOSYS);
         return open("hidden.txt", O_RDONLY) < 0;
       }`,
    );
    project.write('hidden.txt', 'x');
    execFileSync('cc', ['-static', '-o', project.path('hidden'), project.path('hidden.c')]);
    stage('./hidden > out.txt', 'deps: [hidden]\n    outs: [out.txt]');
    expect((await traced()).of('s')).toMatchObject({
      complete: true,
      reads: [{ path: 'hidden.txt', program: 'hidden' }],
    });
    expect(project.read('out.txt')).toBe('1\n');
  });

  test('modules of Python count where only their compiled form is read', async () => {
    project.write('code/helper.py', 'VALUE = 1\n');
    project.write(
      'main.py',
      "import sys\nsys.path.insert(0, 'code')\nimport helper\nopen('out.txt', 'w').write('x')\n",
    );
    stage('python3 main.py', 'deps: [main.py]\n    outs: [out.txt]');
    await traced();
    const said = (await traced()).of('s');
    expect(paths(said.reads)).toEqual(['code/helper.py']);
    expect(said.writes).toEqual([]);
  });

  test('a worker stage: its module and what runs it are known, what the module opens is not', async () => {
    project.write('src/lib.ts', 'export const one: number = 1;\n');
    project.write(
      'src/stage.ts',
      `import fs from 'node:fs';
       import { one } from './lib.ts';
       export default () => { fs.writeFileSync('out.txt', fs.readFileSync('hidden.txt', 'utf8') + one); };\n`,
    );
    project.write('hidden.txt', 'x');
    project.write('pipeline.yaml', 'stages: {s: {worker: src/stage.ts, outs: [out.txt]}}\n');
    const ran = await traced();
    expect(ran).toMatchObject({ status: 0, ran: ['s'] });
    expect(ran.of('s')).toMatchObject({ complete: true, reads: [{ path: 'hidden.txt' }], writes: [] });
  });

  test('what has connections, what looks into git, and what is not there', async () => {
    project.write('.git/extra', 'x');
    project.write(
      'ask.cjs',
      `require('node:net').connect(${JSON.stringify('SOCKET')}).on('error', () => {}).on('connect', () => process.exit());`,
    );
    stage(`${held.command('s')}; cat .git/HEAD > out.txt; cat maybe.txt || true`);
    const running = traced();
    (await held.started('s')).release();
    const said = (await running).of('s');
    expect(said).toMatchObject({ reads: [], writes: [], reads_git: true, absent: ['maybe.txt'] });
    expect(said.connections).toEqual([expect.stringContaining('dag-held-')]);
  });

  test('exit status, signals, memory and the process group are those of the stage alone', async () => {
    stage('exit 7');
    expect(await project.repro(['--trace'])).toMatchObject({ status: 1, failed: ['s'] });
    const failed = (await traced()).events.find(({ event }) => event === 'finished');
    expect(failed).toMatchObject({ status: 'failed', exit_code: 7 });
    stage('kill -KILL $$');
    expect((await project.dag(['repro', '--trace'])).stderr).toContain('was killed (SIGKILL)');
    // The stage is a child of dag's and leads its own group, as it is when nobody watches. Memory is looked at now and again.
    stage('node show.cjs > out.txt; sleep 3');
    project.write(
      'show.cjs',
      `const fs = require('node:fs');
       const stat = (pid) => fs.readFileSync('/proc/' + pid + '/stat', 'utf8').replace(/.*\\) /, '').split(' ');
       const [, above, group] = stat(process.ppid);
       const tracer = /TracerPid:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
       const dag = fs.readFileSync('/proc/' + above + '/cmdline', 'utf8');
       console.log(Number(group) === process.ppid, dag.includes('repro'), tracer !== '0', stat(tracer)[2] !== group);`,
    );
    await traced();
    expect(project.read('out.txt')).toBe('true true true true\n');
    const ran = JSON.parse((await project.dag(['log', 's', '--json'])).stdout) as unknown;
    expect(JSON.stringify(ran)).toContain('peak_rss');
  });

  test('a time limit and an interrupt end all of it, strace too', async () => {
    stage(`${held.command('a')} & ${held.command('b')}; wait`, 'timeout: 1s');
    const timed = traced();
    const [a, b] = await Promise.all([held.started('a'), held.started('b')]);
    const tracer = tracerOf(a.pid);
    await Promise.all([a.gone, b.gone]);
    expect((await timed).stdout).toContain('took longer than its timeout');
    expect(fs.existsSync(`/proc/${tracer}`) && isAtWork(tracer)).toBe(false);

    stage(held.command('c'));
    const { child, ended } = project.start(['repro', '--trace']);
    const c = await held.started('c');
    const other = tracerOf(c.pid);
    child.kill('SIGINT');
    expect((await ended).status).toBe(130);
    expect(fs.existsSync(`/proc/${other}`) && isAtWork(other)).toBe(false);
  });

  test('what a kill leaves in the folder for temporary files is gone after the next trace', async () => {
    const tmp = path.join(project.home, 'tmp');
    fs.mkdirSync(tmp);
    const env = { TMPDIR: tmp };
    stage(`${held.command('a')}; cat in.txt > out.txt`);
    const { child, ended } = project.start(['repro', '--trace'], { env });
    const a = await held.started('a');
    const left = fs.readdirSync(tmp).filter((name) => name.startsWith('dagtrace-'));
    expect(left).toHaveLength(1);
    child.kill('SIGKILL');
    await ended;
    a.release();
    await a.gone;
    stage('cat in.txt > out.txt');
    expect((await traced([], env)).of('s')).toMatchObject(nothing);
    expect(fs.readdirSync(tmp)).not.toContain(left[0]);
  });

  test('a strace that is killed leaves nothing believed', async () => {
    stage(`${held.command('a')}; cat in.txt > out.txt`);
    const running = traced();
    const a = await held.started('a');
    process.kill(Number(tracerOf(a.pid)), 'SIGKILL');
    a.release();
    expect((await running).of('s')).toMatchObject({
      complete: false,
      problems: ['strace ended before what it followed'],
    });
  });

  test('a stage that gives its processes other file systems is not believed', async (context) => {
    try {
      execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    } catch {
      needRig(context, process.getuid?.() === 0 ? 'unshare is not allowed here' : undefined);
      return;
    }
    stage('unshare --mount cat in.txt > out.txt');
    expect((await traced()).of('s')).toMatchObject({
      complete: false,
      problems: [expect.stringContaining('file systems of their own')],
    });
  });

  test('stages that are skipped or restored are not traced, and --dry starts nothing', async () => {
    stage('cat in.txt > out.txt');
    await traced();
    expect((await project.repro(['--trace'])).events.filter(({ event }) => event === 'traced')).toEqual([]);
    expect((await project.repro(['--trace', '--dry', '-f'])).events.filter(({ event }) => event === 'traced')).toEqual(
      [],
    );
  });
});

describe('where no strace can be had', () => {
  const env = () => ({
    PATH: pathOf(fs.mkdtempSync(path.join(project.home, 'bin-')), ['node', 'sh', 'cat', 'git', 'python3']),
  });

  test('Node is followed by its own hooks, in both formats of modules', async () => {
    project.write('lib.mjs', "import './other.cjs'; export const one = 1;\n");
    project.write('other.cjs', "require('node:fs').readFileSync('hidden.txt');\n");
    project.write(
      'main.mjs',
      "import fs from 'node:fs'; import { one } from './lib.mjs'; fs.writeFileSync('out.txt', `${one}`); fs.promises.appendFile('log.txt', 'x');\n",
    );
    project.write('hidden.txt', 'x');
    stage('node main.mjs', 'deps: [main.mjs]\n    outs: [out.txt]');
    expect((await traced([], env())).of('s')).toMatchObject({
      by: 'language-hooks',
      complete: true,
      problems: [],
      reads: [{ path: 'hidden.txt' }, { path: 'lib.mjs' }, { path: 'other.cjs' }],
      writes: [{ path: 'log.txt' }],
    });
  });

  test('Python is, with the sitecustomize that was there before', async () => {
    project.write('own/sitecustomize.py', "open('custom.txt')\n");
    project.write('custom.txt', 'x');
    project.write('hidden.txt', 'x');
    project.write('main.py', "open('out.txt', 'w').write(open('hidden.txt').read())\n");
    stage('python3 main.py', 'deps: [main.py]\n    outs: [out.txt]');
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
    project.write('pipeline.yaml', project.read('pipeline.yaml').replace('python3', python));
    const said = (await traced([], { ...env(), PYTHONPATH: project.path('own') })).of('s');
    expect(said).toMatchObject({ by: 'language-hooks', complete: true, problems: [] });
    expect(paths(said.reads)).toEqual(['custom.txt', 'hidden.txt', 'own/sitecustomize.py']);
  });

  test('what they can not see is said: a shell at work, other programs, native code', async () => {
    stage('cat in.txt > out.txt');
    const said = (await traced([], env())).of('s');
    expect(said).toMatchObject({ complete: false, reads: [], unread: [] });
    expect(said.problems[0]).toBe('strace is not installed');
    stage('cat in.txt', 'deps: [in.txt]');
    expect((await traced([], env())).of('s').problems).toContainEqual(expect.stringContaining("'cat' is neither"));
    project.write('spawns.cjs', "require('node:child_process').execFileSync('cat', ['in.txt']);\n");
    stage('node spawns.cjs', 'deps: [in.txt, spawns.cjs]');
    expect((await traced([], env())).of('s').problems).toContainEqual(expect.stringContaining("('cat')"));
    const ran = await project.dag(['repro', '-f', '--trace'], { env: env() });
    expect(ran.stderr).toContain("warning: stage 's' could not be traced in full\n  strace is not installed\n");
  });

  test('a strace that may not follow processes is found out before any stage runs', async (context) => {
    needRig(context, missingStrace());
    // Whoever is followed already can't be followed by another: what a container without ptrace comes to.
    stage('node main.cjs', 'deps: [main.cjs]');
    project.write('main.cjs', '');
    const child = spawn(
      'strace',
      ['-f', '-o', '/dev/null', '-e', 'trace=none', NODE, DAG, 'repro', '--trace', '--json'],
      {
        cwd: project.root,
        env: scrubbedEnv(project.home, { TMPDIR: os.tmpdir() }),
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await new Promise((resolve) => child.once('close', resolve));
    const said = text.split('\n').find((line) => line.includes('"traced"')) ?? '';
    expect(JSON.parse(said)).toMatchObject({ by: 'language-hooks', complete: true, reads: [], unread: [] });
  });
});

function tracerOf(pid: number): string {
  return /TracerPid:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

/** Whether a process is more than a zombie that nobody collects. */
function isAtWork(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
