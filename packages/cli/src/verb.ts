import type { Command } from 'commander';
import { showError } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { jsonLine } from './render/json.ts';

/** What every verb has: its surroundings, and the flags common to all. */
export interface Context {
  readonly io: Io;
  /** The folder that paths on the command line are relative to; absolute. `--cd` sets it. */
  readonly cwd: string;
  readonly root: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Whether to wait for paths that another process holds. */
  readonly wait: boolean;
  /** Aborted by the first SIGINT, SIGTERM, SIGHUP or SIGUSR1: end in good order. */
  readonly stop: AbortSignal;
  /** Aborted by the second: end now. */
  readonly kill: AbortSignal;
  /** Called by a verb that from here on only watches what others run: a signal ends that, and nothing has to be said of it. */
  onlyWatches(): void;
  /** A line of result; nothing under --quiet and --json. */
  print(line: string): void;
  /** A line beside the results; nothing under --quiet. */
  say(line: string): void;
  /** One JSON document or event; only under --json. */
  emit(value: unknown): void;
}

/** Does the work of a verb and gives its exit status. */
export type Run<O> = (context: Context, positional: readonly string[], options: O) => Promise<number>;

/** Common flags as commander gives them. */
interface CommonOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly cd?: string;
  readonly root?: string;
  /** Of verbs that have `NO_WAIT`. */
  readonly wait?: boolean;
}

/** The option of verbs that take paths which another process may hold. */
export const NO_WAIT = ['--no-wait', 'fail where another process holds a path'] as const;

/**
 * Gives a command the common flags and its work, which is loaded only when the verb is used. All that goes wrong ends
 * here, as one message and an exit status.
 */
export function verb<O>(command: Command, load: () => Promise<Run<O>>): Command {
  return command
    .option('-q, --quiet', 'print nothing but errors')
    .option('-v, --verbose', 'print more')
    .option('--json', 'print JSON: one document, or one event a line')
    .option('--cd <dir>', 'work as if started in this folder')
    .option('--root <dir>', 'the project root, instead of looking for it')
    .action(async (...args: unknown[]) => {
      const self = args.pop() as Command;
      args.pop();
      const options = self.optsWithGlobals() as O & CommonOptions;
      const positional = args.flat().filter((arg): arg is string => typeof arg === 'string');
      const io = processIo();
      const signals = interruption(io);
      process.exitCode = await attempt(
        async () => {
          const context = await contextOf(io, options, signals);
          const run = await load();
          return await run(context, positional, options);
        },
        io,
        options.json ?? false,
        signals,
      );
    });
}

interface Interruption {
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
  /** The exit status that the first signal asks for; undefined while there was none. */
  status(): number | undefined;
  /** Has signals end it without a word. */
  hush(): void;
}

async function attempt(work: () => Promise<number>, io: Io, json: boolean, signals: Interruption): Promise<number> {
  try {
    const status = await work();
    return signals.status() ?? status;
  } catch (error) {
    const status = signals.status();
    if (status !== undefined) {
      if (!json) io.err('interrupted\n');
      return status;
    }
    return showError(error, io, json);
  }
}

/** 128 and the number of the signal, as shells have it. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGUSR1: 138, SIGTERM: 143 } as const;

/**
 * That nobody reads this program's output any more: an event of the process, and its exit status, which is SIGPIPE's. Not that
 * signal, which comes of a write to any pipe whose reader is gone, a killed stage's or compiler's too.
 */
export const OUTPUT_CLOSED = { event: 'dag: output closed', status: 141 } as const;

function interruption(io: Io): Interruption {
  const stop = new AbortController();
  const kill = new AbortController();
  let status: number | undefined;
  let isTold = true;
  const seen = new Set<'warning' | 'order'>();
  const events: NodeJS.EventEmitter = process;
  for (const [name, code] of [...Object.entries(SIGNALS), [OUTPUT_CLOSED.event, OUTPUT_CLOSED.status]] as const) {
    const isSignal = name !== OUTPUT_CLOSED.event;
    events.on(name, () => {
      // A scheduler warns, then orders to end: the one must not cut short what the other set going.
      const kind = name === 'SIGUSR1' ? 'warning' : 'order';
      if (seen.has(kind)) {
        if (isSignal) kill.abort();
        return;
      }
      seen.add(kind);
      if (status !== undefined) return;
      status = code;
      if (isTold && isSignal) io.err(`\n${name}: stopping; once more kills what still runs\n`);
      stop.abort();
    });
  }
  const hush = (): void => {
    isTold = false;
  };
  return { stop: stop.signal, kill: kill.signal, status: () => status, hush };
}

async function contextOf(io: Io, options: CommonOptions, signals: Interruption): Promise<Context> {
  const { json = false, quiet = false, verbose = false, wait = true } = options;
  return {
    io,
    cwd: await workingFolder(io, options.cd),
    root: options.root,
    json,
    quiet,
    verbose,
    wait,
    stop: signals.stop,
    kill: signals.kill,
    onlyWatches: signals.hush,
    print: (line) => {
      if (!quiet && !json) io.out(`${line}\n`);
    },
    say: (line) => {
      if (!quiet) io.err(`${line}\n`);
    },
    emit: (value) => {
      if (json) io.out(jsonLine(value));
    },
  };
}

async function workingFolder(io: Io, cd: string | undefined): Promise<string> {
  const { FailureError } = await import('@dag/model');
  if (io.cwd === '') throw new FailureError({ code: 'usage', message: 'the current folder does not exist any more' });
  if (cd === undefined) return io.cwd;
  const { statSync } = await import('node:fs');
  const { resolve } = await import('node:path');
  const folder = resolve(io.cwd, cd);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  throw new FailureError({ code: 'usage', message: `--cd: '${cd}' is not a folder` });
}
