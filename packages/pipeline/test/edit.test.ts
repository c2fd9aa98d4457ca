import type { Diagnostic, Result } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import {
  addDataText,
  addPathsText,
  addStageText,
  changedLines,
  removeDataText,
  removeRemoteText,
  removeStageText,
  renameDataText,
  type StageDefinition,
  setDefaultRemoteText,
  setFrozenText,
  setRemoteText,
} from '../src/index.ts';
import { path, sound, words } from './rig/memory.ts';

const FILE = path('pipeline.yaml');

const TEXT = `# the pipeline
remote: store   # default
stages:
  # first
  a:
    cmd: "echo   a"   # keep
    deps: [x,   y]

  # second
  b:
    cmd: b
    # inside b

# last words
`;

function text(result: Result<string, Diagnostic[]>): string {
  return result.ok ? result.value : `refused: ${words(result.error)}`;
}

const STAGE: StageDefinition = {
  name: 'train',
  cmd: 'python train.py --x "1"',
  deps: ['data/raw', 'a b'],
  params: ['lr', { file: 'p.json', keys: ['a.b', 'c'] }, { file: 'all.toml', keys: [] }],
  outs: [{ path: 'model' }, { path: 'state', persist: true }],
  metrics: [{ path: 'm.json', cache: false }],
  env: ['LANG', 'A=b'],
  resources: { gpu: 1, memory: '8GB' },
};

describe('stages', () => {
  it('are added behind the last, or into an empty file', () => {
    expect(text(addStageText('', FILE, STAGE))).toMatchInlineSnapshot(`
      "stages:
        train:
          cmd: python train.py --x "1"
          deps:
            - data/raw
            - a b
          params:
            - lr
            - p.json:
                - a.b
                - c
            - all.toml: null
          env:
            - LANG
            - A=b
          resources:
            gpu: 1
            memory: 8GB
          outs:
            - model
            - state:
                persist: true
          metrics:
            - m.json:
                cache: false
      "
    `);
    expect(text(addStageText(TEXT, FILE, { name: 'c', cmd: 'one\ntwo' }))).toMatchInlineSnapshot(`
      "# the pipeline
      remote: store   # default
      stages:
        # first
        a:
          cmd: "echo   a"   # keep
          deps: [x,   y]

        # second
        b:
          cmd: b

        c:
          cmd: |-
            one
            two
          # inside b

      # last words
      "
    `);
    expect(text(addStageText('stages: {a: {cmd: a}}', FILE, { name: 'c', cmd: 'c: d', deps: ['x'] }))).toBe(
      "stages: {a: {cmd: a}, c: {cmd: 'c: d', deps: [x]}}",
    );
    expect(text(addStageText('stages: # none\nvars: []\n', FILE, { name: 'c', cmd: 'c' }))).toBe(
      'stages: # none\n  c:\n    cmd: c\nvars: []\n',
    );
    expect(text(addStageText('stages: {}\r\n', FILE, { name: 'c', cmd: 'c' }))).toBe(
      'stages:\r\n  c:\r\n    cmd: c\r\n',
    );
    expect(text(addStageText('jobs: 2', FILE, { name: 'c', cmd: 'c' }))).toBe('jobs: 2\nstages:\n  c:\n    cmd: c\n');
  });

  it('are rewritten in place, the rest kept', () => {
    const before =
      'stages:\n  a:\n    # why\n    cmd: old # c\n    wdir: w\n    deps:\n    - x\n    meta: {k: 1} # m\n  b: {cmd: b}\n';
    expect(
      text(
        addStageText(before, FILE, { name: 'a', cmd: 'new', deps: ['x'], outs: [{ path: 'o' }] }, { replace: true }),
      ),
    ).toBe(
      'stages:\n  a:\n    # why\n    cmd: new # c\n    deps:\n    - x\n    meta: {k: 1} # m\n    outs:\n      - o\n  b: {cmd: b}\n',
    );
    expect(text(addStageText(before, FILE, { name: 'a', cmd: 'new' }))).toContain("there is a stage 'a' already");
    const made = 'stages: {a: {foreach: [1], do: {cmd: x}}}\n';
    expect(text(addStageText(made, FILE, { name: 'a', cmd: 'n' }, { replace: true }))).toContain(
      'comes from a template',
    );
  });

  it('are taken out with their own comments', () => {
    expect(text(removeStageText(TEXT, FILE, 'a'))).toBe(TEXT.replace(/ {2}# first[\s\S]*?\n\n/, ''));
    expect(text(removeStageText(TEXT, FILE, 'b'))).toBe(TEXT.replace(/ {2}# second[\s\S]*?\n\n/, ''));
    expect(text(removeStageText('stages: {a: {cmd: x}, b: {cmd: y}}\n', FILE, 'a'))).toBe('stages: {b: {cmd: y}}\n');
    expect(text(removeStageText('stages: {a: {cmd: x}, b: {cmd: y}}\n', FILE, 'b'))).toBe('stages: {a: {cmd: x}}\n');
    expect(text(removeStageText('jobs: 1\nstages:\n  a: {cmd: x}\n', FILE, 'a'))).toBe('jobs: 1\n');
    expect(text(removeStageText(TEXT, FILE, 'z'))).toContain("there is no stage 'z'");
  });

  it('are frozen and unfrozen, back to the same bytes', () => {
    const frozen = text(setFrozenText(TEXT, FILE, 'a', true));
    expect(frozen).toBe(TEXT.replace('deps: [x,   y]\n', 'deps: [x,   y]\n    frozen: true\n'));
    expect(text(setFrozenText(frozen, FILE, 'a', true))).toBe(frozen);
    expect(text(setFrozenText(frozen, FILE, 'a', false))).toBe(TEXT);
    const group = 'stages:\n  g:\n    foreach: [1]\n    do:\n      cmd: x\n';
    expect(text(setFrozenText(group, FILE, 'g', true))).toBe(`${group}      frozen: true\n`);
    expect(text(setFrozenText(group, FILE, 'g@1', true))).toContain("made by the template 'g'");
  });

  it('that others are merged into, or stand for, stay as they are', () => {
    const base = 'stages:\n  a: &a\n    cmd: x\n    frozen: false\n    deps: [d]\n';
    const merged = `${base}  b:\n    <<: *a\n    cmd: y\n`;
    expect(text(setFrozenText(merged, FILE, 'b', true))).toBe(`${merged}    frozen: true\n`);
    expect(text(setFrozenText(`${base}  b: {<<: *a}\n`, FILE, 'b', true))).toBe(`${base}  b: {<<: *a, frozen: true}\n`);
    expect(text(addStageText(merged, FILE, { name: 'b', cmd: 'y', deps: ['q'] }, { replace: true }))).toContain(
      "'b' has 'frozen' from a map that is merged into it",
    );
    const without = merged.replace('    frozen: false\n', '');
    expect(text(addStageText(without, FILE, { name: 'b', cmd: 'n', deps: ['q'] }, { replace: true }))).toBe(
      without.replace('cmd: y\n', 'cmd: n\n    deps:\n      - q\n'),
    );
    const alias = `${base}  b: *a\n`;
    expect(text(setFrozenText(alias, FILE, 'b', true))).toContain("the stage 'b' is written elsewhere in the file");
    expect(text(addStageText(alias, FILE, { name: 'b', cmd: 'n' }, { replace: true }))).toBe(
      `${base}  b:\n    cmd: n\n`,
    );
    expect(text(removeStageText(alias, FILE, 'b'))).toBe(base);
    expect(text(removeStageText(alias, FILE, 'a'))).toContain('other parts of the file need what would go');
  });

  it('are added to maps that end with a comma, before the end of a text, behind a byte order mark', () => {
    const add = (before: string, name = 'b', options = {}): string =>
      text(addStageText(before, FILE, { name, cmd: 'n' }, options));
    expect(add('stages: {\n  a: {cmd: x}, # last\n}\n')).toBe('stages: {\n  a: {cmd: x}, b: {cmd: n}, # last\n}\n');
    expect(add('jobs: 1\n...\n')).toBe('jobs: 1\nstages:\n  b:\n    cmd: n\n...\n');
    expect(add('stages: {a: {frozen: true}}\n', 'a', { replace: true })).toBe('stages: {a: {cmd: n}}\n');
    expect(add('stages: {a: {wdir: ., cmd: x, deps: [y], frozen: true}}\n', 'a', { replace: true })).toBe(
      'stages: {a: {cmd: n}}\n',
    );
    expect(text(setDefaultRemoteText('\ufeffremotes: {a: b}\n', FILE, ['a']))).toBe(
      '\ufeffremote: a\nremotes: {a: b}\n',
    );
  });

  it('that stand elsewhere too are not changed there', () => {
    const twice = 'vars: [&s {cmd: x, frozen: true}]\nstages:\n  a:\n    <<: *s\n    frozen: true\n';
    expect(text(setFrozenText(twice, FILE, 'a', false))).toContain("a map that is merged in has 'frozen' as well");
    expect(text(addDataText('vars: [&l [a]]\ndata: *l\n', FILE, [{ path: 'b' }]))).toContain('written elsewhere');
  });

  it('come out of the text as they went in', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((s) => !s.includes('${') && !s.includes('\0') && s.isWellFormed());
    const part = fc.stringMatching(/^[a-z0-9 :#'"{}&*!-]{1,8}$/).filter((s) => s.trim() !== '' && !/[*?[]/.test(s));
    const lists = fc.uniqueArray(part, { maxLength: 4 });
    const starts = [
      '',
      '# c\n',
      'stages:\n',
      'stages: {}\n',
      'stages:\n    z:\n        cmd: z\n',
      'jobs: 1',
      'stages: {z: {cmd: z}}',
      'stages:\r\n  z:\r\n    cmd: |\r\n      z\r\n',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...starts), word, lists, (start, cmd, deps) => {
        const result = addStageText(start, FILE, { name: 'new', cmd, deps: deps.map((dep) => `d/${dep}`) });
        const stage = sound({ 'pipeline.yaml': text(result) }).stages.get('new' as never);
        expect(stage?.action).toEqual({ kind: 'command', cmd });
        expect(stage?.deps.map((dep) => dep.path)).toEqual(deps.map((dep) => `d/${dep}`));
      }),
      { numRuns: runs(400) },
    );
  });
});

describe('data', () => {
  it('is added and taken out', () => {
    expect(text(addDataText('', FILE, [{ path: 'a' }, { path: 'b', desc: 'x: y', push: false }]))).toBe(
      "data:\n  - a\n  - {path: b, desc: 'x: y', push: false}\n",
    );
    const before = 'data:\n- a # one\n# of b\n- {path: b, desc: q}\nstages: {}\n';
    expect(text(addDataText(before, FILE, [{ path: 'c' }, { path: './a' }, { path: 'b', push: false }]))).toBe(
      'data:\n- a # one\n# of b\n- {path: b, desc: q, push: false}\n- c\nstages: {}\n',
    );
    expect(text(addDataText('data: [a]\n', FILE, [{ path: 'b' }]))).toBe('data: [a, b]\n');
    expect(text(removeDataText(before, FILE, ['a']))).toBe('data:\n# of b\n- {path: b, desc: q}\nstages: {}\n');
    expect(text(removeDataText(before, FILE, ['b']))).toBe('data:\n- a # one\nstages: {}\n');
    expect(text(removeDataText(before, FILE, ['a', 'b']))).toBe('stages: {}\n');
    expect(text(removeDataText('data: [a, b, c]\n', FILE, ['a', 'c']))).toBe('data: [b]\n');
    expect(text(removeDataText(before, FILE, ['z']))).toContain('z is not in the data:');
  });
});

describe('remotes', () => {
  it('are set, made the default, and taken out', () => {
    const one = text(setRemoteText('# mine\n', FILE, { name: 'store', url: 's3://b/p' }));
    expect(one).toBe('# mine\nremotes:\n  store: s3://b/p\n');
    const two = text(
      setRemoteText(one, FILE, { name: 'box', url: '../x', endpoint: 'http://h:9000', path_style: true }),
    );
    expect(two).toBe(`${one}  box: {url: ../x, endpoint: http://h:9000, path_style: true}\n`);
    const named = text(setDefaultRemoteText(two, FILE, ['store']));
    expect(named).toBe(two.replace('remotes:', 'remote: store\nremotes:'));
    expect(text(setDefaultRemoteText(named, FILE, ['box']))).toBe(named.replace('remote: store', 'remote: box'));
    expect(text(setDefaultRemoteText(named, FILE, []))).toBe(two);
    expect(text(setRemoteText(two, FILE, { name: 'store', url: '../y' }))).toBe(two.replace('s3://b/p', '../y'));
    expect(text(removeRemoteText(named, FILE, 'store'))).toBe(two.replace('  store: s3://b/p\n', ''));
    expect(text(removeRemoteText(one, FILE, 'store'))).toBe('# mine\n');
    expect(text(removeRemoteText(one, FILE, 'q'))).toContain("there is no remote 'q'");
  });

  it('renames an entry, and all around it stays', () => {
    const before = 'data:\n# of a\n- a # one\n# of b\n- {path: b, desc: q} # two\n- path: c\n  push: false\n';
    const renamed = (from: string, to: string): string => text(renameDataText(before, FILE, { from, to }));
    expect(renamed('a', 'x/y')).toBe(before.replace('- a', '- x/y'));
    expect(renamed('./b', 'x: y')).toBe(before.replace('path: b', "path: 'x: y'"));
    expect(renamed('c', 'd')).toBe(before.replace('path: c', 'path: d'));
    expect(renameDataText(before, FILE, { from: 'd', to: 'e' }).ok).toBe(false);
  });
});

describe('deps and outs that a stage lacks', () => {
  const stages = (deps: string): string => `stages:\n  a:\n    cmd: a\n${deps}  b:\n    cmd: b  # last\n`;
  const added = (deps: string, key: 'deps' | 'outs' = 'deps', name = 'a') => {
    const before = stages(deps);
    const result = addPathsText(before, FILE, name, key, ['x y', 'z: 1']);
    return result.ok ? changedLines(before, result.value) : `refused: ${words(result.error)}`;
  };

  it.each([
    ['    deps: [p,  q]  # why\n', { line: 4, before: 1, after: ["    deps: [p,  q, x y, 'z: 1']  # why"] }],
    ['    deps:\n    - p  # why\n', { line: 6, before: 0, after: ['    - x y', "    - 'z: 1'"] }],
    ['    deps:\n      - p\n      # inside\n', { line: 6, before: 0, after: ['      - x y', "      - 'z: 1'"] }],
    ['    deps: []\n', { line: 4, before: 1, after: ['    deps:', '      - x y', "      - 'z: 1'"] }],
    ['', { line: 4, before: 0, after: ['    deps:', '      - x y', "      - 'z: 1'"] }],
    ['    deps: p\n', { line: 4, before: 1, after: ['    deps:', '      - p', '      - x y', "      - 'z: 1'"] }],
  ])('are written behind those that it has: %j', (deps, { line, before, after }) => {
    const change = added(deps);
    expect(change).toMatchObject({ line, after });
    expect(typeof change === 'string' ? change : change.before.length).toBe(before);
  });

  it('in a flow map, in a file of Windows lines, and as outs', () => {
    const flow = 'stages: {a: {cmd: a, deps: [p]}}\r\n';
    const result = addPathsText(flow, FILE, 'a', 'outs', ['q']);
    expect(result).toMatchObject({ ok: true, value: 'stages: {a: {cmd: a, deps: [p], outs: [q]}}\r\n' });
  });

  it('are refused where the list stands elsewhere, or a template makes the stage', () => {
    const aliased = 'x: &deps [p]\nstages:\n  a: {cmd: a, deps: *deps}\n  g: {foreach: [1], do: {cmd: g}}\n';
    expect(words((addPathsText(aliased, FILE, 'a', 'deps', ['q']) as { error: Diagnostic[] }).error)).toContain(
      'the deps of the stage are written elsewhere in the file',
    );
    expect(addPathsText(aliased, FILE, 'g@1', 'deps', ['q']).ok).toBe(false);
    expect(addPathsText(aliased, FILE, 'nope', 'deps', ['q']).ok).toBe(false);
  });
});
