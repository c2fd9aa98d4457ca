import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { type Claim, readClaims, writeClaim } from '../src/gpu/claim.ts';
import type { Rooms } from '../src/gpu/free.ts';
import { type HeldDevices, leaseDevices } from '../src/gpu/queue.ts';
import { exited, leaseRig } from './rig/leases.ts';

const rig = leaseRig();

interface Wish {
  readonly among?: readonly string[];
  readonly count?: number;
  readonly memory?: number;
  readonly within?: readonly string[];
  readonly wait?: boolean;
  readonly rooms?: Rooms;
}

const TEN: Rooms = new Map(['a', 'b', 'c'].map((device) => [device, { total: 10, others: 0 }]));

/** A lease of parts of devices with 10 bytes each; at once or not at all, unless it is to wait. */
function lease({ among = ['a'], count = 1, within = [], wait = false, rooms = TEN, ...rest }: Wish) {
  const options = { wait, rooms: () => Promise.resolve(rooms) };
  return leaseDevices(rig.folder, { among, count, within, purpose: 'test', ...rest }, options);
}

test('parts that fit together share a device, and no more', async () => {
  const [five, four] = [await lease({ memory: 5 }), await lease({ memory: 4 })];
  expect([five.shared, four.shared]).toEqual([['a'], ['a']]);
  await expect(lease({ memory: 2 })).rejects.toThrow('GPU a is held by');
  const one = await lease({ memory: 1 });
  five.release();
  const again = await lease({ memory: 5 });
  for (const held of [four, one, again]) held.release();
});

test('whole and in part exclude each other', async () => {
  const part = await lease({ memory: 1 });
  await expect(lease({})).rejects.toThrow('GPU a is held by');
  part.release();
  const whole = await lease({});
  expect(whole.shared).toEqual([]);
  await expect(lease({ memory: 1 })).rejects.toThrow('GPU a is held by');
  whole.release();
});

test('work is spread: the device with the most left comes first, one that can’t be shared last', async () => {
  const among = ['a', 'b', 'c'];
  const rooms = new Map([...TEN].filter(([device]) => device !== 'c'));
  const held: HeldDevices[] = [];
  for (const memory of [3, 2, 2, 4, 9, 1]) held.push(await lease({ among, memory, rooms }));
  expect(held.map(({ devices }) => devices.join())).toEqual(['a', 'b', 'b', 'a', 'c', 'b']);
  expect(held[4]?.shared).toEqual([]);
  const both = await lease({ among, memory: 3, count: 2, rooms });
  expect(both.devices).toEqual(['b', 'a']);
  for (const one of [...held, both]) one.release();
});

test('who wants a device whole is not passed by those who want a part of it', async () => {
  const first = await lease({ memory: 1 });
  const order: string[] = [];
  const waiting = ['whole', 'late'].map(async (name, index) => {
    await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(1 + index);
    const held = await lease({ wait: true, ...(name === 'late' ? { memory: 1 } : {}) });
    order.push(name);
    held.release();
  });
  await expect.poll(() => readClaims(rig.folder, Date.now()).length).toBe(3);
  expect(order).toEqual([]);
  first.release();
  await Promise.all(waiting);
  expect(order).toEqual(['whole', 'late']);
});

test('memory in use by programs that leased nothing is not given, but for a little where there is no other stage', async () => {
  const GiB = 2 ** 30;
  const rooms = (others: number) => new Map([['a', { total: 80 * GiB, others }]]);
  await expect(lease({ memory: 50 * GiB, rooms: rooms(40 * GiB) })).rejects.toThrow(
    'GPU a: programs that leased nothing use too much of the memory',
  );
  const whole = await lease({ memory: 80 * GiB, rooms: rooms(GiB / 2) });
  whole.release();
  const part = await lease({ memory: 40 * GiB, rooms: rooms(40 * GiB) });
  await expect(lease({ memory: 1, rooms: rooms(40 * GiB) })).rejects.toThrow('is held by');
  part.release();
});

test('whoever waits for programs that leased nothing starts when they are gone', async () => {
  let others = 9;
  const told: (string | undefined)[] = [];
  const GiB = 2 ** 30;
  const waiting = leaseDevices(
    rig.folder,
    { among: ['a'], count: 1, within: [], purpose: 'test', memory: 5 * GiB },
    {
      wait: true,
      rooms: () => Promise.resolve(new Map([['a', { total: 10 * GiB, others: others * GiB }]])),
      onWait: (holder) => told.push(holder?.id),
    },
  );
  await expect.poll(() => told).toEqual([undefined]);
  others = 0;
  (await waiting).release();
  expect(told).toHaveLength(1);
});

test('what runs inside a stage divides the part that this stage has', async () => {
  const outer = await lease({ memory: 6 });
  const within = [outer.id];
  const inner = await lease({ memory: 4, within });
  await expect(lease({ memory: 3, within })).rejects.toThrow('is held by');
  const small = await lease({ memory: 2, within });
  // Outside, the part counts once.
  const beside = await lease({ memory: 4 });
  small.release();
  const anew = await lease({ memory: 2, within });
  anew.release();
  inner.release();
  const all = await lease({ within });
  outer.release();
  // What is left of it counts by itself: it has the device whole within its stage, and more is not known of it.
  await expect(lease({ memory: 1 })).rejects.toThrow('is held by');
  all.release();
  (await lease({ memory: 6 })).release();
  beside.release();
});

/** A claim as version 1 wrote it, which knew no parts. */
const OLD: Omit<Claim, 'id'> = {
  host: 'box',
  pid: process.pid,
  purpose: 'an older dag',
  since: '2026-01-02T03:04:05.000Z',
  ticket: 1,
  count: 1,
  among: ['a', 'b'],
  held: ['a'],
  within: [],
};

test('what an older dag holds or waits for, and a newer one says in words unknown, is held whole', async () => {
  (await lease({})).release();
  const mark = fs.readdirSync(rig.folder);
  expect(mark).toEqual([]);
  const probe = await lease({ memory: 1 });
  const { id } = probe;
  probe.release();
  const put = (state: object): void => {
    writeClaim(rig.folder, { ...OLD, id });
    fs.writeFileSync(path.join(rig.folder, `${id}.json`), JSON.stringify(state));
  };
  put(OLD);
  await expect(lease({ memory: 1 })).rejects.toThrow('held by an older dag');
  expect((await lease({ among: ['a', 'b'], memory: 1 })).devices).toEqual(['b']);
  put({ ...OLD, version: 3, memory: 1, shared: ['a'] });
  await expect(lease({ memory: 1 })).rejects.toThrow('held by an older dag');
  put({ ...OLD, version: 2, memory: 1, shared: ['a'] });
  (await lease({ memory: 9 })).release();
});

test('an older dag reads a part as the whole device', async () => {
  const held = await lease({ memory: 1 });
  const state = JSON.parse(fs.readFileSync(path.join(rig.folder, `${held.id}.json`), 'utf8')) as Record<
    string,
    unknown
  >;
  expect(state).toMatchObject({ version: 2, held: ['a'], among: ['a'], count: 1, within: [], shared: ['a'] });
  expect(Object.keys(OLD).filter((key) => !(key in state))).toEqual([]);
  held.release();
});

test('processes that share three devices never take more than there is, and others are killed at any moment', async () => {
  const workers = Array.from({ length: 4 }, () => rig.child('a,b,c', runs(400), '100'));
  const killed: Promise<unknown>[] = [];
  let victims = 0;
  const next = (): void => {
    const victim = rig.child('a,b,c', Number.MAX_SAFE_INTEGER, '100');
    victims++;
    let lines = 0;
    // Wherever it is when it has said so much: choosing, waiting, taking or giving back.
    victim.stdout?.on('data', () => {
      if (++lines === 1 + (victims % 3)) victim.kill('SIGKILL');
    });
    const end = exited(victim).then(() => {
      if (victims < runs(12) && workers.some((worker) => worker.exitCode === null)) next();
    });
    killed.push(end);
  };
  next();
  expect(await Promise.all(workers.map(exited))).toEqual(workers.map(() => 0));
  // Each end may begin another one.
  for (let at = 0; at < killed.length; at++) await killed[at];
  expect(victims).toBeGreaterThan(2);
  expect(readClaims(rig.folder, Date.now())).toEqual([]);
  (await lease({ among: ['a', 'b', 'c'], count: 3 })).release();
  expect(fs.readdirSync(rig.folder).filter((name) => name.endsWith('.claim'))).toEqual([]);
});

test('in any order of requests and releases, no device has more than it has, and all are served', async () => {
  const request = fc.record({
    among: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
    count: fc.integer({ min: 1, max: 3 }),
    memory: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
      const used = new Map<string, number>();
      await Promise.all(
        requests.map(async ({ among, count, memory }) => {
          const wish = { among, count: Math.min(count, among.length), wait: true };
          const held = await lease(memory === undefined ? wish : { ...wish, memory });
          const part = memory ?? 10;
          for (const device of held.devices) {
            used.set(device, (used.get(device) ?? 0) + part);
            expect(used.get(device)).toBeLessThanOrEqual(10);
          }
          await new Promise((resolve) => setImmediate(resolve));
          for (const device of held.devices) used.set(device, (used.get(device) ?? 0) - part);
          held.release();
        }),
      );
      expect(fs.readdirSync(rig.folder)).toEqual([]);
    }),
    { numRuns: runs(25) },
  );
});
