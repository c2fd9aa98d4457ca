import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** Puts down what another writer would have. */
function foreignClaim(ticket: number, write: string[]): string {
  const folder = join(project.root, '.cache/locks');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${tempName('claim')}.json`);
  const claim = { ticket, host: 'h', pid: process.pid, purpose: `ticket ${ticket}`, since: '', read: [], write };
  writeFileSync(file, JSON.stringify(claim));
  return file;
}

const tickets = (): number[] =>
  readdirSync(join(project.root, '.cache/locks'))
    .map((name) => JSON.parse(readFileSync(join(project.root, '.cache/locks', name), 'utf8')) as { ticket: number })
    .map(({ ticket }) => ticket)
    .sort((a, b) => a - b);

test('a claim that finds a higher one in its way goes behind it; one that is in nobody’s way stays', async () => {
  const held = foreignClaim(50, ['m']);
  const aside = await project.ws.acquire(request([], ['other']), now);
  expect(tickets()).toEqual([1, 50]);
  aside();
  const told: string[] = [];
  const waiting = project.ws.acquire(request(['m'], []), { wait: true, onWait: ({ purpose }) => told.push(purpose) });
  expect(tickets()).toEqual([50, 51]);
  expect(told).toEqual(['ticket 50']);
  rmSync(held);
  (await waiting)();
  expect(tickets()).toEqual([]);
});

test('a claim in its way that has no ticket yet is waited for', async () => {
  const choosing = foreignClaim(0, ['m']);
  let got = false;
  const waiting = project.ws.acquire(request([], ['m']), { wait: true }).then((release) => {
    got = true;
    return release;
  });
  await expect(project.ws.acquire(request([], ['m']), now)).rejects.toThrow('in use');
  expect(got).toBe(false);
  rmSync(choosing);
  (await waiting)();
});

test('claims of one process have rising tickets', async () => {
  const releases: (() => void)[] = [];
  for (let i = 0; i < 5; i++) releases.push(await project.ws.acquire(request([], [`p${i}`]), now));
  expect(tickets()).toEqual([1, 2, 3, 4, 5]);
  for (const release of releases) release();
  const again = await project.ws.acquire(request([], ['p0']), now);
  expect(tickets()).toEqual([6]);
  again();
});

test('a claim with a ticket that can be none blocks nobody', async () => {
  for (const ticket of [-1, 0.5, 2 ** 60, Number.MAX_VALUE]) foreignClaim(ticket, ['m']);
  (await project.ws.acquire(request([], ['m']), now))();
});
