import type { Collected } from '../plots/collect.ts';
import type { Part } from '../plots/page.ts';

/** Plots and what is missing from them, in DVC's shape; images are data URIs. */
export function plotsJson({ plots, errors }: Collected, parts: readonly Part[]): object {
  const revisions = new Map(plots.map((plot) => [plot.id, plot.kind === 'vega' ? plot.revisions : []]));
  const shown = new Map(
    parts.map((part) => [
      part.id,
      part.kind === 'vega'
        ? [{ type: 'vega', revisions: revisions.get(part.id) ?? [], content: part.spec }]
        : part.images.map(({ revision, url }) => ({ type: 'image', revisions: [revision], url })),
    ]),
  );
  const all = [...plots.flatMap((plot) => plot.errors.map((error) => ({ name: plot.id, ...error }))), ...errors];
  const data = Object.fromEntries(plots.map(({ id }) => [id, shown.get(id) ?? []]));
  return {
    ...(all.length === 0 ? {} : { errors: all }),
    ...(plots.length === 0 ? {} : { data }),
  };
}
