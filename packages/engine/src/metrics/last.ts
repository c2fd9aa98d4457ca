import type { MetricSummaries } from '@dag/model';

/** How a metric's last value is called in the context of a run record. */
const PREFIX = 'metric:';

/** So many are kept with a run; its file has all. */
const KEPT = 50;

/** The last values of a run's metrics, by name; those that JSON has no number for as text. */
export function lastValues(metrics: MetricSummaries): Record<string, number | string> {
  const first = [...metrics.entries()].slice(0, KEPT);
  return Object.fromEntries(
    first.map(([name, { last }]) => [name, Number.isFinite(last.value) ? last.value : String(last.value)]),
  );
}

/** The same as members of a run record's context. */
export function metricContext(metrics: MetricSummaries): Record<string, number | string> {
  return Object.fromEntries(Object.entries(lastValues(metrics)).map(([name, value]) => [PREFIX + name, value]));
}

/** Takes the last values out of a context. */
export function splitContext<V>(context: Readonly<Record<string, V>>): {
  readonly metrics: Readonly<Record<string, V>>;
  readonly rest: Readonly<Record<string, V>>;
} {
  const entries = Object.entries(context);
  return {
    metrics: Object.fromEntries(
      entries.flatMap(([name, value]) => (name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), value]] : [])),
    ),
    rest: Object.fromEntries(entries.filter(([name]) => !name.startsWith(PREFIX))),
  };
}
