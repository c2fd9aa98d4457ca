import type { ParsingSettings } from '../pipeline.ts';
import type { Node, ScalarNode } from '../yaml/node.ts';

/** A number as Python writes a float: `1.0`, `1e-05`, `1e+20`, `inf`. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '0', power = '0'] = Math.abs(value).toExponential().split('e');
  const exponent = Number(power);
  const digits = mantissa.replace('.', '');
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** A scalar inside a longer text: null is `None`, booleans are `true` and `false`, floats keep their point. */
export function formatScalar(node: ScalarNode): string {
  const { value } = node;
  if (value === null) return 'None';
  if (typeof value === 'number') return node.float ? formatFloat(value) : String(value);
  return String(value);
}

/** A scalar as it names a generated stage, when it came from a file or vars: booleans are `True` and `False`. */
export function formatName(node: ScalarNode): string {
  if (typeof node.value === 'boolean') return node.value ? 'True' : 'False';
  return formatScalar(node);
}

/** A word for a POSIX shell, quoted where it needs to be. */
export function shellQuote(word: string): string {
  if (word === '') return "''";
  return /[^\w@%+=:,./-]/.test(word) ? `'${word.replaceAll("'", `'"'"'`)}'` : word;
}

/** A map can't be unpacked: a list in it holds a list or map. The key says where. */
export class UnpackProblem extends Error {}

/** A map as command-line flags: `--a 1 --b.c 'x y' --flag`. Throws an UnpackProblem. */
export function formatFlags(map: Node & { kind: 'map' }, parsing: ParsingSettings): string {
  const words: string[] = [];
  for (const [key, node] of flatten(map, '')) {
    if (node.kind === 'seq') {
      node.items.forEach((item, i) => {
        if (item.kind !== 'scalar') throw new UnpackProblem(key);
        const word = typeof item.value === 'string' ? shellQuote(item.value) : formatName(item);
        words.push(parsing.list === 'append' || i === 0 ? `--${key} ${word}` : word);
      });
    } else if (node.kind === 'scalar') {
      if (node.value === true) words.push(`--${key}`);
      else if (node.value === false) {
        if (parsing.bool === 'boolean_optional') words.push(`--no-${key}`);
      } else words.push(`--${key} ${typeof node.value === 'string' ? shellQuote(node.value) : formatScalar(node)}`);
    }
  }
  return words.join(' ');
}

/** Leaves and lists of nested maps by dotted key; empty maps and keys that are not text are left out. */
function* flatten(map: Node & { kind: 'map' }, prefix: string): Generator<[string, Node]> {
  for (const entry of map.entries) {
    if (typeof entry.key.value !== 'string') continue;
    const key = prefix === '' ? entry.key.value : `${prefix}.${entry.key.value}`;
    if (entry.value.kind === 'map') yield* flatten(entry.value, key);
    else yield [key, entry.value];
  }
}
