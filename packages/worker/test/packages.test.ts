import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importFile } from '../src/child/backend/packages.ts';
import { temporaryFolder, writeFiles } from './rig.ts';

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
  writeFiles(folder, {
    'commonjs.js': 'exports.__esModule = true; exports.default = 1; exports.own = 2;',
    'module.mjs': 'export const own = 2;',
    'with-default.mjs': 'export default { own: 2 };',
    'awaits.mjs': 'export const own = await Promise.resolve(2);',
    'throws.js': "throw Object.assign(new Error('its own'), { code: 'E_OWN' });",
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['commonjs.js', { __esModule: true, own: 2, default: 1 }],
  ['module.mjs', { own: 2 }],
  ['with-default.mjs', { own: 2 }],
  ['awaits.mjs', { own: 2 }],
])('%s is loaded', async (name, expected) => {
  expect({ ...(await importFile<object>(join(folder, name))) }).toEqual(expected);
});

test('what a module throws is passed on', async () => {
  await expect(importFile(join(folder, 'throws.js'))).rejects.toThrow('its own');
});
