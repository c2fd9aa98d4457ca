import { mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Progress, WorkerInit } from '../protocol.ts';
import type { Checkpoints } from '../public/checkpoint.ts';
import type { WorkerContext, WorkerProgress } from '../public.ts';
import type { Channel } from './channel.ts';
import type { Streams } from './checkpoint/streams.ts';
import { nestParams } from './params.ts';
import { openReport } from './report.ts';

export interface ContextNeeds {
  readonly channel: Channel;
  readonly signal: AbortSignal;
  readonly checkpoint: Checkpoints;
  readonly streams: Streams;
  /** Told how far the module says it is. */
  progress(progress: Progress): void;
  backendName(): string | undefined;
  tensorflow(): Promise<unknown>;
}

/** The context of one run, and whether the module has looked at its signal. */
export function createContext(
  init: WorkerInit,
  needs: ContextNeeds,
): { context: WorkerContext; handlesCancel: () => boolean } {
  const { channel } = needs;
  const stream = needs.streams.take(init.seed, '');
  const dep = declaredPaths(init, 'dep', init.deps);
  const out = declaredPaths(init, 'out', init.outs);
  let signalSeen = false;
  const context: WorkerContext = {
    stage: init.stage,
    seed: init.seed,
    params: nestParams(init.params, init.stage),
    get backend() {
      return needs.backendName();
    },
    get signal() {
      signalSeen = true;
      return needs.signal;
    },
    dep,
    out: (path) => {
      const file = out(path);
      mkdirSync(dirname(file), { recursive: true });
      return file;
    },
    ...openReport(init.metrics, channel.warn),
    progress: (progress) => needs.progress(toProgress(progress)),
    log: channel.say,
    random: stream.next,
    randomStream: (name) => needs.streams.take(init.seed, `stream/${name}`),
    checkpoint: needs.checkpoint,
    tensorflow: async <T>() => (await needs.tensorflow()) as T,
  };
  return { context, handlesCancel: () => signalSeen };
}

function toProgress(progress: WorkerProgress) {
  if (typeof progress === 'number') return { fraction: progress };
  if (typeof progress !== 'object' || progress === null) {
    throw new TypeError(`progress is a fraction, or { done, total }, and not ${String(progress)}`);
  }
  if ('done' in progress && progress.total > 0) return { ...progress, fraction: progress.done / progress.total };
  return progress;
}

/** Turns paths as written in pipeline.yaml into absolute ones, and refuses those that lie in no declared path. */
function declaredPaths(init: WorkerInit, kind: 'dep' | 'out', declared: readonly string[]): (path: string) => string {
  const folder = join(init.root, init.wdir);
  // Those outside the project are absolute.
  const allowed = declared.map((path) => resolve(init.root, path));
  return (path) => {
    const file = resolve(folder, path);
    if (allowed.some((one) => file === one || file.startsWith(one + sep))) return file;
    // As they are written in pipeline.yaml, and given to this function: from the working folder.
    const names = declared.map((one) => (isAbsolute(one) ? one : relative(folder, join(init.root, one))));
    const list = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw new Error(`${path} is not among the ${kind}s of stage ${init.stage} (${list}); declare it in pipeline.yaml`);
  };
}
