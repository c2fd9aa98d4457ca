import { ignoreTest } from '@dag/model';
import fc from 'fast-check';
import ignore from 'ignore';
import { expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';

const compile = (text: string) => {
  const rules = ignore({ ignorecase: false }).add(text);
  return (path: string) => rules.test(path);
};

const name = fc.constantFrom('a', 'b', 'A', 'a.b', '..', '...', '.a', 'a b', 'a+', '$a', 'a@1', 'x=1,y', 'é', '%');
const line = fc.oneof(
  name.map((one) => `/${one}`),
  fc
    .tuple(fc.constantFrom('', '/', '!', '!/', '#', '\\', ' /', '**/'), name, fc.constantFrom('', '/', '*', '/b', ' '))
    .map((parts) => parts.join('')),
);
const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, ended]) => lines.join(end) + (ended ? end : ''));
const path = fc
  .tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/'))
  .map(([parts, slash]) => parts.join('/') + slash)
  .filter((one) => ignore.isPathValid(one));

test('names that are looked up are left out as the whole language has it', () => {
  fc.assert(
    fc.property(text, fc.array(path, { minLength: 1, maxLength: 6 }), (written, paths) => {
      const quick = ignoreTest(written, compile);
      const slow = compile(written);
      for (const one of paths) {
        const { ignored, unignored } = slow(one);
        const { ignored: quickly, unignored: back } = quick(one);
        expect({ one, ignored: quickly, unignored: back }).toEqual({ one, ignored, unignored });
      }
    }),
    { numRuns: runs(1000) },
  );
});

test('a file of many names asks the language for none of them', () => {
  const asked: string[] = [];
  const lines = Array.from({ length: 1000 }, (_, i) => `/out${i}`);
  const tested = ignoreTest(lines.join('\n'), (others) => {
    expect(others).toBe('');
    return (one) => {
      asked.push(one);
      return { ignored: false, unignored: false };
    };
  });
  expect(lines.every((one) => tested(one.slice(1)).ignored && tested(`${one.slice(1)}/`).ignored)).toBe(true);
  expect(tested('other/out1').ignored).toBe(false);
  expect(asked).toEqual(['other/out1']);
});
