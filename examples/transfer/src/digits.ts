import { join } from 'node:path';
import { divideRows, oneHotRows, openArray, type Rows } from 'dag/worker';

/** Width and height of a digit, in pixels. */
export const SIDE = 28;
/** Classes of a network: 0 to 4, or 5 to 9, of which the first is called 0 too. */
export const CLASSES = 5;

/** Which digits: 0 to 4, or 5 to 9. */
export type Half = 'low' | 'high';

/** Digits as a network takes them. `labels` are the classes that `y` has as rows of five. */
export async function openDigits(folder: string, half: Half, set: 'train' | 'test') {
  const images = await openArray(join(folder, `${half}-${set}-images.npy`));
  const labels = await openArray(join(folder, `${half}-${set}-labels.npy`));
  return { x: divideRows(images, 255), y: oneHotRows(labels, CLASSES), labels } satisfies Record<string, Rows>;
}
