import type { Scalar } from './node.ts';

const INT = /^[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** The value of a plain scalar, and whether it is a float. */
export interface Resolved {
  readonly value: Scalar;
  readonly float: boolean;
}

/**
 * What a plain scalar means: YAML 1.2 as DVC's reader (ruamel.yaml) has it. `yes` and `017:30` are text, 017 is 17,
 * 0o17 is 15, 1_000 is 1000; integers keep all their digits. Dates stay text.
 */
export function resolvePlain(text: string): Resolved {
  switch (text) {
    case '':
    case '~':
    case 'null':
    case 'Null':
    case 'NULL':
      return { value: null, float: false };
    case 'true':
    case 'True':
    case 'TRUE':
      return { value: true, float: false };
    case 'false':
    case 'False':
    case 'FALSE':
      return { value: false, float: false };
  }
  const first = text.charCodeAt(0);
  const numeric = (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46;
  if (!numeric) return { value: text, float: false };
  if (FLOAT.test(text)) {
    const value = floatValue(text);
    if (value !== undefined) return { value, float: true };
  }
  if (INT.test(text)) {
    const value = intValue(text);
    if (value !== undefined) return { value, float: false };
  }
  return { value: text, float: false };
}

function intValue(text: string): number | bigint | undefined {
  const negative = text.startsWith('-');
  let digits = text.replace(/^[-+]/, '').replaceAll('_', '');
  if (digits === '' || /^0[box]$/.test(digits)) return undefined;
  if (/^0\d/.test(digits)) digits = digits.replace(/^0+(?=\d)/, '');
  const small = Number(digits);
  if (Number.isSafeInteger(small)) return negative && small !== 0 ? -small : small;
  const large = BigInt(digits);
  return negative ? -large : large;
}

function floatValue(text: string): number | undefined {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (plain.endsWith('.inf')) return plain.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (plain === '.nan') return Number.NaN;
  return /\d/.test(plain.replace(/e.*/, '')) ? Number(plain) : undefined;
}
