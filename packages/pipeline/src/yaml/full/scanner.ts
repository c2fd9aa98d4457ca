import type { Range } from '../node.ts';
import { Reader, SPACES } from './reader.ts';
import { scanAnchor, scanDirective, scanTag } from './scan-property.ts';
import { scanBlock, scanPlain, scanQuoted } from './scan-scalar.ts';
import { Broken, type Token, type TokenKind } from './token.ts';

/** A place where a key may have begun that needs no `? `: it is one if a colon follows on the same line. */
interface MaybeKey {
  /** How many tokens stand before it. */
  readonly number: number;
  /** Nothing but a key can stand there. */
  readonly required: boolean;
  readonly at: Range;
  readonly line: number;
  readonly column: number;
}

/** A key must have its colon within so many characters. */
const KEY_LENGTH = 1024;

const RECENT: ReadonlySet<TokenKind> = new Set(['scalar', 'alias', ']', '}']);

/**
 * Splits a text into tokens, one asked for at a time. The rules are those of ruamel.yaml, which reads files for DVC; they
 * are laxer than YAML 1.2 (quoted text and brackets go on at any indent) and in places stricter.
 */
export class Scanner {
  private readonly reader: Reader;
  private queue: Token[] = [];
  /** How many tokens were taken. */
  private taken = 0;
  private done = false;
  /** The brackets that are open. */
  private readonly brackets: ('[' | '{')[] = [];
  /** Indent of the innermost block map or list, and of those around it. */
  private indent = -1;
  private readonly indents: number[] = [];
  private mayStartKey = true;
  /** By depth in brackets. */
  private readonly maybeKeys = new Map<number, MaybeKey>();
  /** The last few scalars, aliases and closing brackets: for saying what went wrong. */
  readonly recent: Token[] = [];

  constructor(text: string) {
    this.reader = new Reader(text);
    if (text.startsWith('\ufeff')) this.reader.pos = 1;
  }

  /** The next token, which stays. */
  peek(): Token {
    while (this.needsMore()) this.fetch();
    return this.queue[0] as Token;
  }

  /** Whether the next token is of one of these kinds. */
  at(...kinds: TokenKind[]): boolean {
    return kinds.includes(this.peek().kind);
  }

  take(): Token {
    const token = this.peek();
    this.queue.shift();
    this.taken++;
    return token;
  }

  private needsMore(): boolean {
    if (this.done) return false;
    if (this.queue.length === 0) return true;
    // The next token may turn out to be a key, which has a token before it.
    this.dropStaleKeys();
    for (const key of this.maybeKeys.values()) if (key.number === this.taken) return true;
    return false;
  }

  private fetch(): void {
    this.skipToToken();
    this.dropStaleKeys();
    const { reader } = this;
    const { column } = reader;
    this.unwind(column);
    const c = reader.peek();
    const spaced = SPACES.includes(reader.peek(1));
    const flow = this.brackets.length > 0;
    if (c === '\0') this.fetchEnd();
    else if (c === '%' && column === 0) this.fetchDirective();
    else if (column === 0 && reader.atMarker()) this.fetchMarker(c === '-' ? 'document-start' : 'document-end');
    else if (c === '[' || c === '{') this.fetchOpening(c);
    else if (c === ']' || c === '}') this.fetchClosing(c);
    else if (c === ',') this.fetchComma();
    else if (c === '-' && spaced) this.fetchDash();
    else if (c === '?' && (flow || spaced)) this.fetchKey();
    else if (c === ':' && this.isColon(spaced)) this.fetchColon();
    else if ((c === '|' || c === '>') && !flow) this.fetchBlock();
    else this.fetchInline(c, spaced);
  }

  /** What may be a key: a property, an alias, quoted or plain text. */
  private fetchInline(c: string, spaced: boolean): void {
    const { reader } = this;
    const { pos: start, line } = reader;
    const inline = '*&!"\''.includes(c);
    if (!inline && !this.startsPlain(c, spaced)) {
      throw new Broken(c === '\t' ? 'tab' : 'character', { start, end: start + 1 });
    }
    this.maybeKey();
    this.mayStartKey = false;
    if (c === '*' || c === '&') {
      const text = scanAnchor(reader);
      this.push({ kind: c === '*' ? 'alias' : 'anchor', start, end: reader.pos, line, text });
    } else if (c === '!') {
      const tag = scanTag(reader);
      this.push({ kind: 'tag', start, end: reader.pos, line, ...tag });
    } else if (inline) {
      this.push({ kind: 'scalar', start, line, style: 'quoted', ...scanQuoted(reader) });
    } else {
      const { broke, ...scanned } = scanPlain(reader, this.indent + 1, this.brackets.length > 0);
      this.mayStartKey = broke;
      this.push({ kind: 'scalar', start, line, style: 'plain', ...scanned });
    }
  }

  private fetchBlock(): void {
    this.mayStartKey = true;
    this.dropKey();
    const { pos: start, line } = this.reader;
    this.push({ kind: 'scalar', start, line, style: 'block', ...scanBlock(this.reader, this.indent) });
  }

  private fetchComma(): void {
    this.mayStartKey = true;
    this.dropKey();
    this.mark(',');
  }

  /** Moves past white space and comments. */
  private skipToToken(): void {
    const { reader } = this;
    const white = this.brackets.length > 0 ? ' \t' : ' ';
    for (;;) {
      reader.skip(white);
      if (reader.peek() === '#') reader.skipLine();
      if (reader.lineBreak() === '') return;
      if (this.brackets.length === 0) this.mayStartKey = true;
    }
  }

  private isColon(spaced: boolean): boolean {
    const bracket = this.brackets.at(-1);
    if (bracket === undefined || bracket === '[') return spaced;
    return spaced || this.queue.at(-1)?.kind !== ':';
  }

  private startsPlain(c: string, spaced: boolean): boolean {
    if (!`${SPACES}-?:,[]{}#&*!|>'"%@\``.includes(c)) return true;
    const flow = this.brackets.length > 0;
    if (c === ':' && flow) return !' \t'.includes(this.reader.peek(1));
    return !spaced && (c === '-' || (!flow && (c === '?' || c === ':')));
  }

  private fetchEnd(): void {
    this.unwind(-1);
    this.dropKey();
    this.mayStartKey = false;
    this.maybeKeys.clear();
    const { pos, line } = this.reader;
    this.push({ kind: 'end', start: pos, end: pos, line });
    this.done = true;
  }

  private fetchDirective(): void {
    this.unwind(-1);
    this.dropKey();
    this.mayStartKey = false;
    const { pos: start, line } = this.reader;
    const declared = scanDirective(this.reader);
    this.push({ kind: 'directive', start, end: this.reader.pos, line, ...declared });
  }

  private fetchMarker(kind: TokenKind): void {
    this.unwind(-1);
    this.dropKey();
    this.mayStartKey = false;
    const { pos: start, line } = this.reader;
    this.reader.pos += 3;
    this.push({ kind, start, end: start + 3, line });
  }

  private fetchOpening(bracket: '[' | '{'): void {
    this.maybeKey();
    this.brackets.push(bracket);
    this.mayStartKey = true;
    this.mark(bracket);
  }

  private fetchClosing(bracket: ']' | '}'): void {
    this.dropKey();
    this.brackets.pop();
    this.mayStartKey = false;
    this.mark(bracket);
  }

  private fetchDash(): void {
    const { pos, line, column } = this.reader;
    if (this.brackets.length === 0) {
      if (!this.mayStartKey) throw new Broken('dash', { start: pos, end: pos + 1 });
      if (this.deepen(column)) this.push({ kind: 'block-list', start: pos, end: pos, line });
    }
    this.mayStartKey = true;
    this.dropKey();
    this.mark('-');
  }

  private fetchKey(): void {
    const { pos, line, column } = this.reader;
    const block = this.brackets.length === 0;
    if (block) {
      if (!this.mayStartKey) throw new Broken('key', { start: pos, end: pos + 1 });
      if (this.deepen(column)) this.push({ kind: 'block-map', start: pos, end: pos, line });
    }
    this.mayStartKey = block;
    this.dropKey();
    this.mark('?');
  }

  private fetchColon(): void {
    const { pos, line, column } = this.reader;
    const block = this.brackets.length === 0;
    const key = this.maybeKeys.get(this.brackets.length);
    if (key !== undefined) {
      this.maybeKeys.delete(this.brackets.length);
      const { start } = key.at;
      const before: Token[] = [token({ kind: '?', start, end: start, line: key.line })];
      if (block && this.deepen(key.column))
        before.unshift(token({ kind: 'block-map', start, end: start, line: key.line }));
      this.queue.splice(key.number - this.taken, 0, ...before);
      this.mayStartKey = false;
    } else {
      if (block) {
        if (!this.mayStartKey) throw new Broken('colon', { start: pos, end: pos + 1 });
        if (this.deepen(column)) this.push({ kind: 'block-map', start: pos, end: pos, line });
      }
      this.mayStartKey = block;
      this.dropKey();
    }
    this.mark(':');
  }

  private mark(kind: TokenKind): void {
    const { pos, line } = this.reader;
    this.reader.pos++;
    this.push({ kind, start: pos, end: pos + 1, line });
  }

  private push(parts: TokenParts): void {
    const made = token(parts);
    this.queue.push(made);
    if (!RECENT.has(made.kind)) return;
    this.recent.push(made);
    if (this.recent.length > 4) this.recent.shift();
  }

  /** Ends the block maps and lists that are indented deeper. */
  private unwind(column: number): void {
    if (this.brackets.length > 0) return;
    const { pos, line } = this.reader;
    while (this.indent > column) {
      this.indent = this.indents.pop() as number;
      this.push({ kind: 'block-end', start: pos, end: pos, line });
    }
  }

  private deepen(column: number): boolean {
    if (this.indent >= column) return false;
    this.indents.push(this.indent);
    this.indent = column;
    return true;
  }

  /** Remembers that a key may begin here. */
  private maybeKey(): void {
    if (!this.mayStartKey) return;
    this.dropKey();
    const { pos, line, column } = this.reader;
    const required = this.brackets.length === 0 && this.indent === column;
    const number = this.taken + this.queue.length;
    this.maybeKeys.set(this.brackets.length, { number, required, at: { start: pos, end: pos + 1 }, line, column });
  }

  /** Forgets the key that may have begun at this depth. */
  private dropKey(): void {
    const depth = this.brackets.length;
    const key = this.maybeKeys.get(depth);
    if (key?.required) this.lacksColon(key);
    this.maybeKeys.delete(depth);
  }

  /** Forgets keys whose colon is not on their line. */
  private dropStaleKeys(): void {
    for (const [depth, key] of this.maybeKeys) {
      if (key.line === this.reader.line && !this.tooFar(key.at.start)) continue;
      if (key.required) this.lacksColon(key);
      this.maybeKeys.delete(depth);
    }
  }

  private tooFar(start: number): boolean {
    if (this.reader.pos - start <= KEY_LENGTH) return false;
    return [...this.reader.since(start)].length > KEY_LENGTH;
  }

  private lacksColon(key: MaybeKey): never {
    throw new Broken('no-colon', { start: this.reader.pos, end: this.reader.pos + 1 }, key.at);
  }
}

type TokenParts = Pick<Token, 'kind' | 'start' | 'end' | 'line'> & Partial<Token>;

function token({ kind, start, end, line, text = '', style, handle }: TokenParts): Token {
  return { kind, start, end, line, text, style, handle };
}
