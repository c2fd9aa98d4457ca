import type { Range } from '../node.ts';

/** What a token is: a mark by itself, or a kind of text. `block-end` closes a block map or list where its indent ends. */
export type TokenKind =
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | '-'
  | '?'
  | ':'
  | 'block-list'
  | 'block-map'
  | 'block-end'
  | 'scalar'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'directive'
  | 'document-start'
  | 'document-end'
  | 'end';

export interface Token extends Range {
  readonly kind: TokenKind;
  /** The line it begins on, from 0. */
  readonly line: number;
  /** A scalar's value, the name of an anchor or alias, what follows the handle of a tag. */
  readonly text: string;
  /** How a scalar is written. */
  readonly style: 'plain' | 'quoted' | 'block' | undefined;
  /** The handle of a tag, `!` or `!!` or `!name!`; undefined for one that is written in full. */
  readonly handle: string | undefined;
}

/** The ways in which a text is no YAML. */
export type BrokenCode =
  | 'character'
  | 'tab'
  | 'quote-open'
  | 'escape'
  | 'no-colon'
  | 'dash'
  | 'key'
  | 'colon'
  | 'block-end'
  | 'flow-list'
  | 'flow-map'
  | 'content'
  | 'documents'
  | 'directive'
  | 'version'
  | 'anchor'
  | 'tag'
  | 'block-header'
  | 'block-indent'
  | 'depth';

/** Thrown at the first place where a text is no YAML. */
export class Broken extends Error {
  readonly code: BrokenCode;
  readonly at: Range;
  /** Where what is broken begins: the opening quote or bracket, the key without a colon, the list or map. */
  readonly from: Range | undefined;

  constructor(code: BrokenCode, at: Range, from?: Range) {
    super(code);
    this.code = code;
    this.at = at;
    this.from = from;
  }
}
