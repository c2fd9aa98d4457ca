import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(() => {
  project = makeProject();
});
afterEach(() => project.remove());

/** Counts to LAST in its checkpoint, a step at a time; `STOP_AT` ends it there in some way. */
const COUNT = `n=$(cat "$DAG_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
echo "from $n"
while [ "$n" -lt "\${LAST:-5}" ]; do
  n=$((n + 1))
  echo "$n" > "$DAG_CHECKPOINT_DIR/n.tmp" && mv "$DAG_CHECKPOINT_DIR/n.tmp" "$DAG_CHECKPOINT_DIR/n"
  if [ "$n" = "\${STOP_AT:-}" ]; then eval "$STOP"; fi
done
echo "$n" > out
`;

function counting(more = '', outs = '[out]'): void {
  project.write('count.sh', COUNT);
  project.write('pipeline.yaml', `stages:\n  count: {cmd: sh count.sh, deps: [count.sh], outs: ${outs}${more}}\n`);
}

const failing = { STOP: 'exit 7', STOP_AT: '3' };
const lines = ({ events }: Ran) => events.flatMap((one) => (one['event'] === 'output' ? [one['line']] : []));
const event = ({ events }: Ran, name: string) => events.find((one) => one['event'] === name) ?? {};
const kept = (): string[] => {
  const folder = project.path('.cache/checkpoints');
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
};

describe('a command in any language', () => {
  test('goes on from what it left when it failed; status, why and log say so; finished, it leaves none', async () => {
    counting();
    const first = await project.repro([], { env: failing });
    expect(lines(first)).toEqual(['from 0']);
    expect(event(first, 'started')).not.toHaveProperty('resumed');
    expect(event(first, 'finished')).toMatchObject({ status: 'failed', exit_code: 7, left: { files: 1, bytes: 2 } });

    expect((await project.dag(['status'])).stdout).toMatch(
      /^ {2}goes on from what it left at .* UTC \(1 file, 2 B\)$/m,
    );
    expect(JSON.parse((await project.dag(['status', '--json'])).stdout)).toMatchObject({
      left: { count: { files: 1 } },
    });
    expect((await project.dag(['why', 'count'])).stdout).toContain('it goes on from what it left at ');
    expect(JSON.parse((await project.dag(['why', 'count', '--json'])).stdout)).toMatchObject({ left: { files: 1 } });

    const second = await project.repro();
    expect(lines(second)).toEqual(['from 3']);
    expect(event(second, 'started')).toMatchObject({ resumed: { files: 1, bytes: 2 } });
    expect(project.read('out')).toBe('5\n');
    expect(kept()).toEqual([]);
    expect((await project.dag(['log', 'count'])).stdout).toMatch(
      /went on from what was left at .*; earlier tries took /,
    );
    const [run] = JSON.parse((await project.dag(['log', 'count', '--json'])).stdout);
    expect(run).toMatchObject({ result: 'ok', resumed: { times: 1, earlier_seconds: expect.any(Number) } });
    const again = await project.repro();
    expect(again.skipped).toEqual(['count']);
  });

  test('of other code it knows nothing; of the same code again it does', async () => {
    counting();
    await project.repro([], { env: failing });
    project.write('count.sh', `# other\n${COUNT}`);
    expect((await project.dag(['status'])).stdout).not.toContain('goes on');
    expect(lines(await project.repro([], { env: { ...failing, STOP_AT: '2' } }))).toEqual(['from 0']);
    project.write('count.sh', COUNT);
    expect(lines(await project.repro())).toEqual(['from 3']);
    project.write('count.sh', `# other\n${COUNT}`);
    expect(lines(await project.repro())).toEqual(['from 2']);
    expect(kept()).toEqual([]);
  });

  test('what has no part in the result is no reason to begin anew', async () => {
    counting();
    await project.repro([], { env: failing });
    counting(', retries: 1, timeout: 1h, checkpoints: {grace: 5s, keep: 3}, desc: counts');
    expect(lines(await project.repro())).toEqual(['from 3']);
  });

  test('-f and --no-resume begin afresh, -f --resume goes on', async () => {
    counting();
    for (const [args, from] of [
      [['-f', '--resume'], 'from 0'],
      [['-f', '--resume'], 'from 3'],
      [['-f'], 'from 0'],
      [['--no-resume'], 'from 0'],
      [[], 'from 3'],
    ] as const) {
      const stop = args.length === 0 ? {} : from === 'from 3' ? { STOP: 'exit 7', STOP_AT: '4' } : failing;
      expect(lines(await project.repro(args, { env: stop }))).toEqual([from]);
    }
  });

  test('without outs, what follows is all that is said; of a try, which one it is', async () => {
    project.write('pipeline.yaml', 'stages:\n  a: {cmd: "exit 3", retries: 1}\n  b: {worker: b.js, timeout: 100}\n');
    project.write(
      'b.js',
      `export default (ctx) => ctx.checkpoint.loop(undefined, 3, (step) => { if (step === 2) throw 7; });`,
    );
    const a = await project.dag(['repro', 'a']);
    expect(a.stdout).toMatch(/^failed {3}a {2}after \d.* s$/m);
    expect(a.stderr).toMatch(
      /^warning: stage 'a' failed with exit status 3 \(try 1 of 2\)\n {2}try 2 of 2 begins in \d+\.\d s$/m,
    );
    expect((await project.dag(['repro', 'b'])).stdout).toMatch(/^failed {3}b {2}it goes on from step 2 of /m);
  });

  test('the next try of one that failed goes on too', async () => {
    counting(', retries: 2');
    const run = await project.repro([], { env: { ...failing, STOP: '[ -e tried ] || { touch tried; exit 7; }' } });
    expect(lines(run)).toEqual(['from 0', 'from 3']);
    const started = run.events.filter((one) => one['event'] === 'started');
    expect(started).toMatchObject([{ attempt: 1 }, { attempt: 2, resumed: { files: 1 } }]);
  });

  test('outs that persist, outs left out of the cache, and stages without outs', async () => {
    counting('', '[{out: {persist: true}}]');
    await project.repro([], { env: failing });
    expect(lines(await project.repro(['--no-commit']))).toEqual(['from 3']);
    // Two stages of one run key: they have nothing but their names to tell them apart.
    project.write('pipeline.yaml', 'stages:\n  a: {cmd: sh count.sh}\n  b: {cmd: sh count.sh}\n');
    const env = { STOP: '[ "$DAG_STAGE" = b ] || exit 7', STOP_AT: '3', LAST: '4' };
    await project.repro(['a'], { env });
    expect(lines(await project.repro(['b'], { env }))).toEqual(['from 0']);
    expect(lines(await project.repro(['a', '-s'], { env: { LAST: '4' } }))).toEqual(['from 3']);
  });

  test('a work tree of git has its own', async () => {
    counting();
    project.write('.gitignore', '/out\n');
    project.git('add', '-A');
    project.git('commit', '-qm', 'all');
    await project.repro([], { env: failing });
    project.git('worktree', 'add', '-q', '../other');
    expect(lines(await project.repro([], { cwd: '../other' }))).toEqual(['from 0']);
    expect(project.read(`.cache/checkpoints/${kept()[0]}/n`)).toBe('3\n');
  });
});

describe('told to end', () => {
  /** Says that it is there, and saves when it is told to end. */
  const TRAPS = `trap 'echo saved > "$DAG_CHECKPOINT_DIR/n"; exit 1' TERM
[ -e "$DAG_CHECKPOINT_DIR/n" ] && cp "$DAG_CHECKPOINT_DIR/n" out && exit
echo here; while :; do sleep 0.05; done
`;

  test.each([
    [['SIGTERM'], 143],
    [['SIGUSR1'], 138],
    [['SIGINT'], 130],
    // Slurm warns, then tells to end: the second does not cut short what the first began.
    [['SIGUSR1', 'SIGTERM'], 138],
  ] as const)('%s: the stage saves within its grace time, is cancelled, and goes on', async (signals, status) => {
    project.write('run.sh', TRAPS);
    project.write(
      'pipeline.yaml',
      'stages:\n  t: {cmd: sh run.sh, deps: [run.sh], outs: [out], checkpoints: {grace: 1m}}\n',
    );
    const { child, ended } = project.start(['repro', '--json']);
    child.stdout?.on('data', (text: string) => {
      if (text.includes('"here"')) child.kill(signals[0]);
    });
    child.stderr?.on('data', (text: string) => {
      if (text.includes('stopping')) for (const signal of signals.slice(1)) child.kill(signal);
    });
    const run = await ended;
    expect(run.status).toBe(status);
    expect(event(run, 'finished')).toMatchObject({ status: 'cancelled', left: { files: 1 } });
    const next = await project.repro();
    expect(next.ran).toEqual(['t']);
    expect(project.read('out')).toBe('saved\n');
  });

  test('a worker saves once more, and its process and record say from where it went on', async () => {
    project.write(
      'train.js',
      `export default async (ctx) => {
        const due = ctx.checkpoint.every({ seconds: 3600 });
        const from = (await ctx.checkpoint.restore())?.step ?? 0;
        ctx.log('from ' + from);
        for (let step = from + 1; step <= from + 10 || from === 0; step++) {
          await new Promise((resolve) => setImmediate(resolve));
          if (step === 5) ctx.log('five');
          if (due(step)) await ctx.checkpoint.save(undefined, { step });
        }
        (await import('node:fs')).writeFileSync(ctx.out('out'), 'done');
      };`,
    );
    project.write('pipeline.yaml', 'stages:\n  t: {worker: train.js, outs: [out], checkpoints: {grace: 1m}}\n');
    const { child, ended } = project.start(['repro', '--json']);
    child.stdout?.on('data', (text: string) => {
      if (text.includes('"five"')) child.kill('SIGTERM');
    });
    const run = await ended;
    const step = event(run, 'checkpoint')['step'] as number;
    expect(step).toBeGreaterThanOrEqual(5);
    expect([run.status, event(run, 'finished')]).toMatchObject([143, { status: 'cancelled', left: { step } }]);
    expect((await project.dag(['why', 't'])).stdout).toContain(`it goes on from step ${step} of `);
    expect(lines(await project.repro())).toEqual([`from ${step}`]);
    expect((await project.dag(['log', 't'])).stdout).toContain(`went on from step ${step}; earlier tries took `);
    expect(kept()).toEqual([]);
  });

  test.each([
    ['small', 10],
    ['large', 6_000_000],
  ])('what a worker would pass over is not what status, why and repro say it goes on from: %s', async (_, size) => {
    project.write(
      'train.js',
      `export default async (ctx) => {
        const found = await ctx.checkpoint.restore();
        ctx.log('from ' + found?.step);
        const state = new Uint8Array(${size});
        for (let step = 1; found === undefined && step <= 3; step++) await ctx.checkpoint.save(undefined, { step, state });
        throw new Error('no more');
      };`,
    );
    project.write('pipeline.yaml', 'stages:\n  t: {worker: train.js, outs: [out], checkpoints: {keep: 3}}\n');
    await project.repro();
    const [name = ''] = kept();
    const said = async () => [
      /from step \d/.exec((await project.dag(['status'])).stdout)?.[0],
      /from step \d/.exec((await project.dag(['why', 't'])).stdout)?.[0],
    ];
    const damage = async (step: number, how: (file: string) => void) => {
      how(project.path(`.cache/checkpoints/${name}/0000000${step}-step-${step}.checkpoint`));
      const [status, why] = await said();
      const run = await project.repro();
      const [from] = lines(run) as string[];
      expect((event(run, 'started')['resumed'] as { step?: number } | undefined)?.step).toBe(
        from === 'from undefined' ? undefined : Number(from?.slice(5)),
      );
      return [status, why, from];
    };

    expect(await said()).toEqual(['from step 3', 'from step 3']);
    expect(await damage(3, (file) => fs.truncateSync(file, fs.statSync(file).size - 1))).toEqual([
      ...['from step 2', 'from step 2', 'from 2'],
    ]);
    expect(await damage(2, (file) => fs.writeFileSync(file, ''))).toEqual(['from step 1', 'from step 1', 'from 1']);
    expect(await damage(1, (file) => fs.truncateSync(file, 40))).toEqual([undefined, undefined, 'from undefined']);
  });
});

describe('gc', () => {
  const long = new Date(Date.now() - 40 * 24 * 3600 * 1000);

  test('keeps what a stage may go on from, and takes it when it is old; --runs takes all', async () => {
    counting();
    await project.repro([], { env: failing });
    const gc = async (...args: string[]) => (await project.dag(['gc', '-w', '-f', ...args])).stdout;
    expect(await gc()).not.toContain('checkpoint');
    const [name = ''] = kept();
    expect(await gc('--runs', '--dry')).toMatch(
      /checkpoints of stage 'count' {2}\(\.cache\/checkpoints\/[0-9a-f]{64}\)/,
    );
    expect(kept()).toEqual([name]);
    const folder = project.path('.cache/checkpoints', name);
    for (const file of [`${folder}/n`, folder]) fs.utimesSync(file, long, long);
    expect(await gc()).toContain('1 checkpoint folder removed, 2 B');
    expect(kept()).toEqual([]);
    await project.repro([], { env: failing });
    const { events } = await project.dag(['gc', '-w', '-f', '--runs', '--json']);
    expect(events.at(-1)).toMatchObject({ event: 'summary', checkpoints: 1 });
    expect(kept()).toEqual([]);
  });

  test('takes what a dag that was killed before it could left of a finished stage, and nothing of one at work', async () => {
    counting();
    await project.repro([], { env: failing });
    const [name = ''] = kept();
    const left = project.path('left');
    fs.cpSync(project.path('.cache/checkpoints', name), left, { recursive: true });
    await project.repro();
    fs.cpSync(left, project.path('.cache/checkpoints', name), { recursive: true });
    expect((await project.dag(['gc', '-w', '-f'])).stdout).toContain('1 checkpoint folder removed');
    const { child, ended } = project.start(['repro', '-f', '--json'], {
      env: { STOP: 'echo held; sleep 60', STOP_AT: '3' },
    });
    let during: Promise<Ran> | undefined;
    child.stdout?.on('data', (text: string) => {
      if (!text.includes('"held"')) return;
      during = project.dag(['gc', '-w', '-f', '--runs']).finally(() => child.kill('SIGTERM'));
    });
    expect(event(await ended, 'finished')).toMatchObject({ status: 'cancelled', left: { files: 1 } });
    expect((await during)?.stdout).not.toContain('checkpoint');
  });
});
