import fs from 'node:fs';
import path from 'node:path';
import type { StageAddress } from '@dag/model';
import { type MetricFiles, metricFiles } from '../metrics/files.ts';
import type { Project } from '../project.ts';
import { logFolder, logStamp } from '../run/log.ts';
import { readJournal } from './journal.ts';
import { lookedAfter } from './past.ts';

/** A run of a stage, and where it reports. */
export interface ReportingRun {
  readonly stage: StageAddress;
  /** When it began; ISO 8601, UTC. */
  readonly at: string;
  readonly result: 'ok' | 'failed' | 'cancelled' | 'running' | 'killed' | 'unknown';
  /** Of its last try; absolute. Undefined while it has none, or where that is not here. */
  readonly files: MetricFiles | undefined;
}

/** The runs of some stages that the journal knows, oldest first. Cheap enough to be asked once a second. */
export function reportingRuns(project: Project, wanted: (stage: string) => boolean): ReportingRun[] {
  return readJournal(project.root).flatMap((entry): ReportingRun[] => {
    if (!wanted(entry.stage) || entry.kind !== 'run') return [];
    const attempt = lookedAfter(project, entry);
    if (attempt.kind !== 'run') return [];
    const { at, state, pid } = attempt;
    const stage = attempt.stage as StageAddress;
    if (typeof state === 'object')
      return [{ stage, at, result: state.status, files: filesOf(project, state.logs.at(-1)) }];
    return [{ stage, at, result: state, files: filesOf(project, newestLog(project, stage, at, pid)) }];
  });
}

function filesOf({ store }: Project, log: string | undefined): MetricFiles | undefined {
  if (log === undefined || log.split(/[\\/]/).includes('..')) return undefined;
  return metricFiles(path.join(store.dir, 'logs', log));
}

/** The newest log that a process has begun for a stage since a run began: a run that has not ended has noted none. */
function newestLog({ store }: Project, stage: StageAddress, at: string, pid: number | undefined): string | undefined {
  const folder = logFolder(stage);
  const since = logStamp(new Date(at));
  const names = namesIn(path.join(store.dir, 'logs', folder)).filter((name) => {
    return name >= since && name.endsWith(pid === undefined ? '.log' : `-${pid}.log`);
  });
  const newest = names.sort().at(-1);
  return newest === undefined ? undefined : `${folder}/${newest}`;
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
