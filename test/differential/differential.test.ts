import { loadPipeline, renderDiagnostic } from '@dag/pipeline';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryReader } from '../../packages/pipeline/test/rig/memory.ts';
import { runs, SEED } from '../fuzz.ts';
import { ourGraph, theirGraph } from './compare.ts';
import { type Answer, type Dvc, findDvcPython, startDvc, WITHOUT_DVC } from './dvc.ts';
import { type Files, projects } from './projects.ts';

/**
 * Where DVC refuses and this tool does not, on purpose: what DVC says, and why it is taken here.
 * - A template may stand for a flag or a number (`frozen: ${x}`), its value is checked once it is known.
 * - The name of an artifact is text, whatever it was drawn from.
 */
const TAKEN_HERE: readonly RegExp[] = [/expected bool for dictionary value/, /expected str, got /];

/**
 * Where this tool refuses and DVC does not, on purpose: what this tool says, and why.
 * - A command that is a map (`cmd: ${models}`) loads in DVC, and fails when it runs.
 * - A remote that a template makes a number is no name.
 * - A single key where a list belongs (`{more.yaml: key}`) makes DVC fall over, but not beside the same file without keys.
 * - A name with an @ is one that foreach or matrix made, and none is empty.
 */
const REFUSED_HERE: readonly RegExp[] = [
  / holds an @$/,
  /^a stage needs a name$/,
  /: a map alone is no command/,
  /\.remote must be a string/,
  /\.params\.\S+ must be a list/,
];

const RUNS = runs(300);

let dvc: Dvc | undefined;
beforeAll(async () => {
  const python = findDvcPython();
  if (python !== undefined) dvc = await startDvc(python);
});
afterAll(() => dvc?.close());

test('random pipelines mean to dag what they mean to DVC', { timeout: 600_000 }, async (context) => {
  if (dvc === undefined) {
    if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
    return context.skip(WITHOUT_DVC);
  }
  const counts = { sound: 0, refused: 0 };
  for (const files of fc.sample(projects, { numRuns: RUNS, seed: SEED })) {
    const theirs = await dvc.ask(files);
    compare(files, theirs);
    if ('refused' in theirs) counts.refused++;
    else counts.sound++;
  }
  // A generator that makes nearly only one kind would prove little.
  expect(counts.sound, `DVC ${dvc.version}`).toBeGreaterThan(RUNS / 10);
  expect(counts.refused).toBeGreaterThan(RUNS / 20);
});

/** Fails where the two differ, and shows the project. Where DVC itself falls over there is no answer to compare with. */
function compare(files: Files, theirs: Answer): void {
  const reader = memoryReader(files);
  const local = files['.cache/local.yaml'];
  const { pipeline, diagnostics } = loadPipeline(reader, local === undefined ? {} : { localSettings: local });
  const project = Object.entries(files)
    .map(([path, text]) => `--- ${path}\n${text}`)
    .join('\n');
  if ('refused' in theirs) {
    if (theirs.crash || TAKEN_HERE.some((reason) => reason.test(theirs.refused))) return;
    expect(pipeline, `DVC refuses: ${theirs.refused}\n${project}`).toBeUndefined();
    return;
  }
  const words = diagnostics.map(renderDiagnostic).join('\n');
  if (diagnostics.some(({ message }) => REFUSED_HERE.some((reason) => reason.test(message)))) return;
  if (pipeline === undefined) throw new Error(`refused here and not by DVC:\n${words}\n${project}`);
  expect(ourGraph(pipeline, reader), project).toEqual(theirGraph(theirs));
}
