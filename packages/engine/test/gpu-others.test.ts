import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { programNvidiaSmi } from '../../../test/rigs/nvidia-smi.ts';
import type { Rooms } from '../src/gpu/free.ts';
import { OthersUse } from '../src/gpu/others.ts';
import { leaseDevices } from '../src/gpu/queue.ts';

const GiB = 2 ** 30;

let base: string;
let folder: string;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-others-'));
  folder = path.join(base, 'leases');
});
afterEach(() => {
  vi.useRealTimers();
  fs.rmSync(base, { recursive: true });
});

const rooms: Rooms = new Map([['GPU-a', { total: 80 * GiB, others: 0 }]]);

function lease(memory?: number, within: readonly string[] = []) {
  const request = { among: ['GPU-a'], count: 1, within, purpose: 'test', ...(memory === undefined ? {} : { memory }) };
  return leaseDevices(folder, request, { wait: false, rooms: () => Promise.resolve(rooms) });
}

/** Memory in use, in GiB, as `nvidia-smi` says from now on; undefined where it fails. */
function inUse(gibibytes: number | undefined): { readonly PATH: string } {
  const line = `0, GPU-a, Example, 81920, ${(gibibytes ?? 0) * 1024}, 1, Default, Disabled`;
  return programNvidiaSmi(path.join(base, 'bin'), gibibytes === undefined ? 'exit 9' : `echo '${line}'`);
}

test('what is in use beyond what is declared is others’', async () => {
  const env = inUse(60);
  const devices = [
    { id: 'GPU-a', memory: 80 * GiB },
    { id: 'GPU-b' },
    { id: 'GPU-c', memory: GiB, oneProcess: true as const },
  ];
  const use = new OthersUse(folder, devices, env);
  const others = async (): Promise<number | undefined> => (await use.rooms()).get('GPU-a')?.others;
  expect([...(await use.rooms()).keys()]).toEqual(['GPU-a']);
  expect(await others()).toBe(60 * GiB);
  const part = await lease(50 * GiB);
  const inner = await lease(20 * GiB, [part.id]);
  // An answer is good for a while.
  expect(await others()).toBe(60 * GiB);
  vi.setSystemTime(Date.now() + 6000);
  expect(await others()).toBe(10 * GiB);
  inUse(30);
  vi.setSystemTime(Date.now() + 6000);
  expect(await others()).toBe(0);
  inner.release();
  part.release();
  vi.setSystemTime(Date.now() + 6000);
  expect(await others()).toBe(30 * GiB);
  inUse(undefined);
  vi.setSystemTime(Date.now() + 6000);
  expect(await others()).toBe(30 * GiB);
  // What a stage that has it whole uses is not told from what others use.
  inUse(70);
  const whole = await lease();
  vi.setSystemTime(Date.now() + 6000);
  expect(await others()).toBe(0);
  whole.release();
});
