// Runs the random tests with a new seed, which it prints, and DAG_FUZZ (20) times as many cases. Names of test files may
// follow, as vitest takes them.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const seed = process.env.DAG_SEED ?? String(randomInt(2 ** 31));
const times = process.env.DAG_FUZZ ?? '20';
const folders = ['test', ...readdirSync('packages').map((name) => join('packages', name, 'test'))].filter(existsSync);
const files = folders.flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)));
const random = files.filter(
  (file) => file.endsWith('.test.ts') && /fast-check|fuzz\.ts'/.test(readFileSync(file, 'utf8')),
);
const wanted = process.argv.slice(2);
const chosen = wanted.length === 0 ? random : random.filter((file) => wanted.some((part) => file.includes(part)));
console.log(`DAG_SEED=${seed} DAG_FUZZ=${times}`);
const { status } = spawnSync('npx', ['vitest', 'run', '--testTimeout=3600000', ...chosen], {
  stdio: 'inherit',
  env: { ...process.env, DAG_SEED: seed, DAG_FUZZ: times },
});
process.exitCode = status ?? 1;
