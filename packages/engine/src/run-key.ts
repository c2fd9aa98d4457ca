import { digestHex, type Fingerprint, fingerprintText, parseRunKey, type RunKey } from '@dag/model';
import { hashBytes } from '@dag/store';

/** The run key of a fingerprint: the BLAKE3 hash of its canonical text. */
export function runKey(fingerprint: Fingerprint): RunKey {
  const key = parseRunKey(digestHex(hashBytes(new TextEncoder().encode(fingerprintText(fingerprint)))));
  if (key === undefined) throw new Error('a digest is always a run key');
  return key;
}
