import { ENDS, type Reader, SPACES } from './reader.ts';
import { Broken } from './token.ts';

/** An anchor or alias, from its `&` or `*`: its name. */
export function scanAnchor(reader: Reader): string {
  const start = reader.pos++;
  const name = /[!-+\--Z\\^-z|~\u00a0-\ud7ff\ud800-\udfff\ue000-\ufefe\uff00-\ufffd]*/y;
  name.lastIndex = reader.pos;
  const text = name.exec(reader.text)?.[0] ?? '';
  reader.pos += text.length;
  const broken = text === '' || !`${SPACES},[]{}`.includes(reader.peek());
  // U+2028 and U+2029 end a line, and may stand in a name all the same.
  if (broken) throw new Broken('anchor', { start, end: Math.max(reader.pos, start + 1) });
  return text;
}

/** A tag, from its `!`: its handle, and what follows. */
export function scanTag(reader: Reader): { handle: string | undefined; text: string } {
  const start = reader.pos;
  const fail = (): never => {
    throw new Broken('tag', { start, end: Math.max(reader.pos, start + 1) });
  };
  let handle: string | undefined = reader.peek(1) === '!' ? '!!' : '!';
  if (handle === '!!') reader.pos++;
  let text: string;
  if (reader.peek(1) === '<') {
    handle = undefined;
    reader.pos += 2;
    text = scanUri(reader) ?? fail();
    if (reader.peek() !== '>') fail();
    reader.pos++;
  } else if (SPACES.includes(reader.peek(1))) {
    text = handle;
    handle = undefined;
    reader.pos++;
  } else {
    const rest = reader.text.slice(reader.pos + 1).match(/^[^ \r\n\u0085\u2028\u2029!]*!/);
    if (rest === null) reader.pos++;
    else handle = scanHandle(reader) ?? fail();
    text = scanUri(reader) ?? fail();
  }
  const after = reader.peek();
  if (after !== ' ' && !ENDS.includes(after)) fail();
  return { handle, text };
}

function scanHandle(reader: Reader): string | undefined {
  const handle = /!(?:(?= )|[0-9A-Za-z_-]*!)/y;
  handle.lastIndex = reader.pos;
  const text = handle.exec(reader.text)?.[0];
  reader.pos += text?.length ?? 0;
  return text;
}

function scanUri(reader: Reader): string | undefined {
  const uri = /(?:[0-9A-Za-z\-;/?:@&=+$,_.!~*'()[\]#]|%[0-9a-fA-F]{2})+/y;
  uri.lastIndex = reader.pos;
  const text = uri.exec(reader.text)?.[0];
  if (text === undefined || reader.text[uri.lastIndex] === '%') return undefined;
  reader.pos = uri.lastIndex;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** A directive, from its `%`, with its line: `%TAG` gives what it declares, other ones nothing. */
export function scanDirective(reader: Reader): { handle: string; text: string } | undefined {
  const start = reader.pos++;
  const fail = (): never => {
    throw new Broken('directive', { start, end: Math.max(reader.pos, start + 1) });
  };
  const name = /[-0-9A-Za-z_:.]+(?=[ \r\n\u0085\u2028\u2029]|$)/y;
  name.lastIndex = reader.pos;
  const word = name.exec(reader.text)?.[0] ?? fail();
  reader.pos += word.length;
  let declared: { handle: string; text: string } | undefined;
  if (word === 'YAML') {
    reader.skip(' ');
    const version = /^(\d+)\.(\d+)(?=[ \r\n\u0085\u2028\u2029]|$)/.exec(reader.text.slice(reader.pos));
    if (version === null) return fail();
    reader.pos += version[0].length;
    if (version[0] !== '1.2') throw new Broken('version', { start, end: reader.pos });
    declared = { handle: 'YAML', text: version[0] };
  } else if (word === 'TAG') {
    reader.skip(' ');
    const handle = scanHandle(reader) ?? fail();
    if (reader.peek() !== ' ') fail();
    reader.skip(' ');
    declared = { handle, text: scanUri(reader) ?? fail() };
    if (reader.peek() !== ' ' && !ENDS.includes(reader.peek())) fail();
  } else reader.skipLine();
  reader.skip(' ');
  if (reader.peek() === '#') reader.skipLine();
  if (!ENDS.includes(reader.peek())) fail();
  reader.lineBreak();
  return declared;
}
