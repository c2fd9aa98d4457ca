import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const LOAD = fileURLToPath(new URL('../scripts/load.cjs', import.meta.url));

let dist: string;
beforeEach(() => {
  dist = mkdtempSync(join(tmpdir(), 'dag-load-'));
  cpSync(DIST, dist, { recursive: true });
});
afterEach(() => rmSync(dist, { recursive: true, force: true }));

/** Whether V8 took the code that lies beside each file that --help loads. */
function taken(...flags: string[]): Record<string, boolean> {
  const program = `
    const load = require(${JSON.stringify(LOAD)});
    const { createRequire } = require('node:module');
    const [, dist, main] = process.argv;
    const taken = {};
    load(createRequire(dist + '/dag.js'), dist, (name, script) => { taken[name] = script.cachedDataRejected === false; })(main);
    console.log(JSON.stringify(taken));`;
  const main = readdirSync(dist).find((name) => name.startsWith('main-') && name.endsWith('.js'));
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', program, dist, `./${main}`], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

function help(...flags: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, join(dist, 'dag.js'), '--help'], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout;
}

function codeFiles(): string[] {
  const folder = join(dist, 'code');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => join(folder, path));
}

test('the program is not compiled again by the Node that built it', () => {
  const files = taken();
  expect(Object.keys(files).some((name) => name.startsWith('main-'))).toBe(true);
  expect(Object.values(files).every((one) => one)).toBe(true);
});

test('code of other flags is refused, and the program runs all the same', () => {
  expect(Object.values(taken('--no-lazy')).some((one) => one)).toBe(false);
  expect(help('--no-lazy')).toBe(help());
});

test.each([
  ['none', undefined],
  ['an empty file', () => Buffer.alloc(0)],
  ['half of it', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ['text', () => Buffer.from('no code '.repeat(1000))],
  ["another version's", (bytes: Buffer) => Buffer.concat([Buffer.alloc(16, 7), bytes.subarray(16)])],
])('without its compiled code the program is the same: %s', (_what, damage) => {
  const whole = help();
  expect(whole).toContain('Usage: dag');
  const files = codeFiles();
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    if (damage === undefined) rmSync(file);
    else writeFileSync(file, damage(readFileSync(file)));
  }
  expect(Object.values(taken()).some((one) => one)).toBe(false);
  expect(help()).toBe(whole);
});
