import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Loads a package with compiled code when it is first needed: most verbs never do, and a platform that has no prebuilt
 * binary of it is served without.
 * @returns undefined where it can't be loaded.
 */
export function loadNative(name: string): unknown {
  try {
    return require(name) as unknown;
  } catch {
    return undefined;
  }
}
