// `npm start`: installs what is missing, builds, and brings the project's own pipeline up to date.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const npm = process.env.npm_execpath;

if (!isInstalled()) step('installing', npm, ['ci', '--no-audit', '--no-fund']);
step('building', npm, ['run', '--silent', 'build']);
process.exitCode = run(path.join(root, 'packages/cli/dist/dag.js'), ['repro', ...process.argv.slice(2)]);

/** npm writes node_modules/.package-lock.json when an install is complete. */
function isInstalled() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(path.join(root, 'package-lock.json')).mtimeMs;
}

function step(what, script, args) {
  const started = Date.now();
  const status = run(script, args);
  if (status !== 0) process.exit(status);
  console.error(`${what}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function run(script, args) {
  const { status, error } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  return status ?? 1;
}
