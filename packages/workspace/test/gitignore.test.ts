import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { ignoreLine } from '../src/index.ts';
import { newProject, type Project, path } from './helpers.ts';

let project: Project;
beforeEach(() => {
  project = newProject();
  mkdirSync(join(project.root, '.git'));
});
afterEach(() => project.dispose());

const update = (add: string[], remove: string[] = []) =>
  project.ws.updateGitignore({ add: add.map(path), remove: remove.map(path) });

test('anchored lines in the own folder of each path, once; the file goes with its last line', () => {
  expect(update(['data/raw', 'model.bin'])).toEqual(['.gitignore', 'data/.gitignore']);
  expect(project.read('data/.gitignore')).toBe('/raw\n');
  expect(update(['data/raw', 'model.bin'])).toEqual([]);
  expect(update([], ['data/raw'])).toEqual(['data/.gitignore']);
  expect(existsSync(join(project.root, 'data/.gitignore'))).toBe(false);
  expect(project.read('.gitignore')).toBe('/model.bin\n');
});

test('lines of the user stay as they are, and what they ignore already is not added', () => {
  project.write('.gitignore', '*.log\r\n# mine\r\nout/');
  project.write('out/x', '');
  expect(update(['a.log', 'out', 'out/x'])).toEqual([]);
  update(['m']);
  expect(project.read('.gitignore')).toBe('*.log\r\n# mine\r\nout/\r\n/m\r\n');
  update([], ['m']);
  expect(project.read('.gitignore')).toBe('*.log\r\n# mine\r\nout/\r\n');
});

test('outside git nothing is written', async () => {
  const plain = newProject();
  expect(plain.ws.updateGitignore({ add: [path('a')], remove: [] })).toEqual([]);
  await plain.dispose();
});

test('git understands the line of any name', () => {
  execFileSync('git', ['init', '-q', project.root]);
  const name = fc.string({
    unit: fc.constantFrom('a', ' ', '*', '?', '[', ']', '\\', '!', '#', 'é', '-'),
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(name, (text) => {
      project.write('.gitignore', `${ignoreLine(text)}\n`);
      const check = (one: string): string =>
        execFileSync('git', ['-C', project.root, 'check-ignore', '-z', '--stdin'], { input: `${one}\0` }).toString();
      expect(check(text)).toBe(`${text}\0`);
      expect(project.ws.updateGitignore({ add: [path(text)], remove: [] })).toEqual([]);
    }),
    { numRuns: runs(40) },
  );
});

test('.dagignore: nested files, negation, folders, and no way back into an ignored folder', () => {
  project.write('.dagignore', '*.tmp\n!keep.tmp\ncache/\n!cache/x\n');
  project.write('sub/.dagignore', '!again.tmp\nlocal\n');
  const answers = ['a.tmp', 'keep.tmp', 'cache', 'cache/x', 'sub/again.tmp', 'sub/b.tmp', 'sub/local', 'local'];
  mkdirSync(join(project.root, 'cache'));
  project.write('cache/x', '');
  expect(answers.filter((one) => project.ws.ignored(path(one)))).toEqual([
    'a.tmp',
    'cache',
    'cache/x',
    'sub/b.tmp',
    'sub/local',
  ]);
});

test('writeFileAtomic makes folders, replaces the text and keeps the mode', () => {
  project.ws.writeFileAtomic(path('a/b/pipeline.lock'), 'one');
  expect(project.read('a/b/pipeline.lock')).toBe('one');
  project.write('script', 'x', 0o755);
  project.ws.writeFileAtomic(path('script'), 'two');
  expect(project.read('script')).toBe('two');
  expect(statSync(join(project.root, 'script')).mode & 0o777).toBe(0o755);
});
