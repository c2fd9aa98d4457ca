import type { Value } from '@dag/model';
import { isMap } from './rows.ts';

/** Places in a template that are filled: what must be there (the first line), and what may be. */
export type Anchor =
  | ('data' | 'title' | 'x' | 'y' | 'x_label' | 'y_label')
  | ('color' | 'stroke_dash' | 'shape' | 'tooltip' | 'pivot_field' | 'row' | 'column')
  | (
      | 'group_by'
      | 'group_by_x'
      | 'group_by_y'
      | 'group_by_xy'
      | 'revisions'
      | 'zoom_and_pan'
      | 'plot_width'
      | 'plot_height'
    );

/** How an anchor is written: DVC's way, so that its users' templates work as they are. */
export function anchor(name: Anchor): string {
  return `<DVC_METRIC_${name.toUpperCase()}>`;
}

/** What goes into the places; undefined takes the place out, with the key that it stands at. */
export type Fillings = { readonly [name in Anchor]?: Value | undefined };

/** A template with its anchors filled. One inside a longer text is replaced there, by texts. */
export function fill(template: Value, fillings: Fillings): Value {
  const known = new Map(Object.entries(fillings).map(([name, value]) => [anchor(name as Anchor), value]));
  return filled(template, known) ?? {};
}

function filled(value: Value, known: ReadonlyMap<string, Value | undefined>): Value | undefined {
  if (typeof value === 'string') {
    if (known.has(value)) return known.get(value);
    if (!value.includes('<DVC_METRIC_')) return value;
    return value.replace(/<DVC_METRIC_[A-Z_]+>/g, (text) => {
      const filling = known.get(text);
      return typeof filling === 'string' || typeof filling === 'number' ? String(filling) : text;
    });
  }
  if (Array.isArray(value)) {
    return value.flatMap((item: Value) => {
      const one = filled(item, known);
      return one === undefined ? [] : [one];
    });
  }
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const one = filled(inner, known);
      return one === undefined ? [] : [[key, one] as const];
    }),
  );
}

/** Whether a template has a place for something. */
export function hasAnchor(template: Value, name: Anchor): boolean {
  if (typeof template === 'string') return template.includes(anchor(name));
  if (Array.isArray(template)) return template.some((item: Value) => hasAnchor(item, name));
  return isMap(template) && Object.values(template).some((inner) => hasAnchor(inner, name));
}
