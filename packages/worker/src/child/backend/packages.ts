import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
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

/**
 * Loads a CommonJS or ES module by file; the former's exports, not its wrapper. CommonJS is required: an import would first look
 * through the whole text for names to export, which takes longer than to compile it.
 */
export async function importFile<T>(file: string): Promise<T> {
  let loaded: T & { readonly default?: T };
  try {
    loaded = createRequire(file)(file);
    if (!types.isModuleNamespaceObject(loaded)) return loaded;
  } catch (error) {
    if (!MODULE_ONLY.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    loaded = await import(pathToFileURL(file).href);
  }
  return loaded.default ?? loaded;
}

/** What `require` says of ES modules: of any, or of those that await. */
const MODULE_ONLY = ['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE'];

/** The folder of tfjs-node, from its main file. */
export function packageFolder(main: string): string {
  return dirname(dirname(main));
}
