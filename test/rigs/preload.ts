import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A library that stands before libc, or why it can't be had here. */
export type Preload = { readonly library: string } | { readonly why: string };

/** Compiles C into a library of this name, in a folder, for `LD_PRELOAD`. */
export function compilePreload(folder: string, name: string, c: string): Preload {
  if (process.platform !== 'linux') return { why: 'libc is wrapped on Linux only' };
  const [source, library] = [path.join(folder, `${name}.c`), path.join(folder, `${name}.so`)];
  fs.writeFileSync(source, c);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'pipe' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { why: 'there is no cc' };
    throw error;
  }
  return { library };
}
