import { existsSync } from 'node:fs';

/**
 * Where the worker thread's entry is: `hash-worker.js`, the bundle of `threads/hash-worker.ts`, beside the file that this
 * code ends up in.
 * @returns undefined when it is not there (the sources, run as they are): all work is then done in the calling thread.
 */
export function hashWorkerUrl(): URL | undefined {
  const url = new URL('./hash-worker.js', import.meta.url);
  return existsSync(url) ? url : undefined;
}
