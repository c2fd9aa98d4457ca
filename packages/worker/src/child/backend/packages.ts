import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Backend } from '@dag/model';

/** Which packages can provide a backend, in the order in which they are tried. */
export const PACKAGES: Readonly<Record<Backend, readonly string[]>> = {
  gpu: ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'],
  node: ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'],
  webgpu: ['@tensorflow/tfjs-backend-webgpu'],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  cpu: ['@tensorflow/tfjs-backend-cpu'],
};

/** Where a package's main file is, as seen from the first of the folders that sees it; undefined where none does. */
export function findPackage(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, 'worker.js')).resolve(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/** The version of the package that a main file belongs to. */
export function packageVersion(main: string, name: string): string {
  const manifest: unknown = createRequire(main)(`${name}/package.json`);
  const version = (manifest as { version?: unknown }).version;
  return typeof version === 'string' ? version : 'unknown';
}

/** Imports a CommonJS or ES module by file; the former's exports, not its wrapper. */
export async function importFile<T>(file: string): Promise<T> {
  const module: { default?: T } = await import(pathToFileURL(file).href);
  return module.default ?? (module as T);
}

/** The folder of tfjs-node, from its main file. */
export function packageFolder(main: string): string {
  return dirname(dirname(main));
}
