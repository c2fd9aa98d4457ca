import { MetricTail, type ReportingRun, reportingRuns } from '@dag/engine';
import { FailureError, type MetricLine, MetricSummaries, type StageAddress } from '@dag/model';
import { selectStages } from '@dag/pipeline';
import type { OpenProject } from '../project/open.ts';

/** Bytes that are read between two looks at whether to stop. */
const AT_ONCE = 1024 * 1024;

/** A run, and what has been read of its report so far. */
export class Reported {
  readonly run: ReportingRun;
  readonly metrics = new MetricSummaries();
  readonly system = new MetricSummaries();
  /** The last image and the last histogram of each name, and how many there were. */
  readonly others = new Map<
    string,
    { readonly line: Exclude<MetricLine, { value: number }>; readonly count: number }
  >();
  readonly #tails: readonly (readonly ['metrics' | 'system', MetricTail])[];

  constructor(run: ReportingRun) {
    this.run = run;
    const { files } = run;
    this.#tails =
      files === undefined
        ? []
        : (['metrics', 'system'] as const).map((which) => [which, new MetricTail(files[which])] as const);
  }

  /** Reads all that has come, piece by piece. */
  async read(
    stop: AbortSignal,
    onLine: (line: MetricLine, which: 'metrics' | 'system') => void = () => {},
  ): Promise<void> {
    for (const [which, tail] of this.#tails) {
      const take = (line: MetricLine): void => {
        if ('value' in line) this[which].add(line);
        else if (which === 'metrics')
          this.others.set(line.name, { line, count: (this.others.get(line.name)?.count ?? 0) + 1 });
        onLine(line, which);
      };
      while (tail.read(AT_ONCE, take) && !stop.aborted) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): void {
    for (const [, tail] of this.#tails) tail.close();
  }
}

/** Which stages targets name; all, those that are gone from pipeline.yaml too, where there is none. */
export function wantedStages(project: OpenProject, targets: readonly string[]): (stage: string) => boolean {
  if (targets.length === 0) return () => true;
  const selected = selectStages(project.pipeline, targets, { single: true }, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  const stages = new Set<string>(selected.value);
  return (stage) => stages.has(stage);
}

/** The newest run of each stage, in the order in which they began. */
export function newestRuns(project: OpenProject, wanted: (stage: string) => boolean): ReportingRun[] {
  const newest = new Map<StageAddress, ReportingRun>();
  for (const run of reportingRuns(project, wanted)) {
    newest.delete(run.stage);
    newest.set(run.stage, run);
  }
  return [...newest.values()];
}
