import { MetricSummaries, type MetricValue } from '@dag/model';
import { MetricTail } from './tail.ts';

/** How often a running stage's file is looked at, in milliseconds, and how many bytes are read of it at a time. */
const EVERY_MS = 200;
const AT_ONCE = 1024 * 1024;

/** Of more values than this between two looks, only the last of each name is told. All are in the file, and counted. */
const TOLD = 200;

/** What a running stage reports, as it comes. */
export interface LiveMetrics {
  readonly summaries: MetricSummaries;
  /** Reads what is left and stops looking; to be called when nothing writes to the file any more. */
  close(): Promise<void>;
}

export interface LiveOptions {
  /** Absolute; the file need not be there, ever. */
  readonly file: string;
  tell(value: MetricValue): void;
  /** Called when anything came. */
  onActivity(): void;
}

/** Follows the metrics file of a stage that runs. The cost does not depend on how much the stage writes. */
export function followMetrics({ file, tell, onActivity }: LiveOptions): LiveMetrics {
  const tail = new MetricTail(file);
  const summaries = new MetricSummaries();
  const look = (): boolean => {
    let fresh: MetricValue[] = [];
    let newest: Map<string, MetricValue> | undefined;
    let came = false;
    const more = tail.read(AT_ONCE, (line) => {
      came = true;
      if (!('value' in line)) return;
      summaries.add(line);
      if (newest === undefined && fresh.push(line) > TOLD) {
        newest = new Map(fresh.map((one) => [one.name, one]));
        fresh = [];
      } else if (newest !== undefined && (newest.size < TOLD || newest.has(line.name))) newest.set(line.name, line);
    });
    for (const one of newest?.values() ?? fresh) tell(one);
    if (came) onActivity();
    return more;
  };
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return {
    summaries,
    close: async () => {
      clearInterval(timer);
      while (look()) await new Promise((resolve) => setImmediate(resolve));
      tail.close();
    },
  };
}
