import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointFile, CheckpointNote } from '@dag/model';
import { hashText } from '@dag/store';
import { afterAll, describe, expect, test } from 'vitest';
import { checkpointPrefix, readCheckpointRecord } from '../src/checkpoints/record.ts';
import type { RemoteCheckpoints } from '../src/index.ts';
import { PLACES, type Place, placesPerGroup } from './places.ts';
import { freshFolder, freshStore, noise, remoteAt, removeFolders, runRecord } from './support.ts';

afterAll(removeFolders);

const NAME = 'ab'.repeat(32);
const note = (step: number): CheckpointNote => {
  return { stage: 'train', host: 'here', step, at: '2026-01-02T03:04:05.000Z', resumes: 0, seconds: 1 };
};

/** The files that stand in a folder, as the engine lists them. */
function filesIn(folder: string): CheckpointFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .flatMap((path): CheckpointFile[] => {
      const { size, mtimeMs: modified, mode } = statSync(join(folder, path));
      const isFile = statSync(join(folder, path)).isFile();
      return isFile ? [{ path, size, modified, executable: (mode & 0o100) !== 0 }] : [];
    });
}

const send = (to: RemoteCheckpoints, folder: string, step: number, more: CheckpointFile[] = []) =>
  to.push({ folder, files: [...filesIn(folder), ...more], note: note(step) });

describe.each(PLACES)('checkpoints in a remote, %s', (kind) => {
  const newPlace = placesPerGroup(kind);

  const keysIn = (place: Place): string[] => {
    const folder = join(place.folder, checkpointPrefix(NAME));
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  };

  test('come back on another machine as they were, files of several pieces too', async () => {
    const place = newPlace();
    const folder = freshFolder();
    mkdirSync(join(folder, 'deep/er'), { recursive: true });
    writeFileSync(join(folder, 'deep/er/empty'), '');
    writeFileSync(join(folder, 'big'), noise(17 * 1024 * 1024, 'big'));
    writeFileSync(join(folder, 'run.sh'), 'echo');
    chmodSync(join(folder, 'run.sh'), 0o755);
    const sender = (await remoteAt(place, place.env)).checkpoints(NAME);
    expect(await sender.find()).toEqual([]);
    expect(await send(sender, folder, 5, [{ path: 'latest', link: 'deep/er' }])).toBe('sent');

    const other = (await remoteAt(place, place.env)).checkpoints(NAME);
    const [found, ...rest] = await other.find();
    expect([found, rest]).toMatchObject([{ step: 5, host: 'here', stage: 'train' }, []]);
    const into = freshFolder();
    expect(found && (await other.fetch(found, into))).toBe(true);
    expect(readFileSync(join(into, 'big')).equals(readFileSync(join(folder, 'big')))).toBe(true);
    expect(readdirSync(join(into, 'latest'))).toEqual(['empty']);
    expect(statSync(join(into, 'run.sh')).mode & 0o111).toBe(0o111);
    // To a millisecond, whichever way it is rounded.
    const off = statSync(join(into, 'big')).mtimeMs - statSync(join(folder, 'big')).mtimeMs;
    expect(Math.abs(off)).toBeLessThan(1.5);
    await other.drop();
    expect(keysIn(place)).toEqual([]);
  });

  test('two of a run stay; what did not change is sent once; those of the try before go', async () => {
    const place = newPlace();
    const folder = freshFolder();
    writeFileSync(join(folder, 'same'), 'same');
    const first = (await remoteAt(place, place.env)).checkpoints(NAME);
    for (let step = 1; step <= 4; step++) {
      writeFileSync(join(folder, 'n'), `${'n'.repeat(step)}`);
      await send(first, folder, step);
    }
    expect((await first.find()).map(({ step }) => step)).toEqual([4, 3]);
    expect(keysIn(place)).toHaveLength(2 + 3);
    const second = (await remoteAt(place, place.env)).checkpoints(NAME);
    await send(second, folder, 9);
    expect((await second.find()).map(({ step }) => step)).toEqual([9]);
    expect(keysIn(place)).toHaveLength(1 + 2);
  });

  test('a piece that is lost or damaged is told, and the one before is whole', async () => {
    const place = newPlace();
    const folder = freshFolder();
    const sender = (await remoteAt(place, place.env)).checkpoints(NAME);
    writeFileSync(join(folder, 'n'), 'one');
    await send(sender, folder, 1);
    const pieces = keysIn(place).filter((key) => key.endsWith('.piece'));
    writeFileSync(join(folder, 'n'), 'second');
    await send(sender, folder, 2);
    const newer = keysIn(place).find((key) => key.endsWith('.piece') && !pieces.includes(key)) ?? '';
    await place.remove(`${checkpointPrefix(NAME)}${newer}`);
    const [last, before] = await sender.find();
    expect(last && (await sender.fetch(last, freshFolder()))).toBe(false);
    const into = freshFolder();
    expect(before && (await sender.fetch(before, into))).toBe(true);
    expect(readFileSync(join(into, 'n'), 'utf8')).toBe('one');
    if (kind !== 'folder') return;
    const at = join(place.folder, checkpointPrefix(NAME), pieces[0] ?? '');
    chmodSync(at, 0o644);
    writeFileSync(at, 'two');
    expect(before && (await sender.fetch(before, freshFolder()))).toBe(false);
  });

  test('a file that is written to while it is sent makes the whole not count', async () => {
    const place = newPlace();
    const folder = freshFolder();
    writeFileSync(join(folder, 'n'), 'one');
    const files = filesIn(folder);
    writeFileSync(join(folder, 'n'), 'other');
    const sender = (await remoteAt(place, place.env)).checkpoints(NAME);
    expect(await sender.push({ folder, files, note: note(1) })).toBe('changed');
    expect(await sender.find()).toEqual([]);
  });

  test('a collector takes those of finished runs after a day, and what nobody wrote to for long', async () => {
    const place = newPlace();
    const folder = freshFolder();
    writeFileSync(join(folder, 'n'), 'n');
    const record = runRecord('{"a":1}', {}, new Date().toISOString());
    const remote = await remoteAt(place, place.env);
    await send(remote.checkpoints(record.key), folder, 1);
    await send(remote.checkpoints(NAME), folder, 1);
    await remote.push({ roots: [], records: [record] }, freshStore());
    const runs = (before: number) => ({ before, dropped: false, project: 'p' });
    const collect = async (before: number, grace?: number) => {
      const collector = await remoteAt(place, place.env, grace === undefined ? {} : { times: { grace } });
      const request = { roots: [], runs: runs(before), names: [] };
      const planned = await collector.planRemoval(request, freshStore());
      const done = await collector.remove(request, freshStore());
      expect(done.checkpoints).toEqual(planned.checkpoints);
      return done.checkpoints.runs;
    };
    expect(await collect(0)).toBe(0);
    expect(await collect(0, 0)).toBe(1);
    expect(await remote.checkpoints(record.key).find()).toEqual([]);
    expect(await remote.checkpoints(NAME).find()).toHaveLength(1);
    expect(await collect(Date.now() + 3_600_000)).toBe(1);
    expect(keysIn(place)).toEqual([]);
  });
});

describe('a record is not believed', () => {
  const sound = { schema: 1, name: NAME, ...note(1), entries: [] as unknown[] };
  const read = (record: unknown, name = NAME): unknown => {
    const text = JSON.stringify(record);
    const key = `${checkpointPrefix(name)}0000000001-${hashText(text).slice(7, 47)}.json`;
    return readCheckpointRecord(key, text, name);
  };
  const piece = { name: '0'.repeat(32), size: 3, digest: 'blake3:00' };
  const file = { path: 'a', size: 3, modified: 1, executable: false, pieces: [piece] };

  test.each([
    ['one that leads out', { ...sound, entries: [{ ...file, path: '../a' }] }],
    ['an absolute path', { ...sound, entries: [{ ...file, path: '/a' }] }],
    ['a backslash', { ...sound, entries: [{ ...file, path: 'a\\b' }] }],
    ['a link that leads out', { ...sound, entries: [{ path: 'deep/l', link: '../../x' }] }],
    ['an absolute link', { ...sound, entries: [{ path: 'l', link: '/etc' }] }],
    ['sizes that do not add up', { ...sound, entries: [{ ...file, size: 4 }] }],
    [
      'a piece without bound',
      { ...sound, entries: [{ ...file, size: 2 ** 40, pieces: [{ ...piece, size: 2 ** 40 }] }] },
    ],
    ['a piece that is elsewhere', { ...sound, entries: [{ ...file, pieces: [{ ...piece, name: '../../x' }] }] }],
    ['another run', { ...sound, name: 'cd'.repeat(32) }],
    ['a later schema', { ...sound, schema: 2 }],
    ['no time', { ...sound, at: 'soon' }],
    ['nothing', null],
  ])('%s', (_, record) => {
    expect(read({ ...sound, entries: [file, { path: 'deep/l', link: '../a' }] })).toBeDefined();
    expect(read(record)).toBeUndefined();
  });
});
