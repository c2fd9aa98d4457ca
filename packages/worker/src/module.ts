import type { Digest, Failure, ProjectPath, Result } from '@dag/model';
import { bundle } from './module/bundle.ts';

/** What a worker module consists of. */
export interface ModuleClosure {
  /** The module and every local module that it imports, at any depth, each with the digest of its source. Sorted by path. */
  readonly files: ReadonlyMap<ProjectPath, Digest>;
  /** Names of the packages that any of them imports, sorted. */
  readonly packages: readonly string[];
  /** Whether TensorFlow.js is among them, so that a backend is to be set up before the module is loaded. */
  readonly tensorflow: boolean;
}

export interface ClosureRequest {
  /** Absolute path of the project root. */
  readonly root: string;
  readonly module: ProjectPath;
  /** The digest of some bytes. Called once a file, with exactly the bytes that were compiled. */
  hash(bytes: Uint8Array): Digest;
}

/**
 * Finds a worker module and its local import closure, by compiling it (nothing is written). Packages under node_modules and
 * Node's own modules are not part of it; JSON files that are imported are, and so are workspace packages inside the root.
 * A syntax error or an import that leads nowhere is `invalid-pipeline` with file, line and column; a module that does
 * not exist is `missing-dep`.
 */
export async function moduleClosure(request: ClosureRequest): Promise<Result<ModuleClosure, Failure>> {
  return await bundle(request);
}

export interface BundleRequest extends ClosureRequest {
  /** Absolute path of the ESM file to write, with an inline source map; its folder is made. */
  readonly outFile: string;
  /** Absolute path of what `dag/worker` means at run time: the built `public.ts` of the dag that runs. */
  readonly publicModule: string;
}

/**
 * Writes a worker module as one ESM file that `node` can run from anywhere: local imports are inlined, packages become
 * absolute file URLs of what they resolve to from the importing file, `import.meta.url` and its like stay those of
 * the source file. Errors as of `moduleClosure`.
 */
export async function bundleModule(request: BundleRequest): Promise<Result<ModuleClosure, Failure>> {
  return await bundle(request, request);
}
