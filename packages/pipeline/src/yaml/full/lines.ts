/** Column of an offset, from 0. */
export function columnOf(text: string, offset: number): number {
  return offset - lineOf(text, offset).start;
}

/** The line that an offset is on. */
export function lineOf(text: string, offset: number): { start: number; end: number; text: string } {
  const start = offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.indexOf('\n', offset);
  const end = newline === -1 ? text.length : newline;
  return { start, end, text: text.slice(start, end) };
}
