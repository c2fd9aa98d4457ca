import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFull } from '../src/yaml/full.ts';
import type { Node } from '../src/yaml/node.ts';
import { parseYaml } from '../src/yaml/parse.ts';
import { readQuick } from '../src/yaml/quick.ts';
import { resolvePlain } from '../src/yaml/scalar.ts';

/** A tree with its places, comparable. */
function plain(node: Node | undefined): unknown {
  if (node === undefined) return 'nothing';
  const { start, end } = node;
  if (node.kind === 'scalar' && (start === end || node.value === '')) return 'nothing';
  if (node.kind === 'scalar') return [String(node.value), typeof node.value, node.float, start, end];
  if (node.kind === 'seq') return [node.items.map(plain), node.flow, start, node.flow ? end : 0];
  return [node.entries.map((entry) => [plain(entry.key), plain(entry.value)]), node.flow, start, node.flow ? end : 0];
}

const TOKENS = [
  'a',
  'b c',
  'key: ',
  'x:',
  '- ',
  '-',
  '  ',
  '    ',
  '\n',
  '\n  ',
  '\n    ',
  '\r\n',
  '"q"',
  "'s'",
  '"a\\n"',
  "'it''s'",
  '# c',
  ' # c',
  '[',
  ']',
  '{',
  '}',
  ', ',
  ':',
  '|',
  '>-',
  '|+',
  '>2',
  '1',
  '1.5',
  '-',
  'null',
  '~',
  '\t',
  '&a ',
  '*a',
  '!t ',
  '---',
  '...',
  '? ',
  '${x}',
  '\\',
  '@',
  '%',
  'é',
  '"m\n              n"',
  "'m\n\n              n'",
];

describe('the quick reader', () => {
  it("gives the full parser's answer, or none", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 24 }), (tokens) => {
        const text = tokens.join('');
        const quick = readQuick(text);
        if (quick === undefined) return;
        const full = readFull(text);
        expect(full.problems).toEqual([]);
        expect(plain(quick.root)).toEqual(plain(full.root));
      }),
      { numRuns: 20_000 },
    );
  });

  it('knows what people write', () => {
    const text = `# c\nstages:\n  a: # c\n    cmd: >-\n      x\n      y\n\n    deps:\n    - a b\n    - 'q'  # c\n    outs: [x, {y: 1},\n      "z"]\n    m: plain\n      goes on\n  b: {cmd: |-\n`;
    expect(readQuick(text)).toBeUndefined();
    const whole = text.replace('  b: {cmd: |-\n', '  b: {cmd: x}\n');
    expect(plain(readQuick(whole)?.root)).toEqual(plain(readFull(whole).root));
    expect(readQuick(whole)).toBeDefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void parseYaml(text)),
      { numRuns: 500 },
    );
  });
});

describe('plain scalars', () => {
  it.each([
    ['1_000', 1000, false],
    ['017', 17, false],
    ['0o17', 15, false],
    ['0b11', 3, false],
    ['0x1F', 31, false],
    ['1e5', 1e5, true],
    ['1.', 1, true],
    ['.5', 0.5, true],
    ['-.inf', -Infinity, true],
    ['yes', 'yes', false],
    ['Null', null, false],
    ['1:30', '1:30', false],
    ['08', 8, false],
    ['_1', '_1', false],
    ['0o8', '0o8', false],
    ['2020-01-01', '2020-01-01', false],
    ['123456789012345678901234567890', 123456789012345678901234567890n, false],
  ])('%s', (text, value, float) => {
    expect(resolvePlain(text)).toEqual({ value, float });
  });
});
