/** A token of Python source, as far as assignments of literals need it. */
export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark' | 'newline' | 'indent' | 'dedent' | 'end';
  /** As written, a name in its normal form. */
  readonly text: string;
  /** What a string stands for. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
  /** Set for an f-string, for bytes, and for characters by their names: no literal that is read here. */
  readonly opaque: boolean;
}

export class PythonProblem extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const STRING = /([rRbBuUfF]{0,2})('''|"""|'|")/y;
const NUMBER =
  /(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*)?\.\d[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*\.?(?:[eE][-+]?\d+)?)[jJ]?/y;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const MARK = /\*\*=?|\/\/=?|<<=?|>>=?|->|:=|\.\.\.|[-+*/%@&|^=!<>]=|[-+*/%@&|^~<>()[\]{},:.;=!]/y;

/** Splits Python source into tokens, with indents. Throws a PythonProblem where brackets, quotes or indents don't match. */
export function tokenize(source: string): Token[] {
  // Any line end is one; the offsets stay.
  const text = source.replace(/\r(?!\n)/g, '\n');
  const tokens: Token[] = [];
  const indents = [0];
  let brackets = 0;
  let pos = 0;
  let lineStart = true;
  const push = (kind: Token['kind'], start: number, end: number, value = '', opaque = false) =>
    tokens.push({ kind, text: text.slice(start, end).normalize('NFKC'), value, start, end, opaque });
  while (pos < text.length) {
    if (lineStart && brackets === 0) {
      const [column, from] = indentOf(text, pos);
      pos = from;
      if (pos >= text.length) break;
      if ('#\r\n'.includes(text[pos] as string)) {
        const end = text.indexOf('\n', pos);
        pos = end === -1 ? text.length : end + 1;
        continue;
      }
      lineStart = false;
      if (column > (indents.at(-1) as number)) {
        indents.push(column);
        push('indent', pos, pos);
      }
      while (column < (indents.at(-1) as number)) {
        indents.pop();
        push('dedent', pos, pos);
      }
      if (column !== indents.at(-1)) throw new PythonProblem('the indent fits no outer line', pos);
    }
    const c = text[pos] as string;
    if (c === '\n') {
      if (brackets === 0) {
        push('newline', pos, pos + 1);
        lineStart = true;
      }
      pos++;
    } else if (' \t\r\f'.includes(c)) pos++;
    else if (c === '#') {
      const end = text.indexOf('\n', pos);
      pos = end === -1 ? text.length : end;
    } else if (c === '\\' && /^\\\r?\n/.test(text.slice(pos, pos + 3))) {
      pos = text.indexOf('\n', pos) + 1;
    } else {
      const string = at(STRING, text, pos);
      if (string) {
        const end = stringEnd(text, pos, string[0].length, string[2] as string);
        const prefix = (string[1] as string).toLowerCase();
        const inner = text.slice(pos + string[0].length, end - (string[2] as string).length);
        const raw = prefix.includes('r');
        const value = (raw ? inner : unescapePython(inner, pos)).replaceAll('\r\n', '\n');
        push('string', pos, end, value, /[fb]/.test(prefix) || (!raw && inner.includes('\\N{')));
        pos = end;
        continue;
      }
      const number = at(NUMBER, text, pos);
      const word = number ?? at(NAME, text, pos) ?? at(MARK, text, pos);
      if (!word) throw new PythonProblem('not Python', pos);
      if (number && !isNumber(number[0])) throw new PythonProblem('this is no number', pos);
      const kind = number ? 'number' : /[\p{L}_]/u.test(c) ? 'name' : 'mark';
      if (kind === 'mark') {
        if ('([{'.includes(word[0])) brackets++;
        else if (')]}'.includes(word[0]) && --brackets < 0)
          throw new PythonProblem('a bracket that was never opened', pos);
      }
      push(kind, pos, pos + word[0].length);
      pos += word[0].length;
    }
  }
  if (brackets > 0) throw new PythonProblem('a bracket is never closed', text.length);
  push('newline', text.length, text.length);
  for (let i = 1; i < indents.length; i++) push('dedent', text.length, text.length);
  push('end', text.length, text.length);
  return tokens;
}

/** The column of a line's first word, and where it stands. A backslash joins the line to the next. */
function indentOf(text: string, start: number): [column: number, pos: number] {
  let column = 0;
  let joined = 0;
  let pos = start;
  for (; ; pos++) {
    const c = text[pos];
    if (c === '\t') column = (Math.floor(column / 8) + 1) * 8;
    else if (c === ' ' || c === '\f') column++;
    else if (c === '\\' && /^\\\r?\n/.test(text.slice(pos, pos + 3))) {
      joined ||= column;
      column = 0;
      pos = text.indexOf('\n', pos);
    } else return [joined || column, pos];
  }
}

function at(pattern: RegExp, text: string, pos: number): RegExpExecArray | undefined {
  pattern.lastIndex = pos;
  return pattern.exec(text) ?? undefined;
}

/** Underscores part digits, one at a time; a whole number begins with no zero. */
function isNumber(text: string): boolean {
  return !/__|_(?:$|[.eEjJ])|\._|^0_?\d*[1-9][\d_]*$/.test(text);
}

function stringEnd(text: string, start: number, opening: number, quote: string): number {
  for (let pos = start + opening; pos < text.length; pos++) {
    if (text[pos] === '\\') pos += text.startsWith('\r\n', pos + 1) ? 2 : 1;
    else if (text.startsWith(quote, pos)) return pos + quote.length;
    else if (text[pos] === '\n' && quote.length === 1) break;
  }
  throw new PythonProblem('a string without its closing quote', start);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unescapePython(text: string, start: number): string {
  const sequence = /\\(\r?\n|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)/gs;
  return text.replace(sequence, (whole, code: string) => {
    if (code === '\r\n') return '';
    if (Object.hasOwn(ESCAPES, code)) return ESCAPES[code] as string;
    if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
    if ('xuU'.includes(code)) throw new PythonProblem(`digits are missing behind \\${code}`, start);
    const point = code.length > 1 ? Number.parseInt(code.slice(1), 16) : Number.NaN;
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}
