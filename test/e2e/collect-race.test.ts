import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Artifact, Digest } from '@dag/model';
import { openStore } from '@dag/store';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Racer, Told } from '../../packages/remote/test/racer.ts';
import {
  addFolder,
  expectClosed,
  freshStore,
  noise,
  remoteAt,
  removeFolders,
} from '../../packages/remote/test/support.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';

// Processes for real, any of which is killed at any moment. A day is so short here that most of what is pushed is removed
// again while the race goes on.

const TIMES = { trust: 5_000, grace: 15_000, roots: 16_000, replaced: 4_000, fresh: 2_000 };
/** How many times longer these are in one race after the other, until a machine is fast enough for enough to happen. */
const PACES = [1, 5, 25];
const PUSHERS = 8;
/** How long a race goes on at least at the first pace, ms; DAG_FUZZ times as long. */
const LENGTH = 50_000 * Number(process.env['DAG_FUZZ'] ?? 1);
/** A race in which not enough happened is given up after so many times its length. */
const PATIENCE = 4;

/** What bundled CommonJS expects. */
const BANNER = `import { createRequire as requireOf } from 'node:module';
const require = requireOf(import.meta.url), __dirname = import.meta.dirname;`;

const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-race-')));
let server: S3Server | undefined;
beforeAll(async () => {
  // zstd looks for its compiled half beside its code.
  const zstd = createRequire(join(import.meta.dirname, '../../packages/remote/package.json')).resolve(
    '@bokuweb/zstd-wasm',
  );
  copyFileSync(join(dirname(zstd), 'zstd.wasm'), join(base, 'zstd.wasm'));
  if (missingS3() === undefined) server = await startS3();
  await build({
    entryPoints: [join(import.meta.dirname, '../../packages/remote/test/racer.ts')],
    outfile: join(base, 'racer.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['lmdb', '@napi-rs/blake-hash'],
    banner: { js: BANNER },
    logLevel: 'error',
  });
});
afterAll(async () => {
  for (const race of races) race.kill();
  await Promise.all([...races].map((race) => race.stop()));
  await server?.remove();
  removeFolders();
  rmSync(base, { recursive: true, force: true });
});

describe.each(['folder', 'S3'])('eight pushers and two collectors, %s', (kind) => {
  beforeEach((context) => {
    if (kind === 'S3') needS3(context);
  });

  test('lose nothing that anyone may rely on, though they are killed again and again', {
    timeout: 4 * PATIENCE * LENGTH * PACES.reduce((a, b) => a + b),
  }, async () => {
    const dir = join(base, `${kind}-cache`);
    mkdirSync(dir, { recursive: true });
    const store = openStore({ dir });
    const artifacts: Artifact[] = [];
    const part = (i: number) => ({ a: `a of part ${i}`, b: `b of part ${i}`, c: { d: `d of ${i}` } });
    for (let i = 0; i < 24; i++) {
      const big = i % 6 === 0 ? { big: noise(2_300_000 + i, `${i % 12}`) } : {};
      artifacts.push(await addFolder(store, { p: part(i % 7), q: part(i % 5), r: part(i), own: `${i}`, ...big }));
    }
    for (const pace of PACES) {
      const name = `race-${pace}`;
      const folder = join(kind === 'folder' ? base : (server?.folder ?? ''), name);
      const url = kind === 'folder' ? folder : `s3://${server?.bucket}/${name}`;
      const env = kind === 'folder' ? {} : { ...server?.env };
      const outcome = await runRace({ url, env, store: dir, empty: join(base, `${kind}-empty`), artifacts }, pace);
      await expectClosed(folder);
      // Refusals are in words.
      for (const text of outcome.errors) expect(text).toMatch(/half a day|others change it|is damaged in the remote/);
      if (!outcome.enough) continue;
      expect(outcome.errors.length).toBeLessThan(outcome.pushes / 10 + 5);
      expect(outcome.pushes).toBeGreaterThan(PUSHERS);
      return;
    }
    throw new Error(`this machine is too slow: not enough happened even when a day took ${2 * TIMES.trust * 25} ms`);
  });
});

interface Outcome {
  /** Whether things were pushed, removed, read and killed often enough for the race to show anything. */
  readonly enough: boolean;
  readonly pushes: number;
  readonly errors: readonly string[];
}

/** One race, in which whatever was pushed lately is fetched, and must be whole. */
async function runRace(among: Omit<Shared, 'times'>, pace: number): Promise<Outcome> {
  const times = Object.fromEntries(Object.entries(TIMES).map(([name, time]) => [name, time * pace])) as typeof TIMES;
  const { url, env, store, artifacts } = among;
  const remote = await remoteAt({ url }, env, { times });
  const [first] = artifacts;
  if (first === undefined) throw new Error('nothing to push');
  // There is something to collect in from the beginning.
  await remote.push({ roots: [{ path: 'x', artifact: first }] }, openStore({ dir: store }));
  // What was pushed so long ago, ms, is certainly still protected.
  const safe = times.roots / 2 - 2_000;
  const race = new Race({ ...among, times }, safe);
  const started = Date.now();
  const length = LENGTH * pace;
  let read = 0;
  const isEnough = () => read >= 5 && race.packs > 0 && race.kills >= 5;
  while (Date.now() - started < length || (!isEnough() && Date.now() - started < PATIENCE * length)) {
    race.killOne();
    const [digest, at] = race.pick() ?? [];
    const artifact = artifacts.find((one) => one.digest === digest);
    if (artifact === undefined || at === undefined) {
      await race.nextWord();
      continue;
    }
    const report = await remote.fetch({ roots: [{ path: 'x', artifact }] }, freshStore());
    if (Date.now() - at > safe) continue;
    expect(report.failed).toEqual([]);
    read++;
  }
  const enough = isEnough();
  await race.stop();
  return { enough, pushes: race.pushes, errors: race.errors };
}

type Shared = Omit<Racer, 'role' | 'by' | 'seed'>;

/** Those whose processes may be running. */
const races = new Set<Race>();

class Race {
  pushes = 0;
  kills = 0;
  /** Packs that collectors have deleted. */
  packs = 0;
  readonly errors: string[] = [];
  readonly #pushed = new Map<Digest, number>();
  readonly #shared: Shared;
  readonly #safe: number;
  readonly #running: (ChildProcess | undefined)[] = [];
  readonly #waiting: (() => void)[] = [];
  #goesOn = true;
  #started = 0;

  /** @param safe for how long what was pushed is certainly protected, in milliseconds. */
  constructor(shared: Shared, safe: number) {
    this.#shared = shared;
    this.#safe = safe;
    races.add(this);
    for (let i = 0; i < PUSHERS + 2; i++) this.#start(i);
  }

  #start(i: number): void {
    const role = i < PUSHERS ? 'push' : 'collect';
    const racer: Racer = { ...this.#shared, role, by: String(i).padStart(64, '0'), seed: ++this.#started * 7919 };
    const child = spawn(process.execPath, [join(base, 'racer.mjs'), JSON.stringify(racer)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] ?? '', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    });
    this.#running[i] = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(JSON.parse(line) as Told));
    child.once('exit', () => {
      this.#running[i] = undefined;
      if (this.#goesOn) this.#start(i);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  #hear(told: Told): void {
    if ('pushed' in told) {
      this.pushes++;
      this.#pushed.set(told.pushed as Digest, told.at);
    } else if ('packs' in told) this.packs += told.packs;
    else this.errors.push(told.error);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Something that was pushed lately. */
  pick(): [Digest, number] | undefined {
    const young = [...this.#pushed].filter(([, at]) => Date.now() - at < this.#safe);
    return young[Math.floor(Math.random() * young.length)];
  }

  nextWord(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  killOne(): void {
    const alive = this.#running.filter((one) => one !== undefined);
    const one = alive[Math.floor(Math.random() * alive.length * 3)];
    if (one?.kill('SIGKILL') === true) this.kills++;
  }

  kill(): void {
    this.#goesOn = false;
    for (const one of this.#running) one?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.#goesOn = false;
    for (const one of this.#running) one?.stdin?.end();
    while (this.#running.some((one) => one !== undefined)) await this.nextWord();
    races.delete(this);
  }
}
