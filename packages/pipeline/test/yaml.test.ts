import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { readFull } from '../src/yaml/full.ts';
import { parseYaml } from '../src/yaml/parse.ts';
import { readQuick } from '../src/yaml/quick.ts';
import { resolvePlain } from '../src/yaml/scalar.ts';
import { YAML_RECORDED } from './rig/recorded-yaml.ts';
import { readValues } from './rig/values.ts';
import { yamlTexts } from './rig/yaml-texts.ts';

describe('the quick reader', () => {
  it("gives the full reader's answer with its places, or none", () => {
    fc.assert(
      fc.property(yamlTexts, (text) => {
        const quick = readQuick(text);
        if (quick === undefined) return;
        const full = readFull(text);
        if (!isDeepStrictEqual(full.root, quick.root) || full.problems.length > 0) expect(full).toEqual(quick);
      }),
      { numRuns: runs(10_000) },
    );
  });

  it('knows what people write', () => {
    const text = `# c\nstages:\n  a: # c\n    cmd: >-\n      x\n      y\n\n    deps:\n    - a b\n    - 'q'  # c\n    outs: [x, {y: 1},\n      "z"]\n    m: plain\n      goes on\n    q: "quoted\n    goes on"\n  b: {cmd: x}\n`;
    const quick = readQuick(text);
    expect(quick).toBeDefined();
    expect(readFull(text)).toEqual({ root: quick?.root, problems: [] });
  });
});

describe('the full reader', () => {
  it('never throws, and points into the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), yamlTexts), (text) => {
        const { root, problems } = parseYaml(text);
        for (const { at } of [...problems, ...(root === undefined ? [] : [{ at: root }])]) {
          if (at.start < 0 || at.start > text.length || at.end < at.start) expect(at).toBe('inside the text');
        }
      }),
      { numRuns: runs(2_000) },
    );
  });

  it('is linear: deep nesting and many aliases have an end', () => {
    expect(readFull('['.repeat(100_000)).problems[0]?.message).toBe('nested too deeply');
    const lines = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`);
    const bomb = `a0: &a0 [x]\n${lines.join('\n')}\n`;
    expect(readFull(bomb).problems[0]?.message).toBe('aliases make this file too large');
  });
});

describe('every reader', () => {
  it.each(YAML_RECORDED.map(([text, value]) => ({ text, value })))('reads $text as DVC does', ({ text, value }) => {
    const ours = readValues('p.yaml', text);
    if (value === undefined) expect(ours).toHaveProperty('refused');
    else expect(ours).toEqual({ value });
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
