import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import type { Started } from '../trace/strace.ts';
import { LineSplitter } from './lines.ts';
import type { RunLog } from './log.ts';
import type { Meter } from './meter.ts';
import type { Usage } from './usage.ts';

const STDIO = ['ignore', 'pipe', 'pipe'] as const;

/** How long a process group has to end by itself after SIGTERM before it is killed, in milliseconds. */
export const GRACE_MS = 10_000;

/** How long the output of a process that has ended may be held open by what left its group, in milliseconds. */
const LINGER_MS = 1000;

/** How often a group that was told to end is looked at, in milliseconds. */
const POLL_MS = 10;

export interface ProcessRequest {
  readonly file: string;
  readonly args: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: RunLog;
  onLine(stream: 'stdout' | 'stderr', line: string): void;
  /** What to start in its place, so that it is watched. */
  wrap?(program: Started, folder: string): Started;
  /** Told the pid of the group's leader as soon as there is one. */
  onStart?(pid: number): void;
  /** Called when the group is gone, to end what has left it. */
  endStrays?(pid: number): Promise<void>;
  readonly meter: Meter;
  /** Told what the group used, once it is gone. */
  onUsage(usage: Usage): void;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly grace?: number;
  /** Asks it to end (SIGTERM to its group, SIGKILL after the grace time). */
  readonly stop: AbortSignal;
  /** Kills it at once. */
  readonly kill: AbortSignal;
  /** Ends it because it makes no progress. */
  readonly stalled?: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
}

export type ProcessEnd =
  | { readonly status: 'exited'; readonly exitCode: number }
  | { readonly status: 'signalled'; readonly signal: NodeJS.Signals }
  | { readonly status: 'stopped' }
  | { readonly status: 'timed-out' }
  /** It made no progress, and was ended. */
  | { readonly status: 'stalled' }
  /** It could not be started. */
  | { readonly status: 'not-started'; readonly message: string };

/**
 * Runs a process in a group of its own and waits until the whole group is gone: no grandchild survives it. Its standard
 * input is empty; its output goes to the log as it comes and, line by line, to `onLine`.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessEnd> {
  if (request.stop.aborted) return { status: 'stopped' };
  let child: ChildProcess;
  try {
    const { file, args, env } = request.wrap?.(request, request.cwd) ?? request;
    child = spawn(file, args, {
      cwd: request.cwd,
      env: { ...env },
      stdio: request.meter.stdio(STDIO),
      detached: true,
    });
  } catch (error) {
    // A command that is too long for the system, say.
    return { status: 'not-started', message: (error as Error).message };
  }
  const usage = request.meter.watch(child);
  forward(child, 'stdout', request);
  forward(child, 'stderr', request);
  let why: 'stopped' | 'timed-out' | 'stalled' | undefined;
  const end = (reason: 'stopped' | 'timed-out' | 'stalled'): void => {
    why ??= reason;
    void endGroup(child.pid, request.grace);
  };
  const stop = (): void => end('stopped');
  const stalled = (): void => end('stalled');
  const kill = (): void => {
    why ??= 'stopped';
    signalGroup(child.pid, 'SIGKILL');
  };
  const timer =
    request.timeout === undefined ? undefined : setTimeout(() => end('timed-out'), timerMs(request.timeout));
  request.stop.addEventListener('abort', stop);
  request.kill.addEventListener('abort', kill);
  request.stalled?.addEventListener('abort', stalled);
  try {
    const ended = exitOf(child, request, () => clearTimeout(timer));
    try {
      if (child.pid !== undefined) request.onStart?.(child.pid);
    } catch (error) {
      kill();
      await ended;
      throw error;
    }
    const exit = await ended;
    if (why !== undefined) return { status: why };
    return exit;
  } finally {
    request.onUsage(usage());
    clearTimeout(timer);
    request.stop.removeEventListener('abort', stop);
    request.kill.removeEventListener('abort', kill);
    request.stalled?.removeEventListener('abort', stalled);
  }
}

/** Sends a signal to a whole process group; false when it is gone already. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    // macOS says EPERM of a group that holds only zombies.
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return false;
    throw error;
  }
}

/** Ends a group: SIGTERM, SIGKILL when the grace time is over; resolves when no process of it is at work any more. */
export async function endGroup(pid: number | undefined, graceMs = GRACE_MS): Promise<void> {
  if (!signalGroup(pid, 'SIGTERM')) return;
  // One that is stopped hears nothing else.
  signalGroup(pid, 'SIGCONT');
  for (let waited = 0; isAtWork(pid); waited += POLL_MS) {
    if (waited >= graceMs) signalGroup(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Whether a group has a process that is more than a zombie. Its parent may be slow to collect those, or, as the first process
 * of a container often does, never collect them. Where there is no /proc a zombie counts as alive.
 */
export function isAtWork(pid: number | undefined): boolean {
  if (!signalGroup(pid, 0)) return false;
  if (!fs.existsSync('/proc/self/stat')) return true;
  return fs.readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === pid && state !== 'Z' && state !== 'X';
    } catch {
      return false;
    }
  });
}

function forward(child: ChildProcess, stream: 'stdout' | 'stderr', request: ProcessRequest): void {
  const lines = new LineSplitter((line) => request.onLine(stream, line));
  child[stream]?.on('data', (chunk: Buffer) => {
    request.log.write(chunk);
    lines.write(chunk);
  });
  child[stream]?.on('end', () => lines.end());
}

/** Waits for the process, ends what it left behind, and reads its output to the end. `onExit`: it ended by itself. */
async function exitOf(child: ChildProcess, request: ProcessRequest, onExit: () => void): Promise<ProcessEnd> {
  const closed = outputClosed(child);
  const exit = await new Promise<ProcessEnd>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ status: 'not-started', message: error.message });
    });
    child.once('exit', (code, signal) =>
      resolve(signal === null ? { status: 'exited', exitCode: code ?? 0 } : { status: 'signalled', signal }),
    );
  });
  onExit();
  if (exit.status === 'not-started') return exit;
  await endGroup(child.pid);
  if (child.pid !== undefined) await request.endStrays?.(child.pid);
  await outputRead(child, closed);
  return exit;
}

/** Resolves when nobody holds standard output and standard error of a process any more. */
export async function outputClosed(child: ChildProcess): Promise<void> {
  const closed = [child.stdout, child.stderr].map(
    (stream) => new Promise<void>((resolve) => (stream === null ? resolve() : stream.once('close', () => resolve()))),
  );
  await Promise.all(closed);
}

/**
 * Waits until the output of a process whose group is gone is read. A process that left the group on purpose (a daemon) may
 * hold the pipes open for ever: it is given a moment, and then not listened to any more.
 */
export async function outputRead(child: ChildProcess, closed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const moment = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LINGER_MS);
  });
  await Promise.race([closed, moment]);
  clearTimeout(timer);
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** A time limit as a timer takes it: those above 24.8 days are cut to that. */
export function timerMs(timeout: number): number {
  return Math.min(timeout, 2 ** 31 - 1);
}
