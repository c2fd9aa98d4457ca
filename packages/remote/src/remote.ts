import type { Artifact, CheckpointFile, CheckpointNote, Digest, ObjectFailure, RunKey, RunRecord } from '@dag/model';
import type { Store } from '@dag/store';
import type { CheckpointRecord } from './checkpoints/record.ts';

export type { CheckpointRecord };

/**
 * Objects and run records on S3 or in a folder (FORMAT.md). All methods may be called again after a failure: what has
 * been moved is not moved again. They throw a FailureError of code `remote` when the remote as a whole can't be used,
 * and the signal's reason when it fires; what concerns single objects is in the report.
 */
export interface Remote {
  readonly name: string;
  /** Where it is, for messages: never with credentials. */
  readonly url: string;
  /** Whether anything can be sent there: false for what is read over HTTP. `push` throws a FailureError of code `usage` there. */
  readonly writable: boolean;
  /**
   * When what is there was written down, in milliseconds since 1970: where a remote can't be asked for a list, what came later
   * is not seen. Undefined for all others, and before anything was asked.
   */
  asOf(): number | undefined;
  /**
   * Sends what is missing there: files and the trees that name them, then run records. What is neither here nor there is
   * reported, and no tree or record that needs it is sent. Every byte that becomes part of an object there has been checked
   * against its digest.
   */
  push(request: PushRequest, store: Store, options?: TransferOptions): Promise<PushReport>;
  /**
   * Brings what is missing in the store. Nothing enters it whose content does not match its digest; what is damaged or
   * absent there is reported.
   */
  fetch(request: FetchRequest, store: Store, options?: TransferOptions): Promise<TransferReport>;
  /**
   * Reads what is there and checks it. What is damaged counts as not there from then on, with all that needs it: the next push
   * of whoever has it sends it again.
   */
  check(options?: RemoteCheckOptions): Promise<RemoteCheck>;
  /**
   * Finds out what of the remote nothing needs; nothing is changed by it.
   * @throws FailureError `refused` where that can't be told, because something is damaged.
   */
  planRemoval(request: RemovalRequest, store: Store, options?: TransferOptions): Promise<RemovalPlan>;
  /**
   * Marks what nothing needs and removes what was marked long enough ago. What is there may have changed since it was
   * planned: what is needed in the meantime stays. @returns what was really done.
   */
  remove(request: RemovalRequest, store: Store, options?: TransferOptions): Promise<RemovalPlan>;
  /** Which of these objects are there, a tree with all that it names. Sends few requests. */
  presence(digests: Iterable<Digest>, options?: TransferOptions): Promise<Set<Digest>>;
  /** The run records of one key that hold together, newest first; the rest is ignored. One or two small requests. */
  findRuns(key: RunKey, options?: TransferOptions): Promise<RunRecord[]>;
  /**
   * Takes the checkpoints of a run that has not finished. Each snapshot replaces the ones before it, once it is whole there.
   * @param name 64 hex digits.
   */
  checkpoints(name: string): RemoteCheckpoints;
  /** The keys of all run records, each once, sorted. */
  listRuns(options?: TransferOptions): AsyncIterable<RunKey>;
  /** Lets go of connections. */
  close(): void;
}

/** Checkpoints of one run in a remote. */
export interface RemoteCheckpoints {
  /** @returns `changed` where a file was written to meanwhile: nothing counts then. */
  push(snapshot: CheckpointSnapshot, options?: TransferOptions): Promise<'sent' | 'changed'>;
  /** Those that are named there, newest first; the rest is ignored. */
  find(options?: TransferOptions): Promise<CheckpointRecord[]>;
  /**
   * Brings one into a folder that is empty, checked and durable.
   * @returns false where it is not whole there.
   */
  fetch(record: CheckpointRecord, folder: string, options?: TransferOptions): Promise<boolean>;
  /** Removes all: the run has finished, or begins anew. */
  drop(options?: TransferOptions): Promise<void>;
}

/** Files of a folder as they were at one moment. */
export interface CheckpointSnapshot {
  /** Absolute. */
  readonly folder: string;
  readonly files: readonly CheckpointFile[];
  readonly note: CheckpointNote;
}

/** An artifact to be moved, with all that is inside, and the path by which the user knows it. */
export interface Root {
  readonly path: string;
  readonly artifact: Artifact;
}

export interface PushRequest {
  readonly roots: readonly Root[];
  /** Sent with all that they name. */
  readonly records?: readonly RunRecord[];
}

export interface FetchRequest {
  /** Only the listings of folders, on all levels, without what they name. */
  readonly listings?: boolean;
  readonly roots: readonly (Root & {
    /** Only this path inside the folder (and the trees on the way), not all of it; `.` is the folder's own listing alone. */
    readonly inside?: string;
  })[];
}

export interface TransferOptions {
  /** Calls at once; by default what the storage likes best. */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
}

/** What happens during a transfer, for a live display. Bytes are those of objects, not of the wire. */
export type TransferEvent =
  /** Something moved, or it became known that there is more to move. */
  | {
      readonly kind: 'progress';
      readonly objects: number;
      readonly bytes: number;
      readonly totalObjects: number;
      readonly totalBytes: number;
    }
  /** A call failed and is tried again after a pause. */
  | { readonly kind: 'retry'; readonly attempt: number; readonly waitMs: number; readonly reason: string }
  /** One object can't be moved; it is in the report too. */
  | { readonly kind: 'failed'; readonly failure: ObjectFailure };

/** What was moved (not what was there already). */
export interface TransferReport {
  /** Files and trees. */
  readonly objects: number;
  readonly bytes: number;
  readonly failed: readonly ObjectFailure[];
}

export interface PushReport extends TransferReport {
  /** Run records that are new there. */
  readonly records: number;
  /** Bytes that had to be stored there for it: less than those of the objects where pieces of them were there, or shrank. */
  readonly stored: number;
}

export interface RemoteCheckOptions extends TransferOptions {
  /** The share of packs to check, from 0 to 1; all by default. */
  readonly sample?: number;
  /** Where the choice comes from: numbers from 0 (with) to 1 (without). */
  readonly random?: () => number;
}

/** What a check of a remote found. */
export interface RemoteCheck {
  /** Packs that were read, and their bytes. */
  readonly packs: number;
  readonly bytes: number;
  /** Objects whose content is damaged or gone, with their sizes in bytes. */
  readonly damaged: readonly { readonly digest: Digest; readonly size: number }[];
  /** Folders' listings, whole by themselves, that count as not there because they need one of these. */
  readonly needing: readonly Digest[];
  /** What was found without an index, and named again. */
  readonly remade: Remade;
}

/** What a check made of lost or damaged indexes. */
export interface Remade {
  /** Damaged index objects, which are gone then. */
  readonly indexes: number;
  /** Packs that no index named, */
  readonly packs: number;
  /** and what of them is there again: objects and pieces. */
  readonly entries: number;
}

export interface RemovalRequest {
  /** What stays, with all that is inside. */
  readonly roots: readonly Root[];
  readonly runs: {
    /** Records of runs that began before it (ms since 1970) go, unless all that they name stays anyway. */
    readonly before: number;
    /** All records of the project go. */
    readonly dropped: boolean;
    /** The project as run records name it (`context.project`). */
    readonly project: string;
  };
  /** Paths for what is to go; earlier ones win. Nothing is kept for them. */
  readonly names: readonly NamedRoot[];
}

export interface NamedRoot extends Root {
  /** Who names it: a commit, a run. */
  readonly from?: string;
}

/** An object in a remote, and the path by which it was known. */
export interface RemoteObject {
  readonly digest: Digest;
  /** Bytes of its content. */
  readonly size: number;
  readonly use?: { readonly path: string; readonly kind: 'file' | 'folder'; readonly from?: string } | undefined;
}

/** Objects and their bytes, as they are when they are out of the remote. */
export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

/** What of a remote goes, and what stays. */
export interface RemovalPlan {
  /** What nothing needs since now: it is marked, and goes when that is a day old. */
  readonly marks: readonly RemoteObject[];
  /** What was marked long enough ago, and is still needed by nothing. */
  readonly removes: readonly RemoteObject[];
  /** What was marked, and is not yet to go. */
  readonly waiting: Amount;
  /** When all that is marked may go: ms since 1970; undefined where nothing is. */
  readonly due: number | undefined;
  readonly kept: Amount;
  /** Packs that go, and the room that they take. */
  readonly packs: { readonly count: number; readonly bytes: number };
  /** Packs that no index names, and that are not yet to go: mostly of pushes that died. */
  readonly unnamed: { readonly count: number; readonly bytes: number };
  /** What is copied out of packs of which little is needed, in bytes as they are stored. */
  readonly copied: number;
  /** Run records that go. */
  readonly records: number;
  /** What goes of checkpoints: runs that are not gone on with, and the bytes that they take. */
  readonly checkpoints: { readonly runs: number; readonly bytes: number };
  /** A push that is under way, or died less than a day ago, began then (ms since 1970): nothing more is marked meanwhile. */
  readonly pushing: number | undefined;
  /** Packs that no index names, though they hold what is needed: an index is lost. */
  readonly lost: number;
}
