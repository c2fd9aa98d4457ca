import type { Value } from '@dag/model';
import { anchor } from './anchors.ts';

const SCHEMA = 'https://vega.github.io/schema/vega-lite/v6.json';

const FRAME = {
  $schema: SCHEMA,
  data: { values: anchor('data') },
  title: { text: anchor('title'), anchor: 'middle' },
};
const SIZE = { width: anchor('plot_width'), height: anchor('plot_height') };

function axis(name: 'x' | 'y', type: 'quantitative' | 'nominal', more: { [key: string]: Value } = {}): Value {
  return { field: anchor(name), type, title: anchor(`${name}_label`), ...more };
}

const FROM_ANYWHERE = { scale: { zero: false } };
const ZOOM = { params: [anchor('zoom_and_pan')] };
const SERIES = { color: anchor('color'), strokeDash: anchor('stroke_dash') };

/** Shows all values above a place on the x axis, as the pointer comes near it. */
const HOVER: Value = {
  transform: [
    { calculate: anchor('pivot_field'), as: 'pivot_field' },
    { pivot: 'pivot_field', op: 'mean', value: anchor('y'), groupby: [anchor('x')] },
  ],
  mark: { type: 'rule', tooltip: { content: 'data' }, stroke: 'grey' },
  encoding: { opacity: { condition: { value: 0.3, param: 'hover', empty: false }, value: 0 } },
  params: [
    {
      name: 'hover',
      select: { type: 'point', fields: [anchor('x')], nearest: true, on: 'mouseover', clear: 'mouseout' },
    },
  ],
};

/** The points of the place on the x axis that the pointer is nearest to. */
const HOVERED: Value = {
  mark: { type: 'point', filled: true, size: 40 },
  encoding: {
    y: axis('y', 'quantitative', FROM_ANYWHERE),
    color: anchor('color'),
    opacity: { condition: { value: 1, param: 'hover', empty: false }, value: 0 },
  },
};

const LINEAR: Value = {
  ...FRAME,
  ...SIZE,
  encoding: { x: axis('x', 'quantitative') },
  layer: [
    { ...ZOOM, mark: 'line', encoding: { y: axis('y', 'quantitative', FROM_ANYWHERE), ...SERIES } },
    HOVERED,
    HOVER,
  ],
};

const SIMPLE: Value = {
  ...FRAME,
  ...SIZE,
  ...ZOOM,
  mark: { type: 'line', tooltip: { content: 'data' } },
  encoding: {
    x: axis('x', 'quantitative'),
    y: axis('y', 'quantitative', FROM_ANYWHERE),
    ...SERIES,
    tooltip: anchor('tooltip'),
  },
};

const SMOOTH: Value = {
  ...FRAME,
  ...SIZE,
  params: [{ name: 'smooth', value: 0.001, bind: { input: 'range', min: 0.001, max: 1, step: 0.001 } }],
  encoding: { x: axis('x', 'quantitative') },
  layer: [
    {
      transform: [
        {
          loess: anchor('y'),
          on: anchor('x'),
          groupby: anchor('group_by'),
          bandwidth: { signal: 'smooth' },
          as: ['smooth_x', 'smooth_y'],
        },
      ],
      encoding: {
        x: { field: 'smooth_x', type: 'quantitative', title: anchor('x_label') },
        y: { field: 'smooth_y', type: 'quantitative', title: anchor('y_label'), ...FROM_ANYWHERE },
        ...SERIES,
      },
      layer: [{ ...ZOOM, mark: 'line' }],
    },
    {
      mark: { type: 'line', opacity: 0.2 },
      encoding: { y: axis('y', 'quantitative', FROM_ANYWHERE), ...SERIES },
    },
    HOVERED,
    HOVER,
  ],
};

const SCATTER: Value = {
  ...FRAME,
  ...SIZE,
  ...ZOOM,
  mark: { type: 'point', tooltip: { content: 'data' } },
  encoding: {
    x: axis('x', 'quantitative'),
    y: axis('y', 'quantitative'),
    color: anchor('color'),
    shape: anchor('shape'),
    tooltip: anchor('tooltip'),
  },
};

/** Points that fall on the same place are set apart: for values of few kinds. */
const SCATTER_JITTER: Value = {
  ...FRAME,
  ...SIZE,
  transform: [
    { calculate: 'random()', as: 'randomX' },
    { calculate: 'random()', as: 'randomY' },
  ],
  mark: { type: 'point', tooltip: { content: 'data' } },
  encoding: {
    x: axis('x', 'nominal'),
    y: axis('y', 'nominal'),
    color: anchor('color'),
    shape: anchor('shape'),
    tooltip: anchor('tooltip'),
    xOffset: { field: 'randomX', type: 'quantitative' },
    yOffset: { field: 'randomY', type: 'quantitative' },
  },
};

function bars(sort: { [key: string]: Value }): Value {
  return {
    ...FRAME,
    ...SIZE,
    mark: { type: 'bar', tooltip: { content: 'data' } },
    encoding: {
      x: axis('x', 'quantitative'),
      y: axis('y', 'nominal', sort),
      yOffset: { field: 'rev', type: 'nominal', sort: anchor('revisions') },
      color: anchor('color'),
      column: anchor('column'),
    },
  };
}

/** Counts of pairs of classes, a matrix a revision. `shade` is the field that says how dark a cell is. */
function confusion({
  transform,
  shade,
  scale,
  format,
  tooltip,
}: {
  readonly transform: readonly Value[];
  readonly shade: string;
  readonly scale: Value;
  readonly format: string;
  readonly tooltip: readonly Value[];
}): Value {
  return {
    ...FRAME,
    facet: { column: { field: 'rev', type: 'nominal', sort: anchor('revisions'), title: null }, row: anchor('row') },
    params: [{ name: 'showValues', value: true, bind: { input: 'checkbox' } }],
    spec: {
      ...SIZE,
      transform: [
        { aggregate: [{ op: 'count', as: 'xy_count' }], groupby: anchor('group_by_xy') },
        { impute: 'xy_count', groupby: anchor('group_by_y'), key: anchor('x'), value: 0 },
        { impute: 'xy_count', groupby: anchor('group_by_x'), key: anchor('y'), value: 0 },
        ...transform,
      ],
      encoding: {
        x: axis('x', 'nominal', { sort: 'ascending' }),
        y: axis('y', 'nominal', { sort: 'ascending' }),
      },
      layer: [
        {
          mark: 'rect',
          params: [
            { name: 'label', select: { type: 'point', on: 'mouseover', clear: 'mouseout', encodings: ['x', 'y'] } },
          ],
          encoding: {
            color: { field: shade, type: 'quantitative', title: null, scale },
            stroke: { condition: { param: 'label', empty: false, value: 'black' }, value: null },
            tooltip: [
              { field: anchor('x'), type: 'nominal' },
              { field: anchor('y'), type: 'nominal' },
              { field: 'xy_count', type: 'quantitative', title: 'count' },
              ...tooltip,
            ],
          },
        },
        {
          mark: 'text',
          encoding: {
            text: { field: shade, type: 'quantitative', format },
            opacity: { condition: { test: 'showValues', value: 1 }, value: 0 },
            color: { condition: { test: 'datum.share > 0.5', value: 'white' }, value: 'black' },
          },
        },
      ],
    },
  };
}

/** The plots that there are by name, DVC's names: Vega-Lite with anchors in the places of data and settings. */
export const TEMPLATES: { readonly [name: string]: Value } = {
  simple: SIMPLE,
  linear: LINEAR,
  confusion: confusion({
    transform: [
      { joinaggregate: [{ op: 'max', field: 'xy_count', as: 'max_count' }], groupby: ['rev'] },
      { calculate: 'datum.xy_count / datum.max_count', as: 'share' },
    ],
    shade: 'xy_count',
    scale: { domainMin: 0, nice: true },
    format: 'd',
    tooltip: [],
  }),
  confusion_normalized: confusion({
    transform: [
      { joinaggregate: [{ op: 'sum', field: 'xy_count', as: 'sum_y' }], groupby: anchor('group_by_y') },
      { calculate: 'datum.sum_y == 0 ? 0 : datum.xy_count / datum.sum_y', as: 'share' },
    ],
    shade: 'share',
    scale: { domain: [0, 1] },
    format: '.2f',
    tooltip: [{ field: 'share', type: 'quantitative', format: '.2f' }],
  }),
  scatter: SCATTER,
  scatter_jitter: SCATTER_JITTER,
  smooth: SMOOTH,
  bar_horizontal_sorted: bars({ sort: '-x' }),
  bar_horizontal: bars({}),
};
