import type {
  AnyPath,
  Artifact,
  Change,
  Decision,
  Fingerprint,
  LockedStage,
  Out,
  Stage,
  StageAddress,
} from '@dag/model';
import { describe, expect, test } from 'vitest';
import { type DecideOptions, decide } from '../src/decide.ts';
import { file, INPUTS, out, path, recordOf, TRAIN } from './rig/train.ts';

// What users count on of a decision, a row each: the numbers are those of the list that they were agreed by, sections A to C.
// A stage `train` reads `data` and the param `lr`, writes `model`, and has run: that is how each case begins.

/** How things stand, in the words that rows change. */
interface Case {
  stage: Stage;
  /** What the stage depends on now. */
  now: { -readonly [K in keyof Fingerprint]: Fingerprint[K] };
  /** Undefined: there is no entry. */
  locked: { -readonly [K in keyof LockedStage]: LockedStage[K] } | undefined;
  /** What stands at the outs. */
  outs: Map<AnyPath, Artifact | undefined>;
  pending: StageAddress[];
  /** Contents that the cache holds. */
  objects: Artifact[];
  /** Results of earlier runs with the inputs as they are now, newest first. */
  earlier: Artifact[];
  options: { -readonly [K in keyof DecideOptions]: DecideOptions[K] };
}

function settled(): Case {
  return {
    stage: TRAIN,
    now: { ...INPUTS, wdir: path(''), outs: new Set([path('model')]) },
    locked: { ...INPUTS, outs: new Map([[path('model'), file(2)]]) },
    outs: new Map([[path('model'), file(2)]]),
    pending: [],
    objects: [file(2)],
    earlier: [],
    options: {},
  };
}

function decided({ stage, now, locked, outs, pending, objects, earlier, options }: Case): string {
  const declared = {
    deps: new Set(stage.deps.map((dep) => dep.path)),
    params: (at: AnyPath, key: string) =>
      stage.params.some((one) => one.file === at && one.keys !== 'all' && one.keys.includes(key))
        ? ('named' as const)
        : undefined,
  };
  const records = earlier.map((result) => recordOf(new Map([[path('model'), result]])));
  const cached = {
    complete: (artifact: Artifact) => objects.some((object) => object.digest === artifact.digest),
    runs: () => records,
  };
  const decision = decide(stage, locked, { fingerprint: now, declared, outs, pending }, cached, options);
  return said(decision);
}

/** A decision in a few words: what is done, from where, and why. */
function said(decision: Decision): string {
  switch (decision.kind) {
    case 'skip':
      return `skip: ${decision.reason}`;
    case 'restore': {
      const [result] = [...decision.outs.values()];
      return `restore ${result?.digest.slice(-1)} from the ${decision.from.kind}: ${reasons(decision.changes)}`;
    }
    case 'run':
      return `run: ${reasons(decision.changes)}`;
    case 'undecided':
      return `undecided until ${decision.upstream.join(', ')}`;
    case 'blocked':
      return 'blocked';
  }
}

function reasons(changes: readonly Change[]): string {
  return changes
    .map((change) => {
      const name = 'path' in change ? change.path : 'key' in change ? change.key : 'name' in change ? change.name : '';
      const how = 'how' in change ? change.how : 'why' in change ? change.why : 'by' in change ? change.by : '';
      return [change.changed, name, how].filter((word) => word !== '').join(' ');
    })
    .join('; ');
}

type Row = readonly [number: number, what: string, arrange: (one: Case) => void, expected: string];

const withoutDeps = (one: Case): void => {
  one.stage = { ...one.stage, deps: [], params: [] };
  one.now = { ...one.now, deps: new Map(), params: new Map() };
  if (one.locked !== undefined) one.locked = { ...one.locked, deps: new Map(), params: new Map() };
};

const withOut = (one: Case, extra: Partial<Out>): void => {
  one.stage = { ...one.stage, outs: [out('model', extra)] };
};

const neverRun = (one: Case): void => {
  one.locked = undefined;
  one.outs = new Map([[path('model'), undefined]]);
};

const gone = (one: Case): void => void one.outs.set(path('model'), undefined);

const running: readonly Row[] = [
  [1, 'nothing changed', () => {}, 'skip: unchanged'],
  [
    3,
    'the code, a dep, changed',
    (one) => (one.now.deps = new Map([[path('data'), file(9)]])),
    'run: dep data modified',
  ],
  [
    4,
    'something upstream has yet to run',
    (one) => one.pending.push('prepare' as StageAddress),
    'undecided until prepare',
  ],
  [
    5,
    'nothing changed, but upstream ran under --force-downstream',
    (one) => (one.options.force = 'downstream'),
    'run: forced downstream',
  ],
  [
    7,
    '--force, whatever the run cache has',
    (one) => {
      one.options.force = 'force';
      one.earlier = [file(2)];
    },
    'run: forced force',
  ],
  [8, 'a blank more in the command', (one) => (one.now.cmd = 'train  --fast'), 'run: command modified'],
  [8, 'a list of one command instead of a text', (one) => (one.now.cmd = ['train --fast']), 'run: command modified'],
  [
    9,
    'a dep was added',
    (one) => {
      one.stage = { ...one.stage, deps: [...one.stage.deps, { path: path('more') }] };
      one.now.deps = new Map([...one.now.deps, [path('more'), file(3)]]);
    },
    'run: dep more added',
  ],
  [
    10,
    'an out was added',
    (one) => {
      one.stage = { ...one.stage, outs: [out('model'), out('plot')] };
      one.now.outs = new Set([path('model'), path('plot')]);
    },
    'run: out plot added',
  ],
  [
    11,
    'a dep has another name and the same content',
    (one) => {
      one.stage = { ...one.stage, deps: [{ path: path('renamed') }] };
      one.now.deps = new Map([[path('renamed'), file(1)]]);
    },
    'run: dep data removed; dep renamed added',
  ],
  [
    12,
    'a dep was removed from the definition',
    (one) => {
      one.stage = { ...one.stage, deps: [] };
      one.now.deps = new Map();
    },
    'run: dep data removed',
  ],
  [
    12,
    'a param was removed from the definition',
    (one) => {
      one.stage = { ...one.stage, params: [] };
      one.now.params = new Map();
    },
    'run: param lr removed',
  ],
  [
    12,
    'an out was removed from the definition',
    (one) => {
      if (one.locked !== undefined) one.locked.outs = new Map([...one.locked.outs, [path('plot'), file(3)]]);
    },
    'run: out plot removed',
  ],
  [
    13,
    'deps stand in another order',
    (one) => {
      const both = [path('data'), path('more')].map((at) => [at, file(1)] as const);
      one.stage = { ...one.stage, deps: [{ path: path('more') }, { path: path('data') }] };
      one.now.deps = new Map([...both].reverse());
      if (one.locked !== undefined) one.locked.deps = new Map(both);
    },
    'skip: unchanged',
  ],
  [
    14,
    'the lock is gone, a run is known',
    (one) => {
      one.locked = undefined;
      one.earlier = [file(2)];
    },
    'restore 2 from the run: never-run',
  ],
  [14, 'the lock is gone, and no run is known', (one) => (one.locked = undefined), 'run: never-run'],
  [
    32,
    'neither deps nor outs',
    (one) => {
      withoutDeps(one);
      one.stage = { ...one.stage, outs: [] };
      one.now.outs = new Set();
      if (one.locked !== undefined) one.locked.outs = new Map();
    },
    'run: always nothing-declared',
  ],
  [
    32,
    'the same, frozen',
    (one) => {
      withoutDeps(one);
      one.stage = { ...one.stage, outs: [], frozen: true };
    },
    'skip: frozen',
  ],
  [
    33,
    'always_changed, though the run cache has it',
    (one) => {
      one.stage = { ...one.stage, alwaysChanged: true };
      one.earlier = [file(2)];
    },
    'run: always always_changed',
  ],
  [
    33,
    'always_changed, while upstream has yet to run',
    (one) => {
      one.stage = { ...one.stage, alwaysChanged: true };
      one.pending.push('prepare' as StageAddress);
    },
    'run: always always_changed',
  ],
  [
    34,
    'frozen, and everything above it changed',
    (one) => {
      one.stage = { ...one.stage, frozen: true };
      one.now = { ...one.now, cmd: 'other', deps: new Map() };
    },
    'skip: frozen',
  ],
  [34, 'it was frozen since', (one) => (one.stage = { ...one.stage, frozen: true }), 'skip: frozen'],
  [
    34,
    'frozen, --force',
    (one) => {
      one.stage = { ...one.stage, frozen: true };
      one.options.force = 'force';
    },
    'skip: frozen',
  ],
  [
    34,
    'frozen, and its out is gone',
    (one) => {
      one.stage = { ...one.stage, frozen: true };
      gone(one);
    },
    'restore 2 from the lock: out model deleted',
  ],
];

const runCache: readonly Row[] = [
  [
    48,
    'out and lock are gone',
    (one) => {
      neverRun(one);
      one.earlier = [file(2)];
    },
    'restore 2 from the run: never-run',
  ],
  [48, 'only the out is gone', gone, 'restore 2 from the lock: out model deleted'],
  [
    49,
    'inputs are again what they were two runs ago',
    (one) => {
      one.now.params = new Map([[path('params.yaml'), new Map([['lr', 0.5]])]]);
      one.earlier = [file(7)];
      one.objects = [file(2), file(7)];
    },
    'restore 7 from the run: param lr modified',
  ],
  [
    49,
    'of several results with these inputs the newest that can be had',
    (one) => {
      neverRun(one);
      one.earlier = [file(8), file(7), file(6)];
      one.objects = [file(7), file(6)];
    },
    'restore 7 from the run: never-run',
  ],
  ...(
    [
      ['no deps', (one: Case) => withoutDeps(one)],
      ['always_changed', (one: Case) => (one.stage = { ...one.stage, alwaysChanged: true })],
      ['an out that persists', (one: Case) => withOut(one, { persist: true })],
      ['a dep outside the project', (one: Case) => (one.stage = { ...one.stage, deps: [{ path: path('/data') }] })],
      ['an out outside', (one: Case) => (one.stage = { ...one.stage, outs: [out('/model', { cache: false })] })],
    ] as const
  ).map(([what, arrange]): Row => {
    const earlier = (one: Case): void => {
      arrange(one);
      neverRun(one);
      one.earlier = [file(2)];
    };
    return [
      52,
      `kept out of the run cache: ${what}`,
      earlier,
      what === 'always_changed' ? 'run: always always_changed' : 'run: never-run',
    ];
  }),
  [
    53,
    'an out that is not cached',
    (one) => {
      withOut(one, { cache: false });
      neverRun(one);
      one.earlier = [file(2)];
    },
    'run: never-run',
  ],
  [
    53,
    'a metric that is not cached',
    (one) => {
      withOut(one, { cache: false, kind: 'metric' });
      neverRun(one);
      one.earlier = [file(2)];
    },
    'restore 2 from the run: never-run',
  ],
  [
    54,
    '--no-run-cache',
    (one) => {
      neverRun(one);
      one.earlier = [file(2)];
      one.options.noRunCache = true;
    },
    'run: never-run',
  ],
  [
    56,
    'the run is known, and its objects are gone',
    (one) => {
      neverRun(one);
      one.earlier = [file(2)];
      one.objects = [];
    },
    'run: never-run',
  ],
];

const missingData: readonly Row[] = [
  [
    61,
    'nothing changed, and the out is neither here nor in the cache',
    (one) => {
      gone(one);
      one.objects = [];
    },
    'run: out model deleted',
  ],
  [
    64,
    'the same with --allow-missing',
    (one) => {
      gone(one);
      one.objects = [];
      one.options.allowMissing = true;
    },
    'skip: unchanged',
  ],
  [
    64,
    '--allow-missing, and the out was edited',
    (one) => {
      one.outs.set(path('model'), file(5));
      one.options.allowMissing = true;
    },
    'restore 2 from the lock: out model modified',
  ],
  [
    65,
    '--allow-missing, and upstream recorded another content of the dep',
    (one) => {
      one.now.deps = new Map([[path('data'), file(9)]]);
      gone(one);
      one.options.allowMissing = true;
    },
    'run: dep data modified',
  ],
];

describe.each([
  ['A, running the pipeline', running],
  ['B, the run cache', runCache],
  ['C, missing data', missingData],
])('%s', (_, rows) => {
  test.each(rows)('%i: %s', (_number, _what, arrange, expected) => {
    const one = settled();
    arrange(one);
    expect(decided(one)).toBe(expected);
  });
});
