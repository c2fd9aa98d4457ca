import fs from 'node:fs';
import { formatMetricLine, type MetricLine } from '@dag/model';

/** Takes what a module reports. */
export interface MetricFile {
  /** Returns when the line is with the operating system: whatever becomes of this process, it is kept. */
  append(line: MetricLine): void;
}

/**
 * The file that takes the metrics of a run, opened with the first of them. Where the disk refuses, the rest is lost, which
 * `complain` hears once: a training goes on without.
 * @param file absolute.
 */
export function openMetricFile(file: string, complain: (text: string) => void): MetricFile {
  let handle: number | undefined;
  let refused = false;
  return {
    append: (line) => {
      if (refused) return;
      try {
        handle ??= fs.openSync(file, 'a');
        const bytes = Buffer.from(formatMetricLine(line));
        for (let at = 0; at < bytes.length; ) at += fs.writeSync(handle, bytes, at);
      } catch (error) {
        refused = true;
        complain(`metrics are not kept from here on: ${(error as Error).message}`);
      }
    },
  };
}
