import type { Artifact, Digest, Lock, LockedStage, ProjectPath, Value } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { parseLock, renderLock } from '../src/index.ts';
import { parseAnyLock } from '../src/lock/parse.ts';
import { readWritten } from '../src/lock/quick.ts';
import { path, words } from './rig/memory.ts';

const digest = (c: string) => `blake3:${c.repeat(64)}` as Digest;
const file = { kind: 'file', digest: digest('a'), size: 1024, executable: false } as const satisfies Artifact;
const folder: Artifact = { kind: 'folder', digest: digest('b'), size: 19383932, files: 70000 };

const LOCK: Lock = {
  data: new Map([[path('data/raw'), folder]]),
  stages: new Map<string, LockedStage>([
    [
      'train',
      {
        worker: {
          module: path('src/train.ts'),
          backend: { name: 'wasm' },
          files: new Map([[path('src/train.ts'), digest('c')]]),
        },
        deps: new Map([[path('data/raw'), folder]]),
        params: new Map([
          [
            path('params.yaml'),
            new Map<string, Value>([
              ['train.lr', 0.01],
              ['a', { z: null, b: [1, 'x: y'] }],
            ]),
          ],
        ]),
        env: new Map([
          ['LANG', null],
          ['MODE', 'fast'],
        ]),
        outs: new Map([[path('model.bin'), { ...file, executable: true }]]),
      },
    ],
    [
      'build@1',
      { cmd: ['a', "it's\n"], wdir: path('work'), deps: new Map(), params: new Map(), env: new Map(), outs: new Map() },
    ],
  ]),
};

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.constantFrom('1', 'true', '<<', 'null', '- a', '1e3', '~', '#x', 'a #b', 'a: b', '__proto__', 'y '),
);

function locksOf(name: fc.Arbitrary<string>): fc.Arbitrary<Lock> {
  const part = name
    .map((text) => text.replace(/[/\0]/g, '_'))
    .filter((text) => !['.', '..', '.git', '.cache'].includes(text));
  const projectPath = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/') as ProjectPath);
  const value: fc.Arbitrary<Value> = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double({ noNaN: true }).map((n) => (n === 0 ? 0 : n)),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt({ min: 2n ** 60n }),
    fc.array(name),
    fc.dictionary(
      name.filter((key) => key !== '__proto__'),
      fc.string(),
    ),
  );
  const artifact = fc.oneof(
    fc.constant(file),
    fc.constant(folder),
    fc.constant<Artifact>({ ...file, executable: true }),
  );
  const anyPath = fc.oneof({ weight: 9, arbitrary: projectPath }, fc.constantFrom(path('/abs/x'), path('../up')));
  const own = {
    cmd: fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1 })),
    wdir: projectPath,
    shell: fc.array(fc.oneof(fc.string(), name), { minLength: 1, maxLength: 3 }),
    salt: fc.oneof(fc.string(), name),
  };
  const maps = {
    deps: map(anyPath, artifact),
    params: map(anyPath, map(name, value)),
    env: map(name, fc.option(fc.string())),
    outs: map(anyPath, artifact),
  };
  const stage: fc.Arbitrary<LockedStage> = fc
    .tuple(fc.record(own, { requiredKeys: ['cmd'] }), fc.record(maps))
    .map(([some, rest]) => ({ ...some, ...rest }));
  return fc.record({ data: map(projectPath, artifact), stages: map(name, stage) });
}

const anyLock = locksOf(name);
const ordinaryName = fc.constantFrom(
  'a',
  'data',
  'x.csv',
  'build@1',
  'b-1',
  '.hidden',
  "it's",
  'a b',
  '-n',
  '7',
  'e:f',
  'ü',
);

/** Pieces that locks are made of, and that break them. */
const PIECES = [
  ...['\n', ' ', '  ', ': ', ' #', '{', '}', "'", '"', '\\', ',', '- ', '?', '\t', '\r', '<<<<<<< a\n', '---\n', 'ü'],
  ...[
    '    deps:\n',
    '    outs:\n',
    '    cmd: x\n',
    '  a:\n',
    '    {}\n',
    'stages:\n',
    'data:\n',
    '0',
    '1',
    'null',
    '~',
  ],
  ...[
    "      b: {digest: 'blake3:00', size: 1}\n",
    `  c: {digest: '${digest('d')}', size: 2}\n`,
    '    wdir: ../..\n',
    '.git',
  ],
];

/** A lock's text with some of it cut out, doubled, or replaced. */
const damaged = fc
  .tuple(
    fc.oneof(anyLock, locksOf(ordinaryName)),
    fc.array(fc.record({ at: fc.nat(), cut: fc.nat({ max: 12 }), put: fc.constantFrom('', ...PIECES) }), {
      maxLength: 3,
    }),
  )
  .map(([lock, edits]) => {
    let text = renderLock(lock, path('pipeline.lock'));
    for (const { at, cut, put } of edits) {
      const from = at % (text.length + 1);
      text = text.slice(0, from) + put + text.slice(from + cut);
    }
    return text;
  });

describe('the reader of locks in the form that is written', () => {
  it('takes what is written', () => {
    const { worker: _, ...train } = LOCK.stages.get('train') as LockedStage;
    const lock: Lock = { ...LOCK, stages: new Map([...LOCK.stages, ['train', train]]) };
    for (const name of ['pipeline.lock', 'sub/dir/pipeline.lock']) {
      const folder = name.slice(0, Math.max(0, name.lastIndexOf('/'))) as ProjectPath;
      expect(readWritten(renderLock(lock, path(name)), folder)).toEqual(lock);
    }
    const deps = new Map<ProjectPath, Artifact>([
      [path('../up'), file],
      [path('/abs/x'), folder],
    ]);
    const stage = { ...train, deps, shell: ['bash', '-c', 'set -e; "$0"'], salt: "it's 2" };
    const own: Lock = { ...lock, stages: new Map([['own', stage]]) };
    expect(readWritten(renderLock(own, path('pipeline.lock')), '' as ProjectPath)).toEqual(own);
  });

  it("gives the plain reader's answer, or none, whatever happens to a lock", () => {
    let answers = 0;
    fc.assert(
      fc.property(damaged, (text) => {
        const quick = readWritten(text, '' as ProjectPath);
        if (quick === undefined) return;
        answers++;
        const plain = parseAnyLock(text, path('pipeline.lock'));
        expect(plain).toEqual({ ok: true, value: quick });
        expect([...quick.stages.keys()]).toEqual(plain.ok ? [...plain.value.stages.keys()] : []);
      }),
      { numRuns: runs(3000) },
    );
    expect(answers).toBeGreaterThan(runs(100));
  });
});

describe('the lock', () => {
  it('looks as the contract says', () => {
    expect(renderLock(LOCK, path('pipeline.lock'))).toMatchInlineSnapshot(`
      "schema: 1
      data:
        data/raw: {digest: 'blake3:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', size: 19383932, files: 70000}
      stages:
        build@1:
          cmd:
            - a
            - "it's\\n"
          wdir: work
        train:
          worker:
            module: src/train.ts
            backend: wasm
            files:
              src/train.ts: 'blake3:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc'
          deps:
            data/raw: {digest: 'blake3:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', size: 19383932, files: 70000}
          params:
            params.yaml: {a: {b: [1, 'x: y'], z: null}, train.lr: 0.01}
          env: {LANG: null, MODE: fast}
          outs:
            model.bin: {digest: 'blake3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', size: 1024, executable: true}
      "
    `);
  });

  it('is read back as it was, from any folder', () => {
    for (const name of ['pipeline.lock', 'sub/dir/pipeline.lock']) {
      expect(parseLock(renderLock(LOCK, path(name)), path(name))).toEqual({ ok: true, value: LOCK });
    }
  });

  it('keeps any name, path and value', () => {
    fc.assert(
      fc.property(anyLock, (lock) => {
        const text = renderLock(lock, path('pipeline.lock'));
        expect(parseLock(text, path('pipeline.lock'))).toEqual({ ok: true, value: lock });
      }),
      { numRuns: runs(200) },
    );
  });

  it('is never read past damage: any cut is a diagnostic or a whole lock', () => {
    const text = renderLock(LOCK, path('pipeline.lock'));
    for (let end = 0; end < text.length; end++) {
      const parsed = parseLock(text.slice(0, end), path('pipeline.lock'));
      if (!parsed.ok) expect(parsed.error.length).toBeGreaterThan(0);
      else expect(text[end] === '\n' || text[end - 1] === '\n').toBe(true);
    }
  });

  it('refuses what leads out of the project, and says the way out', () => {
    const entry = `{digest: '${digest('a')}', size: 1}`;
    const lock = (key: string) => parseLock(`schema: 1\ndata:\n  ${key}: ${entry}\n`, path('pipeline.lock'));
    for (const key of ['../x', '/etc/passwd', '.git/config', '.cache/x', 'a/../../x', "''"])
      expect(lock(key).ok).toBe(false);
    expect(lock('data/x').ok).toBe(true);
    const say = (text: string) => {
      const parsed = parseLock(text, path('pipeline.lock'));
      return parsed.ok ? 'fine' : words(parsed.error);
    };
    expect(say('schema: 1\nstages:\n<<<<<<< HEAD\n')).toMatchInlineSnapshot(`
      "pipeline.lock:3:1: pipeline.lock holds a conflict marker of git
        <<<<<<< HEAD
        ^^^^^^^^^^^^
        'dag lock resolve' merges it entry by entry"
    `);
    expect(say("schema: 1\nstages:\n  a:\n    deps:\n      x: {digest: 'blake3:00', si")).toMatchInlineSnapshot(`
      "pipeline.lock:5:10: pipeline.lock is damaged: this '{' is not closed
              x: {digest: 'blake3:00', si
                 ^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew"
    `);
    expect(say('')).toMatchInlineSnapshot(`
      "pipeline.lock:1:1: the lock is empty
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew"
    `);
    expect(say('schema: 2\n')).toMatchInlineSnapshot(`
      "pipeline.lock:1:9: the lock has a schema that is not known here
        schema: 2
                ^
        a newer dag wrote it: update"
    `);
  });
});

function map<K, V>(key: fc.Arbitrary<K>, value: fc.Arbitrary<V>): fc.Arbitrary<Map<K, V>> {
  return fc.uniqueArray(fc.tuple(key, value), { maxLength: 4, selector: ([k]) => k }).map((list) => new Map(list));
}
