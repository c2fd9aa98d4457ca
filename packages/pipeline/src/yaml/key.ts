import type { Scalar } from './node.ts';

/** Equal for keys that are one key to Python: 1, 1.0 and true are. */
export function keyIdentity(key: Scalar): string {
  if (typeof key === 'string') return `"${key}`;
  if (key === null) return 'null';
  const number = typeof key === 'boolean' ? Number(key) : key;
  if (typeof number === 'number' && Number.isInteger(number)) return String(BigInt(number));
  return String(number);
}
