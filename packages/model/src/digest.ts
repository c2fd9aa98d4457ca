import type { Brand } from './brand.ts';

/** The name of an object: the algorithm and the hash of its content in lower-case hex, `blake3:<64 hex digits>`. */
export type Digest = Brand<string, 'Digest'>;

const FORM = /^blake3:[0-9a-f]{64}$/;

/** Reads a digest written as text; undefined where it is none that this version knows. */
export function parseDigest(text: string): Digest | undefined {
  return FORM.test(text) ? (text as Digest) : undefined;
}

/** The digest of a BLAKE3 hash (32 bytes, as 64 lower-case hex digits). Throws on anything else: that is a bug. */
export function blake3Digest(hex: string): Digest {
  const digest = parseDigest(`blake3:${hex}`);
  if (digest === undefined) throw new Error(`not a BLAKE3 hash: ${hex}`);
  return digest;
}

/** The 64 hex digits, without the algorithm: what file names and keys are made of. */
export function digestHex(digest: Digest): string {
  return digest.slice('blake3:'.length);
}
