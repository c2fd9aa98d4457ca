import { BEAT_MS, type ChildMessage, type Progress, wrap } from '../protocol.ts';

/** The child's end of the IPC channel. */
export interface Channel {
  send(message: ChildMessage): void;
  /** Sends the newest progress as soon as the one before is on its way; those between are passed over. */
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
    progressPending = latest !== undefined;
    if (latest === undefined) return;
    const progress = latest;
    latest = undefined;
    post({ type: 'progress', ...progress }, postProgress);
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
      if (!progressPending) postProgress();
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
