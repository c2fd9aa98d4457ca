import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Resources, Stage } from '@dag/model';
import { expect, test } from 'vitest';
import type { GpuDevice } from '../src/gpu/smi.ts';
import { Leases } from '../src/leases.ts';
import { memoryLimit } from '../src/machine.ts';

const GB = 1e9;

function stage(address: string, resources: Resources = {}, mutex: readonly string[] = []): Stage {
  return { address, resources, mutex } as unknown as Stage;
}

function devices(count: number | undefined, memory = 80 * GB): GpuDevice[] | undefined {
  return count === undefined
    ? undefined
    : Array.from({ length: count }, (_, index) => ({ id: `GPU-${index}`, memory }));
}

function leases(options: { gpus?: number; peaks?: Record<string, number> } = {}): Leases {
  const capacity = { cpu: 8, memory: 100 * GB, gpus: () => devices(options.gpus) };
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
  const known = new Leases({ cpu: 8, memory: GB, gpus: () => devices(options.gpus) }, () => undefined);
  known.take(stage('a', { gpu: 1 }));
  options.gpus = 2;
  expect(known.fits(stage('b', { gpu: 1 }))).toBe(true);
});

test('parts of devices are held together where they fit, beside devices that are held whole', () => {
  const all = leases({ gpus: 2 });
  const part = (gpu: number, gpuMemory: number): Resources => ({ gpu, gpuMemory: gpuMemory * GB });
  const whole = all.take(stage('whole', { gpu: 1 }));
  all.take(stage('a', part(1, 50)));
  expect([part(1, 30), part(1, 31), part(2, 10), { gpu: 1 }].map((wanted) => all.fits(stage('b', wanted)))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  whole.release();
  expect([part(2, 30), part(1, 60), part(2, 31), { gpu: 1 }].map((wanted) => all.fits(stage('b', wanted)))).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

test('devices that can’t be shared are held whole, whatever is said of memory', () => {
  const capacity = {
    cpu: 1,
    memory: GB,
    gpus: () => [{ id: 'a' }, { id: 'b', memory: GB, oneProcess: true as const }],
  };
  const all = new Leases(capacity, () => undefined);
  all.take(stage('a', { gpu: 1, gpuMemory: 1 }));
  expect(all.fits(stage('b', { gpu: 1, gpuMemory: 1 }))).toBe(true);
  all.take(stage('b', { gpu: 1, gpuMemory: 1 }));
  expect(all.fits(stage('c', { gpu: 1, gpuMemory: 1 }))).toBe(false);
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
