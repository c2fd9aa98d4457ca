import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Outcome, openShell, type Shell } from '../rigs/dag.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), 'digits');
const require = createRequire(import.meta.url);

const STAGES = [
  ['prepare', '-d', 'prepare.mjs', '-d', 'shared.mjs', '-d', 'data/raw', '-p', 'prepare.holdout', '-o', 'data/digits'],
  ['train', '-d', 'train.mjs', '-d', 'shared.mjs', '-d', 'data/digits', '-p', 'train.epochs,train.rate', '-o', 'model'],
  ['evaluate', '-d', 'evaluate.mjs', '-d', 'shared.mjs', '-d', 'data/digits', '-d', 'model', '-M', 'metrics.json'],
].map((args) => [...args, `node ${args[0]}.mjs`]);

let server: S3Server | undefined;
const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-e2e-')));
beforeAll(async () => {
  if (missingS3() === undefined) server = await startS3();
});
afterAll(async () => {
  await server?.remove();
  rmSync(base, { recursive: true, force: true });
});

describe.each(['S3', 'folder'])('the daily loop, with a remote on %s', (kind) => {
  beforeEach((context) => {
    if (kind === 'S3') needS3(context);
  });

  test('train, change, go back, push, clone, pull', async () => {
    const home = join(base, kind, 'home');
    const folder = join(base, kind, 'project');
    const ran = join(base, kind, 'ran.log');
    mkdirSync(home, { recursive: true });
    cpSync(PROJECT, folder, { recursive: true });
    writeRawDigits(join(folder, 'data/raw'));
    writeFileSync(ran, '');
    const env = { RUN_LOG: ran, ...(kind === 'S3' ? server?.env : {}) };
    const url = kind === 'S3' ? `s3://${server?.bucket}/team/digits` : join(base, kind, 'remote');
    const me = openShell(folder, home, env);
    const ranSince = stageCounter(ran);

    await me.run('git', 'init', '-q', '-b', 'main');
    good(await me.dag('init'));
    good(await me.dag('remote', 'add', '-d', 'store', url));
    good(await me.dag('add', 'data/raw'));
    for (const args of STAGES) good(await me.dag('stage', 'add', '-n', ...args));
    await me.run('git', 'add', '-A');
    await me.run('git', 'commit', '-qm', 'raw digits');
    expect(await me.run('git', 'ls-files', 'data')).not.toContain('raw');

    // The first run learns something real.
    expect((await repro(me)).ran).toEqual(['prepare', 'train', 'evaluate']);
    expect(ranSince()).toEqual(['prepare', 'train', 'evaluate']);
    expect(accuracy(folder)).toBeGreaterThan(0.8);
    const model = readFileSync(join(folder, 'model/weights.bin'));
    await me.run('git', 'add', '-A');
    await me.run('git', 'commit', '-qm', 'first model');
    const pushed = summary(good(await me.dag('push', '--json')));
    expect(pushed).toMatchObject({ failed: [] });
    expect(pushed.objects).toBeGreaterThanOrEqual(10 + 1 + 4 + 1 + 2 + 1);
    expect(summary(good(await me.dag('push', '--json')))).toMatchObject({ objects: 0, bytes: 0, failed: [] });

    // Nothing changed, nothing runs.
    expect(await repro(me)).toMatchObject({ ran: [], restored: [], skipped: ['prepare', 'train', 'evaluate'] });
    expect(ranSince()).toEqual([]);
    expect(await status(me)).toEqual({ stages: {}, data: {} });

    // A param changes: what depends on it runs, with the reason.
    setEpochs(folder, 5);
    expect((await status(me)).stages).toMatchObject({
      train: [{ changed: 'param', path: 'params.yaml:train.epochs', how: 'modified' }],
    });
    expect(good(await me.dag('why', 'train')).stdout).toContain('train.epochs');
    expect(await repro(me)).toMatchObject({ ran: ['train', 'evaluate'], skipped: ['prepare'] });
    expect(ranSince()).toEqual(['train', 'evaluate']);
    const second = readFileSync(join(folder, 'model/weights.bin'));
    expect(second.equals(model)).toBe(false);
    await me.run('git', 'add', '-A');
    await me.run('git', 'commit', '-qm', 'longer training');

    // Back in time: git brings the text, checkout brings the model that belongs to it, byte for byte.
    await me.run('git', 'checkout', '-q', 'HEAD~1');
    good(await me.dag('checkout'));
    expect(readFileSync(join(folder, 'model/weights.bin')).equals(model)).toBe(true);
    expect(await status(me)).toEqual({ stages: {}, data: {} });
    await me.run('git', 'checkout', '-q', 'main');
    good(await me.dag('checkout'));
    expect(readFileSync(join(folder, 'model/weights.bin')).equals(second)).toBe(true);

    // The param goes back: the result is known and is restored, nothing runs.
    setEpochs(folder, 3);
    const back = await repro(me);
    expect(back).toMatchObject({ ran: [], restored: ['train', 'evaluate'], skipped: ['prepare'] });
    expect(ranSince()).toEqual([]);
    expect(readFileSync(join(folder, 'model/weights.bin')).equals(model)).toBe(true);
    setEpochs(folder, 5);
    expect(await repro(me)).toMatchObject({ ran: [] });
    expect(await me.run('git', 'status', '--porcelain')).toBe('');
    good(await me.dag('push'));

    // A teammate clones, pulls, and has it all without running anything.
    const clone = join(base, kind, 'clone');
    const theirHome = join(base, kind, 'their-home');
    mkdirSync(theirHome);
    await me.run('git', 'clone', '-q', folder, clone);
    const teammate = openShell(clone, theirHome, env);
    expect(existsSync(join(clone, 'model'))).toBe(false);
    const pulled = summary(good(await teammate.dag('pull', '--json')));
    expect(pulled.failed).toEqual([]);
    expect([...(pulled['added'] as string[])].sort()).toEqual(['data/digits', 'data/raw', 'model']);
    expect(readFileSync(join(clone, 'model/weights.bin')).equals(second)).toBe(true);
    expect(readFileSync(join(clone, 'data/raw/7.bin')).equals(readFileSync(join(folder, 'data/raw/7.bin')))).toBe(true);
    expect(await status(teammate)).toEqual({ stages: {}, data: {} });
    expect(await repro(teammate)).toMatchObject({ ran: [], restored: [], failed: [] });
    expect(ranSince()).toEqual([]);
    expect(await teammate.run('git', 'status', '--porcelain')).toBe('');
  });
});

interface Summary {
  readonly objects: number;
  readonly bytes: number;
  readonly failed: readonly unknown[];
  readonly [more: string]: unknown;
}

interface Decisions {
  readonly ran: readonly string[];
  readonly restored: readonly string[];
  readonly skipped: readonly string[];
  readonly failed: readonly string[];
}

function good(outcome: Outcome): Outcome {
  if (outcome.status !== 0) throw new Error(`exit status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`);
  return outcome;
}

async function repro(shell: Shell): Promise<Decisions> {
  return summary(good(await shell.dag('repro', '--json'))) as unknown as Decisions;
}

async function status(shell: Shell): Promise<{ stages: unknown; data: unknown }> {
  return JSON.parse(good(await shell.dag('status', '--json')).stdout);
}

/** The last event of a verb that says one a line. */
function summary(outcome: Outcome): Summary {
  const last = JSON.parse(outcome.stdout.trim().split('\n').at(-1) ?? '');
  expect(last.event).toBe('summary');
  return last;
}

/** Says which stages' commands have really run since it was last asked. */
function stageCounter(log: string): () => string[] {
  let seen = 0;
  return () => {
    const all = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh;
  };
}

function setEpochs(folder: string, epochs: number): void {
  const file = join(folder, 'params.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/epochs: \d+/, `epochs: ${epochs}`));
}

function accuracy(folder: string): number {
  return JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8')).accuracy;
}

/** Two hundred real handwritten digits of each kind, as bytes, from the package `mnist`. */
function writeRawDigits(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let digit = 0; digit < 10; digit++) {
    const { data } = require(`mnist/src/digits/${digit}.json`) as { data: number[] };
    const bytes = Uint8Array.from(data.slice(0, 200 * 784), (value) => Math.round(value * 255));
    writeFileSync(join(folder, `${digit}.bin`), bytes);
  }
}
