import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
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

interface Options {
  readonly meter?: Meter;
  /** Called when the command has said its first line. */
  onFirstLine?(): void;
}

async function measure(command: string, { meter = new Meter(), onFirstLine }: Options = {}): Promise<Measured> {
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
    onLine: (_stream, line) => {
      if (lines.push(line) === 1) onFirstLine?.();
    },
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

/** A gate in the folder at which a program waits, without a process of its own that would be measured too. */
function makeGate(): { readonly open: () => void } {
  execFileSync('mkfifo', [path.join(folder, 'gate')]);
  const fd = fs.openSync(path.join(folder, 'gate'), 'r+');
  onTestFinished(() => fs.closeSync(fd));
  return { open: () => void fs.writeSync(fd, 'go\n') };
}
const WAIT = 'const io = require("node:fs"); io.readSync(io.openSync("gate"), Buffer.alloc(3));';

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
    const gate = makeGate();
    // The busy one is over when the others are known to be: what ends within the same moment may slip through.
    const busy = measure(`${node(BUSY)}; read go < gate`, { meter });
    const idle = await Promise.all(Array.from({ length: 5 }, () => measure('true', { meter })));
    gate.open();
    expect((await busy).usage.cpuUser).toBeGreaterThan(0.13);
    for (const { usage } of idle) expect(usage.cpuUser ?? 0).toBeLessThan(0.05);
  });

  test('a peak of memory, in a grandchild, beside others', async () => {
    const gate = makeGate();
    // A second of this process's own time, in which the meter has looked again, however late it is.
    const onFirstLine = (): void => void setTimeout(gate.open, 1000);
    const peak = node(`const held = Buffer.alloc(300e6, 1); console.log("held"); ${WAIT} held.length;`);
    const { usage } = await measure(`sh -c "${peak.replaceAll('"', '\\"')}; true"; true`, { onFirstLine });
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
    const gate = makeGate();
    // The end of the pipe came before the line did: it is seen in this turn of the event loop, while the process works.
    const onFirstLine = (): void => void setImmediate(gate.open);
    const script = `require("node:fs").closeSync(19); console.log("closed"); ${WAIT} ${BUSY}`;
    const { usage, lines } = await measure(`exec ${node(script)}`, { onFirstLine });
    const { user } = JSON.parse(lines[1] ?? '') as { user: number };
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
