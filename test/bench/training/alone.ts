// `node alone.mjs BACKEND PARAMS`: the training of `train.ts` without dag; bundled by the bench, so that it is one file as a
// stage's module is. The backend is set up as a worker does it: WebAssembly alone lacks the gradients of convolutions.
import { mkdirSync } from 'node:fs';
import type { WorkerContext } from 'dag/worker';
import { loadBackend } from '../../../packages/worker/src/child/backend.ts';
import train from './train.ts';

const [, , backend = '', params = ''] = process.argv;
mkdirSync('alone', { recursive: true });
const context = {
  seed: 0,
  params: JSON.parse(params),
  signal: new AbortController().signal,
  dep: (path: string) => path,
  out: (path: string) => `alone/${path}`,
  metric: () => {},
  progress: () => {},
  tensorflow: async () => (await loadBackend([process.cwd()], { name: backend as 'node' | 'wasm' })).namespace(),
};
await train(context as unknown as WorkerContext<Parameters<typeof train>[0]['params']>);
