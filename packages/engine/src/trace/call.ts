/** A system call as strace tells it, with the parts that were printed apart put together. */
export interface Call {
  readonly name: string;
  /** As printed, one each: quoted text, `3</a/path>`, flags, `{…}`. */
  readonly args: readonly string[];
  /** Undefined where it did not return: its process was ended meanwhile. */
  readonly result: CallResult | undefined;
}

export interface CallResult {
  /** -1 for a failure. */
  readonly value: number;
  /** `ENOENT` and the like. */
  readonly error?: string;
  /** Where the file descriptor that it returned leads, as the kernel has it. */
  readonly path?: string;
}

/** A file descriptor, or `AT_FDCWD`, as printed by `-y`. */
const DESCRIPTOR = /^(?:AT_FDCWD|-?\d+)</;

const RESULT = /^\s*=\s+(-?\d+|0x[0-9a-f]+|\?)(?:\s+([A-Z][A-Z0-9]+)\b)?/;

/** Reads `name(args) = result`; undefined for what is no such text. */
export function parseCall(text: string): Call | undefined {
  const open = text.indexOf('(');
  const name = text.slice(0, open);
  if (open <= 0 || !/^\w+$/.test(name)) return undefined;
  const args: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfQuoted(text, at);
      if (at === -1) return undefined;
    } else if (code === LESS && isDescriptor(text, at)) {
      at = text.indexOf('>', at);
      if (at === -1) return undefined;
    } else if (code === COMMA && depth === 0) {
      args.push(text.slice(from, at).trim());
      from = at + 1;
    } else if (OPENING.has(code)) depth++;
    else if (code === CLOSE && depth === 0) {
      const last = text.slice(from, at).trim();
      if (last !== '' || args.length > 0) args.push(last);
      const result = parseResult(text, at + 1);
      return result === undefined ? undefined : { name, args, result: result === 'none' ? undefined : result };
    } else if (CLOSING.has(code)) depth--;
  }
  return undefined;
}

const [QUOTE, LESS, COMMA, CLOSE, BACKSLASH] = [0x22, 0x3c, 0x2c, 0x29, 0x5c];
const OPENING = new Set(Array.from('([{', (one) => one.charCodeAt(0)));
const CLOSING = new Set(Array.from(')]}', (one) => one.charCodeAt(0)));

/** Whether a `<` begins where a file descriptor leads, and is not part of `=>` or `<<`. */
function isDescriptor(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  return (before >= 0x30 && before <= 0x39) || text.startsWith('AT_FDCWD', at - 8);
}

function endOfQuoted(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return -1;
}

function parseResult(text: string, at: number): CallResult | 'none' | undefined {
  const rest = text.slice(at);
  const found = RESULT.exec(rest);
  if (found === null) return undefined;
  const [all, value = '', error] = found;
  if (value === '?') return 'none';
  const path =
    rest[all.length] === '<' ? unescaped(rest.slice(all.length + 1, rest.indexOf('>', all.length))) : undefined;
  return {
    value: Number(value),
    ...(error === undefined ? {} : { error }),
    ...(path === undefined ? {} : { path }),
  };
}

/** The text of a quoted argument; undefined for what is none: `NULL`, an address, a text that was cut. */
export function quotedText(arg: string | undefined): string | undefined {
  if (arg === undefined || arg.length < 2 || !arg.startsWith('"') || !arg.endsWith('"')) return undefined;
  return unescaped(arg.slice(1, -1));
}

/** Where a file descriptor argument leads. */
export function descriptorPath(arg: string | undefined): string | undefined {
  const start = arg === undefined ? null : DESCRIPTOR.exec(arg);
  if (arg === undefined || start === null) return undefined;
  const end = arg.indexOf('>', start[0].length);
  return end === -1 ? undefined : unescaped(arg.slice(start[0].length, end));
}

const LETTERS: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, a: 7, b: 8, e: 27 };

/** Undoes C's escapes; what they make are bytes of UTF-8. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char !== '\\') {
      bytes.push(text.charCodeAt(at));
      continue;
    }
    const number = /^(?:[0-7]{1,3}|x[0-9a-f]{2})/.exec(text.slice(at + 1, at + 4))?.[0];
    if (number === undefined) {
      const next = text.charAt(++at);
      bytes.push(LETTERS[next] ?? next.charCodeAt(0));
    } else {
      bytes.push(number.startsWith('x') ? Number.parseInt(number.slice(1), 16) : Number.parseInt(number, 8) & 0xff);
      at += number.length;
    }
  }
  return Buffer.from(bytes).toString('utf8');
}
