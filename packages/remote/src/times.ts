/** The times that FORMAT.md fixes, in milliseconds. They hold for all who use a remote: tests alone have others. */
export interface Times {
  /** No index is put when what it relies on was seen, or its packs were begun, longer ago. */
  readonly trust: number;
  /** What was marked for removal this long ago may be removed; more than twice `trust`, less one request, is too little. */
  readonly grace: number;
  /** What others pushed is kept by every collector for so long. */
  readonly roots: number;
  /** An index that was replaced is removed when the one that replaces it is older than this: no reader with an old list misses it. */
  readonly replaced: number;
  /** What was read of the index longer ago is not merged. */
  readonly fresh: number;
}

const HOUR = 60 * 60 * 1000;

export const TIMES: Times = {
  trust: 12 * HOUR,
  grace: 24 * HOUR,
  roots: 14 * 24 * HOUR,
  replaced: HOUR,
  fresh: HOUR / 6,
};
