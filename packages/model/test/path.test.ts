import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import {
  absolutePath,
  foldersAbove,
  isExternal,
  isWithin,
  overlaps,
  type ProjectPath,
  parentPath,
  parseAnyPath,
  parseProjectPath,
  relateToRoot,
  relativePath,
  resolveAnyPath,
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
    { numRuns: runs(2000) },
  );
});

test.each([
  ['', '../x/./y', '../x/y'],
  ['a/b', '../../../x', '../x'],
  ['a', '../../x/../y', '../y'],
  ['', '../../x', '../../x'],
  ['a', '/data//x/../y/', '/data/y'],
  ['', '/../x', '/x'],
  ['a', '../b', 'b'],
  ['', '~/x', '~/x'],
  ['', '..', undefined],
  ['a', '../../..', undefined],
  ['', '/', undefined],
  ['', '/a/..', undefined],
  ['', '../a\0', undefined],
])('%j and %j are, outside too, %j', (folder, written, expected) => {
  expect(resolveAnyPath(path(folder), written)).toBe(expected);
});

const written = fc
  .tuple(fc.constantFrom('', '/'), fc.array(fc.constantFrom('..', '.', '', 'a', 'b', '..c'), { maxLength: 7 }))
  .map(([start, parts]) => start + parts.join('/'));
const ROOT_FOLDER = '/home/me/project';

test('a path leads where the file system says, inside or out', () => {
  fc.assert(
    fc.property(projectPath, written, (folder, text) => {
      const place = posix.resolve(ROOT_FOLDER, folder, text);
      const found = resolveAnyPath(folder, text);
      if (found === undefined) expect(relateToRoot(ROOT_FOLDER, place)).toBe('around');
      else expect(absolutePath(ROOT_FOLDER, found)).toBe(place);
    }),
  );
});

test('what lies outside keeps its name from any folder, and is one name only', () => {
  fc.assert(
    fc.property(projectPath, projectPath, written, (folder, other, text) => {
      const found = resolveAnyPath(folder, text);
      if (found === undefined) return;
      expect(parseAnyPath(found)).toBe(found);
      expect(isExternal(found)).toBe(parseProjectPath(found) === undefined);
      expect(resolveAnyPath(other, relativePath(other, found))).toBe(found);
      expect(isWithin(path(''), found)).toBe(!isExternal(found));
      for (const above of foldersAbove(found)) {
        expect(isWithin(above, found)).toBe(true);
        expect(parseAnyPath(above)).toBe(above);
      }
    }),
  );
});

test('what is no normal form is no path', () => {
  for (const text of ['..', '/', '../..', 'a/../../x', '../a/..', '../a/', '//a', '/a/../b']) {
    expect(parseAnyPath(text)).toBeUndefined();
  }
});

test('a folder is in the project, holds it, or has nothing to do with it', () => {
  expect(relateToRoot('/a/p', '/a/p')).toBe('');
  expect(relateToRoot('/a/p', '/a/p/x/y')).toBe('x/y');
  expect(relateToRoot('/a/p', '/a')).toBe('around');
  expect(relateToRoot('/a/p', '/')).toBe('around');
  expect(relateToRoot('/a/p', '/a/pp')).toBeUndefined();
  expect(relateToRoot('/', '/x')).toBe('x');
});
