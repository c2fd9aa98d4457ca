import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempName } from '@dag/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LockHolder } from '../src/index.ts';
import { newProject, type Project, path } from './helpers.ts';

let project: Project;
beforeEach(() => {
  project = newProject();
});
afterEach(() => project.dispose());

const request = (read: string[], write: string[], purpose = 'test') => ({
  read: read.map(path),
  write: write.map(path),
  purpose,
});
const now = { wait: false };

test('readers share, a writer is alone with all that lies in or above its path', async () => {
  const { ws } = project;
  const a = await ws.acquire(request(['data'], []), now);
  const b = await ws.acquire(request(['data/x'], []), now);
  await expect(ws.acquire(request([], ['data/x/y']), now)).rejects.toMatchObject({ failure: { code: 'locked' } });
  a();
  b();
  const c = await ws.acquire(request([], ['data/x']), now);
  await expect(ws.acquire(request(['data'], []), now)).rejects.toThrow(/data is in use by process \d+ .*\(test\)/);
  const d = await ws.acquire(request([], ['data/xy']), now);
  expect(ws.holders()).toHaveLength(2);
  c();
  c();
  d();
  expect(readdirSync(join(project.root, '.cache/locks'))).toEqual([]);
});

test('a name is one holder’s at a time, whatever the paths', async () => {
  const { ws } = project;
  const a = await ws.acquire({ ...request([], ['a']), mutex: ['db', 'disk'] }, now);
  await expect(ws.acquire({ ...request([], ['b']), mutex: ['net', 'disk'] }, now)).rejects.toThrow(
    /^mutex 'disk' is in use by process \d+ .*\(test\)/,
  );
  const b = await ws.acquire({ ...request([], ['b']), mutex: ['net'] }, now);
  a();
  const c = await ws.acquire({ ...request([], ['c']), mutex: ['disk'] }, now);
  b();
  c();
});

test('who waits is told for whom, and gets its turn', async () => {
  const { ws } = project;
  const release = await ws.acquire(request([], ['m'], 'first'), now);
  const told: LockHolder[] = [];
  let got = false;
  const waiting = ws.acquire(request([], ['m'], 'second'), { wait: true, onWait: (holder) => told.push(holder) });
  const done = waiting.then((letGo) => {
    got = true;
    letGo();
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(got).toBe(false);
  expect(told).toMatchObject([{ purpose: 'first', pid: process.pid, write: ['m'] }]);
  release();
  await done;
  expect(readdirSync(join(project.root, '.cache/locks'))).toEqual([]);
});

test('waiting can be given up', async () => {
  const release = await project.ws.acquire(request([], ['m']), now);
  const stop = new AbortController();
  const waiting = project.ws.acquire(request([], ['m']), { wait: true, signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  release();
});

test('a dead holder, a half-written claim and a stranger file block nobody', async () => {
  const folder = join(project.root, '.cache/locks');
  mkdirSync(folder, { recursive: true });
  const dead = tempName('claim').replace(/-(\d+)-(\d+)-/, '-999999999-1-');
  const claim = { ticket: 1, host: 'h', pid: 999999999, purpose: 'p', since: '', read: [], write: ['m'] };
  writeFileSync(join(folder, `${dead}.json`), JSON.stringify(claim));
  writeFileSync(join(folder, `${tempName('claim')}.json`), '{"ticket": 1, "ho');
  writeFileSync(join(folder, 'stranger.json'), '{}');
  const release = await project.ws.acquire(request([], ['m']), now);
  release();
  expect(readdirSync(folder)).not.toContain(`${dead}.json`);
});
