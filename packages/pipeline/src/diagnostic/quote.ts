import type { Node } from '../yaml/node.ts';

const LONGEST = 60;

/**
 * A word that a user wrote, as it stands in messages: in single quotes, cut where it is long, what a terminal would obey
 * or not show written as an escape.
 */
export function quote(word: string | number | bigint | boolean | null): string {
  const text = visible(String(word));
  const letters = [...text];
  return `'${letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join('')}…` : text}'`;
}

/** Text with control characters, line ends and marks of direction written as escapes: none can act on a terminal. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) =>
    character === '\n' ? '\\n' : character === '\t' ? '\\t' : `\\u${hex(character)}`,
  );
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0');
}

/** A value in the user's words. */
export function say(node: Node): string {
  if (node.kind === 'seq') return 'a list';
  if (node.kind === 'map') return 'a map';
  if (node.value === null) return 'empty';
  if (typeof node.value === 'string') return `the string ${quote(node.value)}`;
  return typeof node.value === 'boolean' ? `${node.value}` : `the number ${node.value}`;
}
