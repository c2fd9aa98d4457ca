import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { heldClaims, readClaims } from '../src/gpu/claim.ts';
import { type HeldDevices, leaseDevices } from '../src/gpu/queue.ts';
import { exited, leaseRig } from './rig/leases.ts';

const rig = leaseRig();

function lease(among: string[], count = 1, more: { wait?: boolean; within?: string[] } = {}): Promise<HeldDevices> {
  const { wait = true, within = [] } = more;
  return leaseDevices(rig.folder, { among, count, within, purpose: 'test' }, { wait });
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
  fs.rmSync(rig.folder, { recursive: true });
  vi.advanceTimersByTime(60_000);
  expect(readClaims(rig.folder, Date.now())).toMatchObject([{ held: ['a'] }]);
  fs.rmSync(rig.folder, { recursive: true });
  fs.writeFileSync(rig.folder, 'no folder');
  vi.advanceTimersByTime(60_000);
  fs.rmSync(rig.folder);
  held.release();
});

test('who wants all is not passed by those who want less, and nobody takes a part', async () => {
  const one = await lease(['a', 'b']);
  const order: string[] = [];
  const all = lease(['a', 'b'], 2).then((held) => {
    order.push('all');
    return held;
  });
  await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(2);
  await expect(lease(['b'], 1, { wait: false })).rejects.toThrow(/is held by|are held by/);
  const late = lease(['b']).then((held) => {
    order.push('late');
    return held;
  });
  await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(3);
  expect(heldClaims(rig.folder).map(({ held }) => held)).toEqual([['a']]);
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
    rig.folder,
    { among: ['a'], count: 1, within: [], purpose: 'second' },
    { wait: true, signal: stop.signal, onWait: (holder, devices) => told.push(`${devices} ${holder?.purpose}`) },
  );
  await expect.poll(() => told).toEqual(['a test']);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  held.release();
  expect(fs.readdirSync(rig.folder)).toEqual([]);
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
  await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(2);
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
  const holder = rig.child('a', 0);
  await said(holder);
  expect(heldClaims(rig.folder)).toHaveLength(1);
  const waiters = Array.from({ length: 10 }, () => rig.child('a', 3));
  await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(11);
  holder.kill('SIGKILL');
  expect(await Promise.all(waiters.map(exited))).toEqual(waiters.map(() => 0));
  expect(fs.readdirSync(rig.folder)).toEqual([]);
});

test('processes on three devices never meet, and some are killed', async () => {
  const workers = Array.from({ length: 4 }, () => rig.child('a,b,c', 100));
  const victims = Array.from({ length: 4 }, () => rig.child('a', 0));
  void Promise.all(victims.map(async (victim) => said(victim).then(() => victim.kill('SIGKILL'))));
  expect(await Promise.all(workers.map(exited))).toEqual(workers.map(() => 0));
  await Promise.all(victims.map((victim) => victim.signalCode ?? exited(victim)));
  expect(readClaims(rig.folder, Date.now())).toEqual([]);
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
      expect(fs.readdirSync(rig.folder)).toEqual([]);
    }),
    { numRuns: runs(25) },
  );
});

test('the folder is for all users, and a file in its place is refused', async () => {
  (await lease(['a'])).release();
  expect(fs.statSync(rig.folder).mode & 0o7777).toBe(0o1777);
  fs.rmdirSync(rig.folder);
  fs.symlinkSync(rig.base, rig.folder);
  await expect(lease(['a'])).rejects.toThrow('is no folder');
});

test('files that somebody else put there do no harm', async () => {
  const held = await lease(['a']);
  held.release();
  fs.writeFileSync(path.join(rig.folder, 'notes.txt'), 'x');
  fs.writeFileSync(path.join(rig.folder, 'lease-00000000-1-1-000000000000.claim'), '');
  fs.writeFileSync(path.join(rig.folder, 'lease-00000000-1-1-000000000000.json'), '{"held": 3}');
  expect((await lease(['a'], 1, { wait: false })).devices).toEqual(['a']);
});
