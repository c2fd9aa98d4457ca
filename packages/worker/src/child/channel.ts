import { BEAT_MS, type ChildMessage, type Progress, wrap } from '../protocol.ts';

/** The least time between two messages of progress, in milliseconds. */
const PROGRESS_MS = 100;

/** The child's end of the IPC channel. */
export interface Channel {
  send(message: ChildMessage): void;
  /**
   * Sends progress at once, and what follows within a tenth of a second after that: the newest of it, the rest is passed over.
   * Each message costs both sides a wake-up, and nobody sees more than ten in a second.
   */
  sendProgress(progress: Progress): void;
  /** Lines for the user, among what the module prints. */
  say(text: string): void;
  /** The same, of what went wrong. */
  warn(text: string): void;
  /** Says from now on, again and again, that the event loop turns; keeps no process alive. */
  beat(): void;
  /** Resolves when all that was sent is with the operating system. */
  flush(): Promise<void>;
}

export function openChannel(process: NodeJS.Process): Channel {
  const { stdout, stderr } = process;
  let pending = 0;
  let latest: Progress | undefined;
  let progressPending = false;
  let progressAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let beatPending = false;
  const waiting: (() => void)[] = [];

  const post = (message: ChildMessage, sent?: () => void) => {
    if (process.send === undefined || !process.connected) return;
    pending++;
    process.send(wrap(message), undefined, undefined, () => {
      pending--;
      sent?.();
      if (pending === 0) for (const resolve of waiting.splice(0)) resolve();
    });
  };
  const postProgress = () => {
    if (latest === undefined || progressPending) return;
    const progress = latest;
    latest = undefined;
    progressPending = true;
    progressAt = performance.now();
    post({ type: 'progress', ...progress }, () => {
      progressPending = false;
      postLater();
    });
  };
  const postLater = () => {
    if (latest === undefined || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        postProgress();
      },
      progressAt + PROGRESS_MS - performance.now(),
    );
    timer.unref();
  };

  return {
    send: (message) => {
      if (latest !== undefined && (message.type === 'done' || message.type === 'failed')) {
        post({ type: 'progress', ...latest });
        latest = undefined;
      }
      post(message);
    },
    sendProgress: (progress) => {
      latest = progress;
      // A training that never lets the event loop turn has no use for a timer.
      if (performance.now() - progressAt >= PROGRESS_MS) postProgress();
      else postLater();
    },
    say: (text) => void stdout.write(`${text}\n`),
    warn: (text) => void stderr.write(`warning: ${text}\n`),
    beat: () => {
      const timer = setInterval(() => {
        if (beatPending) return;
        beatPending = true;
        post({ type: 'beat' }, () => {
          beatPending = false;
        });
      }, BEAT_MS);
      timer.unref();
    },
    flush: () => (pending === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
