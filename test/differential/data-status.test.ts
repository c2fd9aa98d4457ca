import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestProject } from '../rigs/project.ts';
import { type DvcCommands, findDvcPython, startCommands, WITHOUT_DVC } from './dvc.ts';
import { type History, type SideBySide, sideBySide } from './side-by-side.ts';

let dvc: DvcCommands | undefined;
let both: SideBySide | undefined;

const PIPELINE = `stages:
  copy:
    cmd: mkdir -p out/sub && cp src out/sub/a && cp src kept
    deps: [src]
    outs:
      - out
      - kept: {cache: false}
`;
/** A stage that never ran, though its out is there. */
const LATER = 'stages:\n  later: {cmd: cp ../src by-hand, deps: [../src], outs: [by-hand]}\n';

const TRACKED = ['data', 'other', 'file', 'gone', 'kind', 'moved', 'same'];
const HISTORY: History = [
  {
    'pipeline.yaml': PIPELINE,
    src: 'src\n',
    'data/one': 'one\n',
    'data/two': 'two\n',
    'data/deep/three': 'three\n',
    'data/deep/four': 'four\n',
    'data/swap': 'swap\n',
    'other/o': 'o\n',
    file: 'file\n',
    gone: 'gone\n',
    kind: 'kind\n',
    moved: 'moved\n',
    same: 'same\n',
  },
  {
    'data/one': 'other\n',
    'data/two': null,
    'data/renamed': 'two\n',
    'data/deep/new': 'new\n',
    file: 'other\n',
  },
];

/** What is done once pipeline.lock stands: nothing of it is recorded. */
function edit({ path, write }: TestProject, pipelineFile: string): void {
  write(`sub/${pipelineFile}`, LATER);
  write('data/deep/four', 'five\n');
  fs.rmSync(path('data/swap'));
  write('data/swap/inner', 'swap\n');
  fs.renameSync(path('data/deep/three'), path('data/deep/drei'));
  fs.rmSync(path('other'), { recursive: true });
  fs.rmSync(path('gone'));
  fs.rmSync(path('kind'));
  write('kind/of', 'kind\n');
  write('sub/by-hand', 'made\n');
  write('plain/a b', 'p\n');
  write('out/sub/b', 'b\n');
}

beforeAll(async () => {
  const python = findDvcPython();
  if (python === undefined) return;
  dvc = await startCommands(python);
  both = await sideBySide(dvc, HISTORY, TRACKED);
  const { ours, theirs } = both;
  for (const project of [ours, theirs]) fs.renameSync(project.path('moved'), project.path('moved-away'));
  for (const args of [
    ['remove', '-q', 'moved'],
    ['add', '-q', 'moved-away'],
  ]) {
    expect(await ours.dag(args)).toMatchObject({ status: 0 });
    const theirArgs = args.map((arg) => (arg === 'moved' ? 'moved.dvc' : arg));
    expect(await dvc.run(theirs.root, theirArgs)).toMatchObject({ status: 0 });
  }
  edit(ours, 'pipeline.yaml');
  edit(theirs, 'dvc.yaml');
}, 120_000);
afterAll(() => {
  dvc?.close();
  both?.remove();
});

async function compare({ ours, theirs }: SideBySide, args: readonly string[]): Promise<void> {
  const our = await ours.dag(args);
  const their = await dvc?.run(theirs.root, args);
  expect([our.status, our.stderr]).toEqual([their?.status, '']);
  expect(normal(our.stdout), args.join(' ')).toEqual(normal(their?.stdout ?? ''));
}

/** DVC lists in no order, and folders inside tracked ones where they are unknown, but not where they are known. */
function normal(text: string): unknown {
  return JSON.parse(text, (key, value) => {
    if (!Array.isArray(value)) return value;
    const shown = key === 'unknown' ? value.filter((path: string) => !path.endsWith('/')) : value;
    return shown.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  });
}

const COMMANDS: readonly string[] = [
  '',
  '--granular --unchanged',
  'data/deep file --granular',
  'plain --untracked-files',
];

/** A cache that is lost but for what a remote has: listings too, and what DVC remembers of them. */
async function loseCache({ ours, theirs }: SideBySide): Promise<void> {
  for (const args of [
    ['remote', 'add', '-q', '-d', 'r', '../remote'],
    ['push', '-q', 'same'],
  ]) {
    expect(await ours.dag(args)).toMatchObject({ status: 0 });
    expect(await dvc?.run(theirs.root, args)).toMatchObject({ status: 0 });
  }
  for (const folder of ['objects', 'packs']) fs.rmSync(ours.path('.cache', folder), { recursive: true, force: true });
  fs.rmSync(theirs.path('.dvc/cache'), { recursive: true });
  await dvc?.run(theirs.root, ['config', 'core.site_cache_dir', theirs.path('../remembered')]);
}

const WITHOUT_CACHE: readonly string[] = ['', '--granular', '--not-in-remote --granular --unchanged'];

describe('data status says what DVC says', () => {
  const says = (what: string, list: readonly string[], first?: (both: SideBySide) => Promise<void>): void =>
    test(what, { timeout: 60_000 }, async (context) => {
      if (both === undefined) {
        if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
        return context.skip(WITHOUT_DVC);
      }
      await first?.(both);
      for (const flags of list) await compare(both, ['data', 'status', '--json', ...flags.split(' ').filter(Boolean)]);
    });
  says('of changes', COMMANDS);
  says('of a cache that is lost', WITHOUT_CACHE, loseCache);
});
