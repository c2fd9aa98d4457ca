import type { MetricValue } from './metric-line.ts';

/** One value of a metric, and where it stood. */
export interface MetricPoint {
  readonly value: number;
  readonly step?: number;
  readonly at?: number;
}

/** What a metric came to. */
export interface MetricSummary {
  readonly count: number;
  readonly last: MetricPoint;
  /** The first that was lowest and highest; undefined where every value was NaN. */
  readonly min?: MetricPoint;
  readonly max?: MetricPoint;
}

/** More names than this are not told apart: a name that bears a number, say. */
const NAMES = 1000;

/** What the metrics of a run came to, by name, in the order in which they first came. Memory is bounded. */
export class MetricSummaries {
  readonly #names = new Map<string, MetricSummary>();
  #left = 0;

  add({ name, value, step, at }: MetricValue): void {
    const known = this.#names.get(name);
    if (known === undefined && this.#names.size >= NAMES) {
      this.#left++;
      return;
    }
    const last = { value, ...(step === undefined ? {} : { step }), ...(at === undefined ? {} : { at }) };
    const min = lower(known?.min, last);
    const max = higher(known?.max, last);
    this.#names.set(name, {
      count: (known?.count ?? 0) + 1,
      last,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
    });
  }

  get(name: string): MetricSummary | undefined {
    return this.#names.get(name);
  }

  entries(): IterableIterator<[string, MetricSummary]> {
    return this.#names.entries();
  }

  get size(): number {
    return this.#names.size;
  }

  /** Values of names that were too many. */
  get left(): number {
    return this.#left;
  }
}

const LOWER =
  /(^|[^a-z])(val)?(loss|err|error|mse|mae|rmse|mape|nll|perplexity|ppl|wer|cer|fid|latency|regret)([^a-z]|$)/;
const HIGHER =
  /(^|[^a-z])(val)?(acc|accuracy|auc|auroc|f1|precision|recall|score|r2|bleu|rouge|iou|map|psnr|ssim|reward)([^a-z]|$)/;

/** Which values of a metric are the better ones, by the words of its name; undefined where these don't tell. */
export function betterOf(name: string): 'lower' | 'higher' | undefined {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  if (LOWER.test(words)) return 'lower';
  return HIGHER.test(words) ? 'higher' : undefined;
}

/** The best value, where the name tells what is good. */
export function bestOf(name: string, { min, max }: MetricSummary): MetricPoint | undefined {
  const better = betterOf(name);
  return better === undefined ? undefined : better === 'lower' ? min : max;
}

function lower(known: MetricPoint | undefined, point: MetricPoint): MetricPoint | undefined {
  if (Number.isNaN(point.value)) return known;
  return known === undefined || point.value < known.value ? point : known;
}

function higher(known: MetricPoint | undefined, point: MetricPoint): MetricPoint | undefined {
  if (Number.isNaN(point.value)) return known;
  return known === undefined || point.value > known.value ? point : known;
}
