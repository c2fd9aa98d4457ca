/** A file or link among the checkpoints of a run: its path in their folder, `/`-separated; `modified` in milliseconds since 1970. */
export type CheckpointFile =
  | { readonly path: string; readonly size: number; readonly modified: number; readonly executable: boolean }
  | { readonly path: string; readonly link: string };

/** What is said of a checkpoint beside its files. */
export interface CheckpointNote {
  readonly stage: string;
  readonly host: string;
  readonly step?: number;
  /** When it was saved; ISO 8601. */
  readonly at: string;
  /** How often the run had been taken up again, and the seconds that it had worked in all. */
  readonly resumes: number;
  readonly seconds: number;
}
