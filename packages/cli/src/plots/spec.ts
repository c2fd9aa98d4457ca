import { byCodeUnit, type Value } from '@dag/model';
import { fill } from './anchors.ts';
import type { Row } from './rows.ts';
import type { Series } from './series.ts';

const COLOURS = ['#945dd6', '#13adc7', '#f46837', '#48bb78', '#4299e1', '#ed8936', '#f56565'];
const SHAPES = ['circle', 'square', 'triangle', 'diamond'];
const DASHES = [
  [1, 0],
  [8, 8],
  [8, 4],
  [4, 4],
  [4, 2],
  [2, 1],
  [1, 1],
];
const HOLLOW = { legend: { symbolFillColor: 'transparent', symbolStrokeColor: 'grey' } };

/** Pixels of a plot's side. */
const SIDE = 300;

/** What stands between file and field where both tell the lines of a plot apart. */
const BETWEEN = '::';

/** What a specification is made of, beside its template. */
export interface Drawing extends Series {
  readonly title: string;
  /** Those that have rows, in the order of their colours. */
  readonly revisions: readonly string[];
}

/** A template filled with the rows of a plot: a whole specification of Vega-Lite. */
export function specOf(template: Value, { title, revisions, rows, drawn, ...axes }: Drawing): Value {
  const varied = (['filename', 'field'] as const).filter((key) => new Set(drawn.map((one) => one[key])).size > 1);
  /** The field that tells the lines of one revision apart, beside the revision itself. */
  const kind = varied.join(BETWEEN);
  const kindOf = (one: Row): string => varied.map((key) => String(one[key])).join(BETWEEN);
  const kinds = [...new Set(drawn.map(kindOf))].sort(byCodeUnit);
  const [x, y] = [escapeField(axes.x), escapeField(axes.y)];
  const apart = varied.length === 0 ? [] : [kind];
  const several = <T>(value: T): T | undefined => (varied.length === 0 ? undefined : value);
  return fill(template, {
    title,
    x,
    y,
    x_label: axes.xLabel,
    y_label: axes.yLabel,
    data: rows.map((row) => withKind(row, kind, varied.length === 0 ? undefined : kindOf(row))),
    revisions,
    color: mapped('rev', revisions, COLOURS),
    zoom_and_pan: { name: 'grid', select: 'interval', bind: 'scales' },
    plot_width: SIDE,
    plot_height: SIDE,
    group_by: ['rev', ...apart],
    group_by_x: ['rev', ...apart, x],
    group_by_y: ['rev', ...apart, y],
    group_by_xy: ['rev', ...apart, x, y],
    pivot_field: ['rev', ...varied].map((key) => `datum.${key}`).join(` + '${BETWEEN}' + `),
    tooltip: ['rev', x, y, ...apart].map((field) => ({ field })),
    row: several({ field: kind, type: 'nominal', sort: null }),
    column: several({ field: kind, type: 'nominal', sort: null }),
    stroke_dash: several({ ...mapped(kind, kinds, DASHES), ...HOLLOW }),
    shape: several({ ...mapped(kind, kinds, SHAPES), ...HOLLOW }),
  });
}

/** Of file and field, a row holds only what tells lines apart; both of them also in one. */
function withKind(row: Row, name: string, kind: string | undefined): Row {
  const { filename, field, ...rest } = row;
  return {
    ...rest,
    ...(name.includes('filename') && filename !== undefined ? { filename } : {}),
    ...(name.includes('field') && field !== undefined ? { field } : {}),
    ...(kind === undefined ? {} : { [name]: kind }),
  };
}

function mapped(field: string, domain: readonly string[], range: readonly Value[]): { readonly [key: string]: Value } {
  const used = domain.map((_, i) => range[i % range.length] ?? null);
  return { field, type: 'nominal', scale: { domain, range: used } };
}

/** A field's name where Vega would take it for a path. */
function escapeField(name: string): string {
  return name.replace(/[.[\]]/g, '\\$&');
}
