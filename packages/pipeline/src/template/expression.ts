const TEMPLATE = /(?<!\\)\$\{([^\n]*?)\}/g;
const EXPRESSION = /^[^.[\]]+(?:\s*\.[^.[\]]+|\s*\[[^.[\]]+\s*\])*\s*$/;

/** One `${…}` in a text. */
export interface Template {
  /** As written, with its braces. */
  readonly text: string;
  readonly inner: string;
  readonly index: number;
}

/** All `${…}` of a text. `\${` is not one, nor is `${` without an end on the same line. */
export function findTemplates(text: string): Template[] {
  if (!text.includes('${')) return [];
  return Array.from(text.matchAll(TEMPLATE), (match) => ({
    text: match[0],
    inner: match[1] ?? '',
    index: match.index,
  }));
}

export function hasTemplate(text: string): boolean {
  return findTemplates(text).length > 0;
}

/** What is wrong with an expression; undefined when it is well formed: `a.b`, `a[0].b`, `a[-1]`. */
export function expressionProblem(inner: string): string | undefined {
  if (EXPRESSION.test(inner)) return undefined;
  if (inner.trim() === '') return 'nothing stands between the braces';
  if (/\[\s*\]/.test(inner)) return 'nothing stands between the brackets';
  const open = inner.split('[').length - inner.split(']').length;
  if (open > 0) return "a ']' is missing";
  if (open < 0) return "a '[' is missing";
  if (/^\s*\.|\.\s*\.|\.\s*$/.test(inner)) return 'a name is missing before or after a dot';
  return 'not a name: only names, dots and [index] can stand here';
}

/** The names that lead to a value. */
export function expressionPath(inner: string): string[] {
  return inner
    .replaceAll('[', '.')
    .replaceAll(']', '')
    .split('.')
    .map((part) => part.trim());
}

/** `\${` as it is meant to appear. */
export function unescapeTemplates(text: string): string {
  return text.replaceAll('\\${', '${');
}
