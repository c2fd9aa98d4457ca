import type { ScalarNode } from './node.ts';
import { Unusual } from './quick-text.ts';
import { resolvePlain } from './scalar.ts';

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SPACE = 32;

/** A place in a text that is read, and the moves over white space and comments. */
export class Cursor {
  readonly text: string;
  pos = 0;
  /** How many collections are open. */
  depth = 0;
  /** Column of the content at `pos`, when `pos` is at the first content of its line. */
  column = 0;

  constructor(text: string) {
    this.text = text;
    if (/\r(?!\n)|[\u0085\u2028\u2029]/.test(text)) throw new Unusual();
  }

  /** Moves to the next content at the start of a line, past blank lines and comments. False at the end of the text. */
  nextContent(): boolean {
    const { text } = this;
    let pos = this.pos;
    let lineStart = pos;
    for (;;) {
      const c = text.charCodeAt(pos);
      if (c === SPACE) pos++;
      else if (c === LF) lineStart = ++pos;
      else if (c === CR) pos++;
      else if (c === 35) {
        const end = text.indexOf('\n', pos);
        if (end === -1) pos = text.length;
        else lineStart = pos = end + 1;
      } else break;
    }
    this.pos = pos;
    this.column = pos - lineStart;
    if (pos >= text.length) {
      this.column = -1;
      return false;
    }
    if (text.charCodeAt(pos) === TAB) throw new Unusual();
    if (this.column === 0 && (text.startsWith('...', pos) || (text.startsWith('---', pos) && lineStart > 0))) {
      throw new Unusual();
    }
    return true;
  }

  /** Expects nothing but a comment on the rest of the line; moves to the start of the next. */
  endOfLine(): void {
    const { text } = this;
    let pos = this.pos;
    while (text.charCodeAt(pos) === SPACE) pos++;
    const c = text.charCodeAt(pos);
    if (c === 35 && (pos === 0 || text.charCodeAt(pos - 1) === SPACE)) {
      const end = text.indexOf('\n', pos);
      this.pos = end === -1 ? text.length : end;
    } else if (c === LF || (c === CR && text.charCodeAt(pos + 1) === LF) || pos >= text.length) {
      this.pos = pos;
    } else throw new Unusual();
  }

  isSpaceAt(pos: number): boolean {
    const c = this.text.charCodeAt(pos);
    return c === SPACE || c === LF || c === CR || pos >= this.text.length;
  }

  skipLine(): void {
    const end = this.text.indexOf('\n', this.pos);
    this.pos = end === -1 ? this.text.length : end + 1;
  }
}

/** A value that is not there. */
export function nullAt(pos: number): ScalarNode {
  return { kind: 'scalar', value: null, float: false, start: pos, end: pos };
}

export function plainNode(source: string, start: number, end: number): ScalarNode {
  if (source === '<<' || source === '=') throw new Unusual();
  const { value, float } = resolvePlain(source);
  return { kind: 'scalar', value, float, start, end };
}

/** Whether a plain scalar may start here: no indicator, or one of `-?:` with text right behind it. */
export function startsPlain(text: string, pos: number, flow: boolean): boolean {
  const c = text[pos];
  if (c === undefined || '#&*!|>\'"%@`[]{},\n\r\t'.includes(c)) return false;
  if (c !== '-' && c !== '?' && c !== ':') return true;
  const next = text[pos + 1];
  if (next === undefined || ' \n\r\t'.includes(next)) return false;
  return !flow || (c === '-' && !',[]{}'.includes(next));
}

/** Whether two keys are one, or could be: numbers and flags that are equal are one key to Python. */
export function isSameKey(one: ScalarNode, other: ScalarNode): boolean {
  return one.value === other.value || (typeof one.value !== 'string' && typeof other.value !== 'string');
}
