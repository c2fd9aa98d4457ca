import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { BACKENDS, type Backend, type BackendInfo } from '../protocol.ts';
import { WorkerError } from './error.ts';
import { registerWasmGradients } from './wasm-gradients.ts';

export type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** A backend that works, and the TensorFlow.js that it belongs to. */
export interface LoadedBackend {
  readonly info: BackendInfo;
  readonly tf: TensorFlow;
  /** Its name in TensorFlow's own registry. */
  readonly registered: string;
  /** All of TensorFlow.js that the project has, as one object. */
  namespace(): Promise<unknown>;
}

/** Which packages can provide a backend, in the order in which they are tried. */
const PACKAGES: Readonly<Record<Backend, readonly string[]>> = {
  gpu: ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'],
  node: ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  cpu: ['@tensorflow/tfjs-backend-cpu'],
};

/**
 * Loads the pinned backend, or the first that loads, from the packages that the user's project has.
 * @param folders absolute; where packages are looked up from, in this order.
 * @throws WorkerError that names everything that was tried, and why it didn't do.
 */
export async function loadBackend(folders: readonly string[], pin: Backend | undefined): Promise<LoadedBackend> {
  if (pin !== undefined && !BACKENDS.includes(pin)) {
    throw new WorkerError(`there is no backend '${pin}'`, `write one of ${BACKENDS.join(', ')}`);
  }
  const tried = new Map<string, string>();
  for (const backend of pin === undefined ? BACKENDS : [pin]) {
    for (const name of PACKAGES[backend]) {
      if (pin === undefined && tried.has(name)) continue;
      try {
        return await load(backend, name, folders, pin !== undefined);
      } catch (error) {
        tried.set(name, error instanceof Error ? firstLine(error.message) : String(error));
      }
    }
  }
  const list = [...tried].map(([name, why]) => `${name}: ${why}`).join('; ');
  throw new WorkerError(
    `${pin === undefined ? 'no TensorFlow.js backend can' : `the backend ${pin} that the stage pins can't`} be loaded (${list})`,
    pin === undefined || pin === 'wasm'
      ? 'npm install @tensorflow/tfjs-backend-wasm'
      : `npm install ${PACKAGES[pin][0]}, or take \`backend: ${pin}\` out of the stage`,
  );
}

/** Makes the backend current again: importing a package may have made its own current. */
export async function restoreBackend({ tf, registered }: LoadedBackend): Promise<void> {
  if (tf.getBackend() !== registered) await tf.setBackend(registered);
}

async function load(
  backend: Backend,
  name: string,
  folders: readonly string[],
  pinned: boolean,
): Promise<LoadedBackend> {
  const main = find(name, folders);
  const info = (as: Backend): BackendInfo => ({ name: as, package: name, version: versionOf(main, name) });
  if (backend === 'gpu' || backend === 'node') {
    const native = await loadNative(main, pinned && backend === 'node');
    if (pinned && backend === 'gpu' && !native.gpu) throw new Error('it loads, but finds no GPU that it can use');
    const namespace = async () => native.tf;
    return { info: info(native.gpu ? 'gpu' : 'node'), tf: native.tf, registered: 'tensorflow', namespace };
  }
  const tf = await importAs<TensorFlow>(find('@tensorflow/tfjs-core', [...folders, dirname(main)]));
  if (backend === 'wasm') await loadWasm(main, tf);
  else await loadCpu(main, tf);
  return { info: info(backend), tf, registered: backend, namespace: () => namespaceOf(tf, folders) };
}

/** The native library. It calls `util.isNullOrUndefined`, which Node 24 no longer has. */
async function loadNative(main: string, hideGpus: boolean): Promise<{ tf: TensorFlow; gpu: boolean }> {
  const legacy: { isNullOrUndefined?: (value: unknown) => boolean } = util;
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  if (hideGpus) process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  const tf = await importAs<TensorFlow>(main);
  await tf.setBackend('tensorflow');
  await tf.ready();
  if (tf.getBackend() !== 'tensorflow') throw new Error('its library did not start');
  const native = tf.backend() as { isUsingGpuDevice?: boolean };
  return { tf, gpu: native.isUsingGpuDevice === true };
}

async function loadWasm(main: string, tf: TensorFlow): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  const wasm = await importAs<{ setWasmPaths(folder: string): void }>(main);
  wasm.setWasmPaths(`${dirname(main)}/`);
  if (!(await tf.setBackend('wasm'))) throw new Error('its module did not start');
  // The generated loader installs handlers that throw again, and so hide where an error came from.
  for (const [i, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i]?.has(listener)) process.off(event, listener as () => void);
    }
  }
  registerWasmGradients(tf);
}

async function loadCpu(main: string, tf: TensorFlow): Promise<void> {
  await importAs(main);
  if (!(await tf.setBackend('cpu'))) throw new Error('it did not start');
  // Otherwise its first operation prints an advertisement.
  (tf.backend() as { firstUse?: boolean }).firstUse = false;
}

/** `@tensorflow/tfjs` where the project has it, otherwise the core with the layers beside it. */
async function namespaceOf(core: TensorFlow, folders: readonly string[]): Promise<unknown> {
  const has = (name: string) => {
    try {
      return find(name, folders);
    } catch {
      return undefined;
    }
  };
  const whole = has('@tensorflow/tfjs');
  if (whole !== undefined) return await importAs(whole);
  const layers = has('@tensorflow/tfjs-layers');
  return layers === undefined ? core : { ...core, ...(await importAs<object>(layers)) };
}

/** Where a package's main file is, as seen from the first of the folders that sees it. */
function find(name: string, folders: readonly string[]): string {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, 'worker.js')).resolve(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new Error('not installed');
}

function versionOf(main: string, name: string): string {
  const manifest: unknown = createRequire(main)(`${name}/package.json`);
  const version = (manifest as { version?: unknown }).version;
  return typeof version === 'string' ? version : 'unknown';
}

/** Imports a CommonJS or ES module by file; the former's exports, not its wrapper. */
async function importAs<T>(file: string): Promise<T> {
  const module: { default?: T } = await import(pathToFileURL(file).href);
  return module.default ?? (module as T);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
