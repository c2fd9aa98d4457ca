import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

/** Where leases of a test are kept, and processes that take some. */
export interface LeaseRig {
  /** Of the test that runs; holds the others. */
  readonly base: string;
  /** The folder of leases; the first lease makes it. */
  readonly folder: string;
  /** Starts `child/leases.ts`. */
  child(devices: string, rounds: number, ...more: readonly string[]): ChildProcess;
}

/** A folder for each test of a file, and the process that leases, built once. */
export function leaseRig(): LeaseRig {
  // Inside the package, so that compiled packages are found from there.
  const out = path.join(import.meta.dirname, `../../dist/test-leases-${process.pid}`);
  let base = '';
  beforeAll(async () => {
    await build({
      entryPoints: [path.join(import.meta.dirname, '../child/leases.ts')],
      outdir: out,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
  });
  afterAll(() => fs.rmSync(out, { recursive: true, force: true }));
  beforeEach(() => {
    base = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-leases-'));
    fs.mkdirSync(path.join(base, 'witness'));
  });
  afterEach(() => fs.rmSync(base, { recursive: true }));
  const folder = () => path.join(base, 'leases');
  return {
    get base() {
      return base;
    },
    get folder() {
      return folder();
    },
    child: (devices, rounds, ...more) => {
      const args = [
        path.join(out, 'leases.js'),
        folder(),
        path.join(base, 'witness'),
        devices,
        String(rounds),
        ...more,
      ];
      return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    },
  };
}

export function exited(process: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => process.once('exit', (code) => resolve(code)));
}
