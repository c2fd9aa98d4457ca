import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Width and height of a digit, in pixels. */
export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const CLASSES = 10;

/** Handwritten digits: 784 bytes of grey each (0 is paper, 255 is ink), and what each one is. */
export interface Digits {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** Magic numbers of the IDX format: unsigned bytes, three dimensions and one. */
const IMAGES = 0x0803;
const LABELS = 0x0801;

/**
 * Writes a set of digits as the two IDX files that MNIST itself is published in (yann.lecun.com/exdb/mnist), so that
 * any other tool can read them.
 */
export async function writeDigits(folder: string, set: 'train' | 'test', { images, labels }: Digits): Promise<void> {
  const count = labels.length;
  await writeFile(join(folder, `${set}-images.idx3-ubyte`), Buffer.concat([header(IMAGES, count, SIDE, SIDE), images]));
  await writeFile(join(folder, `${set}-labels.idx1-ubyte`), Buffer.concat([header(LABELS, count), labels]));
}

/** Reads what `writeDigits` wrote. */
export async function readDigits(folder: string, set: 'train' | 'test'): Promise<Digits> {
  const labels = await readIdx(join(folder, `${set}-labels.idx1-ubyte`), LABELS, 1);
  const images = await readIdx(join(folder, `${set}-images.idx3-ubyte`), IMAGES, PIXELS);
  if (images.length !== labels.length * PIXELS) throw new Error(`${folder}: ${set} images and labels differ in number`);
  return { images, labels };
}

function header(...words: number[]): Buffer {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, i * 4);
  return bytes;
}

async function readIdx(file: string, magic: number, itemSize: number): Promise<Uint8Array> {
  const bytes = await readFile(file);
  const offset = 4 + 4 * (magic & 0xff);
  if (bytes.length < offset || bytes.readUInt32BE(0) !== magic) throw new Error(`${file} is no such IDX file`);
  const body = bytes.subarray(offset);
  const expected = bytes.readUInt32BE(4) * itemSize;
  if (body.length !== expected) throw new Error(`${file} holds ${body.length} bytes, its header says ${expected}`);
  return body;
}
