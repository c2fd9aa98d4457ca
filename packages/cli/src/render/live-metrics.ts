import { bestOf, betterOf, type MetricPoint, type MetricSummaries, type MetricSummary } from '@dag/model';
import type { Reported } from '../live/reported.ts';
import { shortNumber } from './metric-lines.ts';
import { paint } from './paint.ts';
import { bytesText } from './units.ts';

interface How {
  /** What the stages used of the machine instead of what they reported. */
  readonly system: boolean;
  readonly colour: boolean;
}

/** A table of what runs reported: for each metric its last value, and where it was lowest, highest and best. */
export function liveMetricLines(reported: readonly Reported[], { system, colour }: How): string[] {
  const head = ['STAGE', 'METRIC', 'VALUES', 'LAST', 'MIN', 'MAX', ...(system ? [] : ['BEST'])];
  const rows = reported.flatMap((one) => rowsOf(one, system ? one.system : one.metrics, system));
  if (rows.length === 0) return [];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [paint('dim', line(head), colour), ...rows.map(line)];
}

function rowsOf(reported: Reported, metrics: MetricSummaries, system: boolean): string[][] {
  const stage = reported.run.stage;
  const rows = Array.from(metrics.entries(), ([name, summary]) => {
    const best = bestOf(name, summary);
    const points = [summary.last, summary.min, summary.max, best];
    return [stage, name, String(summary.count), ...points.map((point) => pointText(name, point))];
  });
  if (system) return rows;
  for (const [name, { line, count }] of reported.others) {
    const kind = 'image' in line ? 'image' : 'histogram';
    const at = line.step === undefined ? '' : ` (step ${line.step})`;
    rows.push([stage, name, String(count), `${kind}${at}`, '', '', '']);
  }
  return rows;
}

function pointText(name: string, point: MetricPoint | undefined): string {
  if (point === undefined) return '';
  const { value, step } = point;
  const text = /^system\/(rss|gpu\d+\/memory)$/.test(name) ? bytesText(value) : shortNumber(value);
  return step === undefined ? text : `${text} (step ${step})`;
}

/** What runs reported, as scripts read it: by stage. Values that are not finite are texts. */
export function liveMetricsJson(reported: readonly Reported[]): unknown {
  return Object.fromEntries(
    reported.map(({ run, metrics, system, others }) => [
      run.stage,
      {
        started_at: run.at,
        result: run.result,
        file: run.files?.metrics,
        metrics: summariesJson(metrics),
        system: summariesJson(system),
        images: run.files === undefined || others.size === 0 ? undefined : run.files.images,
      },
    ]),
  );
}

function summariesJson(summaries: MetricSummaries): Record<string, unknown> {
  return Object.fromEntries(Array.from(summaries.entries(), ([name, summary]) => [name, summaryJson(name, summary)]));
}

function summaryJson(name: string, summary: MetricSummary): unknown {
  const { count, last, min, max } = summary;
  const best = bestOf(name, summary);
  const points = { last, min, max, best };
  const told = Object.entries(points).map(([key, point]) => [key, point === undefined ? undefined : pointJson(point)]);
  return { count, ...Object.fromEntries(told), better: betterOf(name) };
}

function pointJson({ value, step, at }: MetricPoint): unknown {
  return { value: plainNumber(value), step, at };
}

/** A number, or where JSON has none for it, its name. */
export function plainNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
