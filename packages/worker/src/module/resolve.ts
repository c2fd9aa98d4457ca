import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ProjectPath, parseProjectPath } from '@dag/model';
import type { Loader, OnLoadResult, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';

export interface UserModulesOptions {
  /** Absolute, symlinks followed. */
  readonly root: string;
  /** What `dag/worker` means; undefined where that doesn't matter, as only the closure is wanted. */
  readonly publicModule: string | undefined;
  /** Whether a package that is not installed is passed over instead of being an error. */
  readonly allowMissing: boolean;
  /** Called once for every local file, with the bytes that are compiled. */
  onSource(path: ProjectPath, bytes: Uint8Array): void;
  onPackage(name: string): void;
}

const PUBLIC = 'dag/worker';
const OUR_OWN = Symbol('asked by this plugin');

/** Decides for each import whether it is the user's own source, to be inlined, or a package, to be left where it is. */
export function userModules(options: UserModulesOptions): Plugin {
  return {
    name: 'user-modules',
    setup(build) {
      build.initialOptions.define = { ...build.initialOptions.define, ...IMPORT_META };
      build.onResolve({ filter: /.*/ }, (args) => resolve(build, args, options));
      build.onLoad({ filter: /.*/, namespace: 'file' }, (args) => load(args.path, options));
    },
  };
}

async function resolve(
  build: PluginBuild,
  args: OnResolveArgs,
  options: UserModulesOptions,
): Promise<OnResolveResult | undefined> {
  const { path, kind, importer, resolveDir, namespace } = args;
  if (args.pluginData === OUR_OWN || kind === 'entry-point') return undefined;
  if (/^(data|https?|file):/.test(path)) return undefined;
  if (isBuiltin(path)) return { path, external: true };
  if (path === PUBLIC) return external(options.publicModule ?? path, kind);
  const bare = /^[^./#]/.test(path);
  const found = await build.resolve(path, { importer, resolveDir, kind, namespace, pluginData: OUR_OWN });
  if (found.errors.length > 0) {
    if (!bare) return { errors: [{ text: `cannot find ${JSON.stringify(path)}`, detail: 'bad-path' }] };
    options.onPackage(packageName(path));
    const optional = kind === 'dynamic-import' || kind === 'require-call' || kind === 'require-resolve';
    if (optional || options.allowMissing) return { path, external: true };
    const name = packageName(path);
    return isInstalled(name, resolveDir)
      ? { errors: [{ text: `the package ${name} is installed, and has no ${JSON.stringify(path)}`, detail: 'entry' }] }
      : { errors: [{ text: `the package ${name} is not installed`, detail: 'package' }] };
  }
  if (found.external) return { path: found.path, external: true };
  if (projectPathOf(options.root, found.path) !== undefined) return { path: found.path };
  if (!bare && !found.path.split(sep).includes('node_modules')) {
    return { errors: [{ text: `${JSON.stringify(path)} is outside the project`, detail: 'outside' }] };
  }
  if (bare) options.onPackage(packageName(path));
  return external(found.path, kind);
}

function external(file: string, kind: OnResolveArgs['kind']): OnResolveResult {
  return { path: kind.startsWith('require') ? file : pathToFileURL(file).href, external: true };
}

/** The project path of a local source file: inside the root and not in a node_modules folder. */
export function projectPathOf(root: string, file: string): ProjectPath | undefined {
  const parts = relative(root, file).split(sep);
  return parts.includes('node_modules') ? undefined : parseProjectPath(parts.join('/'));
}

/** Whether Node would find a package of that name from a folder. */
function isInstalled(name: string, folder: string): boolean {
  const above = dirname(folder);
  return existsSync(join(folder, 'node_modules', name)) || (above !== folder && isInstalled(name, above));
}

/** `@scope/name` of `@scope/name/deep/file.js`. */
function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
  '.json': 'json',
  '.txt': 'text',
};

/** The words that stand for `import.meta.…` in the bundle, which lies elsewhere than the source. */
const IMPORT_META = {
  'import.meta.url': '__source_url',
  'import.meta.filename': '__source_filename',
  'import.meta.dirname': '__source_dirname',
};

async function load(file: string, options: UserModulesOptions): Promise<OnLoadResult | undefined> {
  const loader = LOADERS[extname(file)];
  const path = projectPathOf(options.root, file);
  if (loader === undefined || path === undefined) return undefined;
  const bytes = await readFile(file);
  options.onSource(path, bytes);
  const text = bytes.toString('utf8');
  return { contents: loader !== 'json' && text.includes('import.meta') ? withLocation(text, file) : text, loader };
}

/** Puts the source's own location before it, on its first line, so that line numbers stay. */
function withLocation(text: string, file: string): string {
  const words = {
    __source_url: pathToFileURL(file).href,
    __source_filename: file,
    __source_dirname: dirname(file),
  };
  const prefix = Object.entries(words).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  return `${prefix.join(' ')} ${text.replace(/^#!/, '//')}`;
}
