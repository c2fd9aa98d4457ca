import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, sameValue, type Value } from '../src/canonical.ts';

const value = fc.jsonValue() as fc.Arbitrary<Value>;

test('says the same whatever the order of keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value, { noNullPrototype: true }), (map) => {
      const reversed = Object.fromEntries(Object.entries(map).reverse());
      expect(canonicalJson(reversed)).toBe(canonicalJson(map));
    }),
  );
});

test('is JSON that gives the value back', () => {
  fc.assert(
    fc.property(value, (one) => {
      expect(sameValue(JSON.parse(canonicalJson(one)), one)).toBe(true);
    }),
  );
});

test.each<[Value, string]>([
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [1.0, '1'],
  [-0, '0'],
  [1e-5, '0.00001'],
  [12345678901234567890n, '12345678901234567890'],
  [Number.NaN, 'NaN'],
  ['NaN', '"NaN"'],
])('%o', (one, text) => {
  expect(canonicalJson(one)).toBe(text);
});

test.each<[Value, Value, boolean]>([
  [1, 1.0, true],
  [1, 1n, true],
  [1, '1', false],
  [1, true, false],
  [null, false, false],
  [[1, 2], [2, 1], false],
])('whether %o and %o are one value: %s', (a, b, same) => {
  expect(sameValue(a, b)).toBe(same);
});
