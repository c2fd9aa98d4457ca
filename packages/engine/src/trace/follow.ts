import path from 'node:path';
import type { Access } from './access.ts';
import { type Call, descriptorPath, parseCall } from './call.ts';
import { type CallAt, FILE_CALLS, pathAt, pathUnder } from './file-calls.ts';

/** What a process tells apart: its working folder, which threads share, and the program that it runs. */
interface Process {
  folder: { path: string };
  program: string;
}

/** Lines that may wait until it is known which process started the one that they are of. */
const MOST_WAITING = 20_000;

/** So many different problems are told. */
const MOST_PROBLEMS = 20;

/** What gives a process another view of the file system, or numbers that mean nothing outside. */
const OTHER_FILES = /CLONE_NEW(?:NS|PID)/;

/**
 * Makes accesses out of the lines of `strace -f -y`: puts together calls that were printed in two parts, and knows the
 * working folder of each process. Memory grows with the number of processes at once, never with that of the lines.
 */
export class Follow {
  readonly #emit: (access: Access) => void;
  readonly #folder: string;
  readonly #processes = new Map<string, Process>();
  readonly #unfinished = new Map<string, string>();
  /** Lines of processes whose start was not told yet, in order. */
  readonly #waiting = new Map<string, string[]>();
  readonly #problems = new Set<string>();
  #waitingLines = 0;
  #began = false;

  /** @param folder the working folder of the first process; absolute. */
  constructor(folder: string, emit: (access: Access) => void) {
    this.#folder = folder;
    this.#emit = emit;
  }

  line(line: string): void {
    const space = line.indexOf(' ');
    const pid = line.slice(0, space);
    if (!/^\d+$/.test(pid)) {
      if (line.trim() !== '') this.#problem(`strace said: ${line.slice(0, 200)}`);
      return;
    }
    if (!this.#began) {
      this.#began = true;
      this.#processes.set(pid, { folder: { path: this.#folder }, program: '' });
    }
    this.#told(pid, line.slice(space + 1).trimStart());
  }

  /** Call it when all lines were read. @returns why not all of it may be known; empty where it is. */
  end(): readonly string[] {
    if (!this.#began) return ['strace told of nothing'];
    if (this.#waiting.size > 0) this.#problem('processes ran whose start was not seen (in a container, say)');
    if (this.#processes.size > 0) this.#problem('strace ended before what it followed');
    return [...this.#problems];
  }

  #told(pid: string, text: string): void {
    const process = this.#processes.get(pid);
    if (process === undefined) {
      this.#wait(pid, text);
      return;
    }
    if (text.startsWith('+++')) {
      const by = /^\+\+\+ superseded by execve in pid (\d+)/.exec(text)?.[1];
      if (by === undefined) this.#ended(pid);
      else this.#superseded(pid, by);
      return;
    }
    if (text.startsWith('---') || text.startsWith('[')) return;
    const changed = / <pid changed to (\d+) \.\.\.>$/.exec(text);
    const cut = changed?.index ?? (text.endsWith(' <unfinished ...>') ? text.length - 17 : undefined);
    if (cut !== undefined) {
      this.#unfinished.set(pid, text.slice(0, cut));
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text)?.[0];
    const whole = resumed === undefined ? text : (this.#unfinished.get(pid) ?? '') + text.slice(resumed.length);
    if (resumed !== undefined) this.#unfinished.delete(pid);
    const call = parseCall(whole);
    if (call === undefined) this.#problem(`a line of strace's could not be read: ${whole.slice(0, 200)}`);
    else if (call.result !== undefined) this.#called(process, call);
  }

  #ended(pid: string): void {
    this.#processes.delete(pid);
    this.#unfinished.delete(pid);
  }

  /** A thread runs a program: it goes on under the number of the process. */
  #superseded(pid: string, thread: string): void {
    const process = this.#processes.get(thread) ?? this.#processes.get(pid);
    const begun = this.#unfinished.get(thread);
    this.#ended(thread);
    if (process !== undefined) this.#processes.set(pid, process);
    // What it returns is printed as a failure, though it is none.
    const call = begun === undefined ? undefined : parseCall(`${begun}) = 0`);
    this.#unfinished.set(pid, 'superseded(');
    if (process !== undefined && call !== undefined) this.#called(process, call);
  }

  #wait(pid: string, text: string): void {
    if (this.#waitingLines >= MOST_WAITING) {
      this.#problem('processes ran whose start was not seen (in a container, say)');
      return;
    }
    this.#waitingLines++;
    const lines = this.#waiting.get(pid);
    if (lines === undefined) this.#waiting.set(pid, [text]);
    else lines.push(text);
  }

  #started(pid: string, process: Process): void {
    this.#processes.set(pid, process);
    const lines = this.#waiting.get(pid) ?? [];
    this.#waiting.delete(pid);
    this.#waitingLines -= lines.length;
    for (const line of lines) this.#told(pid, line);
  }

  #called(process: Process, call: Call): void {
    const { name, args, result } = call;
    if (result === undefined) return;
    // The kernel's own word for it, where it was asked.
    if (args[0]?.startsWith('AT_FDCWD<') === true) process.folder.path = descriptorPath(args[0]) ?? process.folder.path;
    const at: CallAt = { call, folder: process.folder.path, program: process.program };
    const read = FILE_CALLS[name];
    if (read !== undefined) {
      for (const access of read(at)) {
        if (access === undefined) this.#problem('a path was not told, or is not whole');
        else this.#emit(access);
      }
    } else if (result.value >= 0) this.#changed(process, at, result.value);
  }

  /** A call succeeded that says where or what a process is. */
  #changed(process: Process, at: CallAt, value: number): void {
    const { name, args } = at.call;
    switch (name) {
      case 'execve':
      case 'execveat': {
        const file = name === 'execve' ? pathAt(at, 0) : (pathUnder(at, 1) ?? descriptorPath(args[0]));
        if (file === undefined) return;
        process.program = path.basename(file);
        this.#emit({ kind: 'read', path: file, program: process.program });
        return;
      }
      case 'chdir':
        process.folder.path = pathAt(at, 0) ?? at.folder;
        return;
      case 'fchdir':
        process.folder.path = descriptorPath(args[0]) ?? at.folder;
        return;
      case 'fork':
      case 'vfork':
      case 'clone':
      case 'clone3': {
        const flags = args.join();
        const folder = /\bCLONE_FS\b/.test(flags) ? process.folder : { path: at.folder };
        if (OTHER_FILES.test(flags)) this.#otherFiles(at.program);
        this.#started(String(value), { folder, program: at.program });
        return;
      }
      case 'unshare':
        if (OTHER_FILES.test(args.join())) this.#otherFiles(at.program);
        return;
      case 'setns':
      case 'chroot':
      case 'pivot_root':
        this.#otherFiles(at.program);
        return;
      default:
        return;
    }
  }

  #otherFiles(program: string): void {
    this.#problem(
      `'${program}' gives its processes file systems of their own (a container): paths there can't be told`,
    );
  }

  #problem(text: string): void {
    if (this.#problems.size < MOST_PROBLEMS) this.#problems.add(text);
  }
}
