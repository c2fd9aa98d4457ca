import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProjectPath } from '@dag/model';
import { parseLock } from '@dag/pipeline';
import { openStore } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runs, SEED } from '../fuzz.ts';
import { atCall } from '../rigs/at-call.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

// Every verb that changes files dies, or the disk is full, right before one of its calls that do; each of them, when
// `npm run fuzz` asks for many. Whatever verb comes next works, nothing is half there or lost, and what was left is swept.

const project = makeProject();
const library = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-killed-'));
const at = atCall(library);
afterAll(() => {
  fs.rmSync(library, { recursive: true });
  project.remove();
});

const LINKS = ['copy', 'hardlink', 'symlink'] as const;
type Link = (typeof LINKS)[number];

interface Case {
  readonly args: readonly string[];
  /** From a project whose second version of the data is committed to git, and in the workspace. */
  readonly prepare?: (project: TestProject, link: Link) => void;
  /** What git's history names may go from the cache: all but the second version. */
  readonly mayDropHistory?: true;
  /** Exit status of the verb when it is told to do again what it had done before it died. Default: 0. */
  readonly saysDone?: number;
  /** Exit status when nothing is in its way. Default: 0. */
  readonly status?: number;
  /** What ends it where it was killed; by default the verb itself. */
  readonly ended?: readonly string[];
  /** A path that the cache may lack. */
  readonly lacks?: string;
}

const big = (version: string): Buffer => Buffer.alloc(70_000, version);

/** Small files enough for a pack, some in folders, one that can be executed, a symlink, two large ones. */
function writeData(project: TestProject, version: string): void {
  const write = (file: string, content: string | Buffer): void => {
    fs.rmSync(project.path(file), { force: true });
    project.write(file, content);
  };
  for (let i = 0; i < 18; i++) write(`data/${i % 3}/f${i}`, i % 2 === 0 ? `${i} of ${version}` : `${i}`);
  write('data/run.sh', `echo ${version}`);
  fs.chmodSync(project.path('data/run.sh'), 0o755);
  write('data/big', big(version));
  write('one', big(`${version}1`));
  fs.rmSync(project.path('data/link'), { force: true });
  fs.symlinkSync(`0/f${version === '2' ? 0 : 3}`, project.path('data/link'));
}

const edit = (project: TestProject): void => writeData(project, '3');

function lockOf(project: TestProject, revision: string): void {
  project.git('checkout', '-q', revision, '--', 'pipeline.lock');
}

const CASES: Readonly<Record<string, Case>> = {
  add: { args: ['add', 'data', 'one'], prepare: edit },
  commit: { args: ['commit'], prepare: edit },
  'checkout of another version': { args: ['checkout'], prepare: (project) => lockOf(project, 'HEAD~1') },
  'checkout of another version, ended by repro': {
    args: ['checkout'],
    prepare: (project) => lockOf(project, 'HEAD~1'),
    ended: ['repro'],
  },
  'repro that follows git': { args: ['repro'], prepare: (project) => lockOf(project, 'HEAD~1') },
  'repro that records': { args: ['repro'], prepare: edit },
  'checkout of what is gone': {
    args: ['checkout'],
    prepare: (project) => {
      fs.rmSync(project.path('one'));
      fs.rmSync(project.path('data'), { recursive: true });
    },
  },
  'checkout --relink': {
    args: ['checkout', '--relink'],
    prepare: (project, link) => setLink(project, link === 'copy' ? 'hardlink' : 'copy'),
  },
  gc: { args: ['gc', '-w', '-f'], mayDropHistory: true },
  remove: { args: ['remove', 'data'], saysDone: 2 },
  'remove --outs': { args: ['remove', 'data', 'one', '--outs'], saysDone: 2 },
  move: { args: ['move', 'data', 'moved'], saysDone: 2 },
  unprotect: { args: ['unprotect', 'data', 'one'] },
  fsck: { args: ['fsck'], prepare: damage, status: 1, lacks: 'data/0/f0' },
};

function setLink(project: TestProject, link: Link): void {
  fs.mkdirSync(project.path('.cache'), { recursive: true });
  project.write('.cache/local.yaml', `cache: {link: [${link}]}\n`);
}

/** A copy of what is there already, in a pack that can't be read whole. */
function damage(project: TestProject): void {
  const packs = project.path('.cache/packs');
  for (const name of fs.readdirSync(packs)) {
    const file = path.join(packs, name);
    const bytes = fs.readFileSync(file);
    const found = bytes.indexOf('0 of 1');
    if (found === -1) continue;
    bytes[found] = 0x39;
    fs.chmodSync(file, 0o644);
    fs.writeFileSync(file, bytes);
    return;
  }
  throw new Error('no pack has it');
}

/** Content of all files below a folder, and where symlinks of the data lead to; not git's, nor the cache. */
function standing(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (folder: string): void => {
    for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (name === '.git' || name === '.cache') continue;
      const file = path.join(root, name);
      if (entry.isDirectory()) visit(name);
      else if (entry.name === 'link') found[name] = `-> ${fs.readlinkSync(file)}`;
      else
        found[name] = `${fs.statSync(file).mode & 0o100 ? 'x' : 'f'} ${fs.readFileSync(file, 'latin1').slice(0, 80)}`;
    }
  };
  visit('');
  return found;
}

/** How one case begins, and what it comes to when nothing stops it. */
interface Start extends Case {
  again(): void;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
  readonly calls: number;
  /** Locks that tell what the cache has to keep. */
  readonly locks: readonly string[];
}

const cp = (from: string, to: string): void => {
  fs.rmSync(to, { recursive: true, force: true });
  execFileSync('cp', ['-a', from, to]);
};

const copyOf = (what: string): string => path.join(project.home, what);

/** Two versions of the data, committed. */
async function makeHistory(link: Link): Promise<string[]> {
  fs.rmSync(project.root, { recursive: true });
  fs.mkdirSync(project.root);
  project.git('init', '-q', '-b', 'main');
  await run('init');
  setLink(project, link);
  const locks: string[] = [];
  for (const version of ['1', '2']) {
    writeData(project, version);
    await run('add', 'data', 'one');
    project.git('add', '-A');
    project.git('commit', '-qm', version);
    locks.push(project.read('pipeline.lock'));
  }
  cp(project.root, copyOf(link));
  return locks;
}

async function start(one: Case, link: Link, locks: readonly string[]): Promise<Start> {
  if ('why' in at) throw new Error(at.why);
  const { args, prepare, status = 0, mayDropHistory } = one;
  cp(copyOf(link), project.root);
  prepare?.(project, link);
  const before = standing(project.root);
  cp(project.root, copyOf('start'));
  const told = copyOf('calls');
  const ran = await project.dag(args, { env: at.count(told, project.root) });
  expect(ran.status, ran.stderr).toBe(status);
  return {
    ...one,
    again: () => cp(copyOf('start'), project.root),
    before,
    after: standing(project.root),
    calls: Number(fs.readFileSync(told, 'utf8')),
    locks: mayDropHistory === true ? locks.slice(1) : locks,
  };
}

async function run(...args: string[]): Promise<void> {
  const { status, stderr } = await project.dag(args);
  expect(status, `dag ${args.join(' ')}: ${stderr}`).toBe(0);
}

/** What `dag` writes itself, in turn: what comes next says whether that holds together. */
const OWN = ['.gitignore', 'pipeline.yaml', 'pipeline.lock'];

/** A file of the user's is what it was, or what it is to be; and what is to stay is there, or where it goes. */
function expectWhole({ before, after }: Start): void {
  const now = standing(project.root);
  for (const [file, content] of Object.entries(now)) {
    if (!OWN.includes(file)) expect([before[file], after[file]], file).toContain(content);
  }
  const there = new Set(Object.values(now));
  const stays = Object.entries(before).filter(([file]) => !OWN.includes(file));
  const all = new Set(Object.values(after));
  for (const [file, content] of stays) if (all.has(content)) expect(there.has(content), file).toBe(true);
}

/** The cache has all that the locks name, whole. */
function expectKept({ locks, lacks }: Start): void {
  const store = openStore({ dir: project.path('.cache') });
  try {
    for (const text of locks) {
      const lock = parseLock(text, 'pipeline.lock' as ProjectPath);
      if (!lock.ok) throw new Error('a lock that can not be read');
      for (const [name, artifact] of lock.value.data) {
        for (const { digest, path: inside } of store.objectsOf(artifact)) {
          const file = `${name}/${inside}`;
          if (file !== lacks) expect([file, store.check(digest)]).toEqual([file, undefined]);
        }
      }
    }
  } finally {
    store.close();
  }
}

/** Nothing in the cache is damaged, and nothing is left over once someone has taken a lock. */
async function expectClean(): Promise<void> {
  const store = openStore({ dir: project.path('.cache') });
  const workspace = openWorkspace({ root: project.root, store, threads: 0 });
  const release = await workspace.acquire({ read: [], write: ['one' as ProjectPath], purpose: 'test' }, { wait: true });
  release();
  expect(await store.checkAll()).toMatchObject({ damaged: [], packs: [] });
  await workspace.close();
  store.close();
  const folders = ['tmp', 'users', 'locks', 'running'].map((name) => `.cache/${name}`);
  const there = folders.filter((name) => project.exists(name));
  const inside = there.flatMap((name) => fs.readdirSync(project.path(name)).map((one) => `${name}/${one}`));
  expect([...inside, ...fs.readdirSync(project.root).filter((name) => name.startsWith('.dag-'))]).toEqual([]);
}

const TRACE = /\n\s+at |please report/;

/**
 * The verb again: what it comes to is what it would have come to at once. One that says that it was done already leaves what
 * it had still to write in its own files to the next that writes them.
 */
async function expectDone({ args, ended, saysDone, status = 0, after }: Start, name: string): Promise<void> {
  const ran = await project.dag(ended ?? args);
  expect([0, status, saysDone], `${name}: ${ran.stderr}`).toContain(ran.status);
  expect(ran.stderr).not.toMatch(TRACE);
  const isTheirs = ([file]: [string, string]): boolean => ran.status !== saysDone || !OWN.includes(file);
  const now = Object.entries(standing(project.root)).filter(isTheirs);
  expect(Object.fromEntries(now), name).toEqual(Object.fromEntries(Object.entries(after).filter(isTheirs)));
}

/** Verbs that leave the workspace as it is. */
const NEXT = [['status'], ['gc', '-A', '-f'], ['fsck'], ['doctor'], ['diff']] as const;

/** Numbers of calls: few of them in a fast run, and the first and last among them. */
function chosen(calls: number, count: number, salt: string): number[] {
  const wanted = Math.min(calls, count);
  let state = [...salt].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, SEED);
  const numbers = new Set<number>();
  while (numbers.size < wanted) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    numbers.add(1 + ((state >>> 8) % calls));
  }
  return [...numbers];
}

describe.each(LINKS)('%s', (link) => {
  let locks: string[] = [];
  beforeAll(async () => {
    locks = await makeHistory(link);
  });

  test.for(Object.entries(CASES))('%s', { timeout: runs(600_000) }, async ([name, one], context) => {
    if ('why' in at) return context.skip(at.why);
    const begun = await start(one, link, locks);
    const check = (): void => {
      expectWhole(begun);
      expectKept(begun);
    };
    for (const [i, call] of chosen(begun.calls, runs(3), name + link).entries()) {
      begun.again();
      const died = await project.dag(one.args, { env: at.die(call, project.root) });
      // Threads and timers make the number of calls differ a little.
      if (died.signal === null) expect(call).toBeGreaterThan(begun.calls / 2);
      check();
      const next = NEXT[(i + call) % NEXT.length] ?? [];
      const came = await project.dag(next);
      expect([0, next[0] === 'fsck' ? (one.status ?? 0) : 0], `${call}: ${next[0]}: ${came.stderr}`).toContain(
        came.status,
      );
      expect(came.stderr).not.toMatch(TRACE);
      check();
      await expectDone(begun, `killed at ${call}, then ${next[0]}, and again`);
      expectKept(begun);
      await expectClean();
    }
    for (const call of chosen(begun.calls, runs(1), link + name)) {
      begun.again();
      const full = await project.dag(one.args, { env: at.full(call, project.root) });
      const text = full.stdout + full.stderr;
      expect(text).not.toMatch(TRACE);
      if (full.status !== (one.status ?? 0)) {
        expect({ call, status: full.status, text }).toMatchObject({
          status: expect.toBeOneOf([1, 3]),
          text: expect.stringContaining('the disk is full'),
        });
      }
      check();
      await expectDone(begun, `full at ${call}, and again`);
      expectKept(begun);
      await expectClean();
    }
  });
});
