import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { heldClaims, readClaims } from '../src/gpu/claim.ts';
import { type HeldDevices, leaseDevices } from '../src/gpu/queue.ts';

// Inside the package, so that compiled packages are found from there.
const out = path.join(import.meta.dirname, `../dist/test-${process.pid}`);
beforeAll(async () => {
  await build({
    entryPoints: [path.join(import.meta.dirname, 'child/leases.ts')],
    outdir: out,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(() => fs.rmSync(out, { recursive: true, force: true }));

let base: string;
let folder: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-leases-'));
  folder = path.join(base, 'leases');
  fs.mkdirSync(path.join(base, 'witness'));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

function lease(among: string[], count = 1, more: { wait?: boolean; within?: string[] } = {}): Promise<HeldDevices> {
  const { wait = true, within = [] } = more;
  return leaseDevices(folder, { among, count, within, purpose: 'test' }, { wait });
}

function child(devices: string, rounds: number): ChildProcess {
  const args = [path.join(out, 'leases.js'), folder, path.join(base, 'witness'), devices, String(rounds)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

function exited(process: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => process.once('exit', (code) => resolve(code)));
}

function said(process: ChildProcess): Promise<void> {
  return new Promise((resolve) => process.stdout?.once('data', () => resolve()));
}

test('a device is one holder’s; the best free ones are given', async () => {
  const first = await lease(['a', 'b', 'c']);
  const second = await lease(['a', 'b', 'c'], 2);
  expect([first.devices, second.devices]).toEqual([['a'], ['b', 'c']]);
  await expect(lease(['b', 'a'], 1, { wait: false })).rejects.toThrow(/GPU a is held by test \(pid \d+ on .+, since/);
  first.release();
  first.release();
  expect((await lease(['b', 'a'], 1, { wait: false })).devices).toEqual(['a']);
  second.release();
});

test('a holder goes on where the folder is lost', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const held = await lease(['a']);
  fs.rmSync(folder, { recursive: true });
  vi.advanceTimersByTime(60_000);
  expect(readClaims(folder, Date.now())).toMatchObject([{ held: ['a'] }]);
  fs.rmSync(folder, { recursive: true });
  fs.writeFileSync(folder, 'no folder');
  vi.advanceTimersByTime(60_000);
  fs.rmSync(folder);
  held.release();
});

test('who wants all is not passed by those who want less, and nobody takes a part', async () => {
  const one = await lease(['a', 'b']);
  const order: string[] = [];
  const all = lease(['a', 'b'], 2).then((held) => {
    order.push('all');
    return held;
  });
  await expect.poll(() => readClaims(folder, Date.now()).length).toBe(2);
  await expect(lease(['b'], 1, { wait: false })).rejects.toThrow(/is held by|are held by/);
  const late = lease(['b']).then((held) => {
    order.push('late');
    return held;
  });
  await expect.poll(() => readClaims(folder, Date.now()).length).toBe(3);
  expect(heldClaims(folder).map(({ held }) => held)).toEqual([['a']]);
  one.release();
  (await all).release();
  (await late).release();
  expect(order).toEqual(['all', 'late']);
});

test('waiting is told once a holder, and can be given up', async () => {
  const held = await lease(['a']);
  const stop = new AbortController();
  const told: string[] = [];
  const waiting = leaseDevices(
    folder,
    { among: ['a'], count: 1, within: [], purpose: 'second' },
    { wait: true, signal: stop.signal, onWait: (holder, devices) => told.push(`${devices} ${holder.purpose}`) },
  );
  await expect.poll(() => told).toEqual(['a test']);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  held.release();
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('what runs inside a stage divides what the stage holds, and only that', async () => {
  const outer = await lease(['a', 'b'], 2);
  const inner = await lease(['a', 'b'], 1, { within: [outer.id], wait: false });
  const sibling = await lease(['a', 'b'], 1, { within: [outer.id], wait: false });
  expect([...inner.devices, ...sibling.devices]).toEqual(['a', 'b']);
  await expect(lease(['a', 'b'], 1, { within: [outer.id], wait: false })).rejects.toThrow('is held by');
  const deeper = await lease(['a'], 1, { within: [outer.id, inner.id], wait: false });
  expect(deeper.devices).toEqual(['a']);
  await expect(lease(['a'], 1, { wait: false })).rejects.toThrow('is held by');
  for (const held of [deeper, sibling, inner, outer]) held.release();
});

test('who waits for a stage’s device does not come before what runs inside that stage', async () => {
  const outer = await lease(['a']);
  const waiting = lease(['a']);
  await expect.poll(() => readClaims(folder, Date.now()).length).toBe(2);
  const inner = await lease(['a'], 1, { within: [outer.id], wait: false });
  outer.release();
  await expect(lease(['a'], 1, { wait: false })).rejects.toThrow('is held by');
  inner.release();
  (await waiting).release();
});

test('a device that the stage around does not hold is leased in turn with all others', async () => {
  const outer = await lease(['a']);
  const other = await lease(['b']);
  await expect(lease(['b'], 1, { within: [outer.id], wait: false })).rejects.toThrow('GPU b is held by');
  other.release();
  expect((await lease(['b'], 1, { within: [outer.id, 'gone'], wait: false })).devices).toEqual(['b']);
});

test('what a killed process held is free again, for one of many waiters at a time', async () => {
  const holder = child('a', 0);
  await said(holder);
  expect(heldClaims(folder)).toHaveLength(1);
  const waiters = Array.from({ length: 10 }, () => child('a', 3));
  await expect.poll(() => readClaims(folder, Date.now()).length).toBe(11);
  holder.kill('SIGKILL');
  expect(await Promise.all(waiters.map(exited))).toEqual(waiters.map(() => 0));
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('processes on three devices never meet, and some are killed', async () => {
  const workers = Array.from({ length: 4 }, () => child('a,b,c', 100));
  const victims = Array.from({ length: 4 }, () => child('a', 0));
  void Promise.all(victims.map(async (victim) => said(victim).then(() => victim.kill('SIGKILL'))));
  expect(await Promise.all(workers.map(exited))).toEqual(workers.map(() => 0));
  await Promise.all(victims.map((victim) => victim.signalCode ?? exited(victim)));
  expect(readClaims(folder, Date.now())).toEqual([]);
});

test('in any order of requests and releases, no device has two holders and all are served', async () => {
  const devices = ['a', 'b', 'c'];
  const request = fc.record({
    among: fc.subarray(devices, { minLength: 1 }),
    count: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
      const busy = new Set<string>();
      await Promise.all(
        requests.map(async ({ among, count }) => {
          const held = await lease(among, Math.min(count, among.length));
          for (const device of held.devices) {
            expect(busy.has(device)).toBe(false);
            busy.add(device);
          }
          await new Promise((resolve) => setImmediate(resolve));
          for (const device of held.devices) busy.delete(device);
          held.release();
        }),
      );
      expect(fs.readdirSync(folder)).toEqual([]);
    }),
    { numRuns: runs(25) },
  );
});

test('the folder is for all users, and a file in its place is refused', async () => {
  (await lease(['a'])).release();
  expect(fs.statSync(folder).mode & 0o7777).toBe(0o1777);
  fs.rmdirSync(folder);
  fs.symlinkSync(base, folder);
  await expect(lease(['a'])).rejects.toThrow('is no folder');
});

test('files that somebody else put there do no harm', async () => {
  const held = await lease(['a']);
  held.release();
  fs.writeFileSync(path.join(folder, 'notes.txt'), 'x');
  fs.writeFileSync(path.join(folder, 'lease-00000000-1-1-000000000000.claim'), '');
  fs.writeFileSync(path.join(folder, 'lease-00000000-1-1-000000000000.json'), '{"held": 3}');
  expect((await lease(['a'], 1, { wait: false })).devices).toEqual(['a']);
});
