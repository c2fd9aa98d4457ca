import type { ProjectPath, Stage } from '@dag/model';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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

describe('entries that may wait', () => {
  const entry = (cmd: string) => ({ cmd, deps: new Map(), params: new Map(), env: new Map(), outs: new Map() });
  const file = 'pipeline.yaml' as ProjectPath;

  // Time goes on when a test says so.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  function memoryFiles() {
    const state = { text: undefined as string | undefined, writes: 0 };
    const files: LockFiles = {
      read: () => state.text,
      stamp: () => (state.text === undefined ? undefined : `${state.text.length} ${state.writes}`),
      write: (_, text) => {
        state.text = text;
        state.writes++;
      },
      exclusively: async (update) => update(),
    };
    return { state, files };
  }

  test('a thousand results one after the other are few writes, and all are known at once', async () => {
    const { state, files } = memoryFiles();
    const book = new LockBook(files);
    for (let i = 0; i < 1000; i++) {
      await book.updateSoon(file, new Map([[`s${i}`, entry(`do ${i}`)]]));
      expect(book.stage(stage(`s${i}`))?.cmd).toBe(`do ${i}`);
      vi.advanceTimersByTime(2.1);
    }
    const before = state.writes;
    await book.flush();
    // Two seconds of results, written twice a second, and some that wait still.
    expect(before).toBeGreaterThan(2);
    expect(before).toBeLessThan(6);
    expect(state.writes).toBe(before + 1);
    expect(new LockBook(files).lock(file).stages.size).toBe(1000);
  });

  test('one that nothing follows is written when the time is over', async () => {
    const { state, files } = memoryFiles();
    const book = new LockBook(files);
    await book.updateSoon(file, new Map([['a', entry('a')]]));
    await book.updateSoon(file, new Map([['b', entry('b')]]));
    await vi.advanceTimersByTimeAsync(490);
    expect(state.writes).toBe(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(state.writes).toBe(2);
    expect([...new LockBook(files).lock(file).stages.keys()]).toEqual(['a', 'b']);
  });

  test('what another process wrote meanwhile stays', async () => {
    const { state, files } = memoryFiles();
    const [one, other] = [new LockBook(files), new LockBook(files)];
    await one.updateSoon(file, new Map([['a', entry('a')]]));
    await one.updateSoon(file, new Map([['b', entry('b')]]));
    expect(state.text).not.toContain('b:');
    await other.update(file, { stages: new Map([['c', entry('c')]]) });
    expect([...one.lock(file).stages.keys()]).toEqual(['a', 'c', 'b']);
    await one.flush();
    expect([...new LockBook(files).lock(file).stages.keys()]).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['newer', true, 'theirs'],
    ['older', false, 'ours'],
  ])('of one stage what another process wrote meanwhile stays where it is %s', async (_, isNewer, stands) => {
    const { files } = memoryFiles();
    const [one, other] = [new LockBook(files), new LockBook(files)];
    await one.update(file, { stages: new Map([['a', entry('before')]]) });
    const superseded = vi.fn(() => isNewer);
    let written = 0;
    const options = { superseded, written: () => written++ };
    await one.updateSoon(file, new Map([['quick', entry('quick')]]));
    await one.updateSoon(file, new Map([['a', entry('ours')]]), options);
    await one.updateSoon(file, new Map([['b', entry('b')]]), options);
    await other.update(file, { stages: new Map([['a', entry('theirs')]]) });
    expect(one.stage(stage('a'))?.cmd).toBe(stands);
    await one.flush();
    expect(superseded).toHaveBeenCalledTimes(1);
    expect(written).toBe(2);
    const lock = new LockBook(files).lock(file);
    expect([...lock.stages].map(([name, { cmd }]) => `${name} ${cmd}`)).toEqual([`a ${stands}`, 'b b', 'quick quick']);
  });

  test('an entry that must be there now takes those that wait with it', async () => {
    const { state, files } = memoryFiles();
    const book = new LockBook(files);
    await book.updateSoon(file, new Map([['a', entry('a')]]));
    await book.updateSoon(file, new Map([['b', entry('b')]]));
    await book.update(file, { stages: new Map([['c', entry('c')]]) });
    const { writes } = state;
    await book.flush();
    expect(state.writes).toBe(writes);
    expect([...new LockBook(files).lock(file).stages.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('where a write fails the entries stay, and the next flush writes them', async () => {
    const { files } = memoryFiles();
    let full = false;
    const book = new LockBook({
      ...files,
      write: (path, text) => {
        if (full) throw new Error('no space left');
        files.write(path, text);
      },
    });
    await book.updateSoon(file, new Map([['a', entry('a')]]));
    full = true;
    await book.updateSoon(file, new Map([['b', entry('b')]]));
    await expect(book.flush()).rejects.toThrow('no space left');
    full = false;
    await book.flush();
    expect([...new LockBook(files).lock(file).stages.keys()]).toEqual(['a', 'b']);
  });
});
