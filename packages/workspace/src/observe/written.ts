import { innerFirst, type Standing } from './node.ts';

const NS_PER_MS = 1_000_000;

/** When a file that stands there, or in there, was last written, ms since 1970; undefined where nothing stands. */
export function writtenAt(standing: Standing): number | undefined {
  if (standing.kind === 'absent') return undefined;
  const all = standing.kind === 'file' ? [standing.facts] : [...innerFirst(standing.node)].map(({ facts }) => facts);
  let last = 0n;
  for (const facts of all) {
    for (let i = 0; i < facts.count; i++) {
      const written = facts.writtenNs(i);
      if (written > last) last = written;
    }
  }
  return Math.ceil(Number(last) / NS_PER_MS);
}
