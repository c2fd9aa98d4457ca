import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLog } from '../src/run/log.ts';
import { Meter } from '../src/run/meter.ts';
import { runProcess } from '../src/run/process.ts';
import { addUsage, type Usage } from '../src/run/usage.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-meter-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

interface Measured {
  readonly usage: Usage;
  readonly lines: readonly string[];
}

async function measure(command: string, meter = new Meter()): Promise<Measured> {
  const log = openLog(folder, 'stage' as never, new Date());
  const lines: string[] = [];
  let usage: Usage | undefined;
  const never = new AbortController().signal;
  const end = await runProcess({
    file: '/bin/sh',
    args: ['-e', '-c', command],
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    log,
    onLine: (_stream, line) => lines.push(line),
    meter,
    onUsage: (used) => {
      usage = used;
    },
    stop: never,
    kill: never,
  });
  log.close();
  expect(end).toEqual({ status: 'exited', exitCode: 0 });
  return { usage: usage ?? {}, lines };
}

const node = (script: string): string => `'${process.execPath}' -e '${script}'`;

/** What a program itself says of its CPU time, in seconds. */
const BUSY = `let x = 0; const until = process.cpuUsage().user + 150000;
while (process.cpuUsage().user < until) for (let i = 0; i < 1e5; i++) x += Math.sqrt(x + 1);
const { user, system } = process.cpuUsage(); console.log(JSON.stringify({ user: user / 1e6, system: system / 1e6 }));`;

describe.skipIf(process.platform !== 'linux')('what a process group used', () => {
  test.each([
    ['of the program that the shell became', node(BUSY)],
    ['of a program that the shell waited for', `${node(BUSY)}; true`],
    ['of programs in the background that the shell waited for', `${node(BUSY)} & wait`],
    ['of a grandchild', `sh -c "exec 2>&1; ${node(BUSY).replaceAll('"', '\\"')}"; true`],
  ])('CPU time %s', async (_name, command) => {
    const { usage, lines } = await measure(command);
    const own = JSON.parse(lines[0] ?? '') as { user: number; system: number };
    // The program goes on for a moment after it asked, and the kernel counts in hundredths.
    const told = own.user + own.system;
    const measured = (usage.cpuUser ?? 0) + (usage.cpuSystem ?? 0);
    expect(measured).toBeGreaterThanOrEqual(told - 0.02);
    expect(measured).toBeLessThan(told + 0.25);
  });

  test('several at once are not mixed up', async () => {
    const meter = new Meter();
    const [busy, ...idle] = await Promise.all([
      measure(node(BUSY), meter),
      ...Array.from({ length: 5 }, () => measure('true', meter)),
    ]);
    expect(busy?.usage.cpuUser).toBeGreaterThan(0.13);
    for (const { usage } of idle) expect(usage.cpuUser ?? 0).toBeLessThan(0.05);
  });

  test('a peak of memory that lasts a second, in a grandchild, beside others', async () => {
    const peak = node('const held = Buffer.alloc(300e6, 1); setTimeout(() => held.length, 1000);');
    const { usage } = await measure(`sh -c "${peak}; true"; true`);
    expect(usage.peakRss).toBeGreaterThan(300e6);
    expect(usage.peakRss).toBeLessThan(500e6);
  });

  test('bytes read and written, by all that was waited for', async () => {
    const { usage } = await measure(
      'dd if=/dev/zero of=file bs=1000 count=5000 2>/dev/null; cat file > copy; sync file',
    );
    expect(usage.bytesWritten).toBeGreaterThanOrEqual(10e6);
    expect(usage.bytesWritten).toBeLessThan(11e6);
    expect(usage.bytesRead).toBeGreaterThanOrEqual(10e6);
  });

  test('a process that leaves the group neither holds up the end nor counts', async () => {
    const { usage } = await measure('setsid sleep 60 > /dev/null 2>&1 & echo $! > pid; exit 0');
    process.kill(Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8')));
    expect(usage.cpuUser ?? 0).toBeLessThan(0.1);
  });

  test('a process that closes all it was given says nothing wrong of itself', async () => {
    const { usage, lines } = await measure(`exec ${node(`require("node:fs").closeSync(19); ${BUSY}`)}`);
    const { user } = JSON.parse(lines[0] ?? '') as { user: number };
    expect(user).toBeGreaterThan(0.1);
    expect(usage.cpuUser).toBeUndefined();
  });
});

test('tries add up; of peaks the higher one counts; what one lacks is not known', () => {
  expect(addUsage(undefined, { cpuUser: 1 })).toEqual({ cpuUser: 1 });
  expect(addUsage({ cpuUser: 0.1, peakRss: 5, bytesRead: 3 }, { cpuUser: 0.2, peakRss: 4 })).toEqual({
    cpuUser: 0.3,
    peakRss: 5,
  });
});
