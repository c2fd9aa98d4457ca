import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectClosed } from '../../packages/remote/test/support.ts';
import { openShell } from '../rigs/dag.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-gc-cloud-')));
let server: S3Server | undefined;
beforeAll(async () => {
  if (missingS3() === undefined) server = await startS3();
});
afterAll(async () => {
  await server?.remove();
  rmSync(base, { recursive: true, force: true });
});

/** A project with two versions of its data pushed, of which the workspace has the second. */
async function twoVersions(name: string, url: string, env: Record<string, string>) {
  const folder = join(base, name);
  mkdirSync(join(folder, 'data'), { recursive: true });
  const shell = openShell(folder, base, env);
  const dag = async (...args: string[]) => {
    const done = await shell.dag(...args);
    expect(done).toMatchObject({ status: 0 });
    return done.stdout;
  };
  await shell.run('git', 'init', '-q');
  await dag('init');
  await dag('remote', 'add', '-d', 'store', url);
  const version = async (text: string) => {
    writeFileSync(join(folder, 'data', 'a'), `a ${text}`);
    writeFileSync(join(folder, 'data', 'same'), 'the same');
    await dag('add', 'data');
    await shell.run('git', 'add', '.');
    await shell.run('git', 'commit', '-q', '-m', text);
    await dag('push');
  };
  await version('one');
  await version('two');
  return { folder, shell, dag, clones: { folder, env } };
}

interface Clones {
  readonly folder: string;
  readonly env: Record<string, string>;
}

/** Whether a fresh clone gets all of a revision. */
async function hasAll({ folder, env }: Clones, revision: string): Promise<boolean> {
  const clone = join(base, `clone-${readdirSync(base).length}`);
  await openShell(folder, base, env).run('git', 'clone', '-q', folder, clone);
  const there = openShell(clone, base, env);
  await there.run('git', 'checkout', '-q', revision);
  return (await there.dag('pull')).status === 0;
}

describe.each(['folder', 'S3'])('gc -c, %s', (kind) => {
  beforeEach((context) => {
    if (kind === 'S3') needS3(context);
  });
  const placeOf = (name: string) =>
    kind === 'folder'
      ? { url: join(base, `store-${name}`), env: {}, files: join(base, `store-${name}`) }
      : { url: `s3://${server?.bucket}/${name}`, env: { ...server?.env }, files: join(server?.folder ?? '', name) };

  test('shows paths and sizes, marks, keeps what the scope names, and --dry changes nothing', async () => {
    const { url, env, files } = placeOf('plain');
    const { clones, shell, dag } = await twoVersions(`plain-${kind}`, url, env);
    const before = readdirSync(join(files, 'index')).sort();
    expect(await dag('gc', '-w', '-c', '--dry')).toMatch(/^ +5 B {2}to mark {2}data\/a {2}\([0-9a-f]{7}\)$/m);
    expect(readdirSync(join(files, 'index')).sort()).toEqual(before);
    expect(await dag('gc', '-A', '-c', '--dry')).toContain('store: nothing to remove; 5 objects');
    const asked = await shell.dag('gc', '-w', '-c');
    expect(asked).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing was removed') });
    const done = await dag('gc', '-w', '-c', '-f');
    expect(done).toMatch(/^store: 2 objects, \d+ B, marked; 3 objects, \d+ B, stay\.$/m);
    expect(done).toMatch(/^What is marked goes with a 'dag gc -c' from .* UTC on\.$/m);
    expect(await dag('status', '-c')).toBe('Everything is up to date.\n');
    await expectClosed(files);
    expect(await hasAll(clones, 'HEAD')).toBe(true);
    expect(await hasAll(clones, 'HEAD~1')).toBe(true);
    const again = JSON.parse((await dag('gc', '-w', '-c', '-f', '--json')).trim().split('\n').at(-1) ?? '');
    expect(again).toMatchObject({ event: 'summary', remotes: [{ remote: 'store', waiting: { objects: 2 } }] });
  });

  test('a scope of commits keeps what they name, and what is marked comes back with it', async () => {
    const { url, env, files } = placeOf('scope');
    const { clones, dag } = await twoVersions(`scope-${kind}`, url, env);
    await dag('gc', '-w', '-c', '-f');
    expect(await dag('gc', '-A', '-c', '-f')).toMatch(/store: nothing to remove; 5 objects/);
    expect(await hasAll(clones, 'HEAD~1')).toBe(true);
    await expectClosed(files);
  });

  test('a remote that is not there ends it before anything is removed anywhere', async () => {
    const { url, env } = placeOf('gone');
    const { dag, shell } = await twoVersions(`gone-${kind}`, url, env);
    const nowhere = kind === 'folder' ? join(base, 'nowhere') : 's3://no-such-bucket/x';
    await dag('remote', 'add', '--local', 'gone', nowhere);
    const ended = await shell.dag('gc', '-w', '-c', '-r', 'gone', '-f');
    expect(ended).toMatchObject({ status: 3, stderr: expect.stringMatching(/there is no such (folder|bucket)/) });
    expect(await dag('gc', '-w', '--dry')).toMatch(/^2 objects would be removed/m);
    expect(await shell.dag('gc', '-w', '-c', '-r', 'unheard-of', '-f')).toMatchObject({ status: 2 });
  });

  test('--not-in-remote frees what the remote has, and nothing else', async () => {
    const { url, env } = placeOf('free');
    const { folder, dag } = await twoVersions(`free-${kind}`, url, env);
    writeFileSync(join(folder, 'new'), 'not pushed');
    await dag('add', 'new');
    // The other version is not needed, and 3 objects of this one are in the remote.
    expect(await dag('gc', '-w', '--not-in-remote', '-f')).toMatch(/^5 objects removed, .*; 1 object, 10 B, stay\.$/m);
    rmSync(join(folder, 'data'), { recursive: true });
    expect(await dag('pull')).toContain('A  data');
    expect(await dag('gc', '-w', '--dry')).toMatch(/^Nothing to remove; 4 objects/m);
  });
});

test('without -c or --not-in-remote there is no -r, and both together are refused', async () => {
  const { shell } = await twoVersions('flags', join(base, 'store-flags'), {});
  expect(await shell.dag('gc', '-w', '-r', 'store')).toMatchObject({ status: 2 });
  expect(await shell.dag('gc', '-w', '-c', '--not-in-remote', '-f')).toMatchObject({ status: 2 });
});

test('remotes of single outs are collected too, and what an out needs is kept in any of them', async () => {
  const { folder, clones, shell, dag } = await twoVersions('own', join(base, 'store-own'), {});
  await dag('remote', 'add', 'own', join(base, 'store-of-its-own'));
  writeFileSync(join(folder, 'model'), 'model one');
  await dag('add', '-r', 'own', 'model');
  await dag('push');
  writeFileSync(join(folder, 'model'), 'model two!');
  await dag('add', 'model');
  await dag('push');
  const done = await dag('gc', '-w', '-c', '-f');
  expect(done).toMatch(/^store: 2 objects, .* marked; 3 objects, .* stay\.$/m);
  expect(done).toMatch(/^own: 1 object, 9 B, marked; 1 object, 10 B, stay\.$/m);
  await shell.run('git', 'add', '.');
  await shell.run('git', 'commit', '-q', '-m', 'model');
  expect(await hasAll(clones, 'HEAD')).toBe(true);
});

test('credentials that may only read: exit 3, and nothing is removed here either', async (context) => {
  needS3(context);
  if (server === undefined) return;
  const { dag, folder } = await twoVersions('readonly', `s3://${server.bucket}/readonly`, { ...server.env });
  const reader = server.addUser('gcreader');
  const resource = `arn:aws:s3:::${server.bucket}`;
  const allow = { Effect: 'Allow', Principal: { AWS: ['gcreader'] } };
  const Policy = JSON.stringify({
    Statement: [
      { ...allow, Action: ['s3:ListBucket'], Resource: resource },
      { ...allow, Action: ['s3:GetObject'], Resource: `${resource}/*` },
    ],
  });
  await server.client.send(new PutBucketPolicyCommand({ Bucket: server.bucket, Policy }));
  const refused = await openShell(folder, base, { ...reader }).dag('gc', '-w', '-c', '-f');
  expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining('the credentials do not allow writing') });
  expect(await dag('gc', '-w', '--dry')).toMatch(/^2 objects would be removed/m);
});

test('what was marked a day ago is deleted, and packs with it', async () => {
  const files = join(base, 'store-day');
  const { folder, clones, dag } = await twoVersions('day', files, {});
  await dag('gc', '-w', '-c', '-f');
  // A storage whose clock is a day and an hour ahead: the marker is put again to ask for its time.
  const early = new Date(Date.now() - 25 * 3600 * 1000);
  for (const file of readdirSync(join(files, 'index'))) utimesSync(join(files, 'index', file), early, early);
  const ahead = join(base, 'ahead.cjs');
  writeFileSync(ahead, AHEAD);
  const later = openShell(folder, base, { NODE_OPTIONS: `--require ${ahead}` });
  const done = await later.dag('gc', '-w', '-c', '-f');
  expect(done).toMatchObject({ status: 0 });
  expect(done.stdout).toMatch(/^store: 2 objects, .*, deleted: 1 pack, .*; 3 objects, .*, stay\.$/m);
  expect(await hasAll(clones, 'HEAD')).toBe(true);
  expect(await hasAll(clones, 'HEAD~1')).toBe(false);
  await expectClosed(files);
});

/** Gives a process the time of the day after tomorrow, and files that it touches too. */
const AHEAD = `
const fs = require('node:fs/promises');
const ahead = 25 * 3600 * 1000;
const now = Date.now;
Date.now = () => now() + ahead;
const stat = fs.stat;
fs.stat = async (path, ...rest) => {
  const info = await stat(path, ...rest);
  if (String(path).endsWith('dag-remote.json')) Object.defineProperty(info, 'mtimeMs', { value: info.mtimeMs + ahead });
  return info;
};
require('node:module').syncBuiltinESMExports();
`;
