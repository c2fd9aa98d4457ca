import { digestHex, type Fingerprint, fingerprintText, parseRunKey, type RunKey } from '@dag/model';
import { hashBytes } from '@dag/store';

/** A fingerprint as it is kept, and its name. */
export interface NamedFingerprint {
  readonly text: string;
  /** The BLAKE3 hash of the text. */
  readonly key: RunKey;
}

const named = new WeakMap<Fingerprint, NamedFingerprint>();

/** The canonical text of a fingerprint with its run key, which are asked for several times for a stage that runs. */
export function nameFingerprint(fingerprint: Fingerprint): NamedFingerprint {
  const known = named.get(fingerprint);
  if (known !== undefined) return known;
  const text = fingerprintText(fingerprint);
  const key = parseRunKey(digestHex(hashBytes(Buffer.from(text))));
  if (key === undefined) throw new Error('a digest is always a run key');
  const name = { text, key };
  named.set(fingerprint, name);
  return name;
}

/** The run key of a fingerprint: the BLAKE3 hash of its canonical text. */
export function runKey(fingerprint: Fingerprint): RunKey {
  return nameFingerprint(fingerprint).key;
}
