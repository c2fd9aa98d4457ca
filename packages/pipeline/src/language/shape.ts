/** What may stand at a place in pipeline.yaml. The parser's checks and the JSON Schema are both made from these. */
export type Shape =
  /** `words`: only for people to read, so that a template may draw any scalar there. */
  | { readonly type: 'text'; readonly values?: readonly string[]; readonly words?: true }
  | { readonly type: 'boolean' }
  | { readonly type: 'integer'; readonly least: number }
  | { readonly type: 'number' }
  /** `empty`: an empty map or text, and false, say the same. */
  | { readonly type: 'null'; readonly empty?: true }
  | { readonly type: 'any' }
  | { readonly type: 'list'; readonly of: Shape }
  /** A map with known keys. */
  | { readonly type: 'map'; readonly fields: Fields; readonly required: readonly string[] }
  /** A map with keys of the user's own. `what` names one key, in the user's words. */
  | { readonly type: 'table'; readonly of: Shape; readonly what: string }
  | { readonly type: 'either'; readonly shapes: readonly Shape[] };

export type Fields = { readonly [key: string]: Field };

/** A known key: what may stand there, and one line about it. */
export interface Field {
  readonly shape: Shape;
  readonly doc: string;
}

export const text: Shape = { type: 'text' };
export const words: Shape = { type: 'text', words: true };
export const flag: Shape = { type: 'boolean' };
export const anything: Shape = { type: 'any' };
export const nothing: Shape = { type: 'null' };
export const noKeys: Shape = { type: 'null', empty: true };
export const number: Shape = { type: 'number' };

export function oneOf(...values: string[]): Shape {
  return { type: 'text', values };
}

export function integer(least: number): Shape {
  return { type: 'integer', least };
}

export function list(of: Shape): Shape {
  return { type: 'list', of };
}

export function table(of: Shape, what: string): Shape {
  return { type: 'table', of, what };
}

export function map(fields: Fields, ...required: string[]): Shape {
  return { type: 'map', fields, required };
}

export function either(...shapes: Shape[]): Shape {
  return { type: 'either', shapes };
}

export function field(doc: string, shape: Shape): Field {
  return { shape, doc };
}

/** A shape in the user's words: "a string", "a list of strings". */
export function describe(shape: Shape): string {
  switch (shape.type) {
    case 'text':
      if (shape.values === undefined) return 'a string';
      return shape.values.length === 1 ? `${shape.values[0]}` : `one of ${shape.values.join(', ')}`;
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number from ${shape.least} up`;
    case 'number':
      return 'a number from 0 up';
    case 'null':
      return 'nothing';
    case 'any':
      return 'a value';
    case 'list':
      return shape.of.type === 'text' && !shape.of.values ? 'a list of strings' : 'a list';
    case 'map':
    case 'table':
      return 'a map';
    case 'either': {
      const words = [...new Set(shape.shapes.map(describe))];
      const last = words.pop();
      return words.length === 0 ? `${last}` : `${words.join(', ')} or ${last}`;
    }
  }
}
