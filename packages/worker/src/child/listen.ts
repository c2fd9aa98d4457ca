import { PROTOCOL_VERSION, readParentMessage, TOLD_TO_END, type WorkerInit } from '../protocol.ts';
import { openChannel } from './channel.ts';
import { WorkerError } from './error.ts';
import { runModule } from './run.ts';
import { workDone } from './unfinished.ts';

/**
 * Waits for the parent's messages and does what they say. The process ends with the parent: when the channel breaks, it
 * and everything that it started are killed.
 */
export function listen(): void {
  blockOutput();
  const channel = openChannel(process);
  const abort = new AbortController();
  let init: WorkerInit | undefined;
  let cancelHandled = () => false;
  let idle = () => Promise.resolve();

  let ending = false;
  const exit = (code: number) => {
    ending = true;
    Promise.all([channel.flush(), flushed(process.stdout), flushed(process.stderr)]).then(() => process.exit(code));
  };
  const fail = (error: unknown) => {
    if (abort.signal.aborted) return exit(TOLD_TO_END);
    const { backend } = state;
    channel.send({
      type: 'failed',
      error: WorkerError.toWire(error, init?.root ?? ''),
      ...(backend === undefined ? {} : { backend }),
    });
    exit(1);
  };
  const cancel = (reason: string) => {
    if (abort.signal.aborted) return;
    abort.abort(new Error(`the stage was stopped (${reason})`));
    if (!cancelHandled()) void idle().then(() => exit(TOLD_TO_END));
  };
  const state = { backend: undefined } as Parameters<typeof runModule>[1]['state'];

  process.on('uncaughtException', fail);
  process.on('SIGTERM', () => cancel('interrupted'));
  process.on('SIGINT', () => cancel('interrupted'));
  // A scheduler's warning may reach every process of a job.
  process.on('SIGUSR1', () => cancel('interrupted'));
  process.on('disconnect', endGroup);
  process.on('beforeExit', () => fail(new WorkerError(NEVER_SETTLED.message, NEVER_SETTLED.hint)));
  process.on('message', (raw) => {
    const message = readParentMessage(raw);
    if (message?.type === 'cancel') return cancel(message.reason);
    if (message?.type !== 'init' || init !== undefined) return;
    init = message;
    // From here on the module alone keeps the process alive, so that one that waits for nothing is noticed.
    process.channel?.unref();
    if (message.version !== PROTOCOL_VERSION) return fail(otherVersion(message.version));
    channel.beat();
    const run = runModule(message, { channel, abort, state });
    ({ handlesCancel: cancelHandled, idle } = run);
    run.ended.then(async () => {
      await workDone(run.atRest, () => channel.warn(STILL_AT_WORK));
      if (ending) return;
      if (abort.signal.aborted) return exit(TOLD_TO_END);
      const { backend } = state;
      channel.send({ type: 'done', ...(backend === undefined ? {} : { backend }) });
      exit(0);
    }, fail);
  });
}

const STILL_AT_WORK = 'the module returned while it was still at work, which is waited for: is an `await` missing?';

const NEVER_SETTLED = {
  message: 'the module waits for something that can never come: nothing is left to run, and its promise is not settled',
  hint: 'look for a promise that nothing resolves',
};

function otherVersion(version: number): WorkerError {
  return new WorkerError(`this worker speaks protocol ${PROTOCOL_VERSION}, its parent ${version}`, 'reinstall dag');
}

/**
 * Has each write to a pipe wait until it is with the operating system. Node would keep what the parent has not read yet in
 * memory, without bound, and a crash would lose it: the very lines that say why.
 */
function blockOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    (stream as { _handle?: { setBlocking?(on: boolean): void } })._handle?.setBlocking?.(true);
  }
}

/** Resolves when all that was written to a stream is with the operating system; `process.exit` alone would lose the rest. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** Kills this process and, where it leads a process group, all that it started. */
function endGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.exit(TOLD_TO_END);
  }
}
