import type { Diagnostic } from '@dag/model';

/**
 * A diagnostic as text, without colour: `file:line:column: message`, the source line, a caret under the place, the hint.
 */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { file, span, message, sourceLine, hint } = diagnostic;
  const lines = [`${file}${span ? `:${span.line}:${span.column}` : ''}: ${message}`];
  if (span && sourceLine !== undefined && sourceLine.trim() !== '') {
    const before = [...sourceLine].slice(0, span.column - 1);
    const indent = before.map((c) => (c === '\t' ? '\t' : ' '.repeat(columns(c)))).join('');
    const marked = [...sourceLine].slice(span.column - 1, span.column - 1 + span.length);
    const width = Math.max(
      1,
      marked.reduce((sum, c) => sum + columns(c), 0),
    );
    lines.push(`  ${sourceLine}`, `  ${indent}${'^'.repeat(width)}`);
  }
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join('\n');
}

/** Terminal columns of one code point: two for East Asian wide ones, none for combining marks. */
function columns(character: string): number {
  if (/\p{Mn}/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u.test(
    character,
  )
    ? 2
    : 1;
}
