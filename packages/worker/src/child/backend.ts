import { dirname } from 'node:path';
import { BACKENDS, type Backend, type BackendPins } from '@dag/model';
import type { BackendInfo } from '../protocol.ts';
import { chainOperations } from './backend/chained.ts';
import { startCpu, startWasm } from './backend/javascript.ts';
import { LoadError } from './backend/load-error.ts';
import type { LoadRequest, Started, TensorFlow } from './backend/loaded.ts';
import { startNative } from './backend/native.ts';
import { findPackage, importFile, PACKAGES, packageVersion } from './backend/packages.ts';
import { seedDataSets } from './backend/seeds.ts';
import { startWebGpu } from './backend/webgpu.ts';
import { WorkerError } from './error.ts';

export type { TensorFlow } from './backend/loaded.ts';

/** A backend that works, and the TensorFlow.js that it belongs to. */
export interface LoadedBackend {
  readonly info: BackendInfo;
  readonly tf: TensorFlow;
  /** Its name in TensorFlow's own registry. */
  readonly registered: string;
  /** Better ones that the project has, and that can't be loaded: in words, one each. */
  readonly passedOver: readonly string[];
  /** All of TensorFlow.js that the project has, as one object. */
  namespace(): Promise<unknown>;
}

const NOT_INSTALLED = 'not installed';

/**
 * Loads the pinned backend, or the first that loads, from the packages that the user's project has.
 * @param folders absolute; where packages are looked up from, in this order.
 * @throws WorkerError that names everything that was tried, and why it didn't do.
 */
export async function loadBackend(folders: readonly string[], pins: BackendPins = {}): Promise<LoadedBackend> {
  if (pins.name !== undefined && !BACKENDS.includes(pins.name)) {
    throw new WorkerError(`there is no backend '${pins.name}'`, `write one of ${BACKENDS.join(', ')}`);
  }
  const tried = new Map<string, string>();
  let hint: string | undefined;
  for (const backend of pins.name === undefined ? BACKENDS : [pins.name]) {
    for (const name of PACKAGES[backend]) {
      if (pins.name === undefined && tried.has(name)) continue;
      try {
        const loaded = await load(backend, name, folders, pins);
        return { ...loaded, passedOver: list(tried).filter((text) => !text.endsWith(NOT_INSTALLED)) };
      } catch (error) {
        tried.set(name, error instanceof Error ? firstLine(error.message) : String(error));
        if (error instanceof LoadError) hint ??= error.hint;
      }
    }
  }
  const what =
    pins.name === undefined ? 'no TensorFlow.js backend can' : `the backend ${pins.name} that the stage pins can't`;
  throw new WorkerError(`${what} be loaded (${list(tried).join('; ')})`, hint ?? installHint(pins.name));
}

/** Makes the backend current again: importing a package may have made its own current. */
export async function restoreBackend({ tf, registered }: LoadedBackend): Promise<void> {
  if (tf.getBackend() !== registered) await tf.setBackend(registered);
}

function list(tried: ReadonlyMap<string, string>): string[] {
  return [...tried].map(([name, why]) => `${name}: ${why}`);
}

function installHint(pinned: Backend | undefined): string {
  if (pinned === undefined || pinned === 'wasm') return 'npm install @tensorflow/tfjs-backend-wasm';
  const also = pinned === 'webgpu' ? ' webgpu' : '';
  return `npm install ${PACKAGES[pinned][0]}${also}, or take \`backend: ${pinned}\` out of the stage; 'dag doctor --backends' tries all`;
}

async function load(
  backend: Backend,
  name: string,
  folders: readonly string[],
  pins: BackendPins,
): Promise<Omit<LoadedBackend, 'passedOver'>> {
  const main = findPackage(name, folders);
  if (main === undefined) throw new Error(NOT_INSTALLED);
  const version = packageVersion(main, name);
  if (pins.version !== undefined && pins.version !== version) {
    throw new LoadError(
      `the stage pins version ${pins.version}, and ${version} is installed`,
      `npm install ${name}@${pins.version}, or pin '${version}'`,
    );
  }
  const request: LoadRequest = { name, main, folders, pins };
  const { tf, facts, gpu } = await start(backend, request);
  await seedDataSets([...folders, dirname(main)]);
  const native = backend === 'gpu' || backend === 'node';
  if (!native) chainOperations(tf);
  return {
    info: { name: native ? (gpu === true ? 'gpu' : 'node') : backend, package: name, version, facts },
    tf,
    registered: native ? 'tensorflow' : backend,
    namespace: async () => (native ? tf : await namespaceOf(tf, folders)),
  };
}

async function start(backend: Backend, request: LoadRequest): Promise<Started> {
  const pinned = request.pins.name !== undefined;
  switch (backend) {
    case 'gpu':
      return await startNative(request, pinned ? 'gpu' : 'any');
    case 'node':
      return await startNative(request, pinned ? 'cpu' : 'any');
    case 'webgpu':
      return await startWebGpu(request, pinned);
    case 'wasm':
      return await startWasm(request);
    case 'cpu':
      return await startCpu(request);
  }
}

/** `@tensorflow/tfjs` where the project has it, otherwise the core with the layers beside it. */
async function namespaceOf(core: TensorFlow, folders: readonly string[]): Promise<unknown> {
  const whole = findPackage('@tensorflow/tfjs', folders);
  if (whole !== undefined) return await importFile(whole);
  const layers = findPackage('@tensorflow/tfjs-layers', folders);
  return layers === undefined ? core : { ...core, ...(await importFile<object>(layers)) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
