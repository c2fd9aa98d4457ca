import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Artifact, type Digest, unreachable } from '@dag/model';
import { hashBytes } from '@dag/store';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import type { LinkStrategy, Workspace } from '../src/index.ts';
import { newProject, type Project, path } from './helpers.ts';

// Long histories of one folder whose files are links into the cache, now of this kind and now of that: whatever the user does
// to them as links are meant to be used, every object stays whole, and every file holds what was last put there.

type Step =
  /** A new file takes the name, as editors do it. */
  | { readonly do: 'replace'; readonly name: string; readonly content: number; readonly byRename: boolean }
  /** Some bytes in the middle are written: straight away where nothing is a link, else after `unprotect`. */
  | { readonly do: 'edit'; readonly name: string }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'commit' }
  | { readonly do: 'checkout'; readonly which: number; readonly force: boolean; readonly relink: boolean }
  | { readonly do: 'unprotect'; readonly name: string | undefined }
  | { readonly do: 'link'; readonly strategy: LinkStrategy }
  | { readonly do: 'gc'; readonly keep: readonly boolean[] };

/** Where syncs cost nothing: there are thousands. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const LARGE = 70_000;
const NAMES = ['a', 'b', 'in/a', 'in/deep/c'];
const name = fc.constantFrom(...NAMES);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('replace' as const),
      name,
      content: fc.nat(5),
      byRename: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('edit' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 4, arbitrary: fc.constant({ do: 'commit' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('checkout' as const),
      which: fc.nat(9),
      force: fc.boolean(),
      relink: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unprotect' as const), name: fc.option(name, { nil: undefined }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('link' as const),
      strategy: fc.constantFrom('reflink' as const, 'hardlink' as const, 'symlink' as const, 'copy' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('gc' as const),
      keep: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
    }),
  },
);

/** Odd ones are large enough to be linked. */
function contentOf(i: number): Buffer {
  return Buffer.alloc(i % 2 === 0 ? 20 : LARGE, `content ${i} `);
}

interface Version {
  readonly artifact: Artifact;
  readonly files: Readonly<Record<string, Buffer>>;
}

class World {
  readonly project: Project;
  #ws: Workspace;
  #link: LinkStrategy;
  #versions: Version[] = [];
  /** What the folder holds. */
  #now: Record<string, Buffer> = {};
  /** The version that the folder holds, where nothing was changed since. */
  #at: Version | undefined;
  #edits = 0;

  constructor(link: LinkStrategy) {
    this.project = newProject({ link: [link, 'copy'] }, MEMORY);
    this.#ws = this.project.ws;
    this.#link = link;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case 'replace': {
        const bytes = contentOf(step.content);
        const file = this.#path(step.name);
        mkdirSync(join(file, '..'), { recursive: true });
        if (step.byRename) {
          writeFileSync(`${file}~`, bytes);
          renameSync(`${file}~`, file);
        } else {
          rmSync(file, { force: true });
          writeFileSync(file, bytes);
        }
        this.#changed({ ...this.#now, [step.name]: bytes });
        return;
      }
      case 'edit': {
        const before = this.#now[step.name];
        if (before === undefined) return;
        const stats = lstatSync(this.#path(step.name));
        if (stats.isSymbolicLink() || stats.nlink > 1) await this.#ws.unprotect([path(`data/${step.name}`)]);
        const bytes = Buffer.from(before);
        const text = `edit ${this.#edits++}`;
        bytes.write(text, 3);
        const fd = openSync(this.#path(step.name), 'r+');
        writeSync(fd, text, 3);
        closeSync(fd);
        this.#changed({ ...this.#now, [step.name]: bytes.subarray(0, before.length) });
        return;
      }
      case 'remove': {
        rmSync(this.#path(step.name), { force: true });
        const { [step.name]: _, ...rest } = this.#now;
        this.#changed(rest);
        return;
      }
      case 'commit': {
        mkdirSync(this.#path(''), { recursive: true });
        const artifact = (await this.#ws.commit([path('data')])).get(path('data')) as Artifact;
        this.#at = { artifact, files: this.#now };
        this.#versions.push(this.#at);
        this.#checkLinks(true);
        return;
      }
      case 'checkout': {
        const version = this.#versions[step.which % this.#versions.length];
        if (version === undefined) return;
        const { force, relink } = step;
        const { store } = this.project;
        const wanted = new Set(Object.values(version.files).map(hashBytes));
        const isSaved = (bytes: Buffer): boolean => store.has(hashBytes(bytes)) || wanted.has(hashBytes(bytes));
        const unsaved = Object.keys(this.#now).filter((name) => !isSaved(this.#now[name] as Buffer));
        const report = await this.#ws.checkout([{ path: path('data'), artifact: version.artifact }], { force, relink });
        expect(report).toMatchObject({ failed: [], missing: [] });
        expect([...report.refused].sort()).toEqual(force ? [] : unsaved.map((one) => `data/${one}`).sort());
        if (report.refused.length > 0) return;
        this.#now = { ...version.files };
        this.#at = version;
        if (relink) this.#checkLinks(false);
        return;
      }
      case 'unprotect': {
        const wanted = step.name === undefined ? 'data' : `data/${step.name}`;
        await this.#ws.unprotect([path(wanted)]);
        for (const name of Object.keys(this.#now)) {
          if (step.name !== undefined && step.name !== name) continue;
          const stats = lstatSync(this.#path(name));
          expect([stats.isSymbolicLink(), stats.nlink, stats.mode & 0o200]).toEqual([false, 1, 0o200]);
        }
        return;
      }
      case 'link':
        this.#link = step.strategy;
        this.#ws = this.project.reopen({ link: [step.strategy, 'copy'] });
        return;
      case 'gc': {
        // As the program has it, what symlinks lead to stays: the version that is in place stands for it here.
        const kept = this.#versions.filter((one, i) => one === this.#at || step.keep[i % step.keep.length] === true);
        if (this.#at === undefined) return;
        const live = new Set<Digest>();
        for (const { artifact } of kept) {
          for (const { digest } of this.project.store.objectsOf(artifact)) live.add(digest);
        }
        const collector = this.project.store.announceGc();
        await this.project.store.applyGc(this.project.store.planGc(live, collector.since));
        collector.end();
        this.#versions = kept;
        return;
      }
      default:
        unreachable(step);
    }
  }

  /** Every object is whole; every file holds what it should, by every way of looking. */
  async check(): Promise<void> {
    for (const { digest } of this.project.store.list()) expect(this.project.store.check(digest)).toBeUndefined();
    expect(digests(filesIn(this.#path('')))).toEqual(digests(this.#now));
    const fresh = this.project.reopen({ statCache: false });
    expect(await this.#ws.observe([path('data')])).toEqual(await fresh.observe([path('data')]));
    await fresh.close();
    if (this.#at !== undefined) {
      expect((await this.#ws.observe([path('data')])).get(path('data'))).toEqual(this.#at.artifact);
    }
  }

  #changed(now: Record<string, Buffer>): void {
    this.#now = now;
    this.#at = undefined;
  }

  /** Large files are links of the strategy that is set; after a commit they may be links of the other kind still. */
  #checkLinks(afterCommit: boolean): void {
    for (const [name, bytes] of Object.entries(this.#now)) {
      const stats = lstatSync(this.#path(name));
      if (bytes.length < LARGE) continue;
      if (this.#link === 'symlink') expect(stats.isSymbolicLink()).toBe(true);
      if (this.#link === 'hardlink') expect(stats.isSymbolicLink() ? 2 : stats.nlink).toBeGreaterThan(1);
      if (afterCommit) continue;
      if (this.#link === 'reflink' || this.#link === 'copy') {
        expect([stats.isSymbolicLink(), stats.nlink, stats.mode & 0o200]).toEqual([false, 1, 0o200]);
      }
    }
  }

  #path(name: string): string {
    return join(this.project.root, 'data', name);
  }
}

function digests(files: Readonly<Record<string, Buffer>>): Record<string, Digest> {
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, hashBytes(bytes)]));
}

/** Files by path; links are followed. */
function filesIn(folder: string): Record<string, Buffer> {
  const found: Record<string, Buffer> = {};
  const visit = (at: string, shown: string): void => {
    for (const name of readdirSync(at)) {
      const [file, inner] = [join(at, name), shown === '' ? name : `${shown}/${name}`];
      if (statSync(file).isDirectory()) visit(file, inner);
      else found[inner] = readFileSync(file);
    }
  };
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) visit(folder, '');
  return found;
}

let world: World | undefined;
afterEach(() => world?.project.dispose());

describe.each(['reflink', 'hardlink', 'symlink'] as const)('link %s', (link) => {
  test('no use of links reaches the cache, whatever is linked, edited, taken back and collected', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
        world = new World(link);
        for (const name of NAMES)
          await world.do({ do: 'replace', name, content: NAMES.indexOf(name), byRename: false });
        await world.do({ do: 'commit' });
        for (const one of steps) {
          await world.do(one);
          await world.check();
        }
        await world.project.dispose();
      }),
      { numRuns: runs(15), endOnFailure: true },
    );
  });
});
