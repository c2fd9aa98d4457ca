import { systemProblem } from './diagnose.ts';
import { core } from './javascript.ts';
import { LoadError } from './load-error.ts';
import { type LoadRequest, refusePins, type Started } from './loaded.ts';
import { findPackage, importFile, packageVersion } from './packages.ts';

/** What is used of the npm package `webgpu`, which brings Chrome's implementation to Node. */
interface WebGpuModule {
  create(options: readonly string[]): Gpu;
  readonly globals: Readonly<Record<string, unknown>>;
}

interface Gpu {
  requestAdapter(options?: { readonly powerPreference?: string }): Promise<Adapter | null>;
}

interface Adapter {
  readonly info?: AdapterInfo;
  readonly isFallbackAdapter?: boolean;
}

interface AdapterInfo {
  readonly vendor?: string;
  readonly device?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

/**
 * Loads WebGPU. An adapter that computes on the processor, slower than WebAssembly does, is for stages that pin it.
 * @param software whether such an adapter will do.
 */
export async function startWebGpu(request: LoadRequest, software: boolean): Promise<Started> {
  const { folders, main, pins } = request;
  refusePins('webgpu', pins);
  const provider = findPackage('webgpu', folders);
  if (provider === undefined)
    throw new LoadError('the package webgpu, which brings WebGPU to Node, is not installed', 'npm install webgpu');
  const { create, globals } = await load(provider);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new LoadError(
      'it finds no adapter: there is no driver for Vulkan (Metal, Direct3D) that has what it needs',
      "install the GPU's driver with Vulkan; 'vulkaninfo --summary' lists what there is",
    );
  }
  const info = adapter.info ?? {};
  const device = info.description || info.device || info.vendor || 'unknown';
  const isSoftware = (info.isFallbackAdapter ?? adapter.isFallbackAdapter) === true;
  if (isSoftware && !software) throw new Error(`its only adapter, ${device}, computes on the processor`);
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const tf = await core(request);
  await importFile(main);
  if (!(await tf.setBackend('webgpu'))) throw new Error('it did not start');
  await tf.ready();
  return { tf, gpu: !isSoftware, facts: { device, webgpu: packageVersion(provider, 'webgpu') } };
}

async function load(provider: string): Promise<WebGpuModule> {
  try {
    return await importFile<WebGpuModule>(provider);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const problem = systemProblem(message);
    if (problem === undefined) throw error;
    throw new LoadError(problem.why, problem.hint);
  }
}
