import { formatFloat, type Node, type Scalar } from '@dag/pipeline';

/** A value as DVC's tables show it, which is how Python does: `0.5`, `1.0`, `True`, `[1, 'a']`. */
export function pythonText(node: Node, precision?: number): string {
  if (node.kind !== 'scalar') return reprOf(node);
  if (typeof node.value === 'string') return node.value;
  const { value, float } = node;
  if (typeof value === 'number' && float && precision !== undefined) return formatFloat(rounded(value, precision));
  return reprOf(node);
}

/** Python's `repr`. */
export function reprOf(node: Node): string {
  if (node.kind === 'seq') return `[${node.items.map(reprOf).join(', ')}]`;
  if (node.kind === 'map') {
    return `{${node.entries.map(({ key, value }) => `${reprOf(key)}: ${reprOf(value)}`).join(', ')}}`;
  }
  if (typeof node.value === 'number' && node.float) return formatFloat(node.value);
  return scalarRepr(node.value);
}

function scalarRepr(value: Scalar): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' ? quoted(value) : String(value);
}

function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}'"]/gu, (character) => {
    if (character === "'" || character === '"') return character === mark ? `\\${character}` : character;
    return ESCAPES[character] ?? escaped(character.codePointAt(0) ?? 0);
  });
  return `${mark}${inner}${mark}`;
}

const ESCAPES: { readonly [character: string]: string } = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(code: number): string {
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** A number with so many digits behind the point, as Python rounds: by its exact value, a tie to the even digit. */
export function rounded(value: number, digits: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) return value;
  const exact = Math.abs(value).toFixed(100);
  const point = exact.indexOf('.');
  const kept = exact.slice(0, point + 1 + digits);
  const isTie = /^50*$/.test(exact.slice(point + 1 + digits));
  const isEven = /[02468]\.?$/.test(kept);
  const text = isTie && isEven ? kept : Math.abs(value).toFixed(digits);
  return value < 0 ? -Number(text) : Number(text);
}
