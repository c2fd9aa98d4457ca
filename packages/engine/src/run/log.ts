import fs from 'node:fs';
import path from 'node:path';
import type { ProjectPath, StageAddress } from '@dag/model';
import { withIo } from '@dag/store';
import { type MetricFiles, metricFiles } from '../metrics/files.ts';

/** The whole output of one run of a stage, as it came. Written at once, so that nothing piles up in memory. */
export interface RunLog {
  /** Absolute. */
  readonly path: string;
  /** Inside the `logs` folder of the cache. */
  readonly name: string;
  /** Beside it, absolute: where its metrics go. None of them is there before somebody writes it. */
  readonly beside: MetricFiles;
  /** Where the disk is full or fails, the rest of the log is lost and `problem` says why; the stage goes on. */
  write(chunk: Uint8Array | string): void;
  problem(): string | undefined;
  close(): void;
}

/** Opens a new log, or throws a FailureError, in `logs/<stage>/` of the cache folder; its name is the time, so that names sort by age. */
export function openLog(cacheDir: string, stage: StageAddress, now: Date): RunLog {
  const name = `${logFolder(stage)}/${logStamp(now)}-${process.pid}.log`;
  const file = path.join(cacheDir, 'logs', name);
  const handle = withIo('write the log', file, () => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    return fs.openSync(file, 'a');
  });
  let problem: string | undefined;
  return {
    path: file,
    name,
    beside: metricFiles(file),
    write: (chunk) => {
      if (problem !== undefined) return;
      try {
        if (typeof chunk === 'string') fs.writeSync(handle, chunk);
        else for (let at = 0; at < chunk.length; ) at += fs.writeSync(handle, chunk, at);
      } catch (error) {
        problem = (error as Error).message;
      }
    },
    problem: () => problem,
    close: () => fs.closeSync(handle),
  };
}

/** How the name of a log begins: these sort by time. */
export function logStamp(time: Date): string {
  return time.toISOString().replaceAll(':', '').replace('.', '-');
}

/** The folder that holds the logs of a stage: its address with the separators of paths replaced. */
export function logFolder(stage: StageAddress | ProjectPath): string {
  return encodeURIComponent(stage).replaceAll('%40', '@').replaceAll('%3A', ':').slice(0, 200);
}
