import { explain } from './full/explain.ts';
import { lineOf } from './full/lines.ts';
import { parseTokens } from './full/parser.ts';
import type { SyntaxProblem } from './full/problem.ts';
import { Scanner } from './full/scanner.ts';
import { Broken } from './full/token.ts';
import type { Node } from './node.ts';

/** How many mistakes of one text are looked for. */
const MISTAKES = 20;

/**
 * Reads any YAML as DVC's reader does. Of a text that is no YAML it names each mistake once: behind the first it reads on
 * as if the entry with the mistake were not there.
 */
export function readFull(text: string): { root: Node | undefined; problems: readonly SyntaxProblem[] } {
  const found: SyntaxProblem[] = [];
  let rest = text;
  while (found.length < MISTAKES) {
    const scanner = new Scanner(rest);
    try {
      const { root, problems } = parseTokens(scanner);
      if (found.length === 0) return { root, problems };
      found.push(...problems.filter((problem) => !namesWhatIsGone(text, problem)));
      break;
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      const problem = explain(rest, error, scanner.recent);
      found.push(problem);
      const begin = error.code === 'block-indent' ? error.from : problem.at;
      const without = blank(rest, (begin ?? problem.at).start, error.code === 'tab');
      if (without === rest) break;
      rest = without;
    }
  }
  return { root: undefined, problems: found };
}

/** The text without the lines of the entry that begins on an offset's line: spaces take their place. */
function blank(text: string, offset: number, tabs: boolean): string {
  if (tabs) return text.replace(/^ *\t.*$/gm, (line) => ' '.repeat(line.length));
  const { start, text: first } = lineOf(text, Math.min(offset, text.trimEnd().length));
  const indent = first.search(/\S/);
  let end = start + first.length;
  while (end < text.length) {
    const line = lineOf(text, end + 1);
    const column = line.text.search(/\S/);
    if (column !== -1 && column <= indent) break;
    end = line.end;
  }
  return text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, ' ') + text.slice(end);
}

/** Whether a problem is about an alias whose anchor stands in a part that could not be read. */
function namesWhatIsGone(text: string, { at }: SyntaxProblem): boolean {
  return text[at.start] === '*' && text.includes(`&${text.slice(at.start + 1, at.end)}`);
}
