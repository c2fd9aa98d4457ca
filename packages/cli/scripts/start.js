// `npm start`: installs what is missing, builds, and brings the project's own pipeline up to date.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const npm = process.env.npm_execpath;

if (!isInstalled()) step('installing', npm, ['ci', '--no-audit', '--no-fund']);
step('building', npm, ['run', '--silent', 'build'], 'pipe');
process.exitCode = run(path.join(root, 'packages/cli/dist/dag.js'), ['repro', ...process.argv.slice(2)]);

/** npm writes node_modules/.package-lock.json when an install is complete. */
function isInstalled() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(path.join(root, 'package-lock.json')).mtimeMs;
}

/** With `pipe`, its output is only shown when it fails. */
function step(what, script, args, stdio = 'inherit') {
  const started = Date.now();
  const status = run(script, args, stdio);
  if (status !== 0) process.exit(status);
  console.error(`${what}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function run(script, args, stdio = 'inherit') {
  const { status, error, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio });
  if (error) throw error;
  if (status !== 0 && stdio === 'pipe') process.stderr.write(`${stdout}${stderr}`);
  return status ?? 1;
}
