import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Outcome, openShell, type Shell } from '../rigs/dag.ts';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';
import { startTlsFront, type TlsFront } from '../rigs/tls-front.ts';

describe('credentials', () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-credentials-')));
  let server: S3Server;
  let front: TlsFront;
  let proxy: FaultProxy;
  let projects = 0;
  beforeEach((context) => needS3(context));
  beforeAll(async () => {
    if (missingS3() !== undefined) return;
    server = await startS3();
    front = await startTlsFront(server.endpoint, base);
    proxy = await startFaultProxy(server.endpoint);
  });
  afterAll(async () => {
    front?.close();
    await proxy?.close();
    await server?.remove();
    rmSync(base, { recursive: true, force: true });
  });

  /** A project with data and a stage, whose user's HOME is beside it. */
  async function newProject(env: Readonly<Record<string, string>>, url = 's3://bucket/shared'): Promise<Shell> {
    const home = join(base, `${projects++}`);
    const folder = join(home, 'project');
    mkdirSync(join(folder, 'data'), { recursive: true });
    const me = openShell(folder, home, env);
    await me.run('git', 'init', '-q');
    writeFileSync(join(folder, 'data/large.bin'), Buffer.alloc(5 << 20, `${projects}`));
    writeFileSync(join(folder, 'data/small.txt'), `small ${projects}\n`);
    for (const args of [
      ['init'],
      ['remote', 'add', '-d', 'store', url],
      ['add', 'data'],
      ['stage', 'add', '-n', 'count', '-d', 'data', '-o', 'out', 'wc -c data/small.txt > out'],
    ]) {
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
    }
    return me;
  }

  test('over TLS with an authority of the user’s own; nothing that dag writes or says holds a secret', async () => {
    const env = { ...server.env, AWS_ENDPOINT_URL: front.endpoint, AWS_CA_BUNDLE: front.certificate };
    const me = await newProject(env, 's3://bucket/secrets');
    const said: Outcome[] = [];
    const dag = async (...args: string[]) => {
      const outcome = await me.dag(...args);
      said.push(outcome);
      return outcome;
    };
    expect(await dag('repro', '-v', '--timeline', 'trace.json')).toMatchObject({ status: 0 });
    for (const args of [
      ['push', '-v', '--run-cache'],
      ['status', '-c', '-v'],
      ['fsck', '-r', 'store', '-v'],
      ['doctor'],
    ]) {
      expect(await dag(...args)).toMatchObject({ status: 0 });
    }
    rmSync(join(me.folder, '.cache/packs'), { recursive: true, force: true });
    rmSync(join(me.folder, '.cache/objects'), { recursive: true, force: true });
    rmSync(join(me.folder, 'data'), { recursive: true });
    expect(await dag('pull', '-v', '--json', '--run-cache')).toMatchObject({ status: 0 });
    // Failures speak of what went wrong, with the server's own words.
    const wrong = openShell(me.folder, base, { ...env, AWS_SECRET_ACCESS_KEY: 'a-wrong-secret-key' });
    for (const args of [
      ['push', '-v'],
      ['fetch', '--json'],
      ['status', '-c'],
    ])
      said.push(await wrong.dag(...args));
    expect(said.slice(-3).map(({ status }) => status)).toEqual([3, 3, 3]);
    const session = { ...env, AWS_SESSION_TOKEN: 'a-session-token-of-mine' };
    said.push(await openShell(me.folder, base, session).dag('push', '-v'));

    const secrets = [...Object.values(server.env).slice(0, 2), 'a-wrong-secret-key', 'a-session-token-of-mine'];
    expect(secrets).toHaveLength(4);
    for (const { stdout, stderr } of said) for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
    const files = [...filesIn(me.folder), ...filesIn(join(server.folder, 'secrets'))];
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const secret of secrets) expect([file, bytes.includes(secret)]).toEqual([file, false]);
    }
  });

  test.each([
    ['{url: "s3://AKIAXXXXXXXXXXXXXXXX:hush-hush@bucket/x"}', "the URL of the remote 'store' holds credentials"],
    ['{url: s3://bucket, endpoint: "https://me:hush-hush@host"}', "the URL of the remote 'store' holds credentials"],
    ['{url: s3://bucket, secret_access_key: hush-hush}', "a secret can't stand in a file"],
    ['{url: s3://bucket, session_token: hush-hush}', "a secret can't stand in a file"],
  ])('in pipeline.yaml they are refused, with advice: %s', async (text, message) => {
    const me = await newProject(server.env);
    writeFileSync(join(me.folder, 'pipeline.yaml'), `remote: store\nremotes:\n  store: ${text}\ndata: [data]\n`);
    for (const verb of ['push', 'fetch']) {
      const { status, stdout, stderr } = await me.dag(verb);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toContain(message);
      expect(stderr).toContain('credentials belong in the environment or in a profile of the AWS configuration');
      expect(stderr.match(/^error/gm)).toHaveLength(1);
      expect(stderr).not.toContain('hush-hush');
    }
  });

  test('those that may only read: fetch works, push gives one clear error', async () => {
    const me = await newProject(server.env, 's3://bucket/shared');
    expect(await me.dag('push')).toMatchObject({ status: 0 });
    const reader = server.addUser('reader');
    const allow = (Action: string, Resource: string) => {
      return { Effect: 'Allow', Principal: { AWS: ['reader'] }, Action: [Action], Resource };
    };
    const Statement = [allow('s3:ListBucket', 'arn:aws:s3:::bucket'), allow('s3:GetObject', 'arn:aws:s3:::bucket/*')];
    const Policy = JSON.stringify({ Statement });
    await server.client.send(new PutBucketPolicyCommand({ Bucket: 'bucket', Policy }));
    const they = openShell(me.folder, base, { ...reader, AWS_ENDPOINT_URL: proxy.endpoint });
    rmSync(join(me.folder, '.cache/packs'), { recursive: true, force: true });
    rmSync(join(me.folder, '.cache/objects'), { recursive: true, force: true });
    expect(await they.dag('fetch')).toMatchObject({ status: 0 });
    expect(await they.dag('push')).toMatchObject({ status: 0, stdout: 'Everything is up to date.\n' });
    writeFileSync(join(me.folder, 'data/new.bin'), randomBytes(20_000_000));
    expect(await they.dag('add', 'data')).toMatchObject({ status: 0 });
    const { status, stdout, stderr } = await they.dag('push');
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^error: remote 'store' \(s3:\/\/bucket\/shared\): the credentials do not allow writing/m);
    expect(stderr.match(/^error/gm)).toHaveLength(1);
    expect(await they.dag('fetch')).toMatchObject({ status: 0 });
  });

  test('a profile that is not there, and a session of single sign-on that has run out, are said in words', async () => {
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...env } = server.env;
    const me = await newProject(env);
    const home = join(me.folder, '..');
    mkdirSync(join(home, '.aws/sso/cache'), { recursive: true });
    const session = 'sso_start_url = https://sso.invalid/start\nsso_region = us-east-1\nsso_registration_scopes = x\n';
    writeFileSync(
      join(home, '.aws/config'),
      `[sso-session team]\n${session}[profile team]\nsso_session = team\nsso_account_id = 1\nsso_role_name = r\n`,
    );
    const token = { accessToken: 'an-old-token', expiresAt: '2020-01-01T00:00:00Z', region: 'us-east-1' };
    const name = execFileSync('sha1sum', { input: 'team' }).toString().slice(0, 40);
    writeFileSync(join(home, `.aws/sso/cache/${name}.json`), JSON.stringify(token));
    const push = async (AWS_PROFILE: string) => await openShell(me.folder, home, { ...env, AWS_PROFILE }).dag('push');
    const absent = await push('nowhere');
    expect(absent.status).toBe(3);
    expect(absent.stderr).toContain('no credentials were found');
    expect(absent.stderr).toContain('nowhere');
    const old = await push('team');
    expect(old.status).toBe(3);
    expect(old.stderr).toContain('the credentials have run out');
    expect(old.stderr).toContain('aws sso login');
    expect(absent.stderr + old.stderr).not.toContain('an-old-token');
    expect(absent.stderr + old.stderr).not.toMatch(/^\s+at /m);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
