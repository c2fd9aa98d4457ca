import { readFull, type SyntaxProblem } from './full.ts';
import type { Node } from './node.ts';
import { readQuick } from './quick.ts';

export type { SyntaxProblem } from './full.ts';

/** Characters that no YAML file may hold; they are the mark of a binary or damaged file. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/;

/** Reads a YAML text into a tree with offsets. An empty text has no root. With problems the tree is what could be made out. */
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
  const lone = /\r(?!\n)/.exec(text);
  if (lone) {
    const at = { start: lone.index, end: lone.index + 1 };
    return {
      root: undefined,
      problems: [{ at, message: 'a carriage return that ends no line', hint: 'save with LF line ends' }],
    };
  }
  const quick = readQuick(text);
  if (quick !== undefined) return { root: quick.root, problems: [] };
  return readFull(text);
}
