import type { Artifact } from './artifact.ts';
import { pinsValue, readPins } from './backend.ts';
import type { Brand } from './brand.ts';
import { canonicalJson, type Value } from './canonical.ts';
import type { Digest } from './digest.ts';
import type { LockedWorker } from './lock.ts';
import type { AnyPath, ProjectPath } from './path.ts';

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
  readonly deps: ReadonlyMap<AnyPath, Artifact>;
  readonly params: ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>;
  readonly env: ReadonlyMap<string, string | null>;
  readonly outs: ReadonlySet<AnyPath>;
  /** Only where the user set one: it makes results other ones, and nothing else. */
  readonly salt?: string;
  readonly shell?: readonly string[];
}

/**
 * The text whose BLAKE3 hash is the run key. Version 1: canonical JSON of
 * `{fingerprint: 1, cmd | worker, wdir, deps: {path: {kind, digest, executable?}}, params, env, outs: [path], salt?, shell?}`;
 * sizes are left out.
 */
export function fingerprintText(fingerprint: Fingerprint): string {
  const { cmd, worker } = fingerprint;
  const deps: Record<string, Value> = {};
  for (const [path, artifact] of fingerprint.deps) {
    const { kind, digest } = artifact;
    deps[path] = kind === 'file' && artifact.executable ? { kind, digest, executable: true } : { kind, digest };
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
  if (fingerprint.salt !== undefined) record['salt'] = fingerprint.salt;
  if (fingerprint.shell !== undefined) record['shell'] = fingerprint.shell;
  if (cmd !== undefined) record['cmd'] = cmd;
  if (worker !== undefined) {
    record['worker'] = {
      module: worker.module,
      backend: worker.backend === undefined ? null : pinsValue(worker.backend),
      files: Object.fromEntries(worker.files),
    };
  }
  return canonicalJson(record);
}

/**
 * Reads the canonical text back, trusting nothing, for comparing with what would run now. Sizes are not in it and stand
 * as 0; integers beyond 2^53 come back rounded. Undefined for another version, or numbers that JSON has no word for.
 */
export function parseFingerprint(text: string): Fingerprint | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isMap(raw) || raw['fingerprint'] !== 1 || typeof raw['wdir'] !== 'string') return undefined;
  const { cmd, worker, salt, shell } = raw;
  const command = typeof cmd === 'string' || (Array.isArray(cmd) && cmd.every((line) => typeof line === 'string'));
  return {
    ...(command ? { cmd } : {}),
    ...(isMap(worker) ? { worker: readWorker(worker) } : {}),
    wdir: raw['wdir'] as ProjectPath,
    deps: new Map(entriesOf(raw['deps']).map(([path, dep]) => [path as AnyPath, readDep(dep)])),
    params: new Map(
      entriesOf(raw['params']).map(([file, values]) => [file as AnyPath, new Map(entriesOf(values))] as const),
    ) as ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>,
    env: new Map(entriesOf(raw['env'])) as ReadonlyMap<string, string | null>,
    ...(typeof salt === 'string' ? { salt } : {}),
    ...(Array.isArray(shell) ? { shell: shell.map(String) } : {}),
    outs: new Set(Array.isArray(raw['outs']) ? (raw['outs'] as AnyPath[]) : []),
  };
}

function readWorker(worker: Record<string, unknown>): LockedWorker {
  const { module, files } = worker;
  const backend = readPins(worker['backend']);
  return {
    module: String(module) as ProjectPath,
    ...(backend === undefined ? {} : { backend }),
    files: new Map(entriesOf(files).map(([path, digest]) => [path as ProjectPath, String(digest) as Digest])),
  };
}

function readDep(dep: unknown): Artifact {
  const { kind, digest, executable } = isMap(dep) ? dep : {};
  const name = String(digest) as Digest;
  return kind === 'folder'
    ? { kind, digest: name, size: 0, files: 0 }
    : { kind: 'file', digest: name, size: 0, executable: executable === true };
}

function entriesOf(value: unknown): [string, unknown][] {
  return isMap(value) ? Object.entries(value) : [];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
