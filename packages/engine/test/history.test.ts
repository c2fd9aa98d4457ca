import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { thisOwner } from '@dag/store';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noteDuration, readDurations } from '../src/history/durations.ts';
import { hasResultSince, openJournal, readJournal } from '../src/history/journal.ts';
import { logsOf } from '../src/history/past.ts';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-history-'));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const at = new Date('2026-01-31T12:00:00Z');
const KEY = 'ab'.repeat(32);
const begun = (stage: string) => ({ stage, at, key: KEY, fingerprint: '{}', context: { host: 'here' } });
const ended = { status: 'ok', seconds: 2, exitCode: 0, logs: ['train/x.log'], usage: { peakRss: 7 } } as const;
const file = (name: string): string => path.join(root, '.cache', 'logs', name);
const segment = (number: number): string => path.join(root, '.cache', 'journal', `${number}.ndjson`);

describe('durations', () => {
  test('of the last run; of a group member that never ran, its group; of others, nothing', () => {
    expect(readDurations(root).of('train')).toBeUndefined();
    noteDuration(root, 'train', { seconds: 9 });
    noteDuration(root, 'train', { seconds: 2, peakRss: 100 });
    noteDuration(root, 'fold@a', { seconds: 1, peakRss: 10 });
    noteDuration(root, 'fold@b', { seconds: 3, peakRss: 30 });
    const durations = readDurations(root);
    expect(durations.of('train')).toEqual({ seconds: 2, peakRss: 100 });
    expect(durations.of('fold@b')).toEqual({ seconds: 3, peakRss: 30 });
    expect(durations.of('fold@c')).toEqual({ seconds: 2, peakRss: 30 });
    expect(durations.of('other@c')).toBeUndefined();
  });

  test('any history reads back as its last lines, and the file stays small', () => {
    const run = fc.tuple(fc.constantFrom('a', 'b', 'c@1', 'über "x"\n'), fc.nat(), fc.option(fc.nat()));
    fc.assert(
      fc.property(fc.array(run, { maxLength: 30 }), (runs) => {
        fs.rmSync(file('durations.ndjson'), { force: true });
        const last = new Map<string, object>();
        for (const [stage, seconds, peak] of runs) {
          const past = { seconds, ...(peak === null ? {} : { peakRss: peak }) };
          noteDuration(root, stage, past);
          last.set(stage, past);
        }
        const durations = readDurations(root);
        for (const [stage, past] of last) expect(durations.of(stage)).toEqual(past);
      }),
    );
    fs.writeFileSync(file('durations.ndjson'), '["a",1]\n'.repeat(5000));
    expect(readDurations(root).of('a')).toEqual({ seconds: 1 });
    expect(fs.readFileSync(file('durations.ndjson'), 'utf8')).toBe('["a",1]\n');
  });

  test('damaged lines are passed over', () => {
    noteDuration(root, 'a', { seconds: 1 });
    fs.appendFileSync(file('durations.ndjson'), '["a",\n[1,2]\n["a",-1]\n["b",2]\nx');
    expect(readDurations(root).of('a')).toEqual({ seconds: 1 });
    expect(readDurations(root).of('b')).toEqual({ seconds: 2 });
  });
});

describe('the journal', () => {
  test('tells how runs ended, what still runs, and what came back without a run', () => {
    const journal = openJournal(root);
    journal.end(journal.begin(begun('train')), ended);
    journal.begin(begun('evaluate'));
    journal.restored({ stage: 'train', at, key: KEY, from: at.toISOString() });
    journal.close();
    expect(readJournal(root)).toMatchObject([
      { kind: 'run', stage: 'train', fingerprint: '{}', context: { host: 'here' }, state: ended },
      { kind: 'run', stage: 'evaluate', state: 'running' },
      { kind: 'restored', stage: 'train', key: KEY },
    ]);
  });

  test('lines that say something else are passed over, whatever they hold', () => {
    const journal = openJournal(root);
    journal.end(journal.begin(begun('train')), ended);
    journal.close();
    const member = fc.oneof(fc.constantFrom('id', 'ok', 'train', KEY, at.toISOString()), fc.jsonValue());
    const keys = [
      'run',
      'end',
      'restored',
      'stage',
      'at',
      'key',
      'owner',
      'context',
      'status',
      'seconds',
      'logs',
      'usage',
    ];
    const line = fc.dictionary(fc.constantFrom(...keys), member);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), (lines) => {
        fs.mkdirSync(file(''), { recursive: true });
        fs.writeFileSync(file('journal-old.ndjson'), lines.map((one) => `${JSON.stringify(one)}\n`).join(''));
        const attempts = readJournal(root);
        expect(attempts).toContainEqual(expect.objectContaining({ stage: 'train', state: ended }));
        for (const one of attempts) {
          if (one.kind === 'restored' || typeof one.state === 'string') continue;
          expect(['ok', 'failed', 'cancelled']).toContain(one.state.status);
          expect(one.state.logs.every((name) => typeof name === 'string')).toBe(true);
        }
      }),
    );
    fs.appendFileSync(
      segment(1),
      `${JSON.stringify({ run: 'x', stage: 's', at: at.toISOString(), key: KEY })}\n${JSON.stringify({ end: 'x' })}\n`,
    );
    expect(readJournal(root)).toContainEqual(expect.objectContaining({ stage: 's', state: 'unknown' }));
  });

  test('a run of another machine that never said how it ended is neither killed nor running: nobody knows', () => {
    const journal = openJournal(root);
    journal.begin(begun('train'));
    journal.close();
    const here = `"host":"${thisOwner().host}"`;
    fs.writeFileSync(segment(1), fs.readFileSync(segment(1), 'utf8').replace(here, '"host":"00000000"'));
    expect(readJournal(root)).toMatchObject([{ stage: 'train', pid: process.pid, state: 'unknown' }]);
  });

  test('a record names logs in their folder only', () => {
    expect(logsOf({ context: { log: 'train/2026.log' } })).toEqual(['train/2026.log']);
    expect(logsOf({ context: { log: '../../secret' } })).toEqual([]);
  });

  test('a run whose dag was killed is known as such', () => {
    const module = new URL('../src/history/journal.ts', import.meta.url).href;
    const script = `import { openJournal } from ${JSON.stringify(module)};
      openJournal(${JSON.stringify(root)}).begin({ ...${JSON.stringify({ ...begun('train') })}, at: new Date() });
      process.kill(process.pid, 'SIGKILL');`;
    const typescript = new URL('../../../test/bench/typescript.js', import.meta.url).href;
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--import', typescript, '--input-type=module', '-e', script],
      { cwd: path.dirname(new URL(import.meta.url).pathname), encoding: 'utf8' },
    );
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    expect(readJournal(root)).toMatchObject([{ stage: 'train', state: 'killed' }]);
  });

  test('is bounded: the newest entries are there, and two files of some megabytes', () => {
    const journal = openJournal(root);
    const long = { ...begun('a'), fingerprint: 'x'.repeat(15_000) };
    for (let i = 0; i < 1500; i++) journal.end(journal.begin({ ...long, stage: `a${i}` }), ended);
    journal.close();
    const names = fs.readdirSync(path.dirname(segment(1)));
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(fs.statSync(path.join(path.dirname(segment(1)), name)).size).toBeLessThan(4.1 * 1024 * 1024);
    }
    const stages = readJournal(root).map(({ stage }) => stage);
    expect(stages.slice(-200)).toEqual(Array.from({ length: 200 }, (_, i) => `a${1300 + i}`));
  });

  test('of many that write at once, whenever a file is full, no line of the newest two files is lost', () => {
    const long = { ...begun('a'), fingerprint: 'x'.repeat(16_000) };
    const writers = Array.from({ length: 5 }, () => openJournal(root));
    const ids: string[] = [];
    for (let i = 0; i < 400; i++) ids.push(writers[(i * i) % 5]?.begin({ ...long, stage: `a${i}` }) ?? '');
    // Each ends its own, long after the file in which that began was full.
    for (const [i, id] of ids.entries()) writers[(i * i) % 5]?.end(id, ended);
    for (const one of writers) one.close();
    expect(fs.readdirSync(path.dirname(segment(1))).sort()).toEqual(['1.ndjson', '2.ndjson']);
    const attempts = readJournal(root);
    expect(attempts.map(({ stage }) => stage).sort()).toEqual(ids.map((_, i) => `a${i}`).sort());
    expect(attempts.every((one) => one.kind === 'run' && one.state !== 'running')).toBe(true);
  });

  test('a line that was not written to its end takes no other with it', () => {
    const [one, other] = [openJournal(root), openJournal(root)];
    one.end(one.begin(begun('a')), ended);
    fs.appendFileSync(segment(1), '{"run":"half');
    other.end(other.begin(begun('b')), ended);
    for (const journal of [one, other]) journal.close();
    expect(readJournal(root)).toMatchObject([{ stage: 'a' }, { stage: 'b', state: { status: 'ok' } }]);
  });

  test('knows whether a stage had a result after a moment: one that failed, or began before, is none', () => {
    const journal = openJournal(root);
    journal.end(journal.begin(begun('old')), ended);
    const later = new Date(at.getTime() + 1);
    journal.end(journal.begin({ ...begun('ran'), at: later }), ended);
    journal.end(journal.begin({ ...begun('failed'), at: later }), { ...ended, status: 'failed' });
    journal.begin({ ...begun('works'), at: later });
    journal.restored({ stage: 'back', at: later, key: KEY, from: at.toISOString() });
    journal.close();
    const stages = ['old', 'ran', 'failed', 'works', 'back', 'unknown'];
    expect(stages.filter((stage) => hasResultSince(root, stage, at))).toEqual(['ran', 'back']);
  });

  test('knows whether others wrote', () => {
    const [one, other] = [openJournal(root), openJournal(root)];
    one.end(one.begin(begun('a')), ended);
    expect([one.othersWrote(), other.othersWrote()]).toEqual([false, true]);
    other.begin(begun('b'));
    expect([one.othersWrote(), one.othersWrote()]).toEqual([true, true]);
    for (const journal of [one, other]) journal.close();
    const third = openJournal(root);
    expect(third.othersWrote()).toBe(false);
    third.begin(begun('c'));
    expect(third.othersWrote()).toBe(false);
    third.close();
  });

  test('files of before they bore numbers are read, until two newer ones are there', () => {
    const journal = openJournal(root);
    journal.end(journal.begin(begun('old')), ended);
    journal.close();
    fs.mkdirSync(file(''), { recursive: true });
    fs.renameSync(segment(1), file('journal.ndjson'));
    expect(readJournal(root)).toMatchObject([{ stage: 'old' }]);
    const next = openJournal(root);
    for (let i = 0; i < 300; i++) next.begin({ ...begun('new'), fingerprint: 'x'.repeat(15_000) });
    next.close();
    expect(fs.existsSync(file('journal.ndjson'))).toBe(false);
  });

  test('lines of any bytes do no harm, and a fingerprint that is too long is left out', () => {
    const journal = openJournal(root);
    journal.end(journal.begin({ ...begun('big'), fingerprint: 'x'.repeat(20_000) }), ended);
    fs.appendFileSync(segment(1), '{"run":1}\n{"end":"x"}\n{"run":"y","stage":"z","at":"never","key":""}\n{"');
    journal.close();
    expect(readJournal(root)).toMatchObject([{ stage: 'big', fingerprint: undefined, state: ended }]);
  });

  test('a disk that refuses stops nothing', () => {
    fs.writeFileSync(path.join(root, '.cache'), 'no folder');
    const journal = openJournal(root);
    journal.end(journal.begin(begun('train')), ended);
    journal.close();
    expect(journal.problem()).toContain('ENOTDIR');
    noteDuration(root, 'train', { seconds: 1 });
    expect(readJournal(root)).toEqual([]);
  });
});
