/**
 * One line of a file in which a running stage reports (`store/FORMAT.md`, "Metrics"): JSON, appended as it comes, by the stage
 * itself or by any process that it starts.
 */
export type MetricLine = MetricValue | MetricHistogram | MetricImage;

interface Reported {
  /** 1 to 200 characters, none of them a control character. */
  readonly name: string;
  /** The epoch or batch that it belongs to. */
  readonly step?: number;
  /** When it was reported: seconds since 1970, as `time.time()` of Python gives. */
  readonly at?: number;
}

/** A number. It may be NaN or infinite: a training that diverges says so. */
export interface MetricValue extends Reported {
  readonly value: number;
}

/** How many values lie where. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
  /** Upper ends of the bins, ascending. */
  readonly limits: readonly number[];
  /** One for each bin. */
  readonly counts: readonly number[];
}

export interface MetricHistogram extends Reported {
  readonly histogram: Histogram;
}

/** An image, in a file of its own. */
export interface MetricImage extends Reported {
  /** Name of the file in the folder of the run's images. */
  readonly image: string;
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly channels: number;
}

/** A longer line (in bytes) is passed over. */
export const METRIC_LINE_LIMIT = 64 * 1024;

/** The most bins of a histogram. */
export const METRIC_BINS = 512;

const NAME_LIMIT = 200;

/** The text of a line, with its end. */
export function formatMetricLine(line: MetricLine): string {
  if (!('value' in line) || Number.isFinite(line.value)) return `${JSON.stringify(line)}\n`;
  return `${JSON.stringify({ ...line, value: String(line.value) })}\n`;
}

/** Reads a line; undefined for what is none: a torn one, another program's, one with a field that can't be. */
export function parseMetricLine(text: string): MetricLine | undefined {
  const raw = parseJson(text);
  if (raw === undefined || !isMetricName(raw['name'])) return undefined;
  const { name, step, at, value, histogram, image } = raw;
  if (step !== undefined && step !== null && !isFiniteNumber(step)) return undefined;
  const reported = { name, ...(isFiniteNumber(step) ? { step } : {}), ...(isFiniteNumber(at) ? { at } : {}) };
  if (value !== undefined) {
    const number = typeof value === 'string' ? NOT_FINITE[value] : value;
    return typeof number === 'number' ? { ...reported, value: number } : undefined;
  }
  if (histogram !== undefined) {
    const read = readHistogram(histogram);
    return read === undefined ? undefined : { ...reported, histogram: read };
  }
  if (image !== undefined) return readImage(reported, raw);
  return undefined;
}

/** Whether something can be the name of a metric. */
export function isMetricName(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= NAME_LIMIT && !/\p{Cc}/u.test(name);
}

const NOT_FINITE: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** JSON; or what Python's json module makes of a number that is not finite, which is none. */
function parseJson(text: string): Record<string, unknown> | undefined {
  const value = tryJson(text) ?? tryJson(text.replace(/:\s*(NaN|-?Infinity)\s*(?=[,}])/g, ':"$1"'));
  return isRecord(value) ? value : undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readHistogram(raw: unknown): Histogram | undefined {
  if (!isRecord(raw)) return undefined;
  const { min, max, count, sum, squares, limits, counts } = raw;
  if (![min, max, count, sum, squares].every(isFiniteNumber) || !isNumbers(limits) || !isNumbers(counts))
    return undefined;
  const fits = limits.length === counts.length && limits.length > 0 && limits.length <= METRIC_BINS;
  if (!fits || counts.some((one) => one < 0)) return undefined;
  if (limits.some((one, at) => at > 0 && one <= (limits[at - 1] ?? one))) return undefined;
  return { min, max, count, sum, squares, limits, counts } as Histogram;
}

function readImage(reported: Reported, { image, width, height, channels }: Record<string, unknown>) {
  if (typeof image !== 'string' || !/^[0-9]{1,9}\.(png|jpg)$/.test(image)) return undefined;
  if (!isCount(width) || !isCount(height) || !isCount(channels) || channels > 4) return undefined;
  return { ...reported, image, width, height, channels };
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isFiniteNumber);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
