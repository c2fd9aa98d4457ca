import fs from 'node:fs';
import type { ProjectPath } from '@dag/model';
import { parseLock } from '@dag/pipeline';
import { hashBytes, openStore } from '@dag/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { dagOk, gitIn } from '../rigs/git.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

// A person edits data, git does what it does to pipeline.lock, with hooks and without, and `dag` comes in between. An edit is
// never lost. Data that nobody touched since `dag` placed, recorded, or found it as the lock has it, follows the lock; data
// that was touched is recorded. And what a commit names can be had again.

const TRACKED = ['data', 'one'] as const;
type Tracked = (typeof TRACKED)[number];
const FILES = ['data/a', 'data/in/b', 'one'] as const;

const PIPELINE = `stages:
  list: {cmd: find data -type f | sort > names, deps: [data], outs: [names]}
  size: {cmd: wc -c < one > size, deps: [one], outs: [size]}
`;

type Step =
  | { readonly do: 'write' | 'write again' | 'delete'; readonly file: (typeof FILES)[number] }
  | { readonly do: 'git'; readonly args: readonly string[] }
  | { readonly do: 'dag'; readonly args: readonly string[] }
  | { readonly do: 'repro'; readonly target?: 'list' | 'size' };

const revision = fc.constantFrom('HEAD', 'HEAD~1', 'HEAD~2', 'main', 'main~1', 'ORIG_HEAD', 'other');
const git = (...args: string[]) =>
  revision.map((at): Step => ({ do: 'git', args: args.map((arg) => (arg === '@' ? at : arg)) }));
const dag = (...args: string[]) => fc.constant<Step>({ do: 'dag', args });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('write' as const, 'write again' as const, 'delete' as const),
      file: fc.constantFrom(...FILES),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.constantFrom<Step>(
      { do: 'repro' },
      { do: 'repro' },
      { do: 'repro', target: 'list' },
      { do: 'repro', target: 'size' },
    ),
  },
  {
    weight: 5,
    arbitrary: fc.oneof(
      dag('checkout'),
      dag('checkout', 'data/in'),
      dag('add', 'data'),
      dag('commit'),
      dag('status'),
      dag('install'),
      dag('install', '--uninstall'),
    ),
  },
  { weight: 6, arbitrary: git('commit', '-qam', 'more') },
  {
    weight: 12,
    arbitrary: fc.oneof(
      git('checkout', '-q', '@'),
      git('reset', '-q', '--hard', '@'),
      git('reset', '-q', '--soft', '@'),
      git('checkout', '@', '--', 'pipeline.lock'),
      git('stash', '-q'),
      git('stash', 'pop', '-q'),
      git('branch', '-f', 'other', '@'),
      git('merge', '-q', '@'),
      git('merge', '--abort'),
      git('cherry-pick', '@'),
      git('revert', '--no-edit', '@'),
      git('rebase', '-q', '@'),
      git('rebase', '--abort'),
    ),
  },
);

type Files = Readonly<Record<string, string>>;

interface State {
  readonly lock: string | undefined;
  readonly files: Files;
}

class Desk {
  readonly project: TestProject;
  readonly #git: ReturnType<typeof gitIn>;
  /** What was written by hand, and must not vanish but by hand. */
  readonly #mine = new Map<string, string>();
  readonly #touched = new Set<Tracked>();
  /** Nobody can tell: a hook may have settled it, or only a part of it is here. */
  readonly #unclear = new Set<Tracked>();
  /** What the digests in locks stand for, as far as they were seen in the workspace. */
  readonly #meaning = new Map<string, string>();
  #count = 0;
  #hooked = false;

  constructor(project: TestProject) {
    this.project = project;
    this.#git = gitIn(project);
  }

  async begin(): Promise<void> {
    for (const version of ['1', '2', '3']) {
      for (const file of FILES) if (version !== '2' || file !== 'one') this.#write(file, `${file} ${version}\n`);
      if (version === '1') {
        await dagOk(this.project, ['init', '-q']);
        this.project.write('pipeline.yaml', PIPELINE);
        await dagOk(this.project, ['add', '-q', ...TRACKED]);
      }
      await this.#repro();
      this.project.git('add', '-A');
      this.project.git('commit', '-qm', version);
    }
  }

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case 'write':
        this.#count += 1;
        return this.#write(one.file, `written ${this.#count}\n`);
      case 'write again':
        if (this.project.exists(one.file)) this.#write(one.file, this.project.read(one.file));
        return;
      case 'delete':
        fs.rmSync(this.project.path(one.file), { force: true });
        this.#mine.delete(one.file);
        this.#touched.add(holder(one.file));
        return;
      case 'git':
        this.#git(...one.args);
        if (this.#hooked) for (const path of this.#touched) this.#unclear.add(path);
        return;
      case 'dag':
        return await this.#dag(one.args);
      case 'repro':
        return await this.#repro(one.target);
    }
  }

  async #repro(target?: string): Promise<void> {
    const args = target === undefined ? [] : [target];
    const before = this.#state();
    const status = JSON.parse((await this.project.dag(['status', '--json'])).stdout || '{}') as { behind?: string[] };
    const dry = await this.project.repro(['--dry', ...args]);
    expect(this.#state(), 'status and --dry change nothing').toEqual(before);
    const ran = await this.project.repro(args);
    const after = this.#state();
    if (ran.status !== 0) {
      expect([ran.status, after], ran.stdout).toEqual([2, before]);
      return;
    }
    const followed = eventsOf(ran, 'followed');
    for (const how of ['followed', 'recorded', 'restored']) {
      expect(eventsOf(dry, how), 'what --dry says').toEqual(eventsOf(ran, how));
    }
    if (target === undefined) expect(status.behind ?? [], 'what status says').toEqual(followed);
    for (const path of TRACKED) {
      if (target !== undefined && !(target === 'list') === (path === 'data')) {
        expect(after[path]).toEqual(before[path]);
        continue;
      }
      const [was, is] = [before[path], after[path]];
      const isMine = this.#touched.has(path) && Object.keys(was.files).length > 0;
      const isUnclear = this.#unclear.has(path);
      if (isMine && !isUnclear) expect(is.files, `${path} is recorded as it stands`).toEqual(was.files);
      if (!isMine && !isUnclear) expect(is.lock, `${path} was not touched`).toBe(was.lock);
      this.#settle(path, is);
    }
  }

  /** All commits name what can be had. */
  async end(): Promise<void> {
    this.#git('merge', '--abort');
    this.#git('rebase', '--abort');
    this.#git('cherry-pick', '--abort');
    this.#git('revert', '--abort');
    this.project.git('add', '-A');
    this.#git('commit', '-qm', 'end');
    for (const commit of this.project.git('rev-list', '--all').trim().split('\n')) {
      this.project.git('checkout', '-q', '-f', commit);
      if (!this.#isSound()) continue;
      await dagOk(this.project, ['checkout', '-f']);
      for (const [path, { lock, files }] of Object.entries(this.#state())) {
        expect(text(files), `${path} of ${commit}`).toBe(this.#meaning.get(lock ?? '') ?? text(files));
      }
    }
  }

  /** A revert of the first commit leaves no project; and who commits conflicts has their markers in the lock. */
  #isSound(): boolean {
    return this.project.exists('pipeline.yaml') && !this.project.read('pipeline.lock').includes('<<<<<<<');
  }

  /** What stands by itself or in the cache is not lost. */
  expectNothingLost(): void {
    const store = openStore({ dir: this.project.path('.cache') });
    try {
      for (const [file, content] of this.#mine) {
        const stands = this.project.exists(file) && this.project.read(file) === content;
        expect(stands || store.has(hashBytes(Buffer.from(content))), `${file}: ${content}`).toBe(true);
      }
    } finally {
      store.close();
    }
  }

  #write(file: (typeof FILES)[number], content: string): void {
    this.project.write(file, content);
    this.#mine.set(file, content);
    this.#touched.add(holder(file));
  }

  async #dag(args: readonly string[]): Promise<void> {
    const { status } = await this.project.dag(args);
    const [verb, argument] = args;
    if (verb === 'install') this.#hooked = argument === undefined;
    if (argument === 'data/in') this.#unclear.add('data');
    if (status !== 0 || argument === 'data/in' || !['add', 'checkout', 'commit'].includes(verb ?? '')) return;
    const state = this.#state();
    for (const path of TRACKED) if (argument === undefined || argument === path) this.#settle(path, state[path]);
  }

  #settle(path: Tracked, { lock, files }: State): void {
    const meaning = this.#meaning.get(lock ?? '');
    if (meaning !== undefined) expect(text(files), `${path} is what the lock names`).toBe(meaning);
    if (lock !== undefined) this.#meaning.set(lock, text(files));
    this.#touched.delete(path);
    this.#unclear.delete(path);
  }

  #state(): Record<Tracked, State> {
    const parsed = this.project.exists('pipeline.lock')
      ? parseLock(this.project.read('pipeline.lock'), 'pipeline.lock' as ProjectPath)
      : undefined;
    const state = (path: Tracked) => ({
      lock: parsed?.ok === true ? parsed.value.data.get(path as unknown as ProjectPath)?.digest : undefined,
      files: Object.fromEntries(
        FILES.filter((file) => holder(file) === path && this.project.exists(file)).map((file) => [
          file,
          this.project.read(file),
        ]),
      ),
    });
    return { data: state('data'), one: state('one') };
  }
}

const holder = (file: (typeof FILES)[number]): Tracked => (file === 'one' ? 'one' : 'data');
const text = (files: Files): string => JSON.stringify(files);
const eventsOf = (ran: { readonly events: readonly Record<string, unknown>[] }, how: string): unknown[] =>
  ran.events.filter((event) => event['event'] === 'data' && event['how'] === how).map((event) => event['path']);

test('edits, git and dag in any order', { timeout: runs(120_000) }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 16 }), async (steps) => {
      const desk = new Desk(makeProject());
      try {
        await desk.begin();
        for (const one of steps) {
          await desk.take(one);
          desk.expectNothingLost();
        }
        await desk.end();
      } finally {
        desk.project.remove();
      }
    }),
    { numRuns: runs(3), interruptAfterTimeLimit: runs(100_000) },
  );
});
