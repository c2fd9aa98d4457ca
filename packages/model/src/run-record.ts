import type { Artifact } from './artifact.ts';
import type { RunKey } from './fingerprint.ts';
import type { ProjectPath } from './path.ts';
import type { StageAddress } from './stage.ts';

/** What one run of a stage made, and how: the value of the run cache. */
export interface RunRecord {
  readonly schema: 1;
  readonly key: RunKey;
  readonly stage: StageAddress;
  /** The canonical JSON that the key is the digest of. */
  readonly fingerprint: string;
  readonly outs: ReadonlyMap<ProjectPath, Artifact>;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  /** What is recorded beside the key and not in it: Node, OS, CPU, backend, git revision and the like. */
  readonly context: Readonly<Record<string, string | number | boolean>>;
}
