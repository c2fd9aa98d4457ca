import type { SyntaxProblem } from './full/problem.ts';
import { readFull } from './full.ts';
import type { Node } from './node.ts';
import { readQuick } from './quick.ts';

export type { SyntaxProblem } from './full/problem.ts';

/** Characters that no YAML file may hold; they are the mark of a binary or damaged file. */
const FORBIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * Reads a YAML text into a tree with offsets, as DVC reads it. An empty text has no root, and neither has one with
 * problems that make it no YAML.
 */
export function parseYaml(text: string): { root: Node | undefined; problems: readonly SyntaxProblem[] } {
  const conflict = /^(?:<{7}|>{7}|\|{7})(?: .*)?$/m.exec(text);
  if (conflict) {
    const at = { start: conflict.index, end: conflict.index + conflict[0].trimEnd().length };
    const hint = 'settle the merge conflict and take the markers out';
    return { root: undefined, problems: [{ at, message: 'a conflict marker of git', hint, conflict: true }] };
  }
  const forbidden = FORBIDDEN.exec(text);
  if (forbidden) {
    const code = forbidden[0].charCodeAt(0).toString(16).padStart(2, '0');
    const at = { start: forbidden.index, end: forbidden.index + 1 };
    return {
      root: undefined,
      problems: [{ at, message: `the character U+${code.padStart(4, '0')} can't stand in YAML` }],
    };
  }
  const quick = readQuick(text);
  if (quick !== undefined) return { root: quick.root, problems: [] };
  return readFull(text);
}
