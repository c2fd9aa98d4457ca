import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isWithin,
  overlaps,
  type ProjectPath,
  parentPath,
  parseProjectPath,
  relativePath,
  resolvePath,
} from '../src/path.ts';

const path = (text: string): ProjectPath => {
  const parsed = parseProjectPath(text);
  if (parsed === undefined) throw new Error(`${text} is no project path`);
  return parsed;
};
const part = fc.constantFrom('a', 'b', 'c..', '.d', 'e f');
const projectPath = fc.array(part, { maxLength: 5 }).map((parts) => path(parts.join('/')));

test.each([
  ['', 'a/./b//c', 'a/b/c'],
  ['sub', '../a', 'a'],
  ['sub', '../../a', undefined],
  ['', '..', undefined],
  ['', '/etc/passwd', undefined],
  ['sub', '.', 'sub'],
  ['', 'a\0b', undefined],
  ['', '..a/b', '..a/b'],
])('%s and %s give %s', (folder, written, expected) => {
  expect(resolvePath(path(folder), written)).toBe(expected);
});

test('a relative path leads back to where it came from', () => {
  fc.assert(
    fc.property(projectPath, projectPath, (folder, to) => {
      expect(resolvePath(folder, relativePath(folder, to))).toBe(to);
    }),
  );
});

test('what is no normal form is no project path', () => {
  for (const text of ['./a', 'a/', '/a', 'a//b', 'a/../b', '..']) expect(parseProjectPath(text)).toBeUndefined();
});

test('one path holds another only at a border of parts', () => {
  expect(isWithin(path('data'), path('data/x'))).toBe(true);
  expect(isWithin(path('data'), path('data2'))).toBe(false);
  expect(isWithin(path(''), path('x'))).toBe(true);
  expect(overlaps(path('data/x'), path('data'))).toBe(true);
  expect(overlaps(path('data/x'), path('data/y'))).toBe(false);
  expect(parentPath(path('a'))).toBe('');
});

test('every written path resolves part by part', () => {
  const piece = fc.constantFrom('', '.', '..', '...', 'a', '.d', 'a.', 'e f', '\n');
  fc.assert(
    fc.property(projectPath, fc.array(piece, { minLength: 1, maxLength: 6 }), (folder, pieces) => {
      const stack = folder === '' ? [] : folder.split('/');
      let outside = pieces.length > 1 && pieces[0] === '';
      for (const one of pieces) {
        if (one === '..') outside ||= stack.pop() === undefined;
        else if (one !== '' && one !== '.') stack.push(one);
      }
      expect(resolvePath(folder, pieces.join('/'))).toBe(outside ? undefined : stack.join('/'));
    }),
    { numRuns: 2000 },
  );
});
