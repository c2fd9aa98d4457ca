import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Resources, Stage } from '@dag/model';
import { expect, test } from 'vitest';
import { Leases } from '../src/leases.ts';
import { memoryLimit } from '../src/machine.ts';

const GB = 1e9;

function stage(address: string, resources: Resources = {}, mutex: readonly string[] = []): Stage {
  return { address, resources, mutex } as unknown as Stage;
}

function leases(options: { gpus?: number; peaks?: Record<string, number> } = {}): Leases {
  const capacity = { cpu: 8, memory: 100 * GB, gpu: () => options.gpus };
  return new Leases(capacity, (address) => {
    const peakRss = options.peaks?.[address];
    return peakRss === undefined ? undefined : { seconds: 1, peakRss };
  });
}

test.each([
  ['cpu', { cpu: 5 }, { cpu: 4 }, { cpu: 3 }],
  ['memory', { memory: 60 * GB }, { memory: 60 * GB }, { memory: 40 * GB }],
  ['gpu', { gpu: 2 }, { gpu: 3 }, { gpu: 2 }],
] as const)('%s: what does not fit beside another waits until it is released', (_, held, large, small) => {
  const all = leases({ gpus: 4 });
  const lease = all.take(stage('a', held));
  expect([all.fits(stage('b', large)), all.fits(stage('c', small))]).toEqual([false, true]);
  lease.release();
  expect(all.fits(stage('b', large))).toBe(true);
});

test('what wants more than there is runs when no other holds any', () => {
  const all = leases();
  const small = all.take(stage('a', { cpu: 1 }));
  expect(all.fits(stage('b', { cpu: 64 }))).toBe(false);
  small.release();
  expect(all.fits(stage('b', { cpu: 64 }))).toBe(true);
});

test('while the number of GPUs is not known, stages that want one go one by one', () => {
  const options: { gpus?: number } = {};
  const all = leases(options);
  all.take(stage('a', { gpu: 1 }));
  expect([all.fits(stage('b', { gpu: 1 })), all.fits(stage('c'))]).toEqual([false, true]);
  const known = new Leases({ cpu: 8, memory: GB, gpu: () => options.gpus }, () => undefined);
  known.take(stage('a', { gpu: 1 }));
  options.gpus = 2;
  expect(known.fits(stage('b', { gpu: 1 }))).toBe(true);
});

test('a stage that says nothing of memory needs what it needed before', () => {
  const all = leases({ peaks: { a: 60 * GB, b: 60 * GB, c: 30 * GB, tiny: 0.001 * GB } });
  const lease = all.take(stage('a'));
  expect(all.fits(stage('b'))).toBe(false);
  expect(all.fits(stage('b', { memory: 1 * GB }))).toBe(true);
  expect(all.fits(stage('c'))).toBe(true);
  expect(all.fits(stage('unknown'))).toBe(true);
  lease.release();
  expect(all.fits(stage('b'))).toBe(true);
});

test('those that share a mutex are kept apart', () => {
  const all = leases();
  const lease = all.take(stage('a', {}, ['db', 'disk']));
  expect([all.fits(stage('b', {}, ['disk'])), all.fits(stage('c', {}, ['net']))]).toEqual([false, true]);
  lease.release();
  expect(all.fits(stage('b', {}, ['disk']))).toBe(true);
});

test('the lowest limit of a control group and those above it is what there is', () => {
  const mount = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-cgroup-'));
  const self = path.join(mount, 'self');
  fs.mkdirSync(path.join(mount, 'jobs/one'), { recursive: true });
  fs.writeFileSync(self, '0::/jobs/one\n');
  fs.writeFileSync(path.join(mount, 'jobs/one/memory.max'), 'max\n');
  const whole = memoryLimit(mount, self);
  expect(whole).toBeLessThanOrEqual(os.totalmem());
  fs.writeFileSync(path.join(mount, 'jobs/memory.max'), '1048576\n');
  expect(memoryLimit(mount, self)).toBe(1048576);
  fs.writeFileSync(path.join(mount, 'jobs/one/memory.max'), '4096\n');
  expect(memoryLimit(mount, self)).toBe(4096);
  expect(memoryLimit(mount, path.join(mount, 'none'))).toBe(whole);
  fs.rmSync(mount, { recursive: true });
});
