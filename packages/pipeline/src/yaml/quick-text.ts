import { ESCAPES } from './escapes.ts';

/** Thrown where a text leaves the part of YAML that the quick reader knows. */
export class Unusual extends Error {}

/** The text between quotes: lines folded, escapes resolved. `double` says which quotes. */
export function quotedText(inner: string, double: boolean): string {
  if (!inner.includes('\n')) return double ? unescapeText(inner) : inner.replaceAll("''", "'");
  const lines = inner.split(/\r?\n/);
  let value = '';
  let breaks = 0;
  let joined = false;
  lines.forEach((whole, i) => {
    let line = i === 0 ? whole : whole.replace(/^[ \t]+/, '');
    const last = i === lines.length - 1;
    const escapedBreak = double && !last && /(?:^|[^\\])(?:\\\\)*\\$/.test(line);
    if (escapedBreak) line = line.slice(0, -1);
    else if (!last) {
      if (double && /\\[ \t]+$/.test(line)) throw new Unusual();
      line = line.replace(/[ \t]+$/, '');
    }
    if (i > 0 && line === '' && !last && !escapedBreak) {
      breaks++;
      return;
    }
    if (i > 0) value += breaks > 0 ? '\n'.repeat(breaks) : joined ? '' : ' ';
    value += double ? unescapeText(line) : line.replaceAll("''", "'");
    breaks = 0;
    joined = escapedBreak;
  });
  return value;
}

function unescapeText(inner: string): string {
  if (!inner.includes('\\')) return inner;
  return inner.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g, (_, code: string) => {
    const simple = ESCAPES[code];
    if (simple !== undefined) return simple;
    const point = code.length > 1 ? Number.parseInt(code.slice(1), 16) : Number.NaN;
    if (!(point <= 0x10ffff)) throw new Unusual();
    return String.fromCodePoint(point);
  });
}

/** Joins the lines of a block scalar: breaks kept (`|`) or folded to spaces (`>`), and the end chomped. */
export function blockText(lines: readonly string[], folded: boolean, chomp: string, lastBreak: boolean): string {
  let count = lines.length;
  while (count > 0 && lines[count - 1] === '') count--;
  const blanks = lines.length - count;
  let body = '';
  if (!folded) body = lines.slice(0, count).join('\n');
  else {
    let gap = 0;
    let previousMore = false;
    for (let i = 0; i < count; i++) {
      const line = lines[i] as string;
      if (line === '') {
        gap++;
        continue;
      }
      const more = line.startsWith(' ') || line.startsWith('\t');
      const first = i === gap;
      if (first) body += '\n'.repeat(gap);
      else if (more || previousMore) body += '\n'.repeat(gap + 1);
      else body += gap === 0 ? ' ' : '\n'.repeat(gap);
      body += line;
      previousMore = more;
      gap = 0;
    }
  }
  if (chomp === '-') return body;
  if (chomp === '+') return body + (count > 0 ? '\n' : '') + '\n'.repeat(blanks);
  return count > 0 && (lastBreak || blanks > 0) ? `${body}\n` : body;
}
