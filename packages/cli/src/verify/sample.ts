import { createHash, randomInt } from 'node:crypto';
import { FailureError } from '@dag/model';

/** What `--sample` and `--seed` say: the share, from 0 to 1, and what the choice is drawn from. */
export interface Sample {
  readonly share: number;
  readonly seed: string;
}

export function parseSample(share: string | undefined, seed: string | undefined): Sample | undefined {
  if (share === undefined) return undefined;
  const percent = /^(\d+(?:\.\d+)?)\s*%?$/.exec(share.trim())?.[1];
  const number = Number(percent ?? Number.NaN);
  if (!(number > 0 && number <= 100)) {
    throw new FailureError({ code: 'usage', message: `--sample takes a percentage such as 10%, not '${share}'` });
  }
  return { share: number / 100, seed: seed ?? String(randomInt(1_000_000)) };
}

/** So many of the items, at least one, always the same ones for a seed; in the order given. */
export function sampled<T>(items: readonly T[], nameOf: (item: T) => string, { share, seed }: Sample): T[] {
  const count = Math.max(1, Math.round(items.length * share));
  const rank = (item: T) =>
    createHash('sha256')
      .update(`${seed}\0${nameOf(item)}`)
      .digest('hex');
  const chosen = new Set(
    [...items]
      .map((item) => ({ item, rank: rank(item) }))
      .sort((a, b) => (a.rank < b.rank ? -1 : 1))
      .slice(0, count)
      .map(({ item }) => item),
  );
  return items.filter((item) => chosen.has(item));
}
