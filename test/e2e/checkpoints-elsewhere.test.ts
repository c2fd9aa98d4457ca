import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

// Two machines that share a repository and a remote: what one was ended at, the other goes on with.

let here: TestProject;
let there: TestProject | undefined;
beforeEach(() => {
  here = makeProject();
});
afterEach(() => {
  there?.remove();
  there = undefined;
  here.remove();
});

const event = ({ events }: Ran, name: string) => events.find((one) => one['event'] === name) ?? {};
const lines = ({ events }: Ran) => events.flatMap((one) => (one['event'] === 'output' ? [one['line']] : []));
const warnings = ({ events }: Ran) => events.flatMap((one) => (one['event'] === 'warning' ? [one['message']] : []));

/** The same project elsewhere, with nothing but what git and the remote have. */
function elsewhere(): TestProject {
  there?.remove();
  there = makeProject({ clone: here });
  return there;
}

function share(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) here.write(file, text);
  here.git('add', '-A');
  here.git('commit', '-qm', 'all');
}

/** What the remote has of checkpoints. */
function inRemote(ending = ''): string[] {
  const folder = here.path('../remote/checkpoints');
  if (!fs.existsSync(folder)) return [];
  const all = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => fs.statSync(path.join(folder, name)).isFile() && name.endsWith(ending));
}

const yaml = (stage: string, remote?: string): string =>
  `remote: r\nremotes: {r: ${remote ?? here.path('../remote')}}\nstages:\n  t: {${stage}, outs: [out], checkpoints: {push: true}}\n`;

const COUNT = `n=$(cat "$DAG_CHECKPOINT_DIR/deep/n" 2>/dev/null || echo 0); echo "from $n"; mkdir -p "$DAG_CHECKPOINT_DIR/deep"
while [ "$n" -lt 5 ]; do
  n=$((n + 1)); echo "$n" > "$DAG_CHECKPOINT_DIR/deep/n.tmp"; mv "$DAG_CHECKPOINT_DIR/deep/n.tmp" "$DAG_CHECKPOINT_DIR/deep/n"
  [ "$n" != "\${STOP_AT:-}" ] || eval "$STOP"
done
echo "$n" > out
`;

test('a command that failed here goes on there, and finished, it leaves nothing in the remote', async () => {
  share({ 'count.sh': COUNT, 'pipeline.yaml': yaml('cmd: sh count.sh, deps: [count.sh]') });
  const failed = await here.repro([], { env: { STOP: 'exit 7', STOP_AT: '3' } });
  expect(event(failed, 'finished')).toMatchObject({ status: 'failed', left: { files: 1 } });
  expect(inRemote()).toHaveLength(2);

  const other = elsewhere();
  const again = await other.repro([], { env: { STOP: 'exit 7', STOP_AT: '4' } });
  expect(lines(again)).toEqual(['from 3']);
  expect(event(again, 'started')).toMatchObject({ resumed: { files: 1 } });
  // Back here: what the remote has is further than what was left.
  expect(lines(await here.repro())).toEqual(['from 4']);
  expect(inRemote()).toEqual([]);
  const [run] = JSON.parse((await here.dag(['log', 't', '--json'])).stdout);
  expect(run).toMatchObject({ result: 'ok', resumed: { times: 2 } });
});

test('a stage that begins afresh does not meet what the remote has of it', async () => {
  share({ 'count.sh': COUNT, 'pipeline.yaml': yaml('cmd: sh count.sh, deps: [count.sh]') });
  await here.repro([], { env: { STOP: 'exit 7', STOP_AT: '3' } });
  const other = elsewhere();
  expect(lines(await other.repro(['-f'], { env: { STOP: 'exit 7', STOP_AT: '1' } }))).toEqual(['from 0']);
  expect(lines(await elsewhere().repro())).toEqual(['from 1']);
});

test('what a command saves is sent while it runs: a kill -9 here loses nothing there', async () => {
  share({ 'count.sh': COUNT, 'pipeline.yaml': yaml('cmd: sh count.sh, deps: [count.sh]') });
  const { child, ended } = here.start(['repro', '--json'], { env: { STOP: 'sleep 300', STOP_AT: '2' } });
  await expect.poll(() => inRemote('.json')).toHaveLength(1);
  child.kill('SIGKILL');
  await ended;
  expect(lines(await elsewhere().repro())).toEqual(['from 2']);
  // The killed one's stage goes on until the next dag here ends it.
  await here.repro();
});

const TRAIN = `export default async (ctx) => {
  const from = (await ctx.checkpoint.restore())?.step ?? 0;
  ctx.log('from ' + from);
  for (let step = from + 1; step <= 6; step++) {
    await ctx.checkpoint.save(undefined, { step, big: new Uint8Array(1000).fill(step) });
    if (process.env.HOLD && step === 3) await new Promise(() => setInterval(() => {}, 1000));
  }
  (await import('node:fs')).writeFileSync(ctx.out('out'), 'done');
};`;

test('a worker that is pre-empted sends its last checkpoint within the grace time', async () => {
  share({ 'train.js': TRAIN, 'pipeline.yaml': yaml('worker: train.js') });
  const { child, ended } = here.start(['repro', '--json'], { env: { HOLD: '1' } });
  child.stdout?.on('data', (text: string) => {
    if (text.includes('"step":3')) child.kill('SIGTERM');
  });
  const run = await ended;
  expect([run.status, event(run, 'finished')]).toMatchObject([143, { status: 'cancelled', left: { step: 3 } }]);
  const next = await elsewhere().repro();
  expect(lines(next)).toEqual(['from 3']);
  expect(event(next, 'started')).toMatchObject({ resumed: { step: 3 } });
  expect(inRemote()).toEqual([]);
});

test('a damaged checkpoint in the remote is passed over with a warning', async () => {
  share({ 'train.js': TRAIN, 'pipeline.yaml': yaml('worker: train.js') });
  const { child, ended } = here.start(['repro', '--json'], { env: { HOLD: '1' } });
  child.stdout?.on('data', (text: string) => {
    if (text.includes('"step":3')) child.kill('SIGTERM');
  });
  await ended;
  for (const name of inRemote('.piece')) fs.rmSync(here.path('../remote/checkpoints', name));
  const run = await elsewhere().repro();
  expect(warnings(run).join()).toContain('is not whole: it is passed over');
  expect([lines(run), run.ran]).toEqual([['from 0'], ['t']]);
});

test('a remote that can not be reached is a warning, and fails nothing; a stage that has none is refused', async () => {
  here.write('file', '');
  share({ 'count.sh': COUNT, 'pipeline.yaml': yaml('cmd: sh count.sh, deps: [count.sh]', here.path('file/below')) });
  const run = await here.repro([], { env: { STOP: 'exit 7', STOP_AT: '3' } });
  expect(event(run, 'finished')).toMatchObject({ status: 'failed', left: { files: 1 } });
  expect(warnings(run).join('\n')).toMatch(/checkpoints of stage 't' are not in the remote: /);
  expect((await here.repro()).ran).toEqual(['t']);

  here.write('pipeline.yaml', yaml('cmd: sh count.sh, deps: [count.sh]').replace(/^remote.*\n/gm, ''));
  const refused = await here.dag(['repro', '-f']);
  expect([refused.status, refused.stderr]).toEqual([
    2,
    expect.stringContaining(
      "stage 't' sends its checkpoints (checkpoints.push), and there is no remote to send them to",
    ),
  ]);
});
