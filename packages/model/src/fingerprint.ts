import type { Artifact } from './artifact.ts';
import type { Brand } from './brand.ts';
import { canonicalJson, type Value } from './canonical.ts';
import type { LockedWorker } from './lock.ts';
import type { ProjectPath } from './path.ts';

/** The name of a stage's result before it is made: the digest of the fingerprint, 64 hex digits. */
export type RunKey = Brand<string, 'RunKey'>;

/** Reads a run key written as text. */
export function parseRunKey(text: string): RunKey | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? (text as RunKey) : undefined;
}

/** All that a stage's result depends on. Maps and sets: order never matters, removal does. */
export interface Fingerprint {
  readonly cmd?: string | readonly string[];
  readonly worker?: LockedWorker;
  readonly wdir: ProjectPath;
  readonly deps: ReadonlyMap<ProjectPath, Artifact>;
  readonly params: ReadonlyMap<ProjectPath, ReadonlyMap<string, Value>>;
  readonly env: ReadonlyMap<string, string | null>;
  readonly outs: ReadonlySet<ProjectPath>;
}

/**
 * The text whose BLAKE3 hash is the run key. Version 1: canonical JSON of
 * `{fingerprint: 1, cmd | worker, wdir, deps: {path: digest}, params, env, outs: [path]}`; sizes are left out, an
 * executable file's digest is followed by `+x`.
 */
export function fingerprintText(fingerprint: Fingerprint): string {
  const { cmd, worker } = fingerprint;
  const deps: Record<string, Value> = {};
  for (const [path, artifact] of fingerprint.deps) {
    deps[path] = artifact.kind === 'file' && artifact.executable ? `${artifact.digest}+x` : artifact.digest;
  }
  const params: Record<string, Value> = {};
  for (const [file, values] of fingerprint.params) params[file] = Object.fromEntries(values);
  const record: Record<string, Value> = {
    fingerprint: 1,
    wdir: fingerprint.wdir,
    deps,
    params,
    env: Object.fromEntries(fingerprint.env),
    outs: [...fingerprint.outs].sort(),
  };
  if (cmd !== undefined) record['cmd'] = cmd;
  if (worker !== undefined) {
    record['worker'] = {
      module: worker.module,
      backend: worker.backend ?? null,
      files: Object.fromEntries(worker.files),
    };
  }
  return canonicalJson(record);
}
