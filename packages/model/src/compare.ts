/** Order by UTF-16 code unit, the same on every machine and in every locale. For Array.prototype.sort. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A copy of a map or record's entries, sorted by key by code unit. */
export function sortedEntries<T>(entries: Iterable<readonly [string, T]>): [string, T][] {
  return Array.from(entries, ([key, value]): [string, T] => [key, value]).sort((a, b) => byCodeUnit(a[0], b[0]));
}
