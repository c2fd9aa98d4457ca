/** One line of a chart. */
export interface Series {
  readonly name: string;
  /** CSS class that gives its colour. */
  readonly style: string;
  /** Its value at x = 1, 2, … */
  readonly values: readonly number[];
}

export interface ChartOptions {
  readonly title: string;
  /** The lowest and highest value that must be in sight. */
  readonly range?: readonly [number, number];
  format(value: number): string;
}

const WIDTH = 440;
const HEIGHT = 240;
const LEFT = 48;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 34;

/** A line chart over epochs, as a figure with inline SVG: grid, axis labels, a dot with a tooltip for each value, a legend. */
export function renderChart(series: readonly Series[], options: ChartOptions): string {
  const count = Math.max(...series.map(({ values }) => values.length));
  const all = series.flatMap(({ values }) => values).concat(options.range ?? []);
  const ticks = niceTicks(Math.min(...all), Math.max(...all));
  const low = ticks[0] ?? 0;
  const high = ticks.at(-1) ?? 1;
  const x = (i: number) => LEFT + ((WIDTH - LEFT - RIGHT) * i) / Math.max(1, count - 1);
  const y = (value: number) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);

  const grid = ticks.map((tick) => {
    const at = y(tick).toFixed(1);
    const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`;
    return `${line}<text class="tick" x="${LEFT - 8}" y="${at}" dy="0.32em" text-anchor="end">${options.format(tick)}</text>`;
  });
  const epochs = Array.from({ length: count }, (_, i) => i).filter((i) => count <= 12 || (i + 1) % 5 === 0);
  const labels = epochs.map(
    (i) => `<text class="tick" x="${x(i).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${i + 1}</text>`,
  );
  const lines = series.map(({ name, style, values }) => {
    const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    const dots = values.map((value, i) => {
      const [cx, cy] = (points[i] ?? '').split(',');
      const tip = `${name}, epoch ${i + 1}: ${options.format(value)}`;
      return `<circle cx="${cx}" cy="${cy}" r="3.5"><title>${tip}</title></circle>`;
    });
    return `<g class="${style}"><polyline points="${points.join(' ')}"/>${dots.join('')}</g>`;
  });
  const legend = series.map(({ name, style, values }) => {
    const last = options.format(values.at(-1) ?? Number.NaN);
    return `<span class="key ${style}"><i></i>${name} <b>${last}</b></span>`;
  });
  return `<figure class="panel">
<figcaption>${options.title}<span class="legend">${legend.join('')}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${options.title} by epoch">
${grid.join('')}${labels.join('')}
<text class="tick" x="${WIDTH - RIGHT}" y="${HEIGHT - 2}" text-anchor="end">epoch</text>
${lines.join('\n')}
</svg>
</figure>`;
}

/** Round numbers, 3 to 7 of them, that hold all between `low` and `high`. */
export function niceTicks(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power * 5 >= span) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
