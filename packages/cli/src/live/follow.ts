import { setTimeout as wait } from 'node:timers/promises';
import type { ReportingRun } from '@dag/engine';
import type { MetricLine } from '@dag/model';
import type { OpenProject } from '../project/open.ts';
import { newestRuns, Reported } from './reported.ts';

/** How often files are read, in milliseconds, and how often it is asked what runs. */
const READ_MS = 250;
const ASK_EVERY = 4;

/** Asked so many times in a row, nothing ran: what follows may take a moment to begin. */
const IDLE = 2;

export interface FollowOptions {
  readonly stop: AbortSignal;
  onLine(run: ReportingRun, line: MetricLine, which: 'metrics' | 'system'): void;
  /** Called after each reading, with the newest run of each stage that is followed. */
  onRead?(reported: readonly Reported[]): void;
}

/**
 * Reads what stages report until none of them runs any more, those that begin meanwhile too. Where none runs, what their
 * newest runs have reported is read once.
 * @returns the newest run of each, read to its end.
 */
export async function followReports(
  project: OpenProject,
  wanted: (stage: string) => boolean,
  options: FollowOptions,
): Promise<Reported[]> {
  const { stop, onLine, onRead } = options;
  const first = newestRuns(project, wanted);
  const anyRuns = first.some(({ result }) => result === 'running');
  const followed = new Map<string, Reported>();
  let runs = anyRuns ? first.filter(({ result }) => result === 'running') : first;
  for (let round = 1, idle = 0; ; round++) {
    for (const run of runs) {
      const before = followed.get(run.stage);
      const isSame = before?.run.files?.metrics === run.files?.metrics;
      if (before !== undefined && isSame) Object.assign(before, { run });
      else {
        before?.close();
        followed.set(run.stage, new Reported(run));
      }
    }
    for (const one of followed.values()) await one.read(stop, (line, which) => onLine(one.run, line, which));
    onRead?.([...followed.values()]);
    if (!anyRuns || stop.aborted || idle >= IDLE) return [...followed.values()];
    await wait(READ_MS, undefined, { signal: stop }).catch(() => {});
    if (round % ASK_EVERY !== 0) continue;
    const now = newestRuns(project, wanted);
    runs = now.filter(({ stage, result }) => result === 'running' || followed.has(stage));
    idle = now.some(({ result }) => result === 'running') ? 0 : idle + 1;
  }
}
