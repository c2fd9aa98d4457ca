import { execFile } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { batches, openImages } from '../../src/public/data.ts';
import { buildWorker } from '../rig.ts';
import { collect, failure, readAll, testFolder } from './folder.ts';

const folder = testFolder();
const sharp = createRequire(import.meta.url)('sharp');

/** Writes an image of bytes that `seed` decides. @returns them. */
async function write(file: string, width: number, height: number, channels: number, seed: number): Promise<number[]> {
  const bytes = Buffer.from(Array.from({ length: width * height * channels }, (_, i) => (i * 37 + seed * 101) % 256));
  mkdirSync(join(folder, file, '..'), { recursive: true });
  await sharp(bytes, { raw: { width, height, channels } }).toFile(join(folder, file));
  return [...bytes];
}

it('reads PNGs bit by bit, with their folders as classes', async () => {
  const [b, a, c] = [
    await write('set/dog/b.png', 3, 2, 3, 1),
    await write('set/cat/a.png', 3, 2, 3, 2),
    await write('set/dog/C.PNG', 3, 2, 3, 3),
  ];
  writeFileSync(join(folder, 'set/cat/notes.txt'), 'no image');
  const images = await openImages(join(folder, 'set'));
  expect(images.files).toEqual(['cat/a.png', 'dog/C.PNG', 'dog/b.png']);
  expect(images.classes).toEqual(['cat', 'dog']);
  expect(images.pixels).toMatchObject({ count: 3, shape: [2, 3, 3], dtype: 'uint8' });
  expect(await readAll(images.labels)).toEqual([0, 1, 1]);
  expect(await readAll(images.pixels)).toEqual([...a, ...c, ...b]);
});

it('reads grey ones as grey, and any with one, three or four channels', async () => {
  const grey = await write('grey/a.png', 4, 4, 1, 5);
  const read = async (channels: 1 | 3 | 4) => readAll((await openImages(join(folder, 'grey'), { channels })).pixels);
  expect(await read(1)).toEqual(grey);
  expect(await read(3)).toEqual(grey.flatMap((value) => [value, value, value]));
  expect(await read(4)).toEqual(grey.flatMap((value) => [value, value, value, 255]));
});

it('brings JPEGs of all sizes to one', async () => {
  await write('jpg/a.jpg', 40, 20, 3, 1);
  await write('jpg/b.jpeg', 10, 30, 3, 2);
  const { pixels } = await openImages(join(folder, 'jpg'), { size: [8, 6], channels: 1 });
  const [batch] = await collect(batches({ pixels }, { size: 2 }));
  expect(batch?.data.pixels.shape).toEqual([2, 8, 6, 1]);
  expect(new Set(batch?.data.pixels.values).size).toBeGreaterThan(20);
  const { pixels: unlike } = await openImages(join(folder, 'jpg'));
  expect(await failure({ unlike })).toBe(
    `DataError: ${folder}/jpg/b.jpeg: it is 10 by 30 pixels, the first one 40 by 20; say the \`size\` that all are to have`,
  );
});

it('names the image that is broken, or that there are none', async () => {
  for (const name of ['1', '2', '3']) await write(`broken/${name}.jpg`, 64, 64, 3, Number(name));
  truncateSync(join(folder, 'broken/2.jpg'), 700);
  expect(await failure({ x: (await openImages(join(folder, 'broken'))).pixels })).toMatch(
    /^DataError: .*broken\/2\.jpg: it can't be decoded: \S/,
  );
  writeFileSync(join(folder, 'broken/1.jpg'), 'not an image');
  await expect(openImages(join(folder, 'broken'))).rejects.toThrow(
    /broken\/1\.jpg: it can't be decoded: .*unsupported/,
  );
  mkdirSync(join(folder, 'none'));
  await expect(openImages(join(folder, 'none'))).rejects.toThrow('none: there are no images in it (.png, .jpg');
});

it('decodes again only what memory had no room for', async () => {
  for (let i = 0; i < 4; i++) await write(`kept/${i}.png`, 2, 2, 1, i);
  const { pixels } = await openImages(join(folder, 'kept'), { channels: 1, memory: 3 * 4 });
  const before = await readAll(pixels);
  for (let i = 0; i < 4; i++) await write(`kept/${i}.png`, 2, 2, 1, i + 50);
  const after = await readAll(pixels);
  const changed = [0, 1, 2, 3].filter(
    (i) => String(before.slice(4 * i, 4 * i + 4)) !== String(after.slice(4 * i, 4 * i + 4)),
  );
  expect(changed).toHaveLength(1);
});

it('says how to get sharp where the project has none', async () => {
  await write('lonely/a.png', 2, 2, 1, 1);
  const built = await buildWorker();
  try {
    const publicModule = JSON.stringify(pathToFileURL(built.publicModule));
    writeFileSync(
      join(folder, 'lonely.mjs'),
      `import { openImages } from ${publicModule}; await openImages('lonely').catch((error) => console.log(error.message));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['lonely.mjs'], { cwd: folder });
    expect(stdout).toBe('images are decoded by the package sharp, which is not installed: npm install sharp\n');
  } finally {
    built.remove();
  }
});
