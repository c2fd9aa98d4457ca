import { blake3Digest, type Failure, FailureError } from '@dag/model';
import { describe, expect, test } from 'vitest';
import { asFailure, exitStatus, failureJson, failureText, showError } from '../src/failure.ts';
import type { Io } from '../src/io.ts';

const digest = blake3Digest('ab'.repeat(32));

/** One of each, with the exit status of the contract. */
const FAILURES: readonly [Failure, number][] = [
  [
    {
      code: 'invalid-pipeline',
      diagnostics: [
        {
          code: 'unknown-key',
          message: "unknown key 'dep' in stage 'train'",
          file: 'pipeline.yaml',
          span: { line: 4, column: 5, length: 3 },
          sourceLine: '    dep: [data]',
          hint: "did you mean 'deps'?",
        },
      ],
    },
    2,
  ],
  [{ code: 'usage', message: "there is no remote 'stoer'", hint: 'configured: store' }, 2],
  [{ code: 'missing-dep', message: "'a.txt' does not exist", path: 'a.txt', hint: "track it with 'dag add a.txt'" }, 2],
  [{ code: 'stage-failed', message: "stage 'train' failed with exit status 1", stage: 'train' }, 1],
  [
    {
      code: 'objects-failed',
      message: 'pull: 1 object could not be had',
      failed: [{ path: 'm', digest, reason: 'gone' }],
    },
    1,
  ],
  [{ code: 'refused', message: "stage 'train' was not committed", hint: 'dag commit -f' }, 1],
  [{ code: 'io', message: 'the disk is full', path: 'model' }, 3],
  [{ code: 'remote', message: "remote 'store': it can not be reached", hint: 'is the server up?' }, 3],
  [{ code: 'locked', message: 'model is in use by process 7' }, 3],
  [{ code: 'resources', message: "stage 'a' wants 2 GPUs", stage: 'a' }, 3],
];

describe('a failure', () => {
  test.each(FAILURES)('%j has its exit status', (failure, status) => {
    expect(exitStatus(failure)).toBe(status);
  });

  test('as text', () => {
    expect(FAILURES.map(([failure]) => failureText(failure, false)).join('---\n')).toMatchInlineSnapshot(`
      "error: pipeline.yaml:4:5: unknown key 'dep' in stage 'train'
            dep: [data]
            ^^^
        did you mean 'deps'?
      ---
      error: there is no remote 'stoer'
        configured: store
      ---
      error: 'a.txt' does not exist
        track it with 'dag add a.txt'
      ---
      error: stage 'train' failed with exit status 1
      ---
      error: pull: 1 object could not be had
        m (blake3:abababababababababababababababababababababababababababababababab): gone
      ---
      error: stage 'train' was not committed
        dag commit -f
      ---
      error: the disk is full
      ---
      error: remote 'store': it can not be reached
        is the server up?
      ---
      error: model is in use by process 7
      ---
      error: stage 'a' wants 2 GPUs
      "
    `);
  });

  test('as NDJSON', () => {
    expect(FAILURES.map(([failure]) => failureJson(failure)).join('')).toMatchInlineSnapshot(`
      "{"event":"error","code":"unknown-key","message":"unknown key 'dep' in stage 'train'","file":"pipeline.yaml","line":4,"column":5,"hint":"did you mean 'deps'?"}
      {"event":"error","code":"usage","message":"there is no remote 'stoer'","hint":"configured: store"}
      {"event":"error","code":"missing-dep","message":"'a.txt' does not exist","path":"a.txt","hint":"track it with 'dag add a.txt'"}
      {"event":"error","code":"stage-failed","message":"stage 'train' failed with exit status 1","stage":"train"}
      {"event":"error","code":"objects-failed","message":"pull: 1 object could not be had","failed":[{"path":"m","digest":"blake3:abababababababababababababababababababababababababababababababab","reason":"gone"}]}
      {"event":"error","code":"refused","message":"stage 'train' was not committed","hint":"dag commit -f"}
      {"event":"error","code":"io","message":"the disk is full","path":"model"}
      {"event":"error","code":"remote","message":"remote 'store': it can not be reached","hint":"is the server up?"}
      {"event":"error","code":"locked","message":"model is in use by process 7"}
      {"event":"error","code":"resources","message":"stage 'a' wants 2 GPUs","stage":"a"}
      "
    `);
  });
});

test('of very many problems the first are shown, and how many others there are where', () => {
  const diagnostics = Array.from({ length: 25 }, (_, i) => ({
    code: 'unknown-key' as const,
    message: `unknown key 'k${i}'`,
    file: i < 23 ? 'pipeline.yaml' : 'sub/pipeline.yaml',
    span: { line: i + 1, column: 1, length: 1 },
  }));
  const failure: Failure = { code: 'invalid-pipeline', diagnostics };
  const text = failureText(failure, false);
  expect(text).toContain(
    "pipeline.yaml:20:1: unknown key 'k19'\n\nerror: and 5 more in pipeline.yaml, sub/pipeline.yaml\n",
  );
  expect(text).not.toContain('k20');
  expect(failureJson(failure).trim().split('\n')).toHaveLength(25);
});

test('the place and the mark stand out where colour is wanted', () => {
  const text = failureText(FAILURES[0]?.[0] as Failure, true);
  expect(text).toContain('\u001b[1mpipeline.yaml:4:5:\u001b[22m');
  expect(text).toContain('\u001b[31m^^^\u001b[39m');
});

test('what the surroundings do is no bug', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', path: 'model' });
  expect(asFailure(full)).toMatchObject({ code: 'io', message: "the disk is full (writing 'model')" });
  expect(asFailure(new FailureError({ code: 'usage', message: 'm' }))).toEqual({ code: 'usage', message: 'm' });
  expect(asFailure(new TypeError('x is not a function'))).toBeUndefined();
});

test('a bug shows its stack, and a line that says so', () => {
  let shown = '';
  const io = { err: (text: string) => (shown += text), colour: { out: false, err: false } } as unknown as Io;
  expect(showError(new TypeError('x is not a function'), io, false)).toBe(70);
  expect(shown).toContain('TypeError: x is not a function\n    at ');
  expect(shown).toContain('This is a bug in dag');
});
