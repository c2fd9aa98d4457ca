import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';
import { type DvcCommands, findDvcPython, startCommands, WITHOUT_DVC } from './dvc.ts';

/** The same history in a project of ours and in one of DVC's: what each says of it is compared. */
interface Both {
  readonly ours: TestProject;
  readonly theirs: TestProject;
}

let dvc: DvcCommands | undefined;
let both: Both;

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

/** States of the project, one after the other: files that change; null takes one away. */
const HISTORY: readonly { readonly [file: string]: string | null }[] = [
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
  both = { ours: makeProject(), theirs: makeProject() };
  await theirs('init', '-q');
  for (const [step, files] of HISTORY.entries()) {
    for (const [file, text] of Object.entries(files)) {
      put(both.ours, file, text);
      put(both.theirs, file.replace('pipeline.yaml', 'dvc.yaml'), text);
    }
    const run = await both.ours.dag(['repro', '-P', '-q', '-k']);
    expect(run.status, run.stderr).toBe(0);
    await theirs('repro', '-P', '-q', '-k');
    await both.ours.dag(['add', 'data', 'file', '-q']);
    await theirs('add', '-q', 'data', 'file');
    if (step > 0) continue;
    for (const { root } of Object.values(both) as TestProject[]) {
      const git = (...args: string[]) => execFileSync('git', args, { cwd: root, env: GIT });
      git('add', '-A');
      git('commit', '-qm', 'one');
      git('tag', 'v1');
      git('branch', 'old');
    }
  }
}, 120_000);
afterAll(() => {
  dvc?.close();
  for (const project of Object.values(both ?? {}) as TestProject[]) project.remove();
});

const GIT = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

function put(project: TestProject, file: string, text: string | null): void {
  if (text === null) fs.rmSync(project.path(file));
  else project.write(file, text);
}

async function theirs(...args: string[]): Promise<string> {
  return (await dvc?.run(both.theirs.root, args))?.stdout ?? '';
}

/** Compares what a command prints, from a folder of the project. */
async function compare(args: readonly string[], cwd = '.'): Promise<void> {
  const our = await both.ours.dag(args, { cwd });
  const their = await dvc?.run(path.join(both.theirs.root, cwd), args);
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
      if (dvc === undefined) {
        if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
        return context.skip(WITHOUT_DVC);
      }
      await compare(command.split(' '), cwd);
    });
  }
});
