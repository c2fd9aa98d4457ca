import fs from 'node:fs';
import type { CheckpointFile, CheckpointNote } from '@dag/model';
import { FailureError } from '@dag/model';
import type { CheckpointCopies } from '../project.ts';
import { copyFiles, listFiles, namesOf } from './checkpoint-snapshot.ts';
import type { StageCheckpoints } from './checkpoints.ts';

/** How often a folder that says nothing of itself is looked at, in milliseconds. */
const LOOK_MS = 2000;
/** After a push that took t the next one begins no sooner than this many times t later: pushing is beside the point. */
const REST = 4;
/** And after one that failed no sooner than so many milliseconds. */
const AFTER_FAILURE_MS = 30_000;

/** What sends the checkpoints of a stage while it runs, in the background. */
export interface CheckpointSender {
  /** A worker has saved one. */
  saved(): void;
  /**
   * The stage has ended. What is on its way is waited for where it is still of use, and what is not sent yet is sent, until the
   * signal fires; otherwise it is broken off.
   */
  end(useful: boolean, signal: AbortSignal): Promise<void>;
}

export interface SenderNeeds {
  readonly checkpoints: StageCheckpoints;
  readonly copies: CheckpointCopies;
  /** Whether files are never changed once they have their names, as those of a worker. */
  readonly isWorker: boolean;
  note(): CheckpointNote;
  warn(message: string): void;
}

/** Begins to send what a stage saves. Never throws: what goes wrong is a warning, once, and is tried again. */
export function startSending({ checkpoints, copies, isWorker, note, warn }: SenderNeeds): CheckpointSender {
  const { folder } = checkpoints;
  const aborted = new AbortController();
  let sent = listed(folder);
  let seen = sent;
  let running: Promise<void> | undefined;
  let restUntil = 0;
  let warned = false;

  /** Sends what is there now, unless it is there already. */
  const send = async (signal: AbortSignal): Promise<void> => {
    const files = filesIn(folder);
    const names = namesOf(files);
    if (files.length === 0 || names === sent) return;
    const begun = performance.now();
    try {
      if ((await push(files, signal)) === 'sent') sent = names;
      restUntil = performance.now() + REST * (performance.now() - begun);
      warned = false;
    } catch (error) {
      restUntil = performance.now() + AFTER_FAILURE_MS;
      if (signal.aborted || warned) return;
      warned = true;
      warn(error instanceof FailureError && 'message' in error.failure ? error.failure.message : String(error));
    }
  };
  const push = async (files: readonly CheckpointFile[], signal: AbortSignal): Promise<'sent' | 'changed'> => {
    if (isWorker) return await copies.push({ folder, files, note: note() }, signal);
    const copy = `${folder}.sending`;
    try {
      if (!copyFiles(folder, files, copy)) return 'changed';
      const copied = new Map(filesIn(copy).map((file) => [file.path, file]));
      const whole = files.map((file) => ({ ...file, ...copied.get(file.path) }));
      return await copies.push({ folder: copy, files: whole, note: note() }, signal);
    } finally {
      fs.rmSync(copy, { recursive: true, force: true });
    }
  };
  const start = (): void => {
    if (running !== undefined || performance.now() < restUntil || aborted.signal.aborted) return;
    running = send(aborted.signal).finally(() => {
      running = undefined;
    });
  };
  const look = (): void => {
    const now = listed(folder);
    // As it was the last time: nobody is writing just now.
    if (now !== sent && (now === seen || isWorker)) start();
    seen = now;
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    saved: start,
    end: async (useful, signal) => {
      clearInterval(timer);
      const stop = (): void => aborted.abort(signal.reason);
      if (!useful || signal.aborted) stop();
      signal.addEventListener('abort', stop);
      await running;
      if (useful && !signal.aborted) await send(signal);
      signal.removeEventListener('abort', stop);
    },
  };
}

function listed(folder: string): string {
  return namesOf(filesIn(folder));
}

function filesIn(folder: string): CheckpointFile[] {
  try {
    return listFiles(folder);
  } catch {
    // Something went away while it was listed.
    return [];
  }
}
