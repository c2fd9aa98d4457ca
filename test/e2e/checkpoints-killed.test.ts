import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../../packages/worker/src/public/random.ts';
import { runs, SEED } from '../fuzz.ts';
import { type AtCall, atCall } from '../rigs/at-call.ts';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

let project: TestProject;
afterEach(() => project.remove());

/** Steps between two checkpoints. */
const INTERVAL = 4;
const STEPS = 40;

/** Notes each step when it is done, outside of the project, and then saves if it is time. */
const WORKER = `import fs from 'node:fs';
export default async (ctx) => {
  const due = ctx.checkpoint.every({ steps: ${INTERVAL} });
  const from = (await ctx.checkpoint.restore())?.step ?? 0;
  fs.appendFileSync(process.env.DONE, 'from ' + from + '\\n');
  for (let step = from + 1; step <= ${STEPS}; step++) {
    await new Promise((resolve) => setTimeout(resolve, 3));
    fs.appendFileSync(process.env.DONE, step + '\\n');
    if (due(step)) await ctx.checkpoint.save(undefined, { step, some: new Uint8Array(100_000) });
  }
  fs.writeFileSync(ctx.out('out'), 'done');
};`;

const COMMAND = `n=$(cat "$DAG_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
echo "from $n" >> "$DONE"
while [ "$n" -lt ${STEPS} ]; do
  n=$((n + 1)); sleep 0.003; echo "$n" >> "$DONE"
  if [ $((n % ${INTERVAL})) = 0 ]; then echo "$n" > "$DAG_CHECKPOINT_DIR/n.new"; mv "$DAG_CHECKPOINT_DIR/n.new" "$DAG_CHECKPOINT_DIR/n"; fi
done
echo done > out
`;

describe.each(['worker', 'command'])('a kill -9 at a random moment, of a %s', (kind) => {
  test(`costs at most one interval, ${runs(3)} times`, async () => {
    project = makeProject();
    const done = path.join(project.root, '../done');
    const env = { DONE: done };
    const stage = kind === 'worker' ? 'worker: train.js' : 'cmd: sh count.sh, deps: [count.sh]';
    project.write('train.js', WORKER);
    project.write('count.sh', COMMAND);
    project.write('pipeline.yaml', `stages:\n  t: {${stage}, outs: [out]}\n`);
    const { integer } = createRandom(SEED, kind);
    const said = (): string[] => (fs.existsSync(done) ? fs.readFileSync(done, 'utf8').trim().split('\n') : []);
    for (let kills = 0; kills < runs(3); ) {
      const before = said().length;
      const after = integer(STEPS);
      const { child, ended } = project.start(['repro', '--json'], { env });
      let stage: number | undefined;
      const watcher = setInterval(() => {
        if (said().length <= before + after || child.exitCode !== null) return;
        clearInterval(watcher);
        // Of dag and all that it started, or of the stage alone.
        stage ??= stagePid(project);
        if (integer(2) === 0 || stage === undefined) child.kill('SIGKILL');
        else killGroup(stage);
      }, 1);
      const { events } = await ended;
      clearInterval(watcher);
      const group = stagePid(project);
      if (group !== undefined) killGroup(group);
      if (events.some((one) => one['status'] === 'ok')) {
        fs.rmSync(project.path('out'));
        fs.rmSync(project.path('pipeline.lock'));
        fs.rmSync(project.path('.cache/runs'), { recursive: true, force: true });
        fs.rmSync(done);
        continue;
      }
      kills++;
      const lines = said();
      const reached = Number(lines.at(-1)?.replace('from ', '') ?? 0);
      // What it goes on from is what the next run says first.
      const next = await project.repro([], { env });
      expect(next.ran).toEqual(['t']);
      const from = Number((said()[lines.length] ?? '').replace('from ', ''));
      expect(reached - from).toBeLessThanOrEqual(INTERVAL);
      expect(from % INTERVAL).toBe(0);
      fs.rmSync(project.path('out'));
      fs.rmSync(project.path('pipeline.lock'));
      fs.rmSync(project.path('.cache/runs'), { recursive: true, force: true });
      fs.rmSync(done);
    }
  });
});

/** The group of the stage that is at work, by its note. */
function stagePid(one: TestProject): number | undefined {
  const folder = one.path('.cache/running');
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    try {
      return (JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as { pid?: number }).pid;
    } catch {
      // It ended just now.
    }
  }
  return undefined;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

describe('a save that is cut short', () => {
  let folder: string;
  let made: ReturnType<typeof atCall>;
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-at-call-'));
    made = atCall(folder);
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Saves steps 1 to 4, keeping two, and says from where it began. */
  const SAVE = `export default async (ctx) => {
    const found = await ctx.checkpoint.restore();
    ctx.log('from ' + (found?.step ?? 0) + ' ' + (found?.state.text ?? ''));
    if (process.env.LOOK) return (await import('node:fs')).writeFileSync(ctx.out('out'), '');
    for (let step = 1; step <= 4; step++) {
      ctx.log((await ctx.checkpoint.save(undefined, { step, text: 'x'.repeat(step) })) ? 'saved ' + step : 'lost ' + step);
    }
    if (process.env.FAIL) throw new Error('as asked');
  };`;
  const lines = ({ events }: Ran) => events.flatMap((one) => (one['event'] === 'output' ? [String(one['line'])] : []));

  /** Runs to `calls`, each time from the beginning; what the run said, and what the next one finds. */
  async function each(
    env: (at: AtCall, call: number, below: string) => Record<string, string>,
    calls: readonly number[],
  ) {
    const rig = made as AtCall;
    const told: { readonly run: Ran; readonly next: string[] }[] = [];
    for (const call of calls) {
      project.write('pipeline.yaml', `stages:\n  t: {worker: train.js, outs: [out], desc: "${call}"}\n`);
      const below = project.path('.cache/checkpoints');
      const run = await project.repro(['--no-resume'], { env: { ...env(rig, call, below), FAIL: '1' } });
      told.push({ run, next: lines(await project.repro([], { env: { LOOK: '1' } })) });
      fs.rmSync(project.path('out'), { force: true });
      fs.rmSync(project.path('pipeline.lock'), { force: true });
      fs.rmSync(project.path('.cache/runs'), { recursive: true, force: true });
    }
    return told;
  }

  test('by a kill at any of its calls: what was durable before is what the next run finds', async ({ skip }) => {
    if ('why' in made) return skip(made.why);
    project = makeProject();
    project.write('train.js', SAVE);
    // The first calls are those of dag itself, which makes the folder; a fuzz run takes every one.
    const calls = Array.from({ length: 60 }, (_, i) => i + 1).filter((call) => runs(1) > 1 || call % 13 === 4);
    let cut = 0;
    for (const { run, next } of await each((rig, call, below) => rig.die(call, below), calls)) {
      const saved = lines(run).filter((line) => line.startsWith('saved'));
      const last = saved.length;
      if (last < 4) cut++;
      const [found = ''] = next;
      // The one that was being saved may be there whole, though nobody said so yet.
      expect([last, last + 1].map((step) => `from ${step} ${'x'.repeat(step)}`)).toContain(found);
    }
    expect(cut).toBeGreaterThan(calls.length / 4);
  });

  test('by a full disk: the ones before stay, it is a warning, and the stage goes on', async ({ skip }) => {
    if ('why' in made) return skip(made.why);
    project = makeProject();
    project.write('train.js', SAVE);
    let lost = 0;
    for (const { run, next } of await each((rig, call, below) => rig.full(call, below), [3, 6, 10])) {
      const said = lines(run).filter((line) => /^(saved|lost)/.test(line));
      if (said.length === 0) continue;
      expect(said).toHaveLength(4);
      const last = said.filter((line) => line.startsWith('saved')).length;
      if (last < 4) {
        lost++;
        const warnings = run.events.filter((one) => one['event'] === 'warning').map((one) => one['message']);
        expect(warnings.join('\n')).toContain(`could not save step ${last + 1}: ENOSPC`);
      }
      expect(next[0]).toBe(`from ${last} ${'x'.repeat(last)}`);
    }
    expect(lost).toBeGreaterThan(0);
  });
});
