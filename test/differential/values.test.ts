import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonTexts, pythonTexts, tomlTexts } from '../../packages/pipeline/test/rig/param-texts.ts';
import { JSON_RECORDED, PYTHON_RECORDED, TOML_RECORDED } from '../../packages/pipeline/test/rig/recorded-params.ts';
import { YAML_RECORDED } from '../../packages/pipeline/test/rig/recorded-yaml.ts';
import { readValues } from '../../packages/pipeline/test/rig/values.ts';
import { yamlTexts } from '../../packages/pipeline/test/rig/yaml-texts.ts';
import { runs, SEED } from '../fuzz.ts';
import { differs, isSame } from './compare-values.ts';
import { findDvcPython, type Loaders, startLoaders, WITHOUT_DVC } from './dvc.ts';

const BATCH = 500;

let loaders: Loaders | undefined;
beforeAll(async () => {
  const python = findDvcPython();
  if (python !== undefined) loaders = await startLoaders(python);
});
afterAll(() => loaders?.close());

const KINDS = [
  ['p.yaml', yamlTexts, YAML_RECORDED],
  ['p.json', jsonTexts, JSON_RECORDED],
  ['p.toml', tomlTexts, TOML_RECORDED],
  ['p.py', pythonTexts, PYTHON_RECORDED],
] as const;

test.for(KINDS)('%s: a text has the value that it has for DVC', async ([name, texts, recorded], context) => {
  if (loaders === undefined) {
    if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
    return context.skip(WITHOUT_DVC);
  }
  const theirs = await loaders.read(recorded.map(([text]) => ({ name, text })));
  recorded.forEach(([text, value], i) => {
    const reading = theirs[i];
    const same = reading !== undefined && 'value' in reading ? isSame(value, reading.value) : value === undefined;
    expect(same, `recorded other than DVC ${loaders?.version} reads it: ${JSON.stringify({ text, reading })}`).toBe(
      true,
    );
  });
  let sound = 0;
  for (let round = 0; round * BATCH < runs(3000); round++) {
    const batch = fc.sample(texts, { numRuns: BATCH, seed: SEED + round });
    const readings = await loaders.read(batch.map((text) => ({ name, text })));
    readings.forEach((reading, i) => {
      const text = batch[i] as string;
      if ('value' in reading) sound++;
      const ours = readValues(name, text);
      const difference = differs(name, text, ours, reading);
      if (difference !== undefined) expect({ difference, text, ours }).toEqual({ text, theirs: reading });
    });
  }
  // Texts that are nearly all broken would prove little.
  expect(sound).toBeGreaterThan(runs(3000) / 5);
});
