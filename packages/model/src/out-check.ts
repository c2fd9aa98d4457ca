import type { AnyPath } from './path.ts';

/** What bytes are taken for when two versions of an out are compared. */
export const OUT_FORMS = ['bytes', 'text', 'json', 'yaml', 'toml', 'csv', 'tfjs', 'npy', 'image'] as const;

/** `text`: lines, however they end. `tfjs`: a folder with model.json and weights. `image`: pixels. */
export type OutForm = (typeof OUT_FORMS)[number];

/** How far a number may lie from what it was: so much, or such a part of it (0.05 for 5 %). */
export type Bound =
  | { readonly kind: 'absolute'; readonly most: number }
  | { readonly kind: 'relative'; readonly most: number };

/** How `verify` compares an out, or a path inside one, when its stage has run again. No part of the fingerprint. */
export interface OutCheck {
  readonly path: AnyPath;
  /** Undefined: bytes have to be the same, or with a tolerance what its name says that it is. */
  readonly as?: OutForm;
  /** For all numbers that `tolerances` does not name. */
  readonly tolerance?: Bound;
  /** By key (dotted, or the map that holds it), column or tensor. */
  readonly tolerances?: ReadonlyMap<string, Bound>;
  /** It may be any other. */
  readonly ignore?: boolean;
}
