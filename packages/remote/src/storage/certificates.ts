import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { StorageError } from './problem.ts';

/**
 * Certificate authorities of the user's own, beside Node's; undefined for Node's alone.
 * @param names the variables that may name a file of them, the strongest first.
 */
export function certificates(
  env: Readonly<Record<string, string | undefined>>,
  ...names: readonly string[]
): string[] | undefined {
  const name = names.find((one) => (env[one] ?? '') !== '');
  if (name === undefined) return undefined;
  try {
    return [...rootCertificates, readFileSync(env[name] as string, 'utf8')];
  } catch {
    throw new StorageError('tls', `${name} names ${env[name]}, which can not be read`, { transient: false });
  }
}
