import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DvcCommands, findDvcPython, startCommands, WITHOUT_DVC } from './dvc.ts';
import { type History, type SideBySide, sideBySide } from './side-by-side.ts';

let dvc: DvcCommands | undefined;
let both: SideBySide | undefined;

const PIPELINE = `vars: [more.yaml]
params: [top.toml]
metrics: [top.yaml, broken.json, gone.json, list.json, sheet.csv]
stages:
  train:
    cmd: cp src.json kept.json && cp src.json cached.json
    deps: [src.json]
    params:
      - lr
      - nested.deep
      - other.json: [a.b]
      - whole.yaml:
      - code.py: [CONST, Class.attr]
    metrics:
      - kept.json: {cache: false}
      - cached.json
  each:
    foreach: \${models}
    do:
      cmd: cp \${item.file} \${key}.json
      deps: ["\${item.file}"]
      metrics:
        - "\${key}.json": {cache: false}
  folder:
    cmd: mkdir -p out/sub && cp src.json out/a && cp top.yaml out/sub/b && cp \${moved} out/\${moved}
    deps: [src.json, top.yaml]
    outs: [out]
`;
const SUB = `stages:
  s:
    wdir: ..
    cmd: cp src.json sub/m.json
    deps: [src.json]
    params: [lr]
    metrics: [sub/m.json]
`;

const HISTORY: History = [
  {
    'pipeline.yaml': PIPELINE,
    'sub/pipeline.yaml': SUB,
    'src.json':
      '{"auc": 0.123456789, "n": {"int": 1, "big": 12345678901234567890, "s": "x", "l": [1], "z": null, "f": 2.0, "e": {}}}',
    'top.yaml': '0.5\n',
    'broken.json': '{"a": 1}',
    'gone.json': '{"g": 1, "h": {"i": 2.5}}',
    'list.json': '[1, 2]',
    'sheet.csv': 'a,b\n1,2\n',
    'top.toml': '[t]\nu = 1\nv = [1, 2.0, "it\'s", true]\n',
    'params.yaml':
      'lr: 0.1\nnested: {deep: {x: 1, y: [1, {z: null}]}, other: 3}\nunused: "1"\nnothing: null\none: 1\nbig: 12345678901234567890\n',
    'more.yaml': 'models: {m1: {file: src.json}, m2: {file: other.json}}\nmoved: top.yaml\n',
    'other.json': '{"a": {"b": 1, "c": 2}}',
    'whole.yaml': 'k: 1\nw: {x: text}\n',
    'code.py': 'CONST = 1\nLIST = [1, "a"]\nclass Class:\n  attr = 1.5\n',
    'data/one': 'one\n',
    'data/two': 'two\n',
    'data/deep/three': 'three\n',
    file: 'file\n',
  },
  {
    'src.json':
      '{"auc": 0.2, "n": {"int": 1.0, "big": 12345678901234567891, "s": "y", "l": [2], "z": 1, "f": 3, "new": 1e-7}}',
    'broken.json': '{"a": 1',
    'gone.json': null,
    'top.toml': '[t]\nu = 1.5\nv = [1, 2.0, "say "it\'s"", false]\n',
    'params.yaml':
      'lr: 0.01\nnested: {deep: {x: 1.0, y: [1, {z: 0}]}, other: 4}\nunused: 1\nnothing: 2\none: 1.0\nbig: 12345678901234567892\n',
    'more.yaml': 'models: {m1: {file: other.json}, m3: {file: src.json}}\nmoved: src.json\n',
    'other.json': '{"a": {"b": 2, "c": 3}}',
    'whole.yaml': 'k: 2\n',
    'code.py': 'CONST = 2\nLIST = [1, "b"]\nclass Class:\n  attr = 1e22\n',
    'data/one': 'other\n',
    'data/two': null,
    'data/moved': 'two\n',
    'data/new': 'new\n',
  },
];

beforeAll(async () => {
  const python = findDvcPython();
  if (python === undefined) return;
  dvc = await startCommands(python);
  both = await sideBySide(dvc, HISTORY, ['data', 'file']);
}, 120_000);
afterAll(() => {
  dvc?.close();
  both?.remove();
});

/** Compares what a command prints, from a folder of the project. */
async function compare({ ours, theirs }: SideBySide, args: readonly string[], cwd: string): Promise<void> {
  const our = await ours.dag(args, { cwd });
  const their = await dvc?.run(path.join(theirs.root, cwd), args);
  expect([our.status, our.stderr]).toEqual([their?.status, our.stderr]);
  if (args.includes('--json')) expect(normal(bigJson(our.stdout))).toEqual(normal(bigJson(their?.stdout ?? '')));
  else expect(sorted(our.stdout)).toEqual(sorted(their?.stdout ?? ''));
}

/** JSON in which an integer keeps its digits. */
function bigJson(text: string): unknown {
  return JSON.parse(text.replace(/([:,[] ?)(-?\d{16,})(?=[,}\]])/g, '$1"$2"'));
}

/**
 * What is compared. Left out on purpose: how an error is worded, and the difference that Python makes of True and False.
 */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const map = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, inner]) => {
      if (key === 'error') return [[key, 'said']];
      if (key === 'diff' && typeof map['old'] === 'boolean') return [];
      return [[key.replaceAll('dvc.yaml', 'pipeline.yaml'), normal(inner)]];
    }),
  );
}

/** Lines of a table; DVC gives files in no order. */
function sorted(text: string): string[] {
  return text.split('\n').sort();
}

const COMMANDS: readonly (readonly [string, cwd?: string])[] = [
  ['metrics show'],
  ['metrics show --md --precision 2'],
  ['metrics show -a --json'],
  ['metrics show -T --json kept.json out sub/m.json'],
  ['metrics diff --json'],
  ['metrics diff --md --no-path'],
  ['metrics diff --all --json'],
  ['metrics diff v1 workspace --json', 'sub'],
  ['metrics diff HEAD old --json'],
  ['metrics diff --json --targets kept.json top.yaml nothing.json'],
  ['params diff --json'],
  ['params diff'],
  ['params diff --all --json'],
  ['params diff --deps --json'],
  ['params diff v1 --json --targets code.py other.json'],
  ['params diff --no-path', 'sub'],
  ['params diff HEAD v1 --json'],
  ['diff --json'],
  ['diff'],
  ['diff v1 old --json'],
  ['diff --json --targets data out'],
  ['diff --hide-missing --md'],
];

describe('verbs that compare revisions say what DVC says', () => {
  for (const [command, cwd = '.'] of COMMANDS) {
    test(`${command} in ${cwd}`, { timeout: 60_000 }, async (context) => {
      if (both === undefined) {
        if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
        return context.skip(WITHOUT_DVC);
      }
      await compare(both, command.split(' '), cwd);
    });
  }
});
