import { styleText } from 'node:util';

export type Paint = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** Text in a colour, where colour is wanted. */
export function paint(style: Paint, text: string, wanted: boolean): string {
  if (!wanted) return text;
  // Node decides by itself whether a stream takes colour where it can; here the caller has decided.
  return styleText(style, text, { validateStream: false } as never);
}
