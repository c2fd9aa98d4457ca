import type { NumberArray } from './rows.ts';

export interface BatchOptions {
  /** Rows of a batch. */
  readonly size: number;
  /** How often all rows are gone through. Default: 1. */
  readonly epochs?: number;
  /**
   * A seed: each epoch has an order of its own that the seed decides. Without it, rows come as they stand. Rows that can be
   * read in any order are shuffled as a whole (4 bytes of memory a row); of a stream, so many as its `buffer` says.
   */
  readonly shuffle?: number;
  /** What becomes of the rows at the end of an epoch that don't fill a batch. Default: `keep`, as a smaller batch. */
  readonly last?: 'keep' | 'drop';
  /** Where to begin, as the `next` of an earlier batch said: all batches are then as they would have been. */
  readonly startAt?: Position;
  /** How many batches are read ahead while one is in use. Default: 2. */
  readonly prefetch?: number;
  /** Ends it by an exception, before the next batch. */
  readonly signal?: AbortSignal;
}

/** A batch's place. Both count from 1. */
export interface Position {
  readonly epoch: number;
  readonly batch: number;
}

/** Rows that are used together, by the names that they were given. */
export interface Batch<Name extends string = string> extends Position {
  /** How many rows it has. */
  readonly size: number;
  readonly data: Readonly<Record<Name, NumberArray>>;
  /** What comes after it; belongs into a checkpoint. */
  readonly next: Position;
}
