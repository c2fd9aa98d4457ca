import { columnsOf } from '@dag/pipeline';
import { padColumns, plainLine } from './width.ts';

/** So much wider than its header is a column at least. */
const ROOM = 2;

/** A table as lines: columns two spaces apart, or in Markdown as GitHub reads it. Without rows there is nothing to show. */
export function tableLines(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  { markdown = false }: { readonly markdown?: boolean } = {},
): string[] {
  if (rows.length === 0) return [];
  const headers = titles.map((title) => oneLine(title, markdown));
  const cells = rows.map((row) => row.map((cell) => oneLine(cell, markdown)));
  const widths = headers.map((header, i) =>
    Math.max(columnsOf(header) + ROOM, ...cells.map((row) => columnsOf(row[i] ?? ''))),
  );
  const padded = (row: readonly string[]): string[] => widths.map((width, i) => padColumns(row[i] ?? '', width));
  if (!markdown) return [headers, ...cells].map((row) => padded(row).join('  ').trimEnd());
  const ruler = widths.map((width) => '-'.repeat(width + 2));
  const line = (row: readonly string[]): string => `| ${padded(row).join(' | ')} |`;
  return [line(headers), `|${ruler.join('|')}|`, ...cells.map(line), ''];
}

/** A cell takes one line, and holds nothing that ends it or the cell, or that a terminal would obey. */
function oneLine(cell: string, markdown: boolean): string {
  const flat = plainLine(cell.replaceAll(/[\n\r\u2028\u2029]+/g, ' '));
  return markdown ? flat.replaceAll('|', '\\|') : flat;
}
