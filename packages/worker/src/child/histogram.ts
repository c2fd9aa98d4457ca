import type { Histogram } from '@dag/model';

/** Bins of a histogram of values that are not all the same. */
const BINS = 64;

/**
 * Counts values in bins of equal width. Those that are not finite are left out; undefined where there are no others.
 * @param values any numbers, a typed array say.
 */
export function histogramOf(values: ArrayLike<number>): Histogram | undefined {
  let [min, max, count, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
    squares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0 || !Number.isFinite(sum) || !Number.isFinite(squares)) return undefined;
  const limits = limitsOf(min, max);
  const counts = new Array<number>(limits.length).fill(0);
  const scale = limits.length / (max - min);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isFinite(value)) continue;
    const bin = max === min ? 0 : Math.min(limits.length - 1, Math.max(0, Math.ceil((value - min) * scale) - 1));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { min, max, count, sum, squares, limits, counts };
}

/** Upper ends of the bins, ascending: one bin where the values are too close for more. */
function limitsOf(min: number, max: number): number[] {
  const limits = Array.from({ length: BINS }, (_, bin) => min + ((max - min) * (bin + 1)) / BINS);
  limits[BINS - 1] = max;
  const isAscending = min < (limits[0] ?? min) && limits.every((one, at) => at === 0 || one > (limits[at - 1] ?? one));
  return isAscending && Number.isFinite(max - min) ? limits : [max];
}
