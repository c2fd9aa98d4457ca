import { columnsOf } from '@dag/pipeline';

/** As much of a text as fits into so many columns; what was cut shows as an ellipsis. */
export function fitColumns(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let fitting = '';
  let left = columns - 1;
  for (const character of text) {
    left -= columnsOf(character);
    if (left < 0) break;
    fitting += character;
  }
  return columns < 1 ? '' : `${fitting}…`;
}

/** A text filled up with spaces to so many columns. */
export function padColumns(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

/** What a line of output shows at last: behind the last carriage return, without anything that a terminal would obey. */
export function plainLine(line: string): string {
  const shown = line.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  return (
    shown
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
      .replaceAll(/\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?/g, '')
      .replaceAll('\t', ' ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
      .replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '')
      .trim()
  );
}
