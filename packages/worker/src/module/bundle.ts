import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, err, type Failure, ok, type ProjectPath, type Result, sortedEntries } from '@dag/model';
import type { BuildOptions, BuildResult } from 'esbuild';
import type { BundleRequest, ClosureRequest, ModuleClosure } from '../module.ts';
import { build } from './compiler.ts';
import { compilerFailure, moduleFailure } from './diagnose.ts';
import { projectPathOf, userModules } from './resolve.ts';

/** Packages that can't do without a TensorFlow backend. */
const TENSORFLOW = /^@tensorflow(-models)?\//;

/** Compiles a module with all its local imports; writes the result where `write` says so. See `../module.ts`. */
export async function bundle(
  request: ClosureRequest,
  write?: Pick<BundleRequest, 'outFile' | 'publicModule'>,
): Promise<Result<ModuleClosure, Failure>> {
  const entry = join(request.root, request.module);
  if (!existsSync(entry)) {
    const message = `the worker module ${request.module} does not exist`;
    return err({ code: 'missing-dep', message, path: request.module, hint: 'create it, or correct `worker:`' });
  }
  const root = realpathSync(request.root);
  const sources = new Map<ProjectPath, Digest>();
  const packages = new Set<string>();
  const plugin = userModules({
    root,
    publicModule: write?.publicModule,
    allowMissing: write === undefined,
    onSource: (path, bytes) => sources.set(path, request.hash(bytes)),
    onPackage: (name) => packages.add(name),
  });
  let result: BuildResult<{ metafile: true; write: false }>;
  try {
    result = await build({
      ...OPTIONS,
      absWorkingDir: root,
      entryPoints: [realpathSync(entry)],
      outfile: write?.outFile ?? join(root, 'closure.mjs'),
      sourcemap: write === undefined ? false : 'inline',
      plugins: [plugin],
    });
  } catch (error) {
    return err(moduleFailure(error, request.module) ?? compilerFailure(error));
  }
  if (write !== undefined) {
    await mkdir(dirname(write.outFile), { recursive: true });
    await writeFile(write.outFile, result.outputFiles[0]?.contents ?? '');
  }
  for (const input of Object.keys(result.metafile.inputs)) {
    const path = projectPathOf(root, join(root, input));
    if (path !== undefined && !sources.has(path)) sources.set(path, request.hash(await readFile(join(root, input))));
  }
  return ok({
    files: new Map(sortedEntries(sources) as [ProjectPath, Digest][]),
    packages: [...packages].sort(),
    tensorflow: [...packages].some((name) => TENSORFLOW.test(name)),
  });
}

/** A local CommonJS file that is inlined still needs `require`, with absolute paths in it. */
const BANNER = `import { createRequire as __dag_create_require } from 'node:module'; const require = __dag_create_require(import.meta.url);`;

const OPTIONS = {
  bundle: true,
  write: false,
  metafile: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // No `module` condition: packages resolve as Node itself would resolve them.
  conditions: [],
  mainFields: ['main'],
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'silent',
  banner: { js: BANNER },
} as const satisfies BuildOptions;
