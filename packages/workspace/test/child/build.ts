import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
/** Inside the package, so that compiled packages are found from there. One a test process: they may run at the same time. */
const out = join(here, `../../dist/test-${process.pid}`);

/** Bundles the child and the worker thread's entry side by side, as the command-line tool does. */
export async function buildChild(): Promise<void> {
  await build({
    entryPoints: { main: join(here, 'main.ts'), 'hash-worker': join(here, '../../src/threads/hash-worker.ts') },
    outdir: out,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    outExtension: { '.js': '.js' },
  });
}

export function removeChild(): void {
  rmSync(out, { recursive: true, force: true });
}

export interface Child {
  readonly process: ChildProcess;
  /** Resolves when the text was printed; rejects when it ended without. */
  printed(text: string): Promise<void>;
  /** All that was printed, once it has ended; rejects when it failed without being killed. */
  readonly ended: Promise<string>;
}

export function startChild(...args: string[]): Child {
  const child = spawn(process.execPath, [join(out, 'main.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let errors = '';
  const waiting: { text: string; resolve(): void }[] = [];
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    for (const one of waiting) if (text.includes(one.text)) one.resolve();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  const ended = new Promise<string>((resolve, reject) => {
    // Not 'exit': what it has printed may still be on its way then.
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(text);
      else reject(new Error(`child ended with ${code ?? signal}: ${errors}`));
    });
  });
  return {
    process: child,
    ended,
    printed: async (wanted) => {
      const told = new Promise<void>((resolve) => waiting.push({ text: wanted, resolve }));
      if (!text.includes(wanted)) await Promise.race([told, ended]);
      if (!text.includes(wanted)) throw new Error(`child ended without saying '${wanted}': ${text}${errors}`);
    },
  };
}
