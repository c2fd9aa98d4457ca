import fs from 'node:fs';
import { join } from 'node:path';
import { sharedLibraryProblem } from './elf.ts';

/** Why something can't be loaded, in words that go on from its name, and what to do about it. */
export interface Problem {
  readonly why: string;
  readonly hint?: string;
}

/**
 * What keeps tfjs-node's addon from loading, found out by looking: the addon, the C library that it needs, and what the loader
 * said.
 * @param folder absolute, of the package `name`.
 * @param message what was thrown; undefined where nothing was tried yet: then only what is plain to see is told.
 */
export function addonProblem(folder: string, name: string, message?: string): Problem | undefined {
  const again = `let its install script run: 'npm rebuild ${name}'; ${ELSEWHERE}`;
  const addons = list(join(folder, 'lib')).map((build) => join('lib', build, 'tfjs_binding.node'));
  const addon = addons.find((file) => fs.existsSync(join(folder, file)));
  if (addon === undefined) {
    return {
      why: "its addon, lib/napi-v8/tfjs_binding.node, was not built: its install script was not run (npm's ignore-scripts), or failed",
      hint: again,
    };
  }
  const damaged = sharedLibraryProblem(join(folder, addon));
  if (damaged !== undefined) return { why: `its addon, ${addon}, ${damaged}`, hint: again };
  const missing = /(lib[\w.+-]+\.so[\w.]*): cannot open shared object file/.exec(message ?? '')?.[1];
  const library = libraryProblem(folder, missing);
  if (library !== undefined) return { why: library, hint: `make it anew: 'npm rebuild ${name}'; ${ELSEWHERE}` };
  if (message === undefined) return undefined;
  return systemProblem(message, missing, again);
}

/** What the loader said of the system's own libraries; undefined for anything else. */
export function systemProblem(message: string, missing?: string, again?: string): Problem | undefined {
  const version = /version `(GLIBC(?:XX)?|CXXABI)_([\d.]+)' not found \(required by ([^)]+)\)/.exec(message);
  if (version !== null) {
    const [, what = '', wanted = '', by = ''] = version;
    const file = by.slice(by.lastIndexOf('/') + 1);
    const own = what === 'GLIBC' ? glibcVersion() : undefined;
    const has = own === undefined ? '' : `, and this system has ${own}`;
    return {
      why: `${file} was compiled for a newer system: it needs ${what} ${wanted}${has}`,
      hint: `use a newer system or image, or an older version of the package${again === undefined ? '' : '; or compile it here: docs/backends.md says how'}`,
    };
  }
  if (missing !== undefined) {
    const musl = missing.startsWith('ld-linux') || glibcVersion() === undefined;
    return {
      why: `the system's loader does not find ${missing}`,
      hint:
        process.platform === 'linux' && musl
          ? 'it needs glibc: use an image that has it (node:22-slim instead of node:22-alpine), or the backend wasm'
          : `install what has ${missing}, or name its folder in LD_LIBRARY_PATH`,
    };
  }
  const symbol = /undefined symbol: (\S+)/.exec(message)?.[1];
  if (symbol === undefined) return undefined;
  return {
    why: `its addon was compiled for another TensorFlow: the library has no ${symbol}`,
    ...(again === undefined ? {} : { hint: again }),
  };
}

const ELSEWHERE =
  'where the host that it downloads from (storage.googleapis.com) is out of reach, docs/backends.md says how to make it';

/** The C library beside the addon: where it is not there, somebody may have put it where the system looks. */
function libraryProblem(folder: string, missing: string | undefined): string | undefined {
  const place = join(folder, 'deps/lib');
  const there = list(place).filter((name) => /^libtensorflow.*\.so/.test(name));
  for (const name of there) {
    const problem = sharedLibraryProblem(join(place, name));
    if (problem === 'is missing') return `TensorFlow's C library, deps/lib/${name}, is a link that leads nowhere`;
    if (problem !== undefined) return `TensorFlow's C library, deps/lib/${name}, ${problem}`;
  }
  if (missing === undefined || !missing.startsWith('libtensorflow')) return undefined;
  const seen = there.length === 0 ? 'deps/lib has none' : `deps/lib has ${there.join(', ')}`;
  return `TensorFlow's C library, ${missing}, is missing: ${seen}`;
}

function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}
