import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { niceTicks } from '../src/card/curve.ts';
import { renderPage } from '../src/card/page.ts';
import { encodeGreyPng } from '../src/card/png.ts';
import { PIXELS, readDigits, writeDigits } from '../src/data.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dag-digits-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('files of digits', () => {
  const digits = { images: Uint8Array.from({ length: 2 * PIXELS }, (_, i) => i % 251), labels: Uint8Array.of(3, 9) };

  test('are read as they were written', async () => {
    await writeDigits(folder, 'test', digits);
    const read = await readDigits(folder, 'test');
    expect([...read.labels]).toEqual([3, 9]);
    expect(Buffer.compare(read.images, digits.images)).toBe(0);
  });

  test('are refused when cut short, of another kind, or when the two differ in number', async () => {
    await writeDigits(folder, 'test', digits);
    const images = join(folder, 'test-images.idx3-ubyte');
    truncateSync(images, 100);
    await expect(readDigits(folder, 'test')).rejects.toThrow(
      'test-images.idx3-ubyte holds 84 bytes, its header says 1568',
    );
    writeFileSync(images, 'something else altogether');
    await expect(readDigits(folder, 'test')).rejects.toThrow('is no such IDX file');
    await writeDigits(folder, 'test', digits);
    await writeDigits(folder, 'train', { images: digits.images.subarray(PIXELS), labels: Uint8Array.of(1) });
    copyFileSync(join(folder, 'train-labels.idx1-ubyte'), join(folder, 'test-labels.idx1-ubyte'));
    await expect(readDigits(folder, 'test')).rejects.toThrow('images and labels differ in number');
  });
});

describe('the card', () => {
  test('its pictures are PNG whose alpha is the ink', () => {
    const png = encodeGreyPng(Uint8Array.of(0, 255, 7, 128, 1, 2), 3, 2);
    expect(png.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([3, 2]);
    const length = png.readUInt32BE(33);
    const rows = inflateSync(png.subarray(41, 41 + length));
    expect([...rows]).toEqual([0, 0, 0, 0, 255, 0, 7, 0, 0, 128, 0, 1, 0, 2]);
    expect(() => encodeGreyPng(Uint8Array.of(1), 3, 2)).toThrow();
  });

  test('axes have round numbers that hold all values', () => {
    expect(niceTicks(0, 0.755)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
    expect(niceTicks(0.774, 1)).toEqual([0.75, 0.8, 0.85, 0.9, 0.95, 1]);
    expect(niceTicks(3, 3).length).toBeGreaterThan(1);
  });

  test('loads nothing from elsewhere', () => {
    const history = [{ loss: 1, accuracy: 0.5, val_loss: 1, val_accuracy: 0.5 }];
    const metrics = { accuracy: 0.5, loss: 1, digits: 2, mistakes: 1, recall: { 0: 1, 1: 0 } };
    const confusion = [
      [1, 0],
      [1, 0],
    ];
    const mistakes = [{ actual: 1, predicted: 0, confidence: 0.9, picture: 'data:image/png;base64,AAAA' }];
    const page = renderPage({ history, metrics, confusion, mistakes });
    expect(page).not.toMatch(/https?:|<script|<link|@import|url\(/);
    expect(page).toContain('once a 1 was read as 0');
    expect(page).toContain('All mistakes');
  });
});
