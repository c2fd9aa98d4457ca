import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { imagesOf } from '../src/verify/images.ts';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-images-'));
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

/** A picture of 4 x 3 pixels, with one of another colour. */
async function picture(
  name: string,
  colour: readonly [number, number, number] | undefined,
  options: { compressionLevel?: number; width?: number } = {},
) {
  const { width = 4, compressionLevel = 6 } = options;
  const data = Buffer.alloc(width * 3 * 3, 100);
  if (colour !== undefined) data.set(colour, (1 * width + 2) * 3);
  const file = path.join(base, name);
  await sharp(data, { raw: { width, height: 3, channels: 3 } })
    .png({ compressionLevel })
    .toFile(file);
  return file;
}

describe('images', () => {
  const compare = imagesOf(import.meta.dirname);

  test('pixels count, and not how they are packed', async () => {
    const [a, b] = [await picture('a.png', undefined, { compressionLevel: 0 }), await picture('b.png', undefined)];
    expect(fs.readFileSync(a).equals(fs.readFileSync(b))).toBe(false);
    expect(compare(a, b, undefined)).toEqual({ verdict: 'canonical' });
  });

  test('the first pixel that differs, and by how much; a tolerance is in levels', async () => {
    const [a, b] = [await picture('a.png', undefined), await picture('b.png', [100, 103, 90])];
    const deviation = { of: 48, differing: 2, absolute: 10, relative: 0.1 };
    expect(compare(a, b, undefined)).toEqual({
      verdict: 'different',
      difference: { kind: 'pixel', x: 2, y: 1, before: [100, 100, 100, 255], after: [100, 103, 90, 255] },
      deviation,
    });
    const out = { path: 'o.png' as never };
    expect(compare(a, b, { ...out, tolerance: { kind: 'absolute', most: 10 } })).toEqual({
      verdict: 'tolerated',
      deviation,
    });
    expect(compare(a, b, { ...out, tolerance: { kind: 'absolute', most: 9 } })).toMatchObject({ verdict: 'different' });
    expect(compare(a, b, { ...out, tolerance: { kind: 'relative', most: 0.1 } })).toMatchObject({
      verdict: 'tolerated',
    });
  });

  test('another size; what is no image; a project without the library', async () => {
    const [a, b] = [await picture('a.png', undefined), await picture('b.png', undefined, { width: 5 })];
    expect(compare(a, b, undefined)).toMatchObject({
      difference: { part: 'size', before: '4x3, 4 channels of 8 bit' },
    });
    fs.writeFileSync(path.join(base, 'c.png'), 'no image');
    expect(compare(a, path.join(base, 'c.png'), undefined)).toEqual({
      problem: expect.stringMatching(/^it can't be compared as an image: /),
    });
    expect(imagesOf(base)(a, b, undefined)).toEqual({
      problem: expect.stringMatching(/npm install --save-dev sharp$/),
    });
  });
});
