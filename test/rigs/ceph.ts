import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ACCESS, freePort, makeBucket, ownerEnv, type S3Place, SECRET } from './s3.ts';

const SCRIPT = join(import.meta.dirname, 'ceph-rgw.sh');

/** Why tests on Ceph's gateway can't run; undefined where they can. */
export function missingCeph(): string | undefined {
  const missing = execFileSync('bash', [SCRIPT, 'missing'], { encoding: 'utf8' }).trim();
  if (missing === '') return undefined;
  const how = 'on Debian: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common';
  return `Ceph is not installed (${missing.split('\n').join(', ')}; ${how}; elsewhere: docs.ceph.com, Installing Ceph)`;
}

/** Starts a cluster and its gateway for the caller alone, with an empty bucket: some ten seconds, some 2 GB of memory. */
export async function startCeph(): Promise<S3Place> {
  const state = join(mkdtempSync(join(tmpdir(), 'dag-ceph-')), 'state');
  const port = await freePort();
  const stop = () => execFileSync('bash', [SCRIPT, 'stop', state]);
  process.on('exit', stop);
  const env = { ...process.env, CEPH_ACCESS_KEY: ACCESS, CEPH_SECRET_KEY: SECRET };
  await promisify(execFile)('bash', [SCRIPT, 'start', state, `${await freePort()}`, `${port}`], { env });
  const endpoint = `http://127.0.0.1:${port}`;
  (await makeBucket(endpoint, 'bucket')).destroy();
  return {
    endpoint,
    bucket: 'bucket',
    env: ownerEnv(endpoint),
    remove: async () => {
      stop();
      process.removeListener('exit', stop);
      rmSync(join(state, '..'), { recursive: true, force: true });
    },
  };
}
