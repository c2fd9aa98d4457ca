import { type ChildProcess, spawn } from 'node:child_process';
import {
  type BackendInfo,
  type ChildMessage,
  type ParentMessage,
  readChildMessage,
  TOLD_TO_END,
  type WireError,
  type WorkerInit,
  wrap,
} from '@dag/worker/protocol';
import type { Started } from '../trace/strace.ts';
import { LineSplitter } from './lines.ts';
import type { Meter } from './meter.ts';
import { endGroup, outputClosed, outputRead, signalGroup, timerMs } from './process.ts';
import type { Usage } from './usage.ts';

export interface WorkerRequest {
  /** The program that the worker process runs; absolute. */
  readonly childEntry: string;
  /** Arguments for Node itself. */
  readonly execArgv?: readonly string[];
  readonly init: WorkerInit;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called for each line that the process, or anything that it started, wrote. */
  logLine(line: string, stream: 'stdout' | 'stderr'): void;
  /** Called for each message between the start and the end, in order. */
  onMessage(message: ChildMessage): void;
  /** What to start in its place, so that it is watched. */
  wrap?(program: Started, folder: string): Started;
  /** Told the pid as soon as there is one. */
  onStart?(pid: number): void;
  /** Called when its group is gone, to end what has left it. */
  endStrays?(pid: number): Promise<void>;
  readonly meter?: Meter;
  /** Told what the worker used, with all that it started, when they are gone. */
  onUsage?(usage: Usage): void;
  /** Asks the worker to end: `ctx.signal`, SIGTERM to its group, SIGKILL when the grace time is over. */
  readonly signal?: AbortSignal;
  /** Kills it at once. */
  readonly kill?: AbortSignal;
  /** Ends it because it makes no progress. */
  readonly stalled?: AbortSignal;
  /** Milliseconds from the start. */
  readonly timeout?: number;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly grace?: number;
}

export interface WorkerEnd {
  readonly status: 'ok' | 'failed' | 'cancelled' | 'timeout' | 'stalled';
  /** Null where a signal ended the process. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set unless the status is `ok`: what went wrong, in the user's words, with the module's own stack where it threw. */
  readonly error?: WireError;
  /** What TensorFlow ran on, where it ran. */
  readonly backend?: BackendInfo;
}

/**
 * Runs a stage's module in a process of its own and waits until it and all that it started are gone. Never rejects for
 * what the module or its process does. If this process dies, the worker ends too: it notices that the channel broke.
 */
export async function runWorker(request: WorkerRequest): Promise<WorkerEnd> {
  if (request.signal?.aborted === true) return notRun('cancelled', 'the stage was stopped before it began');
  const node: Started = {
    file: process.execPath,
    args: [...(request.execArgv ?? []), request.childEntry],
    env: request.env,
  };
  const started = request.wrap?.(node, request.cwd) ?? node;
  const child = spawn(started.file, started.args, {
    cwd: request.cwd,
    env: { ...started.env },
    stdio: request.meter?.stdio(STDIO) ?? [...STDIO],
    serialization: 'advanced',
    detached: true,
  });
  const usage = request.meter?.watch(child);
  const seen: Seen = { last: undefined, backend: undefined, outOfMemory: false };
  watch(child, request, seen);
  const stopping = stopper(child, request);
  try {
    const ended = exitOf(child, request);
    try {
      if (child.pid !== undefined) request.onStart?.(child.pid);
    } catch (error) {
      signalGroup(child.pid, 'SIGKILL');
      await ended;
      throw error;
    }
    const exit = await ended;
    return typeof exit === 'string' ? notRun('failed', exit) : judge(exit, seen, stopping.reason(), request);
  } finally {
    if (usage !== undefined) request.onUsage?.(usage());
    stopping.dispose();
  }
}

const STDIO = ['ignore', 'pipe', 'pipe', 'ipc'] as const;

/** Why it was ended from here. */
type Stopped = 'cancelled' | 'timeout' | 'stalled';

/** What the process has said so far. */
interface Seen {
  last: Extract<ChildMessage, { type: 'done' | 'failed' }> | undefined;
  backend: BackendInfo | undefined;
  outOfMemory: boolean;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

function watch(child: ChildProcess, request: WorkerRequest, seen: Seen): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const lines = new LineSplitter((line) => {
      // V8's own words; it aborts right after them.
      if (stream === 'stderr' && line.includes('heap out of memory')) seen.outOfMemory = true;
      request.logLine(line, stream);
    });
    child[stream]?.on('data', (chunk: Buffer) => lines.write(chunk));
    child[stream]?.on('end', () => lines.end());
  }
  child.on('message', (raw) => {
    const message = readChildMessage(raw);
    if (message === undefined || seen.last !== undefined) return;
    if ('backend' in message && message.backend !== undefined) seen.backend = message.backend;
    if (message.type === 'done' || message.type === 'failed') seen.last = message;
    request.onMessage(message);
  });
  // A channel that breaks while something is being sent has nothing to add to how the process ended.
  child.on('error', () => {});
  post(child, request.init);
}

function post(child: ChildProcess, message: ParentMessage): void {
  if (child.connected) child.send(wrap(message), () => {});
}

/** Ends the worker when it is told to, or out of time. */
function stopper(child: ChildProcess, request: WorkerRequest) {
  let why: Stopped | undefined;
  const end = (reason: Stopped) => {
    if (why !== undefined) return;
    why = reason;
    post(child, { type: 'cancel', reason: reason === 'timeout' ? 'timeout' : 'interrupted' });
    void endGroup(child.pid, request.grace);
  };
  const cancel = () => end('cancelled');
  const stalled = () => end('stalled');
  const kill = () => {
    why ??= 'cancelled';
    signalGroup(child.pid, 'SIGKILL');
  };
  const timer = request.timeout === undefined ? undefined : setTimeout(() => end('timeout'), timerMs(request.timeout));
  request.signal?.addEventListener('abort', cancel);
  request.kill?.addEventListener('abort', kill);
  request.stalled?.addEventListener('abort', stalled);
  return {
    reason: () => why,
    dispose: () => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', cancel);
      request.kill?.removeEventListener('abort', kill);
      request.stalled?.removeEventListener('abort', stalled);
    },
  };
}

/** Waits for the process, ends what is left of its group, and waits until all that it wrote and sent is read. */
async function exitOf(child: ChildProcess, request: WorkerRequest): Promise<Exit | string> {
  const closed = outputClosed(child);
  const disconnected = new Promise<void>((resolve) => child.once('disconnect', () => resolve()));
  const exit = await new Promise<Exit | string>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(`the worker process could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  if (typeof exit === 'string') return exit;
  await endGroup(child.pid, 0);
  if (child.pid !== undefined) await request.endStrays?.(child.pid);
  await outputRead(
    child,
    Promise.all([closed, disconnected]).then(() => {}),
  );
  if (child.connected) child.disconnect();
  return exit;
}

function judge(exit: Exit, seen: Seen, why: Stopped | undefined, request: WorkerRequest): WorkerEnd {
  const { last, backend } = seen;
  const end = { exitCode: exit.code, signal: exit.signal, ...(backend === undefined ? {} : { backend }) };
  if (last?.type === 'done' && exit.code === 0) return { status: 'ok', ...end };
  if (why === 'timeout') {
    const message = `took longer than its timeout of ${(request.timeout ?? 0) / 1000} s and was ended`;
    return { status: 'timeout', ...end, error: plain(message) };
  }
  if (why === 'stalled') return { status: 'stalled', ...end, error: plain('made no progress and was ended') };
  if (why === 'cancelled') return { status: 'cancelled', ...end, error: plain('was stopped') };
  if (last?.type === 'failed') return { status: 'failed', ...end, error: last.error };
  return { status: 'failed', ...end, error: crash(exit, seen.outOfMemory) };
}

/** What to say of a process that ended without a word. */
function crash({ code, signal }: Exit, outOfMemory: boolean): WireError {
  if (outOfMemory) {
    return plain(
      "ran out of memory: Node's heap limit",
      'free tensors and arrays earlier, or raise it: NODE_OPTIONS=--max-old-space-size=MEGABYTES',
    );
  }
  if (signal === 'SIGKILL') return plain('was killed (SIGKILL)', 'often the kernel does this when memory runs out');
  if (signal !== null) return plain(`was ended by ${signal}`, 'its last output may say why');
  if (code === TOLD_TO_END) {
    return plain(
      'was told to end by a signal (SIGTERM, SIGINT or SIGUSR1) that dag did not send',
      'someone, a container or a job scheduler may have sent it to this process alone',
    );
  }
  return plain(`the process ended with exit status ${code} before its module was done`, 'does it call process.exit?');
}

function plain(message: string, hint?: string): WireError {
  return { name: 'WorkerError', message, ...(hint === undefined ? {} : { hint }) };
}

function notRun(status: 'failed' | 'cancelled', message: string): WorkerEnd {
  return { status, exitCode: null, signal: null, error: plain(message) };
}
