import { join } from 'node:path';
import { divideRows, oneHotRows, openArray, type Rows, reshapeRows } from 'dag/worker';
import { CLASSES, SIDE } from './data.ts';

/** A set as a network takes it: [28, 28, 1] from 0 to 1, and for each digit a row of ten with a 1 at its place. */
export async function openDigits(folder: string, set: 'train' | 'test'): Promise<{ x: Rows; y: Rows }> {
  const images = await openArray(join(folder, `${set}-images.idx3-ubyte`));
  const labels = await openArray(join(folder, `${set}-labels.idx1-ubyte`));
  return { x: divideRows(reshapeRows(images, [SIDE, SIDE, 1]), 255), y: oneHotRows(labels, CLASSES) };
}
