import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import type { BackendInfo, WorkerInit } from '../protocol.ts';
import type { WorkerContext } from '../public.ts';
import { type LoadedBackend, loadBackend, restoreBackend } from './backend.ts';
import type { Channel } from './channel.ts';
import { openCheckpoints } from './checkpoint/checkpoints.ts';
import { openStreams } from './checkpoint/streams.ts';
import { createContext } from './context.ts';
import { keepFrames, WorkerError } from './error.ts';
import { nameSources } from './source-map.ts';

export interface Surroundings {
  readonly channel: Channel;
  readonly abort: AbortController;
  /** What is known about the run so far, for the messages that end it. */
  readonly state: { backend: BackendInfo | undefined };
}

export interface ModuleRun {
  /** Settles as the module's default export does. */
  readonly ended: Promise<void>;
  /** Whether the module has asked for `ctx.signal`, and so may tidy up before the process ends. */
  handlesCancel(): boolean;
  /** Resolves when no checkpoint is being saved. */
  idle(): Promise<void>;
  /** Resolves when no checkpoint is being saved and no backend loaded, however that ends. */
  atRest(): Promise<unknown>;
}

/** Loads the backend and the module, and calls its default export. */
export function runModule(init: WorkerInit, surroundings: Surroundings): ModuleRun {
  const { channel, abort, state } = surroundings;
  keepFrames();
  nameSources(init.bundle);
  const streams = openStreams();
  Math.random = streams.take(init.seed, 'Math.random').next;

  let loading: Promise<LoadedBackend> | undefined;
  const backend = () => {
    const folders = [dirname(join(init.root, init.module)), init.root];
    loading ??= loadBackend(folders, init.backend).then((loaded) => {
      state.backend = loaded.info;
      for (const text of loaded.passedOver) {
        channel.warn(`runs on ${loaded.info.name}, as what comes before can't be loaded: ${text}`);
      }
      return loaded;
    });
    return loading;
  };
  const tensorflow = async () => (await backend()).namespace();
  // A module that says itself how far it is knows better than a loop that counts its steps.
  let saysHowFar = false;
  const open = openCheckpoints(init, {
    streams,
    signal: abort.signal,
    notify: (notice) => channel.send({ type: 'checkpoint', notice }),
    progress: (done, total) => {
      if (!saysHowFar) channel.sendProgress({ done, total, fraction: done / total });
    },
    tensorflow,
  });
  const { context, handlesCancel } = createContext(init, {
    channel,
    progress: (progress) => {
      saysHowFar = true;
      channel.sendProgress(progress);
    },
    signal: abort.signal,
    streams,
    checkpoint: open.checkpoints,
    backendName: () => state.backend?.name,
    tensorflow,
  });

  const atRest = () => Promise.allSettled([open.idle(), loading]);
  const run = async () => {
    const loaded = init.tensorflow || init.backend !== undefined ? await backend() : undefined;
    const main = await importMain(init);
    if (loaded !== undefined) await restoreBackend(loaded);
    const info = state.backend;
    channel.send({
      type: 'ready',
      version: init.version,
      node: process.version,
      ...(info === undefined ? {} : { backend: info }),
    });
    await main(context);
  };
  return { ended: run(), handlesCancel: () => handlesCancel() || open.asksWhen(), idle: open.idle, atRest };
}

async function importMain(init: WorkerInit): Promise<(context: WorkerContext) => unknown> {
  const module: { default?: unknown } = await import(pathToFileURL(init.bundle).href);
  if (types.isGeneratorFunction(module.default)) {
    throw new WorkerError(
      `the default export of ${init.module} is a generator function, of which nothing runs when it is called`,
      'write `async` without the `*`, and tell what it yields by ctx.metric or ctx.log',
    );
  }
  if (typeof module.default === 'function') return module.default as (context: WorkerContext) => unknown;
  throw new WorkerError(
    `${init.module} has no function as its default export`,
    'write `export default async (ctx: WorkerContext) => { … }`',
  );
}
