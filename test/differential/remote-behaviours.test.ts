import { createHash } from 'node:crypto';
import { hashBytes } from '@dag/store';
import { describe, expect, test } from 'vitest';
import { findDvc, openWorld, type World } from './both.ts';
import { WITHOUT_DVC } from './dvc.ts';

// What users count on of remotes, a row each, played with dag and, where it is installed, with real DVC 3 on the same
// project: the numbers are those of the list that they were agreed by, its sections B, C and G. Commands note in the file
// `ran` that they ran.

interface Row {
  readonly id: string;
  readonly play: (world: World) => Promise<unknown>;
  readonly expected: unknown;
  /** What DVC comes to, where the list says that dag must do better; `false` where DVC has nothing of the kind. */
  readonly dvc?: unknown;
}

/** A chain: data → one → two, of different content each. */
const CHAIN = `stages:
  one:
    cmd: sed s/some/this/ data > mid && echo one >> ran
    deps: [data]
    outs: [mid]
  two:
    cmd: cat mid mid > end && echo two >> ran
    deps: [mid]
    outs: [end]
`;

async function chain(world: World): Promise<void> {
  world.write('data', 'some data\n');
  await world.run('add', 'data');
  world.pipeline(CHAIN);
  await world.run('repro');
  world.ran();
}

async function folder(world: World, names = ['a', 'b', 'c']): Promise<void> {
  for (const name of names) world.write(`data/${name}`, `content of ${name}`);
  world.write('data/sub/deep', 'deep content');
  await world.run('add', 'data');
}

/** Everything that is tracked is gone, from the cache too. */
function clone(world: World, ...files: string[]): void {
  world.forget();
  world.remove(...files);
}

const ROWS: readonly Row[] = [
  {
    id: '56: a past run whose content is gone runs again; with --pull that is fetched first',
    play: async (world) => {
      await chain(world);
      await world.run('push', '--run-cache');
      world.forget({ runs: false });
      world.remove('mid', 'end');
      await world.run('repro');
      const alone = world.ran();
      await world.run('push', '--run-cache');
      world.forget({ runs: false });
      world.remove('mid', 'end');
      await world.run('repro', '--pull');
      return { alone, withPull: world.ran() };
    },
    expected: { alone: ['one', 'two'], withPull: [] },
  },
  {
    id: '57: run records are pushed and pulled; then repro --pull runs nothing',
    play: async (world) => {
      await chain(world);
      await world.run('push');
      await world.run('push', '--run-cache');
      clone(world, 'mid', 'end', 'data', 'pipeline.lock', 'dvc.lock');
      world.write('data', 'some data\n');
      await world.run('add', 'data');
      await world.run('pull', '--run-cache');
      const { ok } = await world.run('repro', '--pull');
      return { ok, ran: world.ran(), end: world.read('end') };
    },
    expected: { ok: true, ran: [], end: 'this data\nthis data\n' },
  },
  {
    id: "57: a colleague's result, also one that the lock no longer names, is found without pulling records",
    play: async (world) => {
      await chain(world);
      world.write('data', 'other data\n');
      await world.run('add', 'data');
      await world.run('repro');
      world.ran();
      await world.run('push', '--run-cache');
      clone(world, 'mid', 'end');
      world.write('data', 'some data\n');
      await world.run('add', 'data');
      await world.run('repro', '--pull');
      return { ran: world.ran(), end: world.read('end') };
    },
    expected: { ran: [], end: 'this data\nthis data\n' },
    dvc: { ran: ['one', 'two'], end: 'this data\nthis data\n' },
  },
  {
    id: '60: repro --pull fetches a source that is missing, and goes on',
    play: async (world) => {
      await chain(world);
      await world.run('push');
      world.pipeline(CHAIN.replace('cat mid mid', 'cat mid mid mid'));
      clone(world, 'data', 'mid', 'end');
      const { ok } = await world.run('repro', '--pull');
      return { ok, ran: world.ran(), data: world.read('data'), end: world.read('end') };
    },
    expected: { ok: true, ran: ['two'], data: 'some data\n', end: 'this data\n'.repeat(3) },
  },
  {
    id: '61: repro --pull fetches an out that is missing of a stage that did not change, and does not run it',
    play: async (world) => {
      await chain(world);
      await world.run('push');
      clone(world, 'mid', 'end');
      const { ok } = await world.run('repro', '--pull');
      return { ok, ran: world.ran(), mid: world.read('mid'), end: world.read('end') };
    },
    expected: { ok: true, ran: [], mid: 'this data\n', end: 'this data\n'.repeat(2) },
  },
  {
    id: '62: what is in no remote is made again',
    play: async (world) => {
      await chain(world);
      await world.run('push', 'data');
      clone(world, 'mid', 'end');
      const { ok } = await world.run('repro', '--pull');
      return { ok, ran: world.ran(), end: world.read('end') };
    },
    expected: { ok: true, ran: ['one', 'two'], end: 'this data\n'.repeat(2) },
  },
  {
    id: '64: --allow-missing skips what is absent and unchanged by the lock',
    play: async (world) => {
      await chain(world);
      clone(world, 'data', 'mid', 'end');
      const { ok } = await world.run('repro', '--allow-missing');
      return { ok, ran: world.ran(), there: world.read('mid') };
    },
    expected: { ok: true, ran: [], there: undefined },
  },
  {
    id: '65: --allow-missing sees that an upstream has another result than its downstream was made from',
    play: async (world) => {
      await chain(world);
      world.write('data', 'other data\n');
      await world.run('add', 'data');
      await world.run('repro', 'one');
      world.ran();
      clone(world, 'data', 'mid', 'end');
      const { out } = await world.run('repro', '--allow-missing', '--dry');
      return {
        two: /(run +two|Running stage 'two'|to reproduce 'two')/.test(out),
        one: /(run +one|Running stage 'one'|to reproduce 'one')/.test(out),
      };
    },
    expected: { two: true, one: false },
  },
  {
    id: '118: push sends what is missing, no more',
    play: async (world) => {
      await folder(world);
      const first = (await world.run('push')).moved;
      const again = await world.run('push');
      world.write('data/d', 'one more');
      await world.run('add', 'data');
      const { moved } = await world.run('push');
      return { first, again: again.moved, says: /Everything is up to date/.test(again.out), moved };
    },
    // Four files and the listing; dag has one listing a folder.
    expected: { first: 6, again: 0, says: true, moved: 2 },
    dvc: { first: 5, again: 0, says: true, moved: 2 },
  },
  {
    id: '119: fetch fills the cache only; pull checks out as well',
    play: async (world) => {
      await folder(world);
      await world.run('push');
      clone(world, 'data');
      const fetched = await world.run('fetch');
      const afterFetch = world.names('data');
      const pulled = await world.run('pull');
      return { fetched: fetched.moved > 4, afterFetch, says: /^A\s+data/m.test(pulled.out), data: world.names('data') };
    },
    expected: { fetched: true, afterFetch: [], says: true, data: ['a', 'b', 'c', 'sub'] },
  },
  {
    id: '121: targets: a stage, an out, a file and a stage, with what they need, and none that is unknown',
    play: async (world) => {
      await chain(world);
      const file = world.tool === 'dag' ? 'pipeline.yaml' : 'dvc.yaml';
      const unknown = await world.run('push', 'nothing-like-it');
      const stage = (await world.run('push', 'two')).moved;
      const out = (await world.run('push', 'mid')).moved;
      const before = (await world.run('push', `${file}:one`)).moved;
      clone(world, 'data', 'mid', 'end');
      const fetched = (await world.run('fetch', 'two')).moved;
      return { unknown: unknown.ok, stage, out, before, fetched };
    },
    expected: { unknown: false, stage: 1, out: 1, before: 0, fetched: 1 },
  },
  {
    id: '121: --with-deps takes what a stage is made from along',
    play: async (world) => {
      await chain(world);
      const alone = (await world.run('push', 'two')).moved;
      const all = (await world.run('push', '--with-deps', 'two')).moved;
      clone(world, 'data', 'mid', 'end');
      await world.run('pull', '--with-deps', 'two');
      return { alone, all, mid: world.read('mid'), end: world.read('end') !== undefined };
    },
    expected: { alone: 1, all: 2, mid: 'this data\n', end: true },
  },
  {
    id: '121: --recursive takes all that is tracked below a folder',
    play: async (world) => {
      for (const name of ['in/one', 'in/deep/two', 'out']) {
        world.write(name, `content of ${name}`);
        await world.run('add', name);
      }
      const plain = await world.run('push', 'in');
      const { moved } = await world.run('push', '--recursive', 'in');
      const rest = (await world.run('push')).moved;
      return { plain: plain.moved, moved, rest };
    },
    expected: { plain: 0, moved: 2, rest: 1 },
  },
  {
    id: '122: a part of a folder is had by itself',
    play: async (world) => {
      await folder(world);
      await world.run('push');
      clone(world, 'data');
      const file = await world.run('pull', 'data/a');
      const after = world.names('data');
      const sub = await world.run('pull', 'data/sub');
      const none = await world.run('pull', 'data/none');
      return { ok: [file.ok, sub.ok, none.ok], after, later: world.names('data'), deep: world.read('data/sub/deep') };
    },
    expected: { ok: [true, true, false], after: ['a'], later: ['a', 'sub'], deep: 'deep content' },
    // Says nothing of a path that is not there.
    dvc: { ok: [true, true, true], after: ['a'], later: ['a', 'sub'], deep: 'deep content' },
  },
  {
    id: '122: a part of a folder is sent by itself',
    play: async (world) => {
      await folder(world);
      const { ok } = await world.run('push', 'data/a');
      return { ok };
    },
    expected: { ok: true },
  },
  {
    id: '123: --all-branches, --all-tags and --all-commits move what these name',
    play: async (world) => {
      for (const [at, text] of ['first', 'second', 'third'].entries()) {
        world.write('data', text);
        await world.run('add', 'data');
        await world.git('add', '.');
        await world.git('commit', '-q', '-m', text);
        if (at === 0) await world.git('tag', 'one');
        if (at === 1) await world.git('branch', 'two');
      }
      const counts = [];
      for (const flag of ['--all-tags', '--all-branches', '--all-commits'])
        counts.push((await world.run('push', flag)).moved);
      clone(world, 'data');
      for (const flag of ['--all-tags', '--all-branches', '--all-commits'])
        counts.push((await world.run('fetch', flag)).moved);
      return counts;
    },
    // With the workspace: third and first; second; none.
    expected: [2, 1, 0, 2, 1, 0],
  },
  {
    id: '124: each out goes to its own remote; -r keeps to one; push: false stays at home and is not missed',
    play: async (world) => {
      world.pipeline(`stages:
  all:
    cmd: echo usual > usual && echo pinned > pinned && echo home > home
    outs: [usual, {pinned: {remote: other}}, {home: {push: false}}]
`);
      await world.run('repro');
      const pushed = (await world.run('push', '-r', 'store')).moved;
      const rest = (await world.run('push')).moved;
      const status = await world.run('status', '-c');
      clone(world, 'usual', 'pinned', 'home');
      const restricted = (await world.run('fetch', '-r', 'other')).moved;
      const pulled = await world.run('pull');
      const names = ['usual', 'pinned', 'home'].filter((name) => world.read(name) !== undefined);
      return { pushed, rest, missed: /home/.test(status.out), restricted, names, ok: pulled.ok };
    },
    expected: { pushed: 1, rest: 1, missed: false, restricted: 1, names: ['usual', 'pinned'], ok: true },
    // What can't be had because it was not to be pushed is an error there.
    dvc: { pushed: 1, rest: 1, missed: false, restricted: 1, names: ['usual', 'pinned'], ok: false },
  },
  {
    id: '125: what was never pushed is named, the rest is pulled; --allow-missing is content',
    play: async (world) => {
      for (const name of ['sent', 'kept']) {
        world.write(name, `content of ${name}`);
        await world.run('add', name);
      }
      await world.run('push', 'sent');
      clone(world, 'sent', 'kept');
      const pulled = await world.run('pull');
      const content = world.read('sent');
      const allowed = await world.run('pull', '--allow-missing');
      return { ok: pulled.ok, named: pulled.out.includes('kept'), content, allowed: allowed.ok };
    },
    expected: { ok: false, named: true, content: 'content of sent', allowed: true },
  },
  {
    id: '126: a folder of which a file is missing is not there; the files that are there are',
    play: async (world) => {
      await folder(world);
      await world.run('push', '-r', 'other');
      world.forget();
      await world.run('fetch', '-r', 'other', 'data/a');
      const pushed = await world.run('push');
      const status = await world.run('status', '-c');
      clone(world, 'data');
      const pulled = await world.run('pull');
      return { ok: pushed.ok, new: /(missing|deleted).*data/.test(status.out), pulled: pulled.ok };
    },
    expected: { ok: false, new: true, pulled: false },
    // Exits with 0 though not all was sent.
    dvc: { ok: true, new: true, pulled: false },
  },
  {
    id: '127: status -c tells new, deleted and missing',
    play: async (world) => {
      for (const name of ['both', 'fresh', 'gone', 'nowhere']) {
        world.write(name, `content of ${name}`);
        await world.run('add', name);
      }
      await world.run('push', 'both', 'gone');
      world.forget();
      // Back in the cache from the workspace.
      await world.run('commit', '-f', 'both');
      await world.run('commit', '-f', 'fresh');
      world.remove('gone', 'nowhere');
      const { out } = await world.run('status', '-c');
      const word = (name: string) => new RegExp(`(new|deleted|missing)\\b[^\\n]*\\b${name}$`, 'm').exec(out)?.[1];
      return [word('both'), word('fresh'), word('gone'), word('nowhere')];
    },
    expected: [undefined, 'new', 'deleted', 'missing'],
  },
  {
    id: '128: content whose hash begins with 00 is found as any other',
    play: async (world) => {
      const starts = (hash: (text: string) => string) => {
        for (let i = 0; ; i++) if (hash(`text ${i}`).startsWith('00')) return `text ${i}`;
      };
      const texts = [
        starts((text) => createHash('md5').update(text).digest('hex')),
        starts((text) => hashBytes(Buffer.from(text)).slice('blake3:'.length)),
      ];
      for (const [i, text] of texts.entries()) {
        world.write(`data/${i}`, text);
        world.write(`alone${i}`, text);
        await world.run('add', `alone${i}`);
      }
      await world.run('add', 'data');
      await world.run('push');
      const again = (await world.run('push')).moved;
      const status = await world.run('status', '-c');
      clone(world, 'data', 'alone0', 'alone1');
      const { ok } = await world.run('pull');
      return {
        again,
        says: /up to date|in sync/.test(status.out),
        ok,
        back: texts.map((t, i) => world.read(`data/${i}`) === t),
      };
    },
    expected: { again: 0, says: true, ok: true, back: [true, true] },
  },
  {
    id: '131: what was changed in the remote never gets into the cache or the workspace',
    play: async (world) => {
      world.write('data', 'the content');
      await world.run('add', 'data');
      await world.run('push');
      const { readdirSync, readFileSync, statSync, writeFileSync, chmodSync } = await import('node:fs');
      for (const name of readdirSync(world.at('../store'), { recursive: true, encoding: 'utf8' })) {
        const file = world.at('../store', name);
        if (!statSync(file).isFile()) continue;
        const text = readFileSync(file, 'latin1');
        chmodSync(file, 0o644);
        if (text.includes('the content')) writeFileSync(file, text.replace('the content', 'THE CONTENT'), 'latin1');
      }
      clone(world, 'data');
      const { ok } = await world.run('pull');
      return { ok, wrong: world.read('data') === 'THE CONTENT' };
    },
    expected: { ok: false, wrong: false },
  },
  {
    id: '132: a remote that was emptied, and filled again by others, is seen as it is',
    play: async (world) => {
      const { cpSync } = await import('node:fs');
      await folder(world);
      await world.run('push');
      cpSync(world.at('../store'), world.at('../saved'), { recursive: true });
      await world.run('status', '-c');
      world.remove('../store');
      const emptied = await world.run('status', '-c');
      clone(world, 'data');
      const failed = await world.run('pull');
      cpSync(world.at('../saved'), world.at('../store'), { recursive: true });
      const { ok } = await world.run('pull');
      return { emptied: /new.*data/.test(emptied.out), failed: failed.ok, ok, data: world.names('data') };
    },
    expected: { emptied: true, failed: false, ok: true, data: ['a', 'b', 'c', 'sub'] },
  },
];

describe.each(['dag', 'dvc'] as const)('of remotes, with %s', (tool) => {
  const reason = tool === 'dvc' && findDvc() === undefined ? WITHOUT_DVC : undefined;
  test.each(ROWS)('$id', async ({ play, expected, dvc: theirs }, ...rest) => {
    const context = rest[0] as { skip: (note?: string) => void } | undefined;
    if (reason !== undefined) {
      context?.skip(reason);
      return;
    }
    const world = await openWorld(tool);
    try {
      expect(await play(world)).toEqual(tool === 'dvc' && theirs !== undefined ? theirs : expected);
    } finally {
      world.close();
    }
  });
});
