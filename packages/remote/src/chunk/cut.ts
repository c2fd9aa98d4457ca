import { Hasher } from 'gearhash-jit';
import { PIECE_MAX, PIECE_MIN } from '../format/limits.ts';

/** The upper 18 bits of the hash: a cut every 256 KiB, on average, of what is looked at. */
const MASK = 0xffff_c000_0000_0000n;
/** The hash depends on so many bytes before it and no others. */
const WINDOW = 64;
/** What is hashed in one go. */
const STEP = 64 * 1024;

let hasher: Hasher | undefined;

/**
 * Where the next piece of some content ends: after the first byte, from `PIECE_MIN` on, at which the gear hash of the 64 bytes
 * up to it has the upper 18 bits zero; else at `PIECE_MAX` or the content's end. So the same content is cut alike wherever it
 * stands in a file, and an edit moves few cuts. This is part of the format's recommendations, not of what readers rely on.
 * @param content from the start of the piece; at least `PIECE_MAX` bytes of it, or all that is left.
 */
export function pieceLength(content: Uint8Array): number {
  const end = Math.min(content.length, PIECE_MAX);
  if (end <= PIECE_MIN) return end;
  hasher ??= new Hasher(MASK);
  hasher.resetHash();
  // What comes before the first possible cut is hashed only as far as that cut depends on it.
  for (let at = PIECE_MIN - WINDOW; at < PIECE_MIN - 1; ) {
    const match = hasher.nextMatch(content.subarray(at, PIECE_MIN - 1));
    at = match === -1 ? PIECE_MIN - 1 : at + match;
  }
  for (let at = PIECE_MIN - 1; at < end; at += STEP) {
    const match = hasher.nextMatch(content.subarray(at, Math.min(end, at + STEP)));
    if (match !== -1) return at + match;
  }
  return end;
}
