import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildMessage } from '@dag/worker/protocol';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { seedOf, workerInit } from '../src/run/worker-init.ts';
import { runWorker, type WorkerEnd, type WorkerRequest } from '../src/run/worker-process.ts';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

let folder: string;
let childEntry: string;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dag-worker-run-')));
  childEntry = join(folder, 'dag/worker-child.mjs');
  await build({ ...BUNDLE, entryPoints: [source('../../worker/src/child.ts')], outfile: childEntry });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BUNDLE = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const;

/** A server that modules connect to: what holds them open, and what tells that they are gone. */
let server: Server;
let connected: Promise<Socket>;
let port: number;
beforeEach(async () => {
  server = createServer();
  connected = once(server, 'connection').then(([socket]: Socket[]) => {
    if (socket === undefined) throw new Error('no socket');
    socket.resume();
    socket.on('error', () => {});
    return socket;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterEach(() => server.close());

/** The start of a module that stays connected to the test for as long as it lives. */
const hold = () => `import { connect } from 'node:net'; import { once } from 'node:events';
const socket = connect(${port}, '127.0.0.1'); await once(socket, 'connect');`;

interface Run extends WorkerEnd {
  readonly lines: string[];
  readonly messages: ChildMessage[];
}

async function run(moduleText: string, options: Partial<WorkerRequest> = {}): Promise<Run> {
  const lines: string[] = [];
  const messages: ChildMessage[] = [];
  const end = await runWorker({
    childEntry,
    init: initFor(moduleText),
    cwd: folder,
    env: process.env,
    ...options,
    logLine: (line, stream) => {
      lines.push(`${stream}: ${line}`);
      options.logLine?.(line, stream);
    },
    onMessage: (message) => {
      if (message.type !== 'beat') messages.push(message);
      options.onMessage?.(message);
    },
  });
  return { ...end, lines, messages };
}

function initFor(moduleText: string) {
  const bundle = join(folder, `module-${modules++}.mjs`);
  writeFileSync(bundle, moduleText);
  return workerInit({
    ...{ stage: 'train', root: folder, wdir: '', module: 'train.ts', bundle, tensorflow: false },
    metrics: bundle.replace(/mjs$/, 'metrics.ndjson'),
    ...{ deps: [], outs: [], params: new Map() },
  });
}
let modules = 0;

const main = (body: string) => `export default async (ctx) => { ${body} };`;

/** Resolves when the other end of a socket is gone: the process that held it has ended. */
const closed = (socket: Socket) => (socket.closed ? Promise.resolve() : once(socket, 'close'));

describe('a worker that ends by itself', () => {
  test('is ok; messages and lines come through', async () => {
    const end = await run(main(`ctx.metric('loss', 1); console.log('a\\nb'); console.error('c'); ctx.log('d');`));
    expect(end).toMatchObject({ status: 'ok', exitCode: 0, signal: null });
    expect(end.error).toBeUndefined();
    expect(end.messages.map(({ type }) => type)).toEqual(['ready', 'done']);
    expect(end.lines.sort()).toEqual(['stderr: c', 'stdout: a', 'stdout: b', 'stdout: d']);
  });

  test('an exception gives the module’s own stack, of its sources', async () => {
    const end = await run(`\nexport default () => { throw new TypeError('no such layer'); };`);
    expect(end).toMatchObject({ status: 'failed', exitCode: 1, error: { message: 'no such layer' } });
    expect(end.error?.stack).toMatch(/^TypeError: no such layer\n {4}at .*module-\d+\.mjs:2:/);
  });

  test('leaving early is no success', async () => {
    const end = await run(main('process.exit(0)'));
    expect(end).toMatchObject({
      status: 'failed',
      exitCode: 0,
      error: { message: 'the process ended with exit status 0 before its module was done' },
    });
    expect((await run(main('process.exit(9)'))).error?.message).toContain('exit status 9');
  });

  test('a signal from elsewhere is named as such', async () => {
    const end = await run(main(`process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 1e6));`));
    expect(end.status).toBe('failed');
    expect(end.error?.message).toBe('was told to end by a signal (SIGTERM, SIGINT or SIGUSR1) that dag did not send');
  });

  test('many and long lines arrive whole or cut, none is lost, and what comes after "done" too', async () => {
    const end = await run(
      main(`process.stdout.write('x'.repeat(200_000) + '\\n');
      for (let i = 0; i < 20_000; i++) process.stdout.write('line ' + i + '\\n');`),
    );
    const text = end.lines.map((line) => line.slice('stdout: '.length));
    expect(text.filter((line) => line.startsWith('x')).join('')).toBe('x'.repeat(200_000));
    expect(text.filter((line) => line.startsWith('line'))).toHaveLength(20_000);
    expect(text.at(-1)).toBe('line 19999');
  });
});

describe('a worker that crashes', () => {
  test('a kill from outside is told as such', async () => {
    const end = await run(main(`process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});`));
    expect(end).toMatchObject({ status: 'failed', exitCode: null, signal: 'SIGKILL' });
    expect(end.error).toMatchObject({ message: 'was killed (SIGKILL)', hint: expect.stringContaining('memory') });
  });

  test('an abort names its signal', async () => {
    const end = await run(main('process.abort()'));
    expect(end).toMatchObject({ status: 'failed', signal: 'SIGABRT', error: { message: 'was ended by SIGABRT' } });
  });

  test('a full heap is told as such', async () => {
    const end = await run(main('const all = []; for (;;) all.push(new Array(1e5).fill(all.length + 0.5));'), {
      execArgv: ['--max-old-space-size=32'],
    });
    expect(end.status).toBe('failed');
    expect(end.error).toMatchObject({
      message: "ran out of memory: Node's heap limit",
      hint: expect.stringContaining('--max-old-space-size'),
    });
  });

  test('a program that can’t be started is a failure, not an exception', async () => {
    const end = await run(main(''), { cwd: join(folder, 'no such folder') });
    expect(end).toMatchObject({ status: 'failed', exitCode: null, signal: null });
    expect(end.error?.message).toContain('could not be started');
  });
});

describe('a worker that is stopped', () => {
  test('before it began', async () => {
    expect(await run(main(''), { signal: AbortSignal.abort() })).toMatchObject({ status: 'cancelled', lines: [] });
  });

  test('while it waits', async () => {
    const stop = new AbortController();
    const ended = run(hold() + main('await new Promise((r) => setTimeout(r, 1e8));'), {
      signal: stop.signal,
      onMessage: ({ type }) => type === 'ready' && stop.abort(),
    });
    const socket = await connected;
    expect(await ended).toMatchObject({ status: 'cancelled', exitCode: 143, error: { message: 'was stopped' } });
    await closed(socket);
  });

  test('while it hangs in a loop: it is killed when the grace time is over', async () => {
    const stop = new AbortController();
    const end = await run(main('ctx.signal; ctx.log("in"); for (;;);'), {
      signal: stop.signal,
      grace: 50,
      logLine: () => stop.abort(),
    });
    expect(end).toMatchObject({ status: 'cancelled', signal: 'SIGKILL' });
  });

  test('though it holds on: it is asked, then killed', async () => {
    // Its grace time is over when it has been asked, however long that takes.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const stop = new AbortController();
    const asked = 'ctx.signal.addEventListener("abort", () => ctx.log("asked"));';
    const end = await run(main(`${asked} setInterval(() => {}, 1e6); await new Promise(() => {});`), {
      signal: stop.signal,
      grace: 1000,
      onMessage: ({ type }) => {
        if (type === 'ready') stop.abort();
      },
      logLine: () => void vi.advanceTimersByTimeAsync(1100),
    });
    expect(end).toMatchObject({ status: 'cancelled', signal: 'SIGKILL' });
    expect(end.lines).toContain('stdout: asked');
  });

  test('by its timeout', async () => {
    const end = await run(main('setInterval(() => {}, 1e6); await new Promise(() => {});'), { timeout: 300 });
    expect(end).toMatchObject({
      status: 'timeout',
      error: { message: 'took longer than its timeout of 0.3 s and was ended' },
    });
  });

  test('at once, without a grace time', async () => {
    const kill = new AbortController();
    const end = await run(main('ctx.signal; setInterval(() => {}, 1e6); await new Promise(() => {});'), {
      kill: kill.signal,
      onMessage: ({ type }) => type === 'ready' && kill.abort(),
    });
    expect(end).toMatchObject({ status: 'cancelled', signal: 'SIGKILL' });
  });
});

/** A process that a module starts and leaves behind, connected to the test. */
const grandchild = () => {
  const text = `process.on('SIGTERM', () => {}); const socket = require('node:net').connect(${port}, '127.0.0.1');
    socket.resume().on('connect', () => console.log('connected'));`;
  return `const { spawn } = await import('node:child_process');
    const started = spawn(process.execPath, ['-e', ${JSON.stringify(text)}], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => started.stdout.once('data', resolve)); started.stdout.destroy(); started.unref();`;
};

describe('nothing outlives', () => {
  test('a worker that is done', async () => {
    const end = await run(main(grandchild()));
    expect(end.status).toBe('ok');
    await closed(await connected);
  });

  test('a worker that is stopped', async () => {
    const holdOn = 'await new Promise((r) => setTimeout(r, 1e8));';
    const stop = new AbortController();
    const ended = run(main(grandchild() + holdOn), { signal: stop.signal, grace: 50 });
    const socket = await connected;
    stop.abort();
    expect((await ended).status).toBe('cancelled');
    await closed(socket);
  });

  test('a parent that was killed: the worker ends, and all that it started', async () => {
    const parent = join(folder, 'parent.mjs');
    await build({
      ...BUNDLE,
      stdin: {
        contents: `import { runWorker } from './run/worker-process.ts';
          runWorker({ ...JSON.parse(process.argv[2]), env: process.env, logLine() {}, onMessage() {} });`,
        resolveDir: source('../src'),
      },
      outfile: parent,
    });
    const init = initFor(main(`${grandchild()} setInterval(() => {}, 1e6); await new Promise(() => {});`));
    const child = spawn(process.execPath, [parent, JSON.stringify({ childEntry, init, cwd: folder })]);
    const socket = await connected;
    child.kill('SIGKILL');
    await closed(socket);
  });
});

describe('the seed of a stage', () => {
  const params = (values: Record<string, never>) => new Map([['params.yaml', new Map(Object.entries(values))]]);

  test('is its declared param of that name, as 32 bits', () => {
    expect(seedOf(params({ 'train.seed': 7, 'train.seeds': 8 } as never))).toBe(7);
    expect(seedOf(params({ seed: -1 } as never))).toBe(2 ** 32 - 1);
    expect(seedOf(params({ seed: 2n ** 40n + 3n } as never))).toBe(3);
    expect(seedOf(params({ lr: 7 } as never))).toBe(0);
    expect(seedOf(params({ seed: 'seven' } as never))).toBe(0);
  });

  test('does not depend on the order of params', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.string(), fc.nat()), { selector: ([key]) => key }), (pairs) => {
        const keyed = pairs.map(([key, value]): [string, number] => [`${key}.seed`, value]);
        const seed = seedOf(new Map([['p', new Map(keyed)]]));
        expect(seedOf(new Map([['p', new Map(keyed.toReversed())]]))).toBe(seed);
      }),
    );
  });
});
