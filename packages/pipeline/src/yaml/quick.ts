import type { Entry, MapNode, Node, ScalarNode, SeqNode } from './node.ts';
import { blockText, quotedText, Unusual } from './quick-text.ts';
import { resolvePlain } from './scalar.ts';

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;

/**
 * Reads the YAML that people write, some twenty times faster than a full parser: block and flow maps and lists, plain,
 * quoted and block scalars, comments. Gives up (undefined) on all else and on anything that looks wrong: anchors, tags,
 * tabs, doubled keys, several documents. Where it gives an answer it is the full parser's.
 */
export function readQuick(text: string): { root: Node | undefined } | undefined {
  const reader = new QuickReader(text);
  try {
    return { root: reader.document() };
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  }
}

/** A class for the cursor's sake: position, and the indent of the line it is on. */
class QuickReader {
  private readonly text: string;
  private pos = 0;
  private depth = 0;
  /** Column of the content at `pos`, when `pos` is at the first content of its line. */
  private column = 0;

  constructor(text: string) {
    this.text = text;
    if (/\r(?!\n)|[\u0085\u2028\u2029]/.test(text)) throw new Unusual();
  }

  document(): Node | undefined {
    if (this.text.charCodeAt(0) === 0xfeff) throw new Unusual();
    if (!this.nextContent()) return undefined;
    if (this.column === 0 && this.text.startsWith('---', this.pos)) {
      this.pos += 3;
      this.endOfLine();
      if (!this.nextContent()) return undefined;
    }
    const node = this.blockNode(-1);
    if (this.pos < this.text.length) throw new Unusual();
    return node;
  }

  /** Moves to the next content at the start of a line, past blank lines and comments. False at the end of the text. */
  private nextContent(): boolean {
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
  private endOfLine(): void {
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

  /**
   * A node that starts at `pos`, the first content of its line or behind a dash. Leaves `pos` at the next content at the
   * start of a line, with `column` set.
   * @param parent indent of what holds the node.
   */
  private blockNode(parent: number): Node {
    if (++this.depth > 200) throw new Unusual();
    const { text, pos, column } = this;
    const c = text.charCodeAt(pos);
    let node: Node;
    if (c === 45 && this.isSpaceAt(pos + 1)) node = this.blockSeq(column);
    else if (this.keyAhead()) node = this.blockMap(column);
    else {
      node = this.inlineValue(parent, c);
    }
    this.depth--;
    return node;
  }

  private isSpaceAt(pos: number): boolean {
    const c = this.text.charCodeAt(pos);
    return c === SPACE || c === LF || c === CR || pos >= this.text.length;
  }

  private blockSeq(indent: number): SeqNode {
    const start = this.pos;
    const items: Node[] = [];
    let end = start;
    while (this.column === indent && this.text.charCodeAt(this.pos) === 45 && this.isSpaceAt(this.pos + 1)) {
      const dash = this.pos++;
      let pos = this.pos;
      while (this.text.charCodeAt(pos) === SPACE) pos++;
      const c = this.text.charCodeAt(pos);
      if (c === LF || c === CR || c === 35 || pos >= this.text.length) {
        this.endOfLine();
        if (this.nextContent() && this.column > indent) items.push(this.blockNode(indent));
        else items.push(nullAt(dash + 1));
      } else {
        this.column = indent + (pos - dash);
        this.pos = pos;
        items.push(this.blockNode(indent));
      }
      end = (items.at(-1) as Node).end;
    }
    if (this.column > indent) throw new Unusual();
    return { kind: 'seq', items, flow: false, start, end };
  }

  private blockMap(indent: number): MapNode {
    const start = this.pos;
    const entries: Entry[] = [];
    let seen: Set<unknown> | undefined;
    let end = start;
    while (this.column === indent) {
      const key = this.key();
      if (entries.length < 8) {
        for (const entry of entries) if (entry.key.value === key.value) throw new Unusual();
      } else {
        seen ??= new Set(entries.map((entry) => entry.key.value));
        if (seen.has(key.value)) throw new Unusual();
        seen.add(key.value);
      }
      const value = this.mapValue(indent);
      entries.push({ key, value });
      end = value.end;
    }
    if (this.column > indent) throw new Unusual();
    return { kind: 'map', entries, flow: false, start, end };
  }

  /** The value behind a colon. */
  private mapValue(indent: number): Node {
    const { text } = this;
    const colonEnd = this.pos;
    let pos = colonEnd;
    while (text.charCodeAt(pos) === SPACE) pos++;
    const c = text.charCodeAt(pos);
    if (c === LF || c === CR || c === 35 || pos >= text.length) {
      this.endOfLine();
      if (!this.nextContent()) return nullAt(colonEnd);
      if (this.column > indent) return this.blockNode(indent);
      const dash = this.column === indent && text.charCodeAt(this.pos) === 45 && this.isSpaceAt(this.pos + 1);
      return dash ? this.blockSeq(indent) : nullAt(colonEnd);
    }
    this.pos = pos;
    return this.inlineValue(indent, c);
  }

  /** Anything but a block map or list. `parent` is the indent that continuation lines must exceed. */
  private inlineValue(parent: number, c: number): Node {
    if (c === 124 || c === 62) return this.blockScalar(parent);
    let node: Node;
    if (c === 91 || c === 123) node = this.flow();
    else if (c === 34 || c === 39) node = this.quoted();
    else return this.plain(parent);
    this.endOfLine();
    this.nextContent();
    return node;
  }

  /** Whether a key and its colon stand at `pos`. */
  private keyAhead(): boolean {
    const { text, pos } = this;
    const c = text.charCodeAt(pos);
    if (c === 34 || c === 39) {
      const before = this.pos;
      const { end } = this.quoted();
      let at = end;
      while (text.charCodeAt(at) === SPACE) at++;
      this.pos = before;
      if (text.charCodeAt(at) !== 58) return false;
      if (text.slice(before, end).includes('\n')) throw new Unusual();
      return true;
    }
    if (c === 91 || c === 123 || c === 124 || c === 62) {
      if (c === 91 || c === 123) {
        // A flow collection as a key is for the full parser.
        const before = this.pos;
        this.flow();
        let at = this.pos;
        while (text.charCodeAt(at) === SPACE) at++;
        this.pos = before;
        if (text.charCodeAt(at) === 58) throw new Unusual();
      }
      return false;
    }
    return this.plainKeyEnd(pos) !== -1;
  }

  /** Offset of the colon that ends a plain key; -1 when there is none on the line. */
  private plainKeyEnd(from: number): number {
    const { text } = this;
    for (let pos = from; ; pos++) {
      const c = text.charCodeAt(pos);
      if (c === LF || Number.isNaN(c)) return -1;
      if (c === 58 && this.isSpaceAt(pos + 1)) return pos;
      if (c === 35 && pos > from && text.charCodeAt(pos - 1) === SPACE) return -1;
    }
  }

  private key(): ScalarNode {
    const { text } = this;
    const start = this.pos;
    const c = text.charCodeAt(start);
    if (c === 34 || c === 39) {
      const node = this.quoted();
      if (text.slice(start, node.end).includes('\n')) throw new Unusual();
      while (text.charCodeAt(this.pos) === SPACE) this.pos++;
      if (text.charCodeAt(this.pos) !== 58 || !this.isSpaceAt(this.pos + 1)) throw new Unusual();
      this.pos++;
      return node;
    }
    const colon = this.plainKeyEnd(start);
    if (colon === -1 || colon === start || !startsPlain(text, start, false)) throw new Unusual();
    if (colon - start > 1000) throw new Unusual();
    let end = colon;
    while (text.charCodeAt(end - 1) === SPACE) end--;
    this.pos = colon + 1;
    const source = text.slice(start, end);
    if (source === '<<' || source.includes('\t')) throw new Unusual();
    return plainNode(source, start, end);
  }

  private plain(parent: number): ScalarNode {
    const { text } = this;
    const start = this.pos;
    if (!startsPlain(text, start, false)) throw new Unusual();
    let end = this.plainLineEnd(start);
    let comment = this.pos < text.length && text.charCodeAt(this.pos) === 35;
    let value = text.slice(start, end);
    this.skipLine();
    for (;;) {
      const before = this.pos;
      let breaks = 0;
      let pos = before;
      let lineStart = before;
      for (;;) {
        const c = text.charCodeAt(pos);
        if (c === LF) {
          breaks++;
          lineStart = ++pos;
        } else if (c === SPACE || c === CR) pos++;
        else break;
      }
      const more = pos < text.length && pos - lineStart > parent && text.charCodeAt(pos) !== 35;
      if (!more) break;
      if (pos === lineStart && (text.startsWith('---', pos) || text.startsWith('...', pos))) break;
      if (comment) throw new Unusual();
      const next = text.charCodeAt(pos);
      if (next === TAB) throw new Unusual();
      const lineEnd = this.plainLineEnd(pos);
      comment = this.pos < text.length && text.charCodeAt(this.pos) === 35;
      value += (breaks > 0 ? '\n'.repeat(breaks) : ' ') + text.slice(pos, lineEnd);
      end = lineEnd;
      this.skipLine();
    }
    this.nextContent();
    return plainNode(value, start, end);
  }

  /** End of the plain text on this line; leaves `pos` at the line's end or at its comment. */
  private plainLineEnd(from: number): number {
    const { text } = this;
    let pos = from;
    for (; ; pos++) {
      const c = text.charCodeAt(pos);
      if (c === LF || Number.isNaN(c)) break;
      if (c === 58 && this.isSpaceAt(pos + 1)) throw new Unusual();
      if (c === 35 && pos > from && text.charCodeAt(pos - 1) === SPACE) break;
      if (c === TAB) throw new Unusual();
    }
    this.pos = pos;
    let end = pos;
    while (end > from && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === CR)) end--;
    return end;
  }

  private skipLine(): void {
    const end = this.text.indexOf('\n', this.pos);
    this.pos = end === -1 ? this.text.length : end + 1;
  }

  /** A quoted scalar. Leaves `pos` behind the closing quote. */
  private quoted(): ScalarNode {
    const { text } = this;
    const start = this.pos;
    const quote = text.charCodeAt(start);
    let pos = start + 1;
    for (; ; pos++) {
      const c = text.charCodeAt(pos);
      if (Number.isNaN(c)) throw new Unusual();
      if (c === LF && (text.startsWith('---', pos + 1) || text.startsWith('...', pos + 1))) throw new Unusual();
      if (c === 92 && quote === 34) {
        if (text.charCodeAt(++pos) === CR) pos++;
      } else if (c === quote) {
        if (quote === 39 && text.charCodeAt(pos + 1) === 39) pos++;
        else break;
      }
    }
    this.pos = pos + 1;
    const value = quotedText(text.slice(start + 1, pos), quote === 34);
    return { kind: 'scalar', value, float: false, start, end: pos + 1 };
  }

  private blockScalar(parent: number): ScalarNode {
    const { text } = this;
    const start = this.pos;
    const header = /[|>](?:([1-9])([-+])?|([-+])([1-9])?)?(?=[ \r\n]|$)/y;
    header.lastIndex = start;
    const match = header.exec(text);
    if (!match) throw new Unusual();
    const folded = text.charCodeAt(start) === 62;
    const chomp = match[2] ?? match[3] ?? '';
    const explicit = match[1] ?? match[4];
    this.pos = start + match[0].length;
    this.endOfLine();
    this.skipLine();
    const lines: string[] = [];
    let indent = explicit === undefined ? -1 : Math.max(parent, 0) + Number(explicit);
    let end = start + match[0].length;
    let pos = this.pos;
    let longestBlank = 0;
    while (pos < text.length) {
      const newline = text.indexOf('\n', pos);
      const next = newline === -1 ? text.length : newline + 1;
      let lineEnd = newline === -1 ? text.length : newline;
      if (lineEnd > pos && text.charCodeAt(lineEnd - 1) === CR) lineEnd--;
      let first = pos;
      while (first < lineEnd && text.charCodeAt(first) === SPACE) first++;
      if (first === lineEnd) {
        if (newline === -1 || (indent !== -1 && first - pos > indent)) throw new Unusual();
        if (indent === -1) longestBlank = Math.max(longestBlank, first - pos);
        lines.push('');
      } else {
        const column = first - pos;
        if (indent === -1) {
          if (column <= parent) break;
          if (text.charCodeAt(first) === TAB || longestBlank > column) throw new Unusual();
          indent = column;
        }
        if (column < indent) break;
        if (column === 0 && (text.startsWith('---', pos) || text.startsWith('...', pos))) break;
        lines.push(text.slice(pos + indent, lineEnd));
        end = lineEnd;
      }
      pos = next;
      if (newline === -1 && chomp !== '-' && lines.at(-1) !== '') {
        // A last line without its break: the full parser knows.
        if (chomp === '+') throw new Unusual();
      }
    }
    this.pos = pos;
    const value = blockText(lines, folded, chomp, text.endsWith('\n') || pos < text.length);
    this.nextContent();
    return { kind: 'scalar', value, float: false, start, end };
  }

  /** A flow map or list. Leaves `pos` behind its bracket. */
  private flow(): Node {
    if (++this.depth > 200) throw new Unusual();
    const { text } = this;
    const start = this.pos++;
    const node = text.charCodeAt(start) === 91 ? this.flowSeq(start) : this.flowMap(start);
    this.depth--;
    return node;
  }

  private flowSeq(start: number): SeqNode {
    const items: Node[] = [];
    for (;;) {
      this.flowSpace();
      if (this.text.charCodeAt(this.pos) === 93) break;
      items.push(this.flowItem());
      this.flowSpace();
      const c = this.text.charCodeAt(this.pos);
      if (c === 44) this.pos++;
      else if (c !== 93) throw new Unusual();
    }
    return { kind: 'seq', items, flow: true, start, end: ++this.pos };
  }

  private flowMap(start: number): MapNode {
    const { text } = this;
    const entries: Entry[] = [];
    for (;;) {
      this.flowSpace();
      if (this.text.charCodeAt(this.pos) === 125) break;
      const key = this.flowItem();
      if (text.slice(key.start, key.end).includes('\n')) throw new Unusual();
      if (key.kind !== 'scalar' || key.value === '<<') throw new Unusual();
      for (const entry of entries) if (entry.key.value === key.value) throw new Unusual();
      this.flowSpace();
      if (this.text.charCodeAt(this.pos) !== 58) throw new Unusual();
      this.pos++;
      const colonEnd = this.pos;
      if (!this.isSpaceAt(colonEnd)) throw new Unusual();
      this.flowSpace();
      const c = this.text.charCodeAt(this.pos);
      entries.push({ key, value: c === 44 || c === 125 ? nullAt(colonEnd) : this.flowItem() });
      this.flowSpace();
      const after = this.text.charCodeAt(this.pos);
      if (after === 44) this.pos++;
      else if (after !== 125) throw new Unusual();
    }
    return { kind: 'map', entries, flow: true, start, end: ++this.pos };
  }

  private flowItem(): Node {
    const { text } = this;
    const c = text.charCodeAt(this.pos);
    if (c === 91 || c === 123) return this.flow();
    if (c === 34 || c === 39) return this.quoted();
    const start = this.pos;
    if (!startsPlain(text, start, true)) throw new Unusual();
    let pos = start;
    for (; ; pos++) {
      const d = text.charCodeAt(pos);
      if (d === 44 || d === 91 || d === 93 || d === 123 || d === 125) break;
      if (d === 58) {
        const e = text.charCodeAt(pos + 1);
        if (e === SPACE || e === LF || e === CR) break;
        if (e === 44 || e === 91 || e === 93 || e === 123 || e === 125) throw new Unusual();
      }
      if (d === LF || Number.isNaN(d) || d === TAB || d === 35) throw new Unusual();
    }
    let end = pos;
    while (text.charCodeAt(end - 1) === SPACE) end--;
    this.pos = pos;
    return plainNode(text.slice(start, end), start, end);
  }

  /** White space, line breaks and comments inside brackets. */
  private flowSpace(): void {
    const { text } = this;
    for (;;) {
      const c = text.charCodeAt(this.pos);
      if (c === LF) {
        this.pos++;
        // A line of the column 0 may be a document marker.
        if (text.startsWith('---', this.pos) || text.startsWith('...', this.pos)) throw new Unusual();
      } else if (c === SPACE || c === CR) this.pos++;
      else if (c === 35 && this.isSpaceAt(this.pos - 1)) {
        const end = text.indexOf('\n', this.pos);
        this.pos = end === -1 ? text.length : end;
      } else return;
    }
  }
}

function nullAt(pos: number): ScalarNode {
  return { kind: 'scalar', value: null, float: false, start: pos, end: pos };
}

function plainNode(source: string, start: number, end: number): ScalarNode {
  const { value, float } = resolvePlain(source);
  return { kind: 'scalar', value, float, start, end };
}

/** Whether a plain scalar may start here: no indicator, or one of `-?:` with text right behind it. */
function startsPlain(text: string, pos: number, flow: boolean): boolean {
  const c = text[pos];
  if (c === undefined || '#&*!|>\'"%@`[]{},\n\r\t'.includes(c)) return false;
  if (c !== '-' && c !== '?' && c !== ':') return true;
  const next = text[pos + 1];
  if (next === undefined || ' \n\r\t'.includes(next)) return false;
  return !(flow && ',[]{}'.includes(next));
}
