import fs from 'node:fs';
import type { StageAddress } from '@dag/model';
import type { ChangedLines } from '@dag/pipeline';

/** What a stage that ran touched, held against what it declares. Paths as `dag` writes them, where no other is said. */
export interface StageTrace {
  readonly stage: StageAddress;
  /** The pipeline.yaml that declares it, and the line where: 1-based. */
  readonly file: string;
  readonly line: number;
  /** What watched it. */
  readonly by: 'strace' | 'language-hooks';
  /** Whether all that its processes did was seen; where not, `problems` says why. */
  readonly complete: boolean;
  readonly problems: readonly string[];
  /** What it read and does not declare, sorted by path. */
  readonly reads: readonly UndeclaredRead[];
  /** What it wrote or deleted and does not declare, sorted by path. */
  readonly writes: readonly UndeclaredWrite[];
  /** How to declare it, in the words of its pipeline.yaml. */
  readonly edits: readonly TraceEdit[];
  /** Deps of which nothing was opened. */
  readonly unread: readonly string[];
  /** What it had connections with: `host:port`, or the path of a socket. */
  readonly connections: readonly string[];
  /** Whether it read something in git's folder: which commit it is, say. */
  readonly readsGit: boolean;
  /** Files of the project that it looked for and that are not there. */
  readonly absent: readonly string[];
  /** Those of them that are tracked, or that other stages make: what it would have read where they are. */
  readonly missed: Missed;
  /** Files of the system and of packages that it read: absolute. */
  readonly packages: readonly string[];
  /** Files that it left behind where temporary ones go; absolute. */
  readonly leftovers: readonly string[];
}

export interface UndeclaredRead {
  /** From the project root; absolute for one outside. */
  readonly path: string;
  /** How many files, where `path` is a folder that stands for several. */
  readonly files?: number;
  /** The program that read it first. */
  readonly program: string;
  /** Who else has it: all who clone (`git`), all who pull (`data`, or the stage that makes it), or nobody. */
  readonly from: 'git' | 'data' | 'stage' | 'workspace' | 'outside';
  /** Set where another stage makes it. */
  readonly stage?: StageAddress;
}

export interface Missed {
  readonly files: readonly Pick<UndeclaredRead, 'path' | 'from' | 'stage'>[];
  /** How to declare them, together with all that is not declared. */
  readonly edits: readonly TraceEdit[];
}

export interface UndeclaredWrite {
  readonly path: string;
  readonly files?: number;
  readonly program: string;
  readonly how: 'written' | 'deleted';
  /** What it is to the rest of the project: `dep` is the stage's own. */
  readonly of?: 'dep' | 'data' | 'git' | 'stage';
  readonly stage?: StageAddress;
}

/** Lines to write in a pipeline.yaml. */
export interface TraceEdit extends ChangedLines {
  readonly file: string;
  readonly key: 'deps' | 'outs';
  /** What is added, relative to the stage's wdir. */
  readonly paths: readonly string[];
}

/** Whether a trace found nothing that is not declared, and saw everything. */
export function isClean(trace: StageTrace): boolean {
  return trace.complete && trace.reads.length === 0 && trace.writes.length === 0;
}

/** Whether there is a file, and whether it is one whose content counts. */
export function kindOf(file: string): 'file' | 'folder' | 'other' | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false }) ?? fs.lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isFile() || stat.isSymbolicLink()) return 'file';
  return stat.isDirectory() ? 'folder' : 'other';
}
