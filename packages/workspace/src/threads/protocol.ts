import type { Failure, ObjectFailure } from '@dag/model';
import type { CheckPart, SharedIndex, Staged } from '@dag/store';
import type { LinkStrategy } from '../types.ts';

/** What a thread needs to know before its first job; plain data. */
export interface ThreadSetup {
  readonly storeDir: string;
  /** The stat cache's folder. */
  readonly statCache: string | undefined;
  readonly link: readonly LinkStrategy[];
  /** Indexes of packs that this process has read already. */
  readonly indexes?: readonly SharedIndex[];
}

/** What a thread is asked to do; `undefined` asks it to end. */
export type Request = { readonly id: number; readonly job: Job } | undefined;

/** Answers come as jobs end, which may be in another order. */
export interface Answer {
  readonly id: number;
  readonly result?: JobResult;
  readonly failure?: Failure;
  /** What went wrong in the program itself. */
  readonly bug?: string;
}

/** Work for one thread. `op` tells operations that run at the same time apart. */
export type Job =
  /** Digests of files; with `store`, their content is staged too. */
  | {
      readonly kind: 'scan';
      readonly op: number;
      readonly folder: string;
      /** The folder as the user knows it, for messages. */
      readonly shown: string;
      readonly names: readonly string[];
      /** Whether symlinks are followed. */
      readonly follow: boolean;
      readonly store: boolean;
      /** Whether the stat cache is worth opening; where it is open already it is asked anyway. */
      readonly statCache: boolean;
      /** Whether files go into the record of their folder: only large ones need one of their own, too. */
      readonly together: boolean;
    }
  /** Which files are others than records say. */
  | { readonly kind: 'compare'; readonly parts: readonly ComparePart[] }
  /** Files from the cache into `folder`: straight under their names, or first as temp files that `settle` renames. */
  | {
      readonly kind: 'place';
      readonly op: number;
      readonly folder: string;
      readonly shown: string;
      readonly names: readonly string[];
      /** 64 hex digits each, no space between. */
      readonly digests: string;
      readonly sizes: readonly number[];
      readonly executable: readonly boolean[];
      /** Folder for temp files; undefined when `folder` is private until it is renamed. */
      readonly temp: string | undefined;
      /** mtime (µs) of what each name may replace; NaN where nothing should stand. Only with `temp`. */
      readonly replaces: readonly number[];
      readonly force: boolean;
    }
  /** Renames what this thread placed as temp files, and records the stats of all it placed or scanned. */
  | { readonly kind: 'settle'; readonly op: number }
  /** Gives files, as a scan found them, the names of objects as second ones. */
  | {
      readonly kind: 'link';
      readonly op: number;
      readonly folder: string;
      readonly shown: string;
      readonly names: readonly string[];
      /** 32 bytes each. */
      readonly hashes: Uint8Array;
      /** See `StatColumns`. */
      readonly stats: BigInt64Array;
      /** Wall clock in ms when the commit began. */
      readonly since: number;
    }
  /** Turns files whose content is in the cache into links to it. */
  | {
      readonly kind: 'protect';
      readonly op: number;
      readonly folder: string;
      readonly temp: string;
      readonly names: readonly string[];
      readonly digests: string;
      /** Wall clock in ms when the commit began. */
      readonly since: number;
    }
  /** Hashes objects of the cache. */
  | { readonly kind: 'check'; readonly part: CheckPart }
  /** Hands over what was staged. */
  | { readonly kind: 'finish'; readonly op: number }
  /** Drops what was staged or placed as temp files. */
  | { readonly kind: 'discard'; readonly op: number };

/** Some files of a folder, and what is known of them. */
export interface ComparePart {
  readonly folder: string;
  readonly dev: number;
  /** A NUL between. */
  readonly names: string;
  /** See `StatColumns`. */
  readonly stats: BigInt64Array;
}

/** The columns of `FileFacts`. */
export interface ScanResult {
  readonly kind: 'scan';
  readonly stats: BigInt64Array;
  readonly hashes: Buffer;
  readonly flags: Uint8Array;
  /** Bytes of large files that were copied into the cache, and could have been linked. */
  readonly copiedBytes: number;
  /** Files, by index, that are to be objects by a link. */
  readonly toLink: readonly number[];
}

/** Columns of `FileFacts`: `KNOWN` is set for those that changed by being linked, and whose facts may be remembered. */
export interface LinkResult {
  readonly kind: 'link';
  /** Of the files. */
  readonly dev: bigint;
  readonly stats: BigInt64Array;
  readonly flags: Uint8Array;
}

export interface PlaceResult {
  readonly kind: 'place';
  readonly files: number;
  readonly bytes: number;
  readonly copiedBytes: number;
  readonly failed: readonly (ObjectFailure & { readonly missing: boolean })[];
  /** Columns of `FileFacts` for files in a private folder: `KNOWN` is set where they will do for the folder's record. */
  readonly stats: BigInt64Array;
  readonly flags: Uint8Array;
}

/** See `WorkOptions.onMended`; absolute. */
export interface Mended {
  readonly path: string;
  readonly quarantined: string | undefined;
}

export type JobResult =
  | ScanResult
  | PlaceResult
  | LinkResult
  /** Of each part, which files are others: gone, changed, or no plain files. */
  | { readonly kind: 'compare'; readonly differing: readonly (readonly number[])[] }
  | { readonly kind: 'finish'; readonly staged: Staged }
  /** Which objects of the part are bad, by index. */
  | { readonly kind: 'check'; readonly bad: readonly number[] }
  | {
      readonly kind: 'done' /** Paths left alone since someone changed them meanwhile. */;
      readonly skipped: readonly string[];
      readonly mended: readonly Mended[];
    };
