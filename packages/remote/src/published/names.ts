/** What is where a storage can't be asked: the names of all that is under a prefix, as a writer last saw them. */
export interface Names {
  /** When, in milliseconds since 1970, by the clock of that writer. */
  readonly at: number;
  /** The newest first, where that is known. */
  readonly names: readonly string[];
}

/** Names beyond this are not published: a reader would have to read them all to find one. */
export const NAMES_AT_MOST = 1 << 18;
/** No honest list of names is larger, in bytes. */
export const NAMES_LIMIT = 64 * 1024 * 1024;

export function encodeNames({ at, names }: Names): Buffer {
  return Buffer.from(`${JSON.stringify({ at, names })}\n`);
}

/** @param form what each name must look like: others are left out. */
export function decodeNames(bytes: Uint8Array, form: RegExp): Names | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { at, names } = value as { at?: unknown; names?: unknown };
  if (typeof at !== 'number' || !Number.isFinite(at) || !Array.isArray(names)) return undefined;
  const good = names.slice(0, NAMES_AT_MOST).filter((name): name is string => typeof name === 'string');
  return { at, names: good.filter((name) => form.test(name)) };
}
