import { findPackage, importFile } from './packages.ts';

interface DataSet {
  shuffle(bufferSize: number, seed?: string, reshuffle?: boolean): unknown;
}

/**
 * tf.data shuffles by the clock where no seed is given, or 0: here Math.random draws one, which the stage's seed decides. All
 * else in TensorFlow.js that draws a number asks Math.random by itself.
 * @param folders absolute; where the package is looked up from.
 */
export async function seedDataSets(folders: readonly string[]): Promise<void> {
  const main = findPackage('@tensorflow/tfjs-data', folders);
  if (main === undefined) return;
  const { Dataset } = await importFile<{ Dataset: { prototype: DataSet } }>(main);
  const { shuffle } = Dataset.prototype;
  Dataset.prototype.shuffle = function (bufferSize, seed, reshuffle) {
    const drawn = seed === undefined || seed === null ? Math.random() : seed;
    return shuffle.call(this, bufferSize, String(drawn), reshuffle);
  };
}
