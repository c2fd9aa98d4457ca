import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact, Digest } from '@dag/model';
import { openStore } from '@dag/store';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runs, SEED } from '../../../test/fuzz.ts';
import { mountDisk } from '../../../test/rigs/disk.ts';
import { buildChild, removeChild, startChild } from './child/build.ts';
import { commitOne, listing, newProject, type Project, path } from './helpers.ts';

beforeAll(buildChild);
afterAll(removeChild);
let project: Project;
afterEach(() => project.dispose());

const at = (file: string): string => join(project.root, file);

function fillData(version: string, count = 1800): void {
  rmSync(at('data'), { recursive: true, force: true });
  for (let folder = 0; folder < 3; folder++) mkdirSync(at(`data/${folder}`), { recursive: true });
  for (let i = 0; i < count; i++) writeFileSync(at(`data/${i % 3}/${i}`), `${version} ${i}`);
  for (let i = 0; i < 3; i++) writeFileSync(at(`data/large-${i}`), randomBytes(150_000));
}

/** Every object of an artifact, read and verified by a store that knows nothing yet. */
function expectWhole(artifact: Artifact): void {
  const store = openStore({ dir: at('.cache') });
  const bad: string[] = [];
  for (const { digest } of store.objectsOf(artifact, (failure) => bad.push(failure.reason))) {
    if (store.check(digest) !== undefined) bad.push(digest);
  }
  store.close();
  expect(bad).toEqual([]);
}

/** A moment of `most` milliseconds for each round: from the first to the last, in a mixed order. */
function moment(round: number, rounds: number, most: number): number {
  return (((round * 7) % rounds) / Math.max(1, rounds - 1)) * most;
}

async function killAfter(ms: number, ...args: string[]): Promise<string> {
  const child = startChild(...args);
  await child.printed('started');
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.process.kill('SIGKILL');
  return child.ended;
}

/** What lies in the cache's folder for work under way, which a process killed early never made. */
const leftovers = (): string[] => (existsSync(at('.cache/tmp')) ? readdirSync(at('.cache/tmp')) : []);

describe('kill -9 at any moment', { timeout: 600_000 * runs(1) }, () => {
  test('of commit: what was committed is whole, what was not is no harm, the next commit works', async () => {
    project = newProject();
    fillData('first');
    const first = await commitOne(project.ws, 'data');
    const rounds = runs(12);
    for (let round = 0; round < rounds; round++) {
      fillData(`round ${round}`, 600 + 150 * (round % 12));
      const before = listing(at('data'));
      const printed = await killAfter(moment(round, rounds, 250), 'commit', project.root, 'data');
      const ws = project.reopen();
      ws.recover();
      expect(leftovers()).toEqual([]);
      expect(listing(at('data'))).toEqual(before);
      const reported = /^\[.*$/m.exec(printed)?.[0];
      if (reported !== undefined) expectWhole((JSON.parse(reported) as [string, Artifact][])[0]?.[1] as Artifact);
      expectWhole(await commitOne(ws, 'data'));
    }
    expectWhole(first);
  });

  test('of checkout: every file is whole, and the next checkout finishes the work', async () => {
    project = newProject();
    fillData('one');
    const one = await commitOne(project.ws, 'data');
    fillData('two');
    const two = await commitOne(project.ws, 'data');
    const both = [one, two].map((artifact) => JSON.stringify(artifact));
    const rounds = runs(8);
    for (let round = 0; round < rounds; round++) {
      if (round % 4 === 0) rmSync(at('data'), { recursive: true, force: true });
      await killAfter(moment(round, rounds, 400), 'checkout', project.root, ...both);
      const ws = project.reopen();
      ws.recover();
      expect(leftovers()).toEqual([]);
      const wanted = round % 2 === 0 ? one : two;
      expect(await ws.checkout([{ path: path('data'), artifact: wanted }])).toMatchObject({ failed: [], refused: [] });
      const trusting = (await ws.observe([path('data')])).get(path('data'));
      const hashing = (await project.reopen({ statCache: false }).observe([path('data')])).get(path('data'));
      expect([trusting, hashing]).toEqual([wanted, wanted]);
    }
  });

  test('while outs are set aside: recover brings them back', async () => {
    project = newProject();
    fillData('old', 20);
    const before = listing(at('data'));
    const rounds = runs(20);
    for (let round = 0; round < rounds; round++) {
      await killAfter(moment(round, rounds, 60), 'aside', project.root);
      project.reopen().recover();
      expect(listing(at('data'))).toEqual(before);
      expect(leftovers()).toEqual([]);
    }
    expect(project.ws.recover()).toEqual([]);
  });
});

describe('set aside', () => {
  test('put back, discard, and what is in use by a living process', async () => {
    project = newProject();
    project.write('data/a', 'old');
    const first = project.ws.setAside([path('data'), path('absent')]);
    expect(existsSync(at('data'))).toBe(false);
    expect(project.reopen().recover()).toEqual([]);
    project.write('data/a', 'new');
    project.write('absent', 'made');
    first.putBack();
    first.discard();
    expect(project.read('data/a')).toBe('old');
    expect(existsSync(at('absent'))).toBe(false);
    const second = project.ws.setAside([path('data')]);
    project.write('data/a', 'new');
    second.discard();
    second.putBack();
    expect(project.read('data/a')).toBe('new');
    expect(leftovers()).toEqual([]);
  });
});

test('a damaged page of the stat cache costs one run at most, and never gives a wrong answer', async () => {
  project = newProject();
  fillData('data', 600);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const wanted = await commitOne(project.ws, 'data');
  await project.ws.close();
  const file = at('.cache/stat/stat-1.mdb');
  const good = readFileSync(file);
  for (let round = 0; round < runs(6); round++) {
    const bytes = Buffer.from(good);
    for (let i = 0; i < 20; i++) {
      const at = createHash('sha256').update(`${SEED} ${round} ${i}`).digest();
      bytes[8192 + (at.readUInt32LE() % (bytes.length - 8192))] = at.readUInt8(4);
    }
    writeFileSync(file, bytes);
    let crashes = 0;
    for (let run = 0; run < 3; run++) {
      const text = await startChild('commit', project.root, 'data').ended.catch(() => undefined);
      if (text === undefined) crashes += 1;
      else expect(JSON.parse(text.split('\n')[1] as string)).toEqual([['data', wanted]]);
    }
    expect(crashes).toBeLessThan(2);
  }
});

describe('processes at once', () => {
  test('they commit the same and different things into one cache', async () => {
    project = newProject();
    fillData('shared', 900);
    execFileSync('cp', ['-r', at('data'), at('same')]);
    project.write('other/a', 'alone');
    const children = [['data'], ['same'], ['other'], ['data', 'other']].map((words) =>
      startChild('commit', project.root, ...words),
    );
    const texts = await Promise.all(children.map((child) => child.ended));
    const digests = new Map<string, Set<Digest>>();
    for (const text of texts) {
      for (const [name, artifact] of JSON.parse(text.split('\n')[1] as string) as [string, Artifact][]) {
        expectWhole(artifact);
        const key = name === 'same' ? 'data' : name;
        digests.set(key, (digests.get(key) ?? new Set()).add(artifact.digest));
      }
    }
    expect([...digests.values()].map((set) => set.size)).toEqual([1, 1]);
  });

  test('a lock is held by one at a time', async () => {
    project = newProject();
    writeFileSync(at('counter'), '0');
    await Promise.all([1, 2, 3, 4].map(() => startChild('count', project.root, '12').ended));
    expect(readFileSync(at('counter'), 'utf8')).toBe('48');
    expect(readdirSync(at('.cache/locks'))).toEqual([]);
  });

  test('a killed holder lets go', async () => {
    project = newProject();
    const child = startChild('hold', project.root);
    await child.printed('held');
    const request = { read: [path('m')], write: [], purpose: 'test' };
    await expect(project.ws.acquire(request, { wait: false })).rejects.toThrow(/holding/);
    const waiting = project.ws.acquire(request, { wait: true });
    child.process.kill('SIGKILL');
    await child.ended;
    (await waiting)();
  });
});

test('a full disk: said in words, nothing half-written stays, and it works when there is room', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'dag-full-'));
  const disk = mountDisk(folder, 4 << 20);
  project = newProject({}, folder);
  if (disk.why !== undefined) return context.skip(disk.why);
  try {
    project.write('keep', 'kept');
    const kept = await commitOne(project.ws, 'keep');
    project.write('data/large', randomBytes(2_500_000));
    for (let i = 0; i < 40; i++) project.write(`data/${i}`, `small ${i}`);
    await expect(project.ws.commit([path('data')])).rejects.toMatchObject({
      failure: { code: 'io', message: expect.stringContaining('the disk is full') },
    });
    expect(leftovers()).toEqual([]);
    writeFileSync(at('data/large'), randomBytes(1_000_000));
    const artifact = await commitOne(project.ws, 'data');
    expectWhole(artifact);
    expectWhole(kept);
    project.write('filler', randomBytes(1_400_000));
    rmSync(at('data'), { recursive: true });
    project.write('more', Buffer.alloc(1_000_000));
    await expect(project.ws.checkout([{ path: path('data'), artifact }])).rejects.toThrow(/the disk is full/);
    expect(existsSync(at('data'))).toBe(false);
    expect(leftovers()).toEqual([]);
    rmSync(at('filler'));
    expect(await project.ws.checkout([{ path: path('data'), artifact }])).toMatchObject({
      added: ['data'],
      failed: [],
    });
  } finally {
    await project.dispose();
    disk.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
});
