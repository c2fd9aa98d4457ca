/** Endings, beside that of the log, of what one try of a stage leaves in the `logs` folder of the cache. */
const LOG = '.log';
const METRICS = '.metrics.ndjson';
const SYSTEM = '.system.ndjson';
const IMAGES = '.images';

/** What belongs to one log, by the log's name or path. */
export interface MetricFiles {
  /** What the stage reports. */
  readonly metrics: string;
  /** What it uses of the machine. */
  readonly system: string;
  /** Folder of its images. */
  readonly images: string;
}

export function metricFiles(log: string): MetricFiles {
  const stem = log.endsWith(LOG) ? log.slice(0, -LOG.length) : log;
  return { metrics: `${stem}${METRICS}`, system: `${stem}${SYSTEM}`, images: `${stem}${IMAGES}` };
}

/** The log that a file of the `logs` folder belongs to, or is itself; undefined where it is something else. */
export function logOf(name: string): string | undefined {
  const ending = [METRICS, SYSTEM, IMAGES, LOG].find((one) => name.endsWith(one));
  return ending === undefined ? undefined : `${name.slice(0, -ending.length)}${LOG}`;
}
