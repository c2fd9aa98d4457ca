import type { ProjectPath, Stage } from '@dag/model';
import { expect, test } from 'vitest';
import { LockBook, type LockFiles } from '../src/lock-book.ts';

const LOCK = 'schema: 1\nstages:\n  a:\n    cmd: one\n  b:\n    cmd: two\n';

function stage(name: string): Stage {
  return { name, file: 'pipeline.yaml' } as Partial<Stage> as Stage;
}

function countedFiles() {
  const files = { text: LOCK, version: 1 };
  const counts = { read: 0, stamp: 0 };
  const lockFiles: LockFiles = {
    read: (_: ProjectPath) => {
      counts.read++;
      return files.text;
    },
    stamp: () => {
      counts.stamp++;
      return String(files.version);
    },
    write: () => expect.unreachable('nothing is written'),
    exclusively: async (update) => update(),
  };
  return { files, counts, lockFiles };
}

test('one look at all stages asks each lock once whether it has changed', () => {
  const { counts, lockFiles } = countedFiles();
  const book = new LockBook(lockFiles);
  const look = book.once();
  for (const name of ['a', 'b', 'a', 'b']) expect(look.stage(stage(name))?.cmd).toBe(name === 'a' ? 'one' : 'two');
  expect(counts).toEqual({ read: 1, stamp: 1 });
});

test('the next look sees what was written meanwhile, and reads nothing where nothing was', () => {
  const { files, counts, lockFiles } = countedFiles();
  const book = new LockBook(lockFiles);
  expect(book.stage(stage('a'))?.cmd).toBe('one');
  expect(book.once().stage(stage('a'))?.cmd).toBe('one');
  expect(counts.read).toBe(1);
  files.text = LOCK.replace('one', 'three');
  files.version++;
  expect(book.once().stage(stage('a'))?.cmd).toBe('three');
  expect(counts.read).toBe(2);
});
