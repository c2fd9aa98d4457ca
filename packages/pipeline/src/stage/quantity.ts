import type { Node } from '../yaml/node.ts';

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Bytes: a number, or text like `8GB` (powers of 1000) or `512MiB` (powers of 1024). */
export function readBytes(node: Node): number | undefined {
  if (node.kind !== 'scalar') return undefined;
  if (typeof node.value === 'number') return Math.round(node.value);
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(node.value));
  const unit = match ? SIZES[(match[2] ?? '').toLowerCase()] : undefined;
  return unit === undefined ? undefined : Math.round(Number(match?.[1]) * unit);
}

/** Milliseconds: a number of seconds, or text like `90s`, `30m`, `1h30m`. */
export function readDuration(node: Node): number | undefined {
  if (node.kind !== 'scalar') return undefined;
  if (typeof node.value === 'number') return Math.round(node.value * 1000);
  const text = String(node.value).replaceAll(' ', '');
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(count) * (TIMES[unit ?? ''] ?? 0);
  return Math.round(total);
}
