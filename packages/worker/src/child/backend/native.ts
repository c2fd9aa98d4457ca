import util from 'node:util';
import type { BackendPins } from '@dag/model';
import { findCuda, gpuProblem } from './cuda.ts';
import { addonProblem } from './diagnose.ts';
import { LoadError } from './load-error.ts';
import type { LoadRequest, Started, TensorFlow } from './loaded.ts';
import { importFile, packageFolder } from './packages.ts';
import { nativeSettings, thisProcessor } from './settings.ts';

/**
 * Loads the native library, by @tensorflow/tfjs-node or -gpu.
 * @param wanted `gpu` fails where there is none, `cpu` hides those that there are.
 */
export async function startNative(request: LoadRequest, wanted: 'gpu' | 'cpu' | 'any'): Promise<Started> {
  const { name, main, pins } = request;
  const settings = nativeSettings(pins, process.env, thisProcessor());
  Object.assign(process.env, settings.env);
  // Else each run begins with the same remarks on the processor; warnings stay.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  if (wanted === 'cpu') process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  const tf = await load(name, main);
  const { isUsingGpuDevice, binding } = tf.backend() as NativeBackend;
  const gpu = isUsingGpuDevice === true;
  if (wanted === 'gpu' && !gpu) {
    throw new Error(
      `it loads, but finds no GPU: ${gpuProblem(process.env, findCuda(process.env, packageFolder(main)))}`,
    );
  }
  const version = String(binding?.TF_Version ?? 'unknown');
  checkVersion(pins, version);
  seedMultinomial(tf);
  return { tf, gpu, facts: { tensorflow: version, ...settings.facts } };
}

interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
  readonly binding?: { readonly TF_Version?: string };
}

async function load(name: string, main: string): Promise<TensorFlow> {
  // Before it is tried: a library that is cut short ends the process instead of throwing.
  const plain = addonProblem(packageFolder(main), name);
  if (plain !== undefined) throw new LoadError(plain.why, plain.hint);
  haveOldUtil();
  let tf: TensorFlow;
  try {
    tf = await importFile<TensorFlow>(main);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const problem = addonProblem(packageFolder(main), name, message);
    if (problem === undefined) throw error;
    throw new LoadError(problem.why, problem.hint);
  }
  await tf.setBackend('tensorflow');
  await tf.ready();
  if (tf.getBackend() !== 'tensorflow') throw new Error('its library did not start');
  return tf;
}

/** It calls what Node 23 took out of `util`. */
function haveOldUtil(): void {
  const old: { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean } = util;
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
}

function checkVersion({ tensorflow }: BackendPins, version: string): void {
  if (tensorflow === undefined || tensorflow === version) return;
  throw new LoadError(
    `the stage pins TensorFlow ${tensorflow}, and its library is ${version}`,
    `pin '${version}', or install a library of ${tensorflow}`,
  );
}

/**
 * It gives the library a seed as the whole number that a fraction is cut to: 0 for all that Math.random draws, which the
 * library takes for none, and then draws one of its own.
 */
function seedMultinomial(tf: TensorFlow): void {
  const kernel = tf.getKernel('Multinomial', 'tensorflow');
  if (kernel === undefined) return;
  tf.unregisterKernel('Multinomial', 'tensorflow');
  tf.registerKernel({
    ...kernel,
    kernelFunc: (call) => {
      const { seed } = call.attrs as { readonly seed: number };
      const whole = Number.isInteger(seed) ? seed : 1 + Math.floor(Math.abs(seed) * 0x7fff_fffe);
      return kernel.kernelFunc({ ...call, attrs: { ...call.attrs, seed: whole } });
    },
  });
}
