import fs from 'node:fs';
import path from 'node:path';
import { type Digest, encodeTree, type TreeEntry } from '@dag/model';
import { hashBytes, hashText, openStore } from '@dag/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

// Random histories of projects that share one cache, and an oracle that never asks the program what it keeps: it knows
// what was written, makes the digests of files and folders itself, and holds after each gc that the cache has exactly
// those that something reaches.

/** Paths inside the tracked folder and what they hold: an index into `contentOf`. */
type Files = Readonly<Record<string, number>>;

/** What a revision tracks. */
interface Snapshot {
  readonly data: Files | undefined;
  readonly one: number | undefined;
  /** The param that the stage's out was made with last; undefined before the first run. */
  readonly made: number | undefined;
}

interface Revision {
  readonly id: string;
  readonly snapshot: Snapshot;
  readonly parent: Revision | undefined;
  /** Day of 2024 on which it was committed. */
  readonly day: number;
}

type Place = 'first' | 'tree' | 'other';
const PLACES = ['first', 'tree', 'other'] as const;

type Step =
  | { readonly do: 'add'; readonly at: Place; readonly data: Files; readonly one: number | undefined }
  | { readonly do: 'commit'; readonly at: Place; readonly tag: boolean; readonly day: number }
  | { readonly do: 'branch'; readonly at: Place }
  | { readonly do: 'back'; readonly at: Place; readonly pick: number }
  | { readonly do: 'run'; readonly at: Place; readonly x: number }
  | { readonly do: 'gc'; readonly at: Place; readonly scope: string; readonly runs: boolean };

const SCOPES = ['-w', '-a', '-T', '-A', '-n 1', '-n 2', '-n 3', '--date 2024-01-15', '-a -T', '-T -n 2'];
const NAMES = [
  'many',
  'in/many',
  'x/many',
  'a',
  'b',
  'in',
  'in/a',
  'in/in/a',
  'in/in/b',
  'in/c d/a',
  'x/y/z/a',
  'x/y/z/b',
  'x/y/w/a',
  'x/run.sh',
];

/** A folder of so many small files fills a pack, and has half of them in common with the next. */
const MANY = 20;

function expanded([name, content]: readonly [string, number]): [string, number][] {
  if (!name.endsWith('many')) return [[name, content]];
  return Array.from({ length: MANY }, (_, i) => [`${name}/f${i}`, 100 + (content * MANY) / 2 + i]);
}

const files: fc.Arbitrary<Files> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), fc.nat(9)), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 9,
  })
  .map((pairs) => pairs.filter(([name]) => !pairs.some(([other]) => other.startsWith(`${name}/`))))
  .map((pairs) => Object.fromEntries(pairs.flatMap(expanded)));

const at = fc.constantFrom(...PLACES);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      at,
      data: files,
      one: fc.option(fc.nat(9), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      at,
      tag: fc.boolean(),
      day: fc.integer({ min: 1, max: 28 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('branch' as const), at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('back' as const), at, pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('run' as const), at, x: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('gc' as const), at, scope: fc.constantFrom(...SCOPES), runs: fc.boolean() }),
  },
);

/** Those from 7 to 9 are too large for packs. */
function contentOf(i: number): Buffer {
  return i < 7 || i > 9 ? Buffer.from(`content ${i}\n`) : Buffer.alloc(100_000, `${i}`);
}

/** Its stage makes what `madeBy` says. */
const PIPELINE = `stages:
  make:
    cmd: mkdir -p out/in && echo "content \${x}" > out/in/f && echo "content 0" > out/g
    params: [x]
    outs: [out]
`;

function madeBy(x: number): Files {
  return { 'in/f': x, g: 0 };
}

/** The digests of all that a folder is made of, its own last. */
function folderObjects(inside: Files): {
  readonly all: Digest[];
  readonly entry: { size: number; files: number; digest: Digest };
} {
  const all: Digest[] = [];
  const entries: TreeEntry[] = [];
  const folders = new Map<string, Record<string, number>>();
  for (const [name, content] of Object.entries(inside)) {
    const [first = '', ...rest] = name.split('/');
    if (rest.length > 0) {
      folders.set(first, { ...folders.get(first), [rest.join('/')]: content });
      continue;
    }
    const bytes = contentOf(content);
    const digest = hashBytes(bytes);
    all.push(digest);
    entries.push({ kind: 'file', name, executable: name.endsWith('.sh'), size: bytes.length, digest });
  }
  for (const [name, below] of folders) {
    const folder = folderObjects(below);
    all.push(...folder.all);
    entries.push({ kind: 'folder', name, ...folder.entry });
  }
  const digest = hashBytes(encodeTree(entries));
  const sum = (of: (entry: TreeEntry) => number): number => entries.reduce((total, entry) => total + of(entry), 0);
  return {
    all: [...all, digest],
    entry: {
      size: sum((entry) => (entry.kind === 'symlink' ? 0 : entry.size)),
      files: sum((entry) => (entry.kind === 'folder' ? entry.files : 1)),
      digest,
    },
  };
}

function objectsOf({ data, one, made }: Snapshot): Digest[] {
  return [
    ...(data === undefined ? [] : folderObjects(data).all),
    ...(one === undefined ? [] : [hashBytes(contentOf(one))]),
    ...(made === undefined ? [] : folderObjects(madeBy(made)).all),
  ];
}

/** A repository: the first project and its second work tree have one in common. */
interface Repository {
  readonly revisions: Revision[];
  readonly tagged: Revision[];
  readonly tips: Map<string, Revision>;
}

class World {
  readonly first = makeProject();
  readonly second = makeProject();
  readonly cache = this.first.path('../home/shared');
  readonly #env = { DAG_CACHE_DIR: this.cache };
  readonly #repositories = { first: newRepository(), other: newRepository() };
  readonly #heads = new Map<Place, { branch: string | undefined; revision: Revision }>();
  readonly #now = new Map<Place, Snapshot>();
  /** Params that any run had. */
  readonly #params = new Set<number>();
  #count = 0;

  async prepare(): Promise<void> {
    for (const place of ['first', 'other'] as const) {
      const project = this.#project(place);
      await this.dag(place, 'init');
      project.write('params.yaml', 'x: 0\n');
      project.write('pipeline.yaml', PIPELINE);
      this.#now.set(place, { data: undefined, one: undefined, made: undefined });
      this.#commit(place, 1);
    }
    this.first.git('worktree', 'add', '-q', '-b', 'tree', '../tree');
    this.#heads.set('tree', { branch: 'tree', revision: this.#head('first').revision });
    this.#repository('tree').tips.set('tree', this.#head('first').revision);
    this.#now.set('tree', this.#snapshot('first'));
    // A project is known to a shared cache from its first verb on.
    await this.dag('tree', 'checkout');
  }

  async do(step: Step): Promise<void> {
    const { at: place } = step;
    switch (step.do) {
      case 'add': {
        this.write(place, 'data', step.data);
        if (step.one !== undefined) fs.writeFileSync(this.path(place, 'one'), contentOf(step.one));
        await this.dag(place, 'add', 'data', ...(step.one === undefined ? [] : ['one']));
        const now = this.#snapshot(place);
        this.#now.set(place, { ...now, data: step.data, one: step.one ?? now.one });
        return;
      }
      case 'commit': {
        const revision = this.#commit(place, step.day);
        if (!step.tag) return;
        this.git(place, 'tag', ...(step.day % 2 === 0 ? [] : ['-a', '-m', 'x']), `v${this.#count++}`);
        this.#repository(place).tagged.push(revision);
        return;
      }
      case 'branch': {
        const branch = `b${this.#count++}`;
        this.git(place, 'checkout', '-q', '-b', branch);
        const { revision } = this.#head(place);
        this.#heads.set(place, { branch, revision });
        this.#repository(place).tips.set(branch, revision);
        return;
      }
      case 'back': {
        const { revisions } = this.#repository(place);
        const revision = revisions[step.pick % revisions.length] as Revision;
        // Only what still has its objects can be had again.
        const store = openStore({ dir: this.cache });
        const isWhole = store.missing(objectsOf(revision.snapshot)).length === 0;
        store.close();
        if (!isWhole) return;
        // One that was never committed would stay, and name what only it knows.
        fs.rmSync(this.path(place, 'pipeline.lock'), { force: true });
        this.git(place, 'checkout', '-q', '-f', '--detach', revision.id);
        this.#heads.set(place, { branch: undefined, revision });
        this.#now.set(place, revision.snapshot);
        await this.dag(place, 'checkout', '-f');
        this.compare(place);
        return;
      }
      case 'run': {
        fs.writeFileSync(this.path(place, 'params.yaml'), `x: ${step.x}\n`);
        await this.dag(place, 'repro');
        this.#params.add(step.x);
        this.#now.set(place, { ...this.#snapshot(place), made: step.x });
        return;
      }
      case 'gc':
        await this.collect(place, step.scope, step.runs);
    }
  }

  async collect(place: Place, scope: string, dropRuns: boolean): Promise<void> {
    const before = this.#stored();
    const recorded = this.#recorded(dropRuns ? place : undefined);
    await this.dag(place, 'gc', '-f', ...scope.split(' '), ...(dropRuns ? ['--runs'] : []));
    const expected = new Set<Digest>([...this.kept(scope, place).flatMap(objectsOf), ...recorded]);
    for (const digest of expected) if (!before.has(digest)) expected.delete(digest);
    const label = `gc ${scope}${dropRuns ? ' --runs' : ''} in ${place}`;
    const stored = this.#stored();
    expect(
      [...expected].filter((digest) => !stored.has(digest)),
      `${label}: lost`,
    ).toEqual([]);
    expect(
      [...stored].filter((digest) => !expected.has(digest)),
      `${label}: left over`,
    ).toEqual([]);
    for (const one of PLACES) {
      fs.rmSync(this.path(one, 'data'), { recursive: true, force: true });
      fs.rmSync(this.path(one, 'one'), { force: true });
      await this.dag(one, 'checkout');
      this.compare(one);
    }
  }

  /** What a scope keeps, of all projects; of another repository than that of `asked`, all of its history. */
  kept(scope: string, asked: Place): Snapshot[] {
    const found = new Set<Revision>();
    for (const place of PLACES) {
      const { revisions, tagged, tips } = this.#repository(place);
      const head = this.#head(place).revision;
      const words = scope.split(' ');
      const back = words.includes('-n') ? Number(words[words.indexOf('-n') + 1]) : 0;
      for (let [one, left]: [Revision | undefined, number] = [head, back]; one !== undefined && left > 0; left--) {
        found.add(one);
        one = one.parent;
      }
      const reached = [...revisions].filter((one) => this.#isReached(place, one));
      if (this.#repository(place) !== this.#repository(asked)) for (const one of reached) found.add(one);
      if (words.includes('-A')) for (const one of reached) found.add(one);
      if (words.includes('-a')) for (const one of [head, ...tips.values()]) found.add(one);
      if (words.includes('-T')) for (const one of tagged) found.add(one);
      if (words.includes('--date')) for (const one of reached) if (one.day >= 15) found.add(one);
    }
    return [...this.#now.values(), ...[...found].map(({ snapshot }) => snapshot)];
  }

  /** Whether a ref or a HEAD leads to a revision: one that was left on a detached HEAD is git's to forget. */
  #isReached(place: Place, wanted: Revision): boolean {
    const { tips, tagged } = this.#repository(place);
    const heads = PLACES.filter((one) => this.#repository(one) === this.#repository(place)).map(
      (one) => this.#head(one).revision,
    );
    return [...heads, ...tips.values(), ...tagged].some((tip) => {
      for (let one: Revision | undefined = tip; one !== undefined; one = one.parent) if (one === wanted) return true;
      return false;
    });
  }

  /** What run records name, but for those of one place. */
  #recorded(dropped: Place | undefined): Digest[] {
    const store = openStore({ dir: this.cache });
    const id = dropped && hashText(fs.realpathSync(this.path(dropped, '.'))).slice(7, 23);
    const kept = [...store.runs.list()].filter(({ context }) => id === undefined || context['project'] !== id);
    store.close();
    const outs = new Set(kept.flatMap((record) => [...record.outs.values()].map(({ digest }) => digest)));
    const results = [...this.#params].map((x) => folderObjects(madeBy(x)));
    return results.flatMap(({ entry, all }) => (outs.has(entry.digest) ? all : []));
  }

  #stored(): Set<Digest> {
    const store = openStore({ dir: this.cache });
    const all = new Set([...store.list()].map(({ digest }) => digest));
    for (const digest of all) expect(store.check(digest), digest).toBeUndefined();
    store.close();
    return all;
  }

  /** The workspace holds what the oracle says, to the byte. */
  compare(place: Place): void {
    const { data, one, made } = this.#snapshot(place);
    expect(read(this.path(place, 'data'))).toEqual(data === undefined ? undefined : contents(data));
    if (made !== undefined) expect(read(this.path(place, 'out'))).toEqual(contents(madeBy(made)));
    const file = this.path(place, 'one');
    expect(fs.existsSync(file) ? hashBytes(fs.readFileSync(file)) : undefined).toEqual(
      one === undefined ? undefined : hashBytes(contentOf(one)),
    );
  }

  write(place: Place, folder: string, inside: Files): void {
    fs.rmSync(this.path(place, folder), { recursive: true, force: true });
    for (const [name, content] of Object.entries(inside)) {
      const file = this.path(place, `${folder}/${name}`);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, contentOf(content), { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
    }
  }

  path(place: Place, name: string): string {
    return this.#project(place).path(this.#folder(place), name);
  }

  git(place: Place, ...args: string[]): string {
    return this.#project(place).git('-C', this.#project(place).path(this.#folder(place)), ...args);
  }

  async dag(place: Place, ...args: string[]): Promise<void> {
    const ran = await this.#project(place).dag(args, { env: this.#env, cwd: this.#folder(place) });
    expect(ran.status, `${place}: dag ${args.join(' ')}: ${ran.stdout}${ran.stderr}`).toBe(0);
  }

  remove(): void {
    this.first.remove();
    this.second.remove();
  }

  #commit(place: Place, day: number): Revision {
    this.git(place, 'add', '-A');
    const when = `2024-01-${String(day).padStart(2, '0')}T12:00:00Z`;
    this.git(place, '-c', `alias.dated=!GIT_COMMITTER_DATE='${when}' git commit -q --allow-empty -m x`, 'dated');
    const parent = this.#heads.get(place);
    const id = this.git(place, 'rev-parse', 'HEAD').trim();
    const revision: Revision = { id, snapshot: this.#snapshot(place), parent: parent?.revision, day };
    const branch = parent === undefined ? 'main' : parent.branch;
    this.#repository(place).revisions.push(revision);
    this.#heads.set(place, { branch, revision });
    if (branch !== undefined) this.#repository(place).tips.set(branch, revision);
    return revision;
  }

  #snapshot(place: Place): Snapshot {
    return this.#now.get(place) as Snapshot;
  }

  #head(place: Place): { branch: string | undefined; revision: Revision } {
    return this.#heads.get(place) as { branch: string | undefined; revision: Revision };
  }

  #repository(place: Place): Repository {
    return place === 'other' ? this.#repositories.other : this.#repositories.first;
  }

  #project(place: Place): TestProject {
    return place === 'other' ? this.second : this.first;
  }

  #folder(place: Place): string {
    return place === 'tree' ? '../tree' : '.';
  }
}

function newRepository(): Repository {
  return { revisions: [], tagged: [], tips: new Map() };
}

function contents(inside: Files): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inside).map(([name, i]) => [name, `${hashBytes(contentOf(i))}${name.endsWith('.sh') ? ' x' : ''}`]),
  );
}

/** A folder's files by path; undefined where there is none. */
function read(folder: string): Record<string, string> | undefined {
  if (!fs.existsSync(folder)) return undefined;
  const found: Record<string, string> = {};
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const isExecutable = (fs.statSync(file).mode & 0o100) !== 0;
    found[path.relative(folder, file)] = `${hashBytes(fs.readFileSync(file))}${isExecutable ? ' x' : ''}`;
  }
  return found;
}

test('gc keeps exactly what something reaches, in any history, by every scope', { timeout: 3_600_000 }, async () => {
  const scenario = fc.tuple(
    fc.array(step, { minLength: 6, maxLength: 14 }),
    fc.constantFrom(...PLACES),
    fc.constantFrom(...SCOPES),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(scenario, async ([steps, place, scope, dropRuns]) => {
      const world = new World();
      try {
        await world.prepare();
        for (const one of steps) await world.do(one);
        await world.collect(place, scope, dropRuns);
      } finally {
        world.remove();
      }
    }),
    { numRuns: runs(4), endOnFailure: true },
  );
});
