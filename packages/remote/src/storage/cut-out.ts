import type { GetOptions, Reading } from './storage.ts';

/** A part of an object that comes whole. */
export function cutOut(all: Reading, { start, length }: NonNullable<GetOptions['range']>): Reading {
  const size = Math.max(0, Math.min(length, all.size - start));
  return { size, body: part() };

  async function* part(): AsyncGenerator<Uint8Array> {
    let at = 0;
    for await (const chunk of all.body) {
      const from = Math.max(0, start - at);
      const to = Math.min(chunk.length, start + size - at);
      if (from < to) yield chunk.subarray(from, to);
      at += chunk.length;
      if (at >= start + size) return;
    }
  }
}
