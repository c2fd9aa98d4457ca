import fs from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject | undefined;
afterEach(() => project?.remove());

const STAGES = 9;

/** What stage `index` reads: the stage before it, and one further back; the first reads the source. */
function inputs(index: number): string[] {
  if (index === 0) return ['in'];
  return index < 3 ? [`o${index - 1}`] : [`o${index - 1}`, `o${index - 3}`];
}

/** Each stage notes that it began, and has half an out for a moment. */
function yaml(): string {
  const stages = Array.from({ length: STAGES }, (_, i) => {
    const [from, out] = [inputs(i).join(' '), `o${i}`];
    const cmd = `echo t${i} >> "$RAN"; printf half > ${out}; cat ${from} | sed 's/$/ ${i}/' > new${i}; mv new${i} ${out}`;
    return `  t${i}:\n    cmd: ${JSON.stringify(cmd)}\n    deps: [${inputs(i).join(', ')}]\n    outs: [${out}]\n`;
  });
  return `stages:\n${stages.join('')}`;
}

/** What each out must hold in the end. */
function contents(source: string): string[] {
  const made: string[] = [];
  for (let i = 0; i < STAGES; i++) {
    const texts = inputs(i).map((name) => (name === 'in' ? source : (made[Number(name.slice(1))] ?? '')));
    made.push(texts.join('').replace(/\n/g, ` ${i}\n`));
  }
  return made;
}

/** Starts a repro and kills it as soon as it has told so many events. @returns the stages that it called finished. */
async function killAfter(one: TestProject, events: number, env: Record<string, string>): Promise<Set<unknown>> {
  const { child, ended } = one.start(['repro', '--json', '-j', '2'], { env });
  let lines = 0;
  child.stdout?.on('data', (chunk: string) => {
    lines += chunk.split('\n').length - 1;
    if (lines >= events) child.kill('SIGKILL');
  });
  const { events: told } = await ended;
  // What it had started goes on, and makes half an out whole.
  await expect.poll(() => processesWith(`RAN=${env['RAN']}`)).toEqual([]);
  return new Set(told.filter((event) => event['event'] === 'finished').map((event) => event['stage']));
}

/** Processes that have a variable in their environment; none where there is no /proc. */
function processesWith(variable: string): string[] {
  if (process.platform !== 'linux') return [];
  return fs.readdirSync('/proc').filter((name) => {
    try {
      return fs.readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(variable);
    } catch {
      return false;
    }
  });
}

test('a repro that is killed anywhere goes on where it was, and never leaves half an out', async () => {
  project = makeProject();
  const one = project;
  const log = one.path('..', 'ran');
  const env = { RAN: log };
  const began = () => (fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n') : []);
  one.write('pipeline.yaml', yaml());
  let before: string[] = [];
  // Each source is brought to its end through three kills, the later ones further on; with old outs to be put back.
  for (const [round, source] of ['one\n', 'two\n', 'three\n'].entries()) {
    one.write('in', source);
    const after = contents(source);
    const done = new Set<unknown>();
    for (const kill of [1 + round, 5 + 2 * round, 9 + 3 * round]) {
      fs.rmSync(log, { force: true });
      for (const stage of await killAfter(one, kill, env)) done.add(stage);
      const status = await one.dag(['status', '--json']);
      expect(status).toMatchObject({ status: 0, stderr: '' });
      for (const [i, text] of after.entries()) {
        if (one.exists(`o${i}`)) expect([before[i], text]).toContain(one.read(`o${i}`));
      }
    }
    fs.rmSync(log, { force: true });
    const last = await one.repro([], { env });
    expect(last).toMatchObject({ status: 0, failed: [], blocked: [], cancelled: [] });
    expect(done.size).toBeGreaterThan(0);
    expect(began().filter((stage) => done.has(stage))).toEqual([]);
    expect(Array.from({ length: STAGES }, (_, i) => one.read(`o${i}`))).toEqual(after);
    expect((await one.repro()).skipped).toHaveLength(STAGES);
    before = after;
  }
  expect(await one.dag(['fsck'])).toMatchObject({ status: 0 });
  expect(fs.readdirSync(one.path('.cache/tmp'))).toEqual([]);
  expect(
    one
      .git('status', '--porcelain')
      .split('\n')
      .filter((line) => !/ (in|pipeline\.(yaml|lock)|\.gitignore|new\d)$/.test(line))
      .join(''),
  ).toBe('');
});
