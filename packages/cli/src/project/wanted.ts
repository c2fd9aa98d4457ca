import type { Stage, TrackedData } from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked, pick, type Tracked } from './tracked.ts';

/** What a verb that compares is about. */
export interface Wanted {
  readonly stages: readonly Stage[];
  readonly data: readonly TrackedData[];
  readonly tracked: () => readonly Tracked[];
}

/** What targets name, by stages, outs or paths; everything where there are none. Stages are in topological order then. */
export function wanted(project: OpenProject, targets: readonly string[]): Wanted {
  if (targets.length === 0) {
    const stages = project.pipeline.order.flatMap((address) => project.pipeline.stages.get(address) ?? []);
    return { stages, data: project.pipeline.data, tracked: () => allTracked(project) };
  }
  const { items, stages: named } = pick(project, targets);
  const tracked = items.map((item) => item.tracked);
  const data = tracked.filter((item) => item.kind === 'data').map((item) => item.owner as TrackedData);
  return { stages: [...named], data: [...new Set(data)], tracked: () => tracked };
}
