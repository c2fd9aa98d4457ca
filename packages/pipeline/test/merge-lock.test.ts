import type { Artifact, Digest, Lock, LockedStage, ProjectPath } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataMerge, mergeLocks, parseLock, renderLock, renderMerged, splitConflicts } from '../src/index.ts';
import { path } from './rig/memory.ts';

const FILE = path('pipeline.lock');
const artifact = (n: number): Artifact => ({
  kind: 'file',
  digest: `blake3:${String(n).padStart(64, '0')}` as Digest,
  size: n,
  executable: false,
});
const stage = (n: number): LockedStage => ({
  cmd: `run ${n}`,
  deps: new Map([[path('in'), artifact(n)]]),
  params: new Map(),
  env: new Map(),
  outs: new Map(),
});

/** Names with a number each, which stands for what is locked. */
type Numbers = Readonly<Record<string, number>>;
const lockOf = (stages: Numbers, data: Numbers = {}): Lock => ({
  stages: new Map(Object.entries(stages).map(([name, n]) => [name, stage(n)])),
  data: new Map(Object.entries(data).map(([name, n]) => [name as ProjectPath, artifact(n)])),
});
const NEVER: DataMerge = () => undefined;
const merge = (base: Lock, ours: Lock, theirs: Lock, data = NEVER) => mergeLocks({ base, ours, theirs }, FILE, data);
const text = (lock: Lock): string => renderLock(lock, FILE);

const lock = fc
  .tuple(
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 1, max: 3 })),
    fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.integer({ min: 1, max: 3 })),
  )
  .map(([stages, data]) => lockOf(stages, data));

describe('two versions of a lock', () => {
  it('are merged entry by entry', () => {
    const merged = merge(
      lockOf({ same: 1, ours: 1, theirs: 1, dropped: 1 }, { x: 1, y: 1 }),
      lockOf({ same: 1, ours: 2, theirs: 1, mine: 1 }, { x: 2, y: 1 }),
      lockOf({ same: 1, ours: 1, theirs: 2, dropped: 1, yours: 1 }, { x: 1, y: 1, z: 1 }),
    );
    expect(merged).toMatchObject({ stale: [], conflicts: [] });
    expect(text(merged.lock)).toBe(
      text(lockOf({ same: 1, ours: 2, theirs: 2, mine: 1, yours: 1 }, { x: 2, y: 1, z: 1 })),
    );
  });

  it('never give an entry of a stage that is made of two', () => {
    const merged = merge(lockOf({ a: 1, b: 1, c: 1 }), lockOf({ a: 2, b: 2 }), lockOf({ a: 3, b: 2, c: 2 }));
    expect(merged.stale).toEqual(['a', 'c']);
    expect(text(merged.lock)).toBe(text(lockOf({ b: 2 })));
  });

  it('ask a person about data that both changed, with markers around that entry only', () => {
    const merged = merge(
      lockOf({ a: 1 }, { x: 1, y: 1, z: 1 }),
      lockOf({ a: 2 }, { x: 2, z: 1 }),
      lockOf({ a: 1 }, { x: 3, y: 2 }),
    );
    expect(merged.conflicts.map((one) => one.path)).toEqual(['x', 'y']);
    const written = renderMerged(merged, FILE, { ours: 'HEAD', theirs: 'branch' });
    expect(written.replace(/blake3:0+/g, '')).toMatchInlineSnapshot(`
      "schema: 1
      data:
      <<<<<<< HEAD
        x: {digest: '2', size: 2}
      =======
        x: {digest: '3', size: 3}
      >>>>>>> branch
      <<<<<<< HEAD
      =======
        y: {digest: '2', size: 2}
      >>>>>>> branch
      stages:
        a:
          cmd: run 2
          deps:
            in: {digest: '2', size: 2}
      "
    `);
    const parsed = parseLock(written, FILE);
    expect(parsed.ok).toBe(false);
    const sides = splitConflicts(written);
    const [ours, theirs] = [parseLock(sides?.ours ?? '', FILE), parseLock(sides?.theirs ?? '', FILE)];
    expect([ours, theirs].map((one) => one.ok && one.value.data.size)).toEqual([1, 2]);
  });

  it('are the same whichever side is ours, but for what a person must choose', () => {
    fc.assert(
      fc.property(lock, lock, lock, (base, ours, theirs) => {
        const [one, other] = [merge(base, ours, theirs), merge(base, theirs, ours)];
        expect([...one.stale].sort()).toEqual([...other.stale].sort());
        expect(one.conflicts.map((c) => c.path).sort()).toEqual(other.conflicts.map((c) => c.path).sort());
        if (one.conflicts.length === 0) expect(text(one.lock)).toBe(text(other.lock));
        const sides = splitConflicts(renderMerged(one, FILE, { ours: 'a', theirs: 'b' }));
        expect(sides === undefined).toBe(one.conflicts.length === 0);
      }),
    );
  });

  it('are the other one where one side changed nothing', () => {
    fc.assert(
      fc.property(lock, lock, (base, changed) => {
        for (const merged of [merge(base, changed, base), merge(base, base, changed), merge(base, changed, changed)]) {
          expect(merged).toMatchObject({ stale: [], conflicts: [] });
          expect(text(merged.lock)).toBe(text(changed));
        }
      }),
    );
  });

  it('have data merged by whoever can', () => {
    const merged = merge(lockOf({}, { x: 1 }), lockOf({}, { x: 2 }), lockOf({}, { x: 3 }), (_, base, ours, theirs) =>
      artifact((base?.size ?? 0) + ours.size + theirs.size),
    );
    expect(merged.conflicts).toEqual([]);
    expect(text(merged.lock)).toBe(text(lockOf({}, { x: 6 })));
  });
});

it.each([
  [
    'one that git wrote',
    'a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\nd\n',
    { ours: 'a\nb\nd\n', theirs: 'a\nc\nd\n' },
  ],
  ['with what was before', '<<<<<<< HEAD\nb\n||||||| 123\nz\n=======\nc\n>>>>>>> o\n', { ours: 'b\n', theirs: 'c\n' }],
  ['with line ends of Windows', '<<<<<<< HEAD\r\nb\r\n=======\r\n>>>>>>> o\r\n', { ours: 'b\r\n', theirs: '' }],
  ['none', 'a\n=====\n', undefined],
  ['half of one', '<<<<<<< HEAD\nb\n=======\nc\n', undefined],
  ['out of order', '=======\n<<<<<<< HEAD\n>>>>>>> o\n', undefined],
])('a conflict is taken apart: %s', (_, conflict, sides) => {
  expect(splitConflicts(conflict)).toEqual(sides);
});
