import type { Value } from '@dag/model';
import { resolvePlain } from './scalar.ts';

/** Text that stands for itself unquoted, in block and flow style, on one line. */
const PLAIN =
  /^(?![-?:](?:\s|$)|---|\.\.\.)[\p{L}\p{N}_./$+(^~=;<\\-](?:[\p{L}\p{N}_./$+()^~=;<>|*&!?@%\\'" -]|:(?![\s,[\]{}]|$))*$/u;

/** A key of a map, quoted where it must be. */
export function yamlKey(key: string): string {
  return key.length > 0 && key.length < 100 && isPlain(key) ? key : quote(key);
}

/** A scalar on one line, quoted where it would else be read as something different. */
export function yamlScalar(value: Exclude<Value, object> | null): string {
  if (typeof value === 'string') return isPlain(value) ? value : quote(value);
  if (value === null) return 'null';
  if (typeof value === 'number') return yamlNumber(value);
  return String(value);
}

function isPlain(text: string): boolean {
  if (text === '<<' || text === '=') return false;
  return PLAIN.test(text) && !text.endsWith(' ') && typeof resolvePlain(text).value === 'string' && !/ #/.test(text);
}

/** A number; large whole ones with an exponent, so that they are not read as exact integers. */
function yamlNumber(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return value.toExponential();
  return Object.is(value, -0) ? '0' : String(value);
}

/** Single quotes where they do, double quotes with escapes for what can't stand on a line. */
function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those must be escaped
  if (!/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]/.test(text)) {
    return `'${text.replaceAll("'", "''")}'`;
  }
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
