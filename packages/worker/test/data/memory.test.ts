import { execFile } from 'node:child_process';
import { closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Built, buildWorker } from '../rig.ts';
import { testFolder } from './folder.ts';

const folder = testFolder();
const MIB = 2 ** 20;
let built: Built;

beforeAll(async () => {
  built = await buildWorker();
});
afterAll(() => built.remove());

/** Runs code that has the helpers in scope, in a process with a small heap. @returns what it prints, as JSON. */
async function run(code: string): Promise<{ rows: number; peak: number }> {
  const script = join(folder, 'script.mjs');
  const names = 'batches, openArray, streamCsv';
  const end = 'console.log(JSON.stringify({ rows, peak: process.resourceUsage().maxRSS * 1024 }));';
  writeFileSync(
    script,
    `import { ${names} } from ${JSON.stringify(pathToFileURL(built.publicModule))};\nlet rows = 0;\n${code}\n${end}`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['--max-old-space-size=16', script]);
  return JSON.parse(stdout);
}

it('goes through an array of 1 GiB, shuffled, in the memory of its batches', async () => {
  const file = join(folder, 'large.bin');
  writeFileSync(file, '');
  truncateSync(file, 1024 * MIB);
  const open = `await openArray(${JSON.stringify(file)}, { shape: [65536], type: 'f4' })`;
  const { rows, peak } = await run(`
    for await (const batch of batches({ x: ${open} }, { size: 16, shuffle: 1 })) rows += batch.size;`);
  expect(rows).toBe(4096);
  expect(peak).toBeLessThan(300 * MIB);
});

it('goes through a CSV file of twice its heap, shuffled, in the memory of its buffer', async () => {
  const file = join(folder, 'large.csv');
  const fd = openSync(file, 'w');
  const lines = Array.from(
    { length: 20_000 },
    (_, i) => `${i},${i / 7},"a text that is passed over, ${'x'.repeat(60)}"\n`,
  );
  writeSync(fd, 'a,b,text\n');
  for (let i = 0; i < 16; i++) writeSync(fd, lines.join(''));
  closeSync(fd);
  expect(statSync(file).size).toBeGreaterThan(32 * MIB);
  const { rows, peak } = await run(`
    const stream = streamCsv(${JSON.stringify(file)}, { x: ['a', 'b'] }, { buffer: 10_000 });
    for await (const batch of batches(stream, { size: 100, shuffle: 1 })) rows += batch.size;`);
  expect(rows).toBe(320_000);
  expect(peak).toBeLessThan(200 * MIB);
});
