import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { newProject, path } from './helpers.ts';

/** So many files, with names so long, that the stat cache is asked before the folder is listed. */
const MANY = 150;
const nameOf = (i: number): string => `a-file-with-a-long-name-${i}`;

type Change = (folder: string, name: string, other: string) => void;

const cleared = (folder: string, name: string): string => {
  rmSync(join(folder, name), { recursive: true, force: true });
  return join(folder, name);
};

const CHANGES: Readonly<Record<string, Change>> = {
  add: (folder, name) => writeFileSync(cleared(folder, name), name),
  remove: (folder, name) => void cleared(folder, name),
  rename(folder, name, other) {
    writeFileSync(cleared(folder, name), name);
    if (other !== name) renameSync(join(folder, name), cleared(folder, other));
  },
  'make a folder of': (folder, name) => {
    mkdirSync(cleared(folder, name));
    writeFileSync(join(folder, name, 'inside'), name);
  },
  'make a symlink of': (folder, name, other) => {
    writeFileSync(cleared(folder, other), other);
    symlinkSync(other, cleared(folder, `to-${name}`));
  },
  ignore: (folder, name) => writeFileSync(join(folder, '../.dagignore'), `${name}\n`),
  'ignore nothing': (folder) => rmSync(join(folder, '../.dagignore'), { force: true }),
  'set back the times of': (folder) => utimesSync(folder, 1_600_000_000.5, 1_600_000_000.5),
  wait: (folder) => {
    const { ctimeMs } = statSync(folder);
    while (Date.now() < ctimeMs + 25);
  },
};

const change = fc.record({
  what: fc.constantFrom(...Object.keys(CHANGES)),
  name: fc.integer({ min: MANY - 3, max: MANY + 3 }).map(nameOf),
  other: fc.integer({ min: MANY - 3, max: MANY + 3 }).map(nameOf),
  /** Whether another process looks at the folder after it. */
  look: fc.boolean(),
});

test('a folder whose listing is remembered is seen as it is, whatever comes and goes', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
      const project = newProject();
      onTestFinished(() => project.dispose());
      for (let i = 0; i < MANY; i++) project.write(`data/${nameOf(i)}`, `text ${i}`);
      const folder = join(project.root, 'data');
      const look = async (statCache?: false) => {
        const ws = project.reopen(statCache === undefined ? {} : { statCache });
        const seen = (await ws.observe([path('data')])).get(path('data'));
        await ws.close();
        return seen;
      };
      await look();
      for (const one of changes) {
        CHANGES[one.what]?.(folder, one.name, one.other);
        if (one.look) expect(await look(), JSON.stringify(changes)).toEqual(await look(false));
      }
      expect(await look()).toEqual(await look(false));
    }),
    { numRuns: runs(40) },
  );
});
