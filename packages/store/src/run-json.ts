import {
  type Artifact,
  err,
  ok,
  type ProjectPath,
  parseDigest,
  parseProjectPath,
  parseRunKey,
  type Result,
  type RunRecord,
  type StageAddress,
} from '@dag/model';

/** Largest record that is read, in bytes: a stage with a hundred thousand outs stays below it. */
export const RECORD_LIMIT = 64 * 1024 * 1024;

/** The text of a run record: JSON, keys and outs in a fixed order, so that the same record is the same text. */
export function encodeRunRecord(record: RunRecord): string {
  const outs = [...record.outs].sort(([a], [b]) => (a < b ? -1 : 1));
  const context = Object.entries(record.context).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({
    schema: record.schema,
    key: record.key,
    stage: record.stage,
    fingerprint: record.fingerprint,
    outs: Object.fromEntries(outs.map(([path, artifact]) => [path, artifactJson(artifact)])),
    startedAt: record.startedAt,
    seconds: record.seconds,
    context: Object.fromEntries(context),
  })}\n`;
}

/**
 * Reads a record that may come from anywhere. Only what the schema names is kept; paths are checked to stay in the project.
 * @returns what is wrong, in words, where it is none.
 */
export function decodeRunRecord(text: string): Result<RunRecord, string> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return err('not JSON');
  }
  if (!isMap(json)) return err('not a map');
  if (json['schema'] !== 1) return err('a schema that this version does not know');
  const key = typeof json['key'] === 'string' ? parseRunKey(json['key']) : undefined;
  if (key === undefined) return err('no run key');
  const { stage, fingerprint, startedAt, seconds } = json;
  if (typeof stage !== 'string' || typeof fingerprint !== 'string') return err('no stage or fingerprint');
  if (typeof startedAt !== 'string' || Number.isNaN(Date.parse(startedAt))) return err('no start time');
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) return err('no duration');
  if (!isMap(json['outs']) || !isMap(json['context'])) return err('no outs or context');
  const outs = new Map<ProjectPath, Artifact>();
  for (const [text, value] of Object.entries(json['outs'])) {
    const path = parseProjectPath(text);
    const artifact = decodeArtifact(value);
    if (path === undefined || path === '' || artifact === undefined) return err(`bad out ${JSON.stringify(text)}`);
    outs.set(path, artifact);
  }
  const context: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(json['context'])) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return err(`bad context ${JSON.stringify(name)}`);
    }
    context[name] = value;
  }
  return ok({ schema: 1, key, stage: stage as StageAddress, fingerprint, outs, startedAt, seconds, context });
}

function artifactJson(artifact: Artifact): Record<string, unknown> {
  const { digest, size } = artifact;
  if (artifact.kind === 'folder') return { digest, size, files: artifact.files };
  return artifact.executable ? { digest, size, executable: true } : { digest, size };
}

function decodeArtifact(json: unknown): Artifact | undefined {
  if (!isMap(json)) return undefined;
  const digest = typeof json['digest'] === 'string' ? parseDigest(json['digest']) : undefined;
  const { size, files } = json;
  const executable = json['executable'] ?? false;
  if (digest === undefined || !isCount(size) || typeof executable !== 'boolean') return undefined;
  if (files === undefined) return { kind: 'file', digest, size, executable };
  return isCount(files) ? { kind: 'folder', digest, size, files } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
