import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Access } from './access.ts';
import { makeTraceFolder } from './folder.ts';
import { Follow } from './follow.ts';

/** A program to start: the one of a stage, or one that starts it and watches. */
export interface Started {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Watches processes from their start to the end of all that they start. */
export interface Watch {
  /** What to start in the place of a stage's program; `folder` is where it is to work. */
  wrap(program: Started, folder: string): Started;
  /** Call it when they are gone. @returns why not all of what they did may have been told; empty where it was. */
  end(): Promise<readonly string[]>;
}

/** Calls that name a file, or that decide what a name means. Those that a processor lacks are passed over. */
const CALLS = [
  ...['open', 'openat', 'openat2', 'creat', 'open_by_handle_at', 'truncate', 'execve', 'execveat'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat', 'unlink', 'unlinkat'],
  ...['mkdir', 'mkdirat', 'mknod', 'mknodat', 'chdir', 'fchdir', 'chroot', 'pivot_root', 'unshare', 'setns'],
  ...['fork', 'vfork', 'clone', 'clone3', 'connect', 'io_uring_setup'],
].map((name) => `?${name}`);

/**
 * What every strace is told: only these calls, descriptors with their paths, no text that is no path. Rings of calls can't
 * be followed, so that programs are told that there are none, as most containers tell them.
 */
const FLAGS = ['-f', '-y', '-q', '-a', '1', '-s', '0', '-e', 'signal=none', '-e', `trace=${CALLS.join()}`];
const NO_RINGS = ['-e', 'inject=?io_uring_setup:error=ENOSYS'];

/**
 * Best first: it stands beside the stage and not above it, so that the stage's group, exit status and signals are its own;
 * and the kernel stops only for the calls that are wanted.
 */
const WAYS = [['-DD', '--seccomp-bpf', ...NO_RINGS], ['-D', '--seccomp-bpf', ...NO_RINGS], ['-D', ...NO_RINGS], ['-D']];

/** How long strace may take to tell the rest when all that it followed has ended, in milliseconds. */
const REST_MS = 5000;

/** A strace that works here. */
export interface Strace {
  readonly file: string;
  readonly flags: readonly string[];
}

/** Finds a strace that can follow processes here, by having it follow one; else says why there is none. */
export async function findStrace(
  env: Readonly<Record<string, string | undefined>>,
  tmp: string,
): Promise<Strace | { readonly missing: string }> {
  if (process.platform !== 'linux') return { missing: 'strace works on Linux alone' };
  const file = (env['PATH'] ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'strace'))
    .find(isProgram);
  if (file === undefined) return { missing: 'strace is not installed' };
  let said = '';
  for (const way of WAYS) {
    const strace = { file, flags: [...way, ...FLAGS] };
    const tried = await tryStrace(strace, env, tmp);
    if (tried === undefined) return strace;
    said ||= tried;
  }
  return { missing: `strace can't follow processes here: ${said}` };
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** @returns what is wrong; undefined where it works. */
async function tryStrace(strace: Strace, env: Started['env'], tmp: string): Promise<string | undefined> {
  let ran = false;
  const watch = watchByStrace(strace, tmp, (access) => {
    ran ||= access.kind === 'read' && access.program === 'sh';
  });
  const { file, args, env: own } = watch.wrap({ file: '/bin/sh', args: ['-c', ':'], env }, '/');
  const child = spawn(file, args, { cwd: '/', env: { ...own }, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text.slice(0, 1000);
  });
  const status = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'ended'));
  });
  const problems = await watch.end();
  if (status === 0 && ran && problems.length === 0) return undefined;
  return said.trim().split('\n')[0] || problems[0] || `it ended with ${status}`;
}

/** Watches processes by strace: it writes to pipes that are read as it goes, so that nothing piles up. */
export function watchByStrace(strace: Strace, tmp: string, emit: (access: Access) => void): Watch {
  const folder = makeTraceFolder(tmp);
  const streams: Promise<readonly string[]>[] = [];
  const ends: (() => void)[] = [];
  return {
    wrap: (program, cwd) => {
      const pipe = path.join(folder, `${streams.length}`);
      execFileSync('mkfifo', [pipe]);
      const stream = readPipe(pipe, new Follow(cwd, emit));
      streams.push(stream.told);
      ends.push(stream.end);
      // What a run is known by is only for what runs in it: strace ends by itself when they have.
      const own = Object.entries(program.env).filter(([name, value]) => name === 'DAG_RUN' && value !== undefined);
      const marks = own.flatMap(([name, value]) => ['-E', `${name}=${value}`]);
      const env = Object.fromEntries(Object.entries(program.env).filter(([name]) => name !== 'DAG_RUN'));
      return {
        file: strace.file,
        args: [...strace.flags, ...marks, '-o', pipe, '--', program.file, ...program.args],
        env,
      };
    },
    end: async () => {
      for (const end of ends) end();
      const problems = (await Promise.all(streams)).flat();
      fs.rmSync(folder, { recursive: true, force: true });
      return [...new Set(problems)];
    },
  };
}

/**
 * How long the pipe is left to fill after a read, in milliseconds: strace writes line by line, and to be woken for each costs
 * more than to read it. Where nothing comes it is looked at less and less often.
 */
const FILL_MS = { least: 5, most: 40 };
/** A pipe's size on Linux, in bytes: pipe(7). A read of half of it shows that it fills faster. */
const PIPE_SIZE = 64 * 1024;

/** Reads what comes through a named pipe, line by line, until nobody writes any more. */
function readPipe(pipe: string, follow: Follow): { readonly told: Promise<readonly string[]>; end(): void } {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  const reader = fs.openSync(pipe, O_RDONLY | O_NONBLOCK);
  // Without a writer of our own the pipe would count as closed before strace opens it.
  let writer: number | undefined = fs.openSync(pipe, O_WRONLY | O_NONBLOCK);
  const release = (): void => {
    if (writer !== undefined) fs.closeSync(writer);
    writer = undefined;
  };
  let deadline = Number.POSITIVE_INFINITY;
  const read = async (): Promise<readonly string[]> => {
    const buffer = Buffer.alloc(PIPE_SIZE);
    let rest = '';
    for (let pause = FILL_MS.least; ; ) {
      const count = readNow(reader, buffer);
      if (count === 0) break;
      if (performance.now() > deadline) return ['a process that it started lives on: what that does is not seen'];
      if (count !== undefined) {
        release();
        const lines = (rest + buffer.toString('latin1', 0, count)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) follow.line(line);
      }
      pause = count === undefined ? Math.min(2 * pause, FILL_MS.most) : FILL_MS.least;
      await setTimeout(count !== undefined && count >= PIPE_SIZE / 2 ? 0 : pause);
    }
    if (rest !== '') follow.line(rest);
    return follow.end();
  };
  const told = read().finally(() => {
    release();
    fs.closeSync(reader);
  });
  return {
    told,
    end: () => {
      release();
      deadline = performance.now() + REST_MS;
    },
  };
}

/** @returns how many bytes came: 0 where nobody writes any more, undefined where nothing is there yet. */
function readNow(fd: number, buffer: Buffer): number | undefined {
  try {
    return fs.readSync(fd, buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}
