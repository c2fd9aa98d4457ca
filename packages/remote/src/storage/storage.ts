/**
 * What a remote is made of: immutable objects under keys. The one interface between the layout (FORMAT.md) and where it
 * lies; every implementation passes the same contract suite.
 *
 * Keys are `/`-separated, of `[0-9A-Za-z._-]` parts of at most 255 bytes, none of them `.` or `..`. No key may be both an
 * object and another key's prefix: some servers are file trees.
 *
 * Every method may be called at any time and as often as one likes, from any number of processes; none retries by itself
 * except where it says so. What goes wrong is a StorageError, which tells whether another try makes sense (see
 * retry.ts). When the signal fires, a method ends soon, by throwing the signal's reason.
 */
export interface Storage {
  /** Where it lies, as the user knows it; never with credentials. */
  readonly url: string;
  readonly capabilities: Capabilities;
  /**
   * Puts an object unless there is one, in one piece: the format keeps objects small enough for that. It appears under its
   * key whole or not at all. Where the server verifies no checksum, its tag is compared with what was sent.
   * @param options.replace put it even where there is one: only for an object that is known to be damaged.
   * @returns `present` when there was one, which is then as it was. (Without `capabilities.conditionalPut`, `stored` is
   * said of both of two writers at the same instant.)
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<'stored' | 'present'>;
  /**
   * Reads an object, or a range of it. The length of what comes is checked against what was announced: a stream that
   * ends early fails. Nothing is verified beyond that.
   * @returns undefined where there is none.
   */
  get(key: string, options?: GetOptions): Promise<Reading | undefined>;
  /** What is known of an object without reading it; undefined where there is none. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** All objects whose key begins with the prefix, in order of the keys' bytes. Asks for a page only as it is used. */
  list(prefix: string, options?: CallOptions): AsyncIterable<readonly ObjectInfo[]>;
  /** Removes objects; those that are not there are fine. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;
  /** Returns once all that was put before it will outlive a power loss. Cheap where that is so anyway. */
  settle(): Promise<void>;
  /** Lets go of connections. The storage is not used after it. */
  close(): void;
}

/** What differs between storages, as data. */
interface Capabilities {
  /** Of many writers of one key at the same time exactly one is told `stored`. */
  readonly conditionalPut: boolean;
  /** Whether anything can be put or deleted, or listed: false where a storage is only read, by keys that are known. */
  readonly writable: boolean;
  /** How many calls at once it likes at most. */
  readonly jobs: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  readonly replace?: boolean;
}

export interface GetOptions extends CallOptions {
  /** From byte `start`, at most `length` bytes (fewer at the object's end). `start` must lie inside the object. */
  readonly range?: { readonly start: number; readonly length: number };
  /** Not what somebody on the way has kept: where it may be newer since, or was damaged when it came. */
  readonly fresh?: boolean;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** When it was put, in milliseconds since 1970 by the storage's own clock. */
  readonly modified: number;
}

export interface Reading {
  /** Bytes that `body` brings. */
  readonly size: number;
  /** To be read once, to its end or not. */
  readonly body: AsyncIterable<Uint8Array>;
}
