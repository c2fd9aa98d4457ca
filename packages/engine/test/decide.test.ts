import type { Fingerprint, LockedStage, Stage, StageAddress } from '@dag/model';
import { describe, expect, test } from 'vitest';
import { type Cached, decide, type Observed, usesRunCache } from '../src/decide.ts';
import { file, INPUTS, path, recordOf, TRAIN } from './rig/train.ts';

const stage = TRAIN;

const fingerprint: Fingerprint = { ...INPUTS, wdir: path(''), outs: new Set([path('model')]) };

const locked: LockedStage = { ...INPUTS, outs: new Map([[path('model'), file(2)]]) };

const observed: Observed = {
  fingerprint,
  declared: { deps: new Set([path('data')]), params: () => 'named' },
  outs: new Map([[path('model'), file(2)]]),
  pending: [],
};

const nothing: Cached = { complete: () => false, runs: () => [] };
const everything: Cached = { complete: () => true, runs: () => [] };

const changesOf = (decision: ReturnType<typeof decide>) =>
  'changes' in decision
    ? decision.changes.map((change) => `${change.changed} ${'how' in change ? change.how : ''}`)
    : [];

describe('decide', () => {
  test('skips what is as the lock says, whatever the cache holds', () => {
    expect(decide(stage, locked, observed, nothing)).toEqual({ kind: 'skip', reason: 'unchanged' });
  });

  test('runs what never ran', () => {
    expect(decide(stage, undefined, observed, everything)).toEqual({
      kind: 'run',
      changes: [{ changed: 'never-run' }],
    });
  });

  test('restores what never ran here from an earlier run with the same key', () => {
    const earlier = recordOf(new Map([[path('model'), file(9)]]));
    const decision = decide(stage, undefined, observed, { complete: () => true, runs: () => [earlier] });
    expect(decision).toMatchObject({ kind: 'restore', from: { kind: 'run', record: earlier }, outs: earlier.outs });
  });

  test('takes no earlier run whose objects are gone, or where it may not', () => {
    const earlier = recordOf(new Map([[path('model'), file(9)]]));
    const cached = { complete: () => false, runs: () => [earlier] };
    expect(decide(stage, undefined, observed, cached).kind).toBe('run');
    const whole = { complete: () => true, runs: () => [earlier] };
    expect(decide(stage, undefined, observed, whole, { noRunCache: true }).kind).toBe('run');
    expect(decide({ ...stage, alwaysChanged: true }, locked, observed, whole).kind).toBe('run');
  });

  test.each([
    ['absent', undefined, 'deleted'],
    ['edited', file(3), 'modified'],
  ])('restores an out that is %s from what the lock names', (_, now, how) => {
    const view = { ...observed, outs: new Map([[path('model'), now]]) };
    expect(decide(stage, locked, view, everything)).toMatchObject({
      kind: 'restore',
      from: { kind: 'lock' },
      changes: [{ changed: 'out', path: 'model', how }],
    });
    expect(decide(stage, locked, view, nothing).kind).toBe('run');
  });

  test('with allowMissing an absent out is what the lock says', () => {
    const view = { ...observed, outs: new Map([[path('model'), undefined]]) };
    expect(decide(stage, locked, view, nothing, { allowMissing: true }).kind).toBe('skip');
  });

  test.each<[string, Partial<Fingerprint>, string[]]>([
    ['command', { cmd: 'train  --fast' }, ['command modified']],
    ['dep', { deps: new Map([[path('data'), file(7)]]) }, ['dep modified']],
    ['param', { params: new Map([[path('params.yaml'), new Map([['lr', 0.2]])]]) }, ['param modified']],
    ['param type', { params: new Map([[path('params.yaml'), new Map([['lr', '0.1']])]]) }, ['param modified']],
    ['wdir', { wdir: path('sub') }, ['wdir modified']],
    ['env', { env: new Map([['MODE', 'fast']]) }, ['env added']],
    ['out added', { outs: new Set([path('model'), path('log')]) }, ['out added']],
    ['out removed', { outs: new Set() }, ['out removed']],
  ])('runs when the %s changes, and says so', (_, change, expected) => {
    const decision = decide(stage, locked, { ...observed, fingerprint: { ...fingerprint, ...change } }, nothing);
    expect(decision.kind).toBe('run');
    expect(changesOf(decision)).toEqual(expected);
  });

  test('a dep or param that is no longer asked for is a change', () => {
    const view: Observed = {
      ...observed,
      fingerprint: { ...fingerprint, deps: new Map(), params: new Map() },
      declared: { deps: new Set(), params: () => undefined },
    };
    expect(changesOf(decide(stage, locked, view, nothing))).toEqual(['dep removed', 'param removed']);
  });

  test('a dep that is gone from the disk is deleted, not removed', () => {
    const view = { ...observed, fingerprint: { ...fingerprint, deps: new Map() } };
    expect(changesOf(decide(stage, locked, view, nothing))).toEqual(['dep deleted']);
  });

  test('1 and 1.0 are one value', () => {
    const params = (value: number) => new Map([[path('params.yaml'), new Map([['lr', value]])]]);
    const view = { ...observed, fingerprint: { ...fingerprint, params: params(1.0) } };
    expect(decide(stage, { ...locked, params: params(1) }, view, nothing).kind).toBe('skip');
  });

  test('a frozen stage stays as it is, whatever changes above it', () => {
    const frozen = { ...stage, frozen: true };
    const view = { ...observed, fingerprint: { ...fingerprint, cmd: 'other', deps: new Map() } };
    expect(decide(frozen, locked, view, nothing)).toEqual({ kind: 'skip', reason: 'frozen' });
    const gone = { ...view, outs: new Map([[path('model'), undefined]]) };
    expect(decide(frozen, locked, gone, everything).kind).toBe('restore');
    expect(decide(frozen, undefined, observed, nothing)).toEqual({ kind: 'skip', reason: 'frozen' });
    expect(decide(frozen, undefined, observed, nothing, { force: 'force' }).kind).toBe('skip');
  });

  test('a stage that declares nothing always runs, until it is frozen', () => {
    const bare = { ...stage, deps: [], params: [], outs: [] };
    expect(changesOf(decide(bare, locked, observed, everything))).toEqual(['always ']);
    expect(decide({ ...bare, frozen: true }, locked, observed, everything).kind).toBe('skip');
  });

  test('is undecided while something upstream has yet to run, but for what runs anyway', () => {
    const view = { ...observed, pending: ['prepare' as StageAddress] };
    expect(decide(stage, locked, view, nothing)).toMatchObject({ kind: 'undecided', upstream: ['prepare'] });
    expect(decide({ ...stage, alwaysChanged: true }, locked, view, nothing).kind).toBe('run');
  });

  test('force runs it', () => {
    const decision = decide(stage, locked, observed, everything, { force: 'force' });
    expect(decision).toEqual({ kind: 'run', changes: [{ changed: 'forced', by: 'force' }] });
  });
});

describe('the run cache is not used', () => {
  const out = stage.outs[0];
  if (out === undefined) throw new Error('the stage has an out');
  test.each<[string, Partial<Stage>]>([
    ['without deps and params', { deps: [], params: [] }],
    ['without outs', { outs: [] }],
    ['for always_changed', { alwaysChanged: true }],
    ['with an out that persists', { outs: [{ ...out, persist: true }] }],
    ['with a plain out that is not cached', { outs: [{ ...out, cache: false }] }],
  ])('%s', (_, change) => {
    expect(usesRunCache({ ...stage, ...change })).toBe(false);
  });

  test('but is with metrics that are not cached', () => {
    expect(usesRunCache({ ...stage, outs: [{ ...out, kind: 'metric', cache: false }] })).toBe(true);
  });
});

test('a dep that is new in the stage and not there yet is a change', () => {
  const now: Observed = {
    ...observed,
    fingerprint: { ...fingerprint, deps: new Map() },
    declared: { deps: new Set([path('data')]), params: () => 'named' },
  };
  const before: LockedStage = { ...locked, deps: new Map() };
  expect(decide(stage, before, now, everything)).toMatchObject({
    changes: [{ changed: 'dep', path: 'data', how: 'added' }],
  });
});
