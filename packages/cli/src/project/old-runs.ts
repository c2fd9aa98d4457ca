import { type Digest, FailureError } from '@dag/model';
import { loadPipeline } from '@dag/pipeline';
import type { RunFile } from '@dag/store';
import { workspaceReader } from './files.ts';
import type { OpenProject } from './open.ts';
import { type Root, recordRoots } from './roots.ts';
import { isProject, projectId } from './sharing.ts';

/** What becomes of the run records in a gc. */
export interface Runs {
  /** What those that stay name. */
  readonly kept: Root[];
  readonly old: RunFile[];
  /** How many of other projects stay that would go if they were this one's. */
  readonly foreign: number;
  /** When the oldest run began that any of the projects wants kept for its age, in ms since 1970. */
  readonly oldest: number;
}

/**
 * Recent run records keep what they name. An old one goes, unless all that it names stays anyway: it costs nothing then.
 * Those of other projects are only theirs to drop before their time: `foreign` says how many that spares.
 */
export function splitRuns(
  project: OpenProject,
  live: ReadonlySet<Digest>,
  {
    dropRuns,
    since,
    sharers,
  }: {
    /** Those of this project, whatever their age. */
    readonly dropRuns: boolean;
    /** What was recorded since then (ns since 1970) stays. */
    readonly since: bigint | undefined;
    /** Roots of the other projects that use the cache. */
    readonly sharers: ReadonlySet<string>;
  },
): Runs {
  const id = projectId(project.root);
  const own = project.pipeline.settings.cache.keepRuns ?? DEFAULT_KEEP_DAYS;
  const most = Math.max(own, ...[...sharers].map(keepDaysOf));
  const before = (days: number): number => project.clock().getTime() - days * 24 * 3600 * 1000;
  const kept: Root[] = [];
  const old: RunFile[] = [];
  let foreign = 0;
  for (const file of project.store.runs.files()) {
    const { record } = file;
    if (file.isLater) throw laterRecord(file.file);
    if (record === undefined) continue;
    const isNew = since !== undefined && file.changed >= since;
    const isOwn = sharers.size === 0 || record.context['project'] === id;
    const isDropped = dropRuns && isOwn;
    const isRecent = !isDropped && Date.parse(record.startedAt) >= before(isOwn ? own : most);
    const isFree = !isDropped && [...record.outs.values()].every(({ digest }) => live.has(digest));
    if (dropRuns && !isOwn) foreign++;
    if (isNew || isRecent || isFree) {
      kept.push(...recordRoots(record));
    } else {
      old.push(file);
    }
  }
  return { kept, old, foreign, oldest: before(most) };
}

/** For how many days another project wants run records kept. */
function keepDaysOf(root: string): number {
  if (!isProject(root)) return DEFAULT_KEEP_DAYS;
  return loadPipeline(workspaceReader(root)).pipeline?.settings.cache.keepRuns ?? DEFAULT_KEEP_DAYS;
}

/** Days for which run records are kept where `cache.keep_runs` says nothing. */
const DEFAULT_KEEP_DAYS = 30;

function laterRecord(file: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `${file} was written by a later dag: what its run needs can't be told, and nothing is removed`,
    hint: 'run gc with that dag',
  });
}
