import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCESS, freePort, makeBucket, ownerEnv, type S3Place, SECRET } from './s3.ts';

const SCRIPT = join(import.meta.dirname, 'rclone.sh');

function findRclone(): string | undefined {
  try {
    return execFileSync('bash', [SCRIPT, 'path'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Why tests on `rclone serve s3` can't run; undefined where they can. */
export function missingRclone(): string | undefined {
  return findRclone() === undefined ? 'rclone 1.76 or newer is not installed (test/rigs/rclone.sh install)' : undefined;
}

/** Starts `rclone serve s3` for the caller alone, with an empty bucket: on a folder, or on one whose content is encrypted. */
export async function startRclone(store: 'folder' | 'crypt'): Promise<S3Place> {
  const binary = findRclone();
  if (binary === undefined) throw new Error(missingRclone());
  const state = mkdtempSync(join(tmpdir(), 'dag-rclone-'));
  mkdirSync(join(state, 'data'));
  const password = execFileSync(binary, ['obscure', 'a password'], { encoding: 'utf8' }).trim();
  const config = join(state, 'rclone.conf');
  writeFileSync(config, `[crypt]\ntype = crypt\nremote = ${join(state, 'data')}\npassword = ${password}\n`);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const log = openSync(join(state, 'log'), 'a');
  const where = store === 'crypt' ? 'crypt:' : join(state, 'data');
  const options = ['--config', config, '--cache-dir', join(state, 'cache'), '--auth-key', `${ACCESS},${SECRET}`];
  const server = spawn(binary, ['serve', 's3', ...options, '--addr', `127.0.0.1:${port}`, where], {
    env: { PATH: process.env['PATH'] ?? '', HOME: state },
    stdio: ['ignore', log, log],
  });
  const kill = () => server.kill('SIGKILL');
  process.on('exit', kill);
  await answers(server, endpoint, join(state, 'log'));
  (await makeBucket(endpoint, 'bucket')).destroy();
  return {
    endpoint,
    bucket: 'bucket',
    env: ownerEnv(endpoint),
    remove: async () => {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      if (kill()) await gone;
      process.removeListener('exit', kill);
      rmSync(state, { recursive: true, force: true });
    },
  };
}

async function answers(server: ChildProcess, endpoint: string, log: string): Promise<void> {
  while (server.exitCode === null && server.signalCode === null) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`rclone did not start:\n${readFileSync(log, 'utf8')}`);
}
