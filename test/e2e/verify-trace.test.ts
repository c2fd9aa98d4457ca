import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';
import { needRig } from '../rigs/s3.ts';
import { missingStrace, pathOf } from '../rigs/strace.ts';

const project = projectPerTest();

const STAGES = `data: [raw.txt]
stages:
  clean:
    cmd: cat raw.txt > clean.txt
    deps: [raw.txt]
    outs: [clean.txt]
  hidden:
    cmd: sh helper.sh > hidden.txt
    deps: [raw.txt]
    outs: [hidden.txt]
  writes:
    cmd: cat raw.txt > writes.txt; echo 1 >> tracked.log; echo 1 > new.log
    deps: [raw.txt]
    outs: [writes.txt]
  absent:
    cmd: cat raw.txt local.txt > absent.txt
    deps: [raw.txt]
    outs: [absent.txt]
`;

beforeEach(async () => {
  project.write('raw.txt', 'raw\n');
  project.write('helper.sh', 'cat raw.txt\n');
  project.write('tracked.log', '');
  project.write('local.txt', 'only here\n');
  project.write('.gitignore', 'local.txt\n*.new\n');
  await project.dag(['init', '-q']);
  project.write('pipeline.yaml', STAGES);
  await project.dag(['add', '-q', 'raw.txt']);
  const ran = await project.dag(['repro', '-q']);
  if (ran.status !== 0) throw new Error(ran.stderr);
  fs.rmSync(project.path('new.log'));
  project.write('tracked.log', '');
  project.git('add', '-A');
  project.git('commit', '-q', '-m', 'x');
});

async function verify(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const ran = await project.dag(['verify', '--json', '--trace', '--run', ...args], { env });
  const rows = ran.events.filter(({ event }) => event === 'verdict') as unknown as {
    readonly name: string;
    readonly verdict: string;
    readonly ok: boolean;
    readonly reasons: readonly string[];
    readonly trace: Record<string, unknown>;
  }[];
  return { ...ran, row: (name: string) => rows.find((row) => row.name === name) };
}

test('what a clean clone can not show is named, with the lines to write', async (context) => {
  needRig(context, missingStrace());
  const ran = await verify([]);
  expect(ran.status).toBe(1);
  expect(ran.row('clean')).toMatchObject({
    verdict: 'identical',
    ok: true,
    trace: { by: 'strace', complete: true, reads: [], writes: [], unread: [] },
  });
  // git has it, so that the clone does, and the outs are the same bytes.
  expect(ran.row('hidden')).toMatchObject({
    verdict: 'undeclared',
    ok: false,
    reasons: [
      'it reads helper.sh, which it does not declare: read by sh; it is in git',
      'to declare it, in pipeline.yaml, line 9:',
      '-     deps: [raw.txt]',
      '+     deps: [raw.txt, helper.sh]',
    ],
  });
  const writes = ran.row('writes');
  expect(writes).toMatchObject({ verdict: 'undeclared', ok: false });
  // Each is named once.
  expect(writes?.reasons.filter((reason) => reason.startsWith('it writes'))).toHaveLength(2);
  expect(writes?.reasons).toContain('+     outs: [writes.txt, new.log]');
  expect(ran.row('absent')?.verdict).toBe('failed');
  expect(ran.row('absent')?.reasons).toContain('it looked for local.txt, which is not there');
  const alone = await verify(['clean']);
  expect(alone.status).toBe(0);
});

test('what the clone lacks and others have is named with who has it, and with the line to write', async (context) => {
  needRig(context, missingStrace());
  project.write('more/x', 'x\n');
  const late = `  late:\n    cmd: cat raw.txt clean.txt more/x > late.txt\n    deps: [raw.txt]\n    outs: [late.txt]\n`;
  project.write('pipeline.yaml', `${STAGES.replace('data: [raw.txt]', 'data: [raw.txt, more]')}${late}`);
  expect(await project.dag(['add', '-q', 'more'])).toMatchObject({ status: 0 });
  expect(await project.dag(['repro', '-q'])).toMatchObject({ status: 0 });
  project.git('add', '-A');
  project.git('commit', '-q', '-m', 'late');
  const ran = await verify(['late']);
  expect(ran.row('late')).toMatchObject({ verdict: 'failed', ok: false });
  expect(ran.row('late')?.reasons).toEqual(
    expect.arrayContaining([
      "it looked for clean.txt, which it does not declare: stage 'clean' makes it",
      'it looked for more/x, which it does not declare: it is tracked data',
      '-     deps: [raw.txt]',
      '+     deps: [raw.txt, clean.txt, more/x]',
    ]),
  );
});

test('what could not be traced does not pass', async () => {
  const bin = pathOf(fs.mkdtempSync(path.join(project.home, 'bin-')), ['node', 'sh', 'cat', 'git']);
  const ran = await verify(['clean'], { PATH: bin });
  expect(ran.status).toBe(1);
  expect(ran.row('clean')).toMatchObject({ verdict: 'untraced', ok: false, trace: { complete: false } });
  expect(ran.row('clean')?.reasons).toContain('  strace is not installed');
});

test('it is for stages that run again', async () => {
  const ran = await project.dag(['verify', '--trace']);
  expect(ran).toMatchObject({ status: 2 });
  expect(ran.stderr).toContain('--trace is for stages that run again: it needs --run');
});
