import { dirname } from 'node:path';
import { registerWasmGradients } from '../wasm-gradients.ts';
import { type LoadRequest, refusePins, type Started, type TensorFlow } from './loaded.ts';
import { findPackage, importFile } from './packages.ts';

/** Loads WebAssembly, from the package's own files. In Node it runs on one thread. */
export async function startWasm(request: LoadRequest): Promise<Started> {
  const { main, pins } = request;
  refusePins('wasm', pins);
  const tf = await core(request);
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  const wasm = await importFile<{ setWasmPaths(folder: string): void }>(main);
  wasm.setWasmPaths(`${dirname(main)}/`);
  if (!(await tf.setBackend('wasm'))) throw new Error('its module did not start');
  // The generated loader installs handlers that throw again, and so hide where an error came from.
  for (const [i, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i]?.has(listener)) process.off(event, listener as () => void);
    }
  }
  registerWasmGradients(tf);
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return { tf, facts: { threads: 1, simd: simd === true } };
}

/** Loads plain JavaScript. */
export async function startCpu(request: LoadRequest): Promise<Started> {
  const { main, pins } = request;
  refusePins('cpu', pins);
  const tf = await core(request);
  await importFile(main);
  if (!(await tf.setBackend('cpu'))) throw new Error('it did not start');
  // Otherwise its first operation prints an advertisement.
  (tf.backend() as { firstUse?: boolean }).firstUse = false;
  return { tf, facts: { threads: 1 } };
}

/** The core that a backend registers itself in: the project's own. */
export async function core({ main, folders }: LoadRequest): Promise<TensorFlow> {
  const file = findPackage('@tensorflow/tfjs-core', [...folders, dirname(main)]);
  if (file === undefined) throw new Error('@tensorflow/tfjs-core is not installed beside it');
  return await importFile<TensorFlow>(file);
}
