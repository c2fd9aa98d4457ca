/** What ends a line. */
export const BREAKS = '\n\r\u0085\u2028\u2029';
/** What ends a line or the text. */
export const ENDS = `${BREAKS}\0`;
/** What may follow a mark such as `-` or `:`. */
export const SPACES = `${ENDS} \t`;

/** A place in a text, with its line and column. Past the end stands U+0000, which no YAML text holds. */
export class Reader {
  readonly text: string;
  pos = 0;
  /** From 0. */
  line = 0;
  private lineStart = 0;
  /** Whether the text holds what counts other than one column a UTF-16 unit. */
  private readonly wide: boolean;

  constructor(text: string) {
    this.text = text;
    this.wide = /[\ud800-\udbff\ufeff]/.test(text);
  }

  peek(ahead = 0): string {
    return this.text[this.pos + ahead] ?? '\0';
  }

  /** Columns before the place, from 0: code points, byte order marks not counted. */
  get column(): number {
    const columns = this.pos - this.lineStart;
    if (!this.wide) return columns;
    return columns - (this.text.slice(this.lineStart, this.pos).match(/[\ud800-\udbff\ufeff]/g)?.length ?? 0);
  }

  /** Takes a line break, if one stands here: what it reads as, or nothing. */
  lineBreak(): string {
    const c = this.peek();
    if (!BREAKS.includes(c)) return '';
    if (c === '\r' && this.peek(1) === '\n') this.pos++;
    this.pos++;
    if (c === '\n' || c === '\r') {
      this.line++;
      this.lineStart = this.pos;
    }
    return c === '\u2028' || c === '\u2029' ? c : '\n';
  }

  /** Whether a document marker begins here; the place is the start of a line. */
  atMarker(): boolean {
    const { text, pos } = this;
    return (text.startsWith('---', pos) || text.startsWith('...', pos)) && SPACES.includes(this.peek(3));
  }

  skip(characters: string): void {
    while (characters.includes(this.peek())) this.pos++;
  }

  /** Moves to the end of the line. */
  skipLine(): void {
    while (!ENDS.includes(this.peek())) this.pos++;
  }

  /** The text from a place to here. */
  since(start: number): string {
    return this.text.slice(start, this.pos);
  }
}
