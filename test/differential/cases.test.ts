import type { Diagnostic } from '@dag/model';
import { loadPipeline, renderDiagnostic } from '@dag/pipeline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryReader } from '../../packages/pipeline/test/rig/memory.ts';
import { type Case, type Recorded, readCases, readRecorded, topics, writeRecorded } from './cases.ts';
import { ourGraph, theirGraph } from './compare.ts';
import { type Answer, type Dvc, findDvcPython, startDvc, WITHOUT_DVC } from './dvc.ts';

/** With DAG_RECORD=1 real DVC is asked, and what both answer is written down anew. */
const RECORD = process.env['DAG_RECORD'] === '1';
const IN_FULL = RECORD || process.env['DAG_REQUIRE_RIGS'] === '1';
/** DVC takes a tenth of a second for each case: without DAG_REQUIRE_RIGS=1 it is asked about some. */
const STEP = IN_FULL ? 1 : 10;

let dvc: Dvc | undefined;
beforeAll(async () => {
  const python = findDvcPython();
  if (python !== undefined) dvc = await startDvc(python);
});
afterAll(() => dvc?.close());

describe.each(topics())('%s', (topic) => {
  const cases = readCases(topic);

  test('DVC answers what is recorded', { timeout: 600_000 }, async (context) => {
    if (dvc === undefined) {
      if (IN_FULL) throw new Error(WITHOUT_DVC);
      return context.skip(WITHOUT_DVC);
    }
    const answers: [string, Recorded][] = [];
    for (const one of cases.filter((_, i) => i % STEP === 0)) {
      answers.push([one.name, record(one, await dvc.ask(one.files))]);
    }
    if (RECORD) writeRecorded(topic, answers);
    const recorded = readRecorded(topic);
    for (const [name, { dvc: now }] of answers) {
      expect(JSON.parse(JSON.stringify(now)), name).toEqual(recorded.get(name)?.dvc);
    }
  });

  if (RECORD) return;
  const recorded = readRecorded(topic);
  test.each(cases)('$name', (one) => {
    const known = recorded.get(one.name);
    if (known === undefined) throw new Error('not recorded: run once with DAG_RECORD=1');
    const { pipeline, diagnostics } = load(one);
    if (known.dag !== undefined) expect(problems(diagnostics)).toEqual(known.dag);
    const words = diagnostics.map(renderDiagnostic).join('\n');
    expect(pipeline === undefined, words).toBe(known.dag !== undefined);
    expect(sameAnswer(one, known.dvc), 'a case with a reason to differ must differ').toBe(one.differs === undefined);
    if (one.differs !== undefined || pipeline === undefined || 'refused' in known.dvc) return;
    expect(ourGraph(pipeline, memoryReader(one.files))).toEqual(theirGraph(known.dvc));
  });
});

function load({ files }: Case): ReturnType<typeof loadPipeline> {
  const local = files['.cache/local.yaml'];
  return loadPipeline(memoryReader(files), local === undefined ? {} : { localSettings: local });
}

/** Whether both refuse, or both see the same graph. */
function sameAnswer(one: Case, theirs: Answer): boolean {
  const { pipeline } = load(one);
  if (pipeline === undefined || 'refused' in theirs) return pipeline === undefined && 'refused' in theirs;
  return JSON.stringify(ourGraph(pipeline, memoryReader(one.files))) === JSON.stringify(theirGraph(theirs));
}

function record(one: Case, theirs: Answer): Recorded {
  const { pipeline, diagnostics } = load(one);
  return pipeline === undefined ? { dvc: theirs, dag: problems(diagnostics) } : { dvc: theirs };
}

/** What is wrong and where; how it is worded is not what these tests are about. */
function problems(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ code, file, span }) => `${code} ${file}:${span?.line ?? 0}`);
}
