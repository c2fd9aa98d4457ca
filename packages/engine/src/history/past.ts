import {
  type Artifact,
  type Change,
  type Fingerprint,
  groupBy,
  type ProjectPath,
  parseFingerprint,
  type RunRecord,
  type StageAddress,
} from '@dag/model';
import { compareInputs } from '../changes.ts';
import { splitContext } from '../metrics/last.ts';
import type { Project } from '../project.ts';
import { machineContext } from '../run/context.ts';
import type { Usage } from '../run/usage.ts';
import { purposeOf } from '../settle/purpose.ts';
import { type Attempt, readJournal } from './journal.ts';
import { differingOuts } from './results.ts';

/** A run of the past, a result that came back instead of one, or a result that `commit` recorded. */
export interface PastRun {
  readonly stage: StageAddress;
  /** When it began; ISO 8601, UTC. */
  readonly at: string;
  readonly result: 'ok' | 'failed' | 'cancelled' | 'running' | 'killed' | 'unknown' | 'restored' | 'committed';
  /** Undefined while it runs, and where nobody knows. */
  readonly seconds?: number;
  readonly exitCode?: number;
  readonly signal?: string;
  /** What went wrong, in words. */
  readonly message?: string;
  readonly key: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
  readonly usage: Usage;
  /** What it printed: files in the `logs` folder of the cache, one a try; for what was restored, those of its run. */
  readonly logs: readonly string[];
  /** The last values of what it reported while it ran. */
  readonly metrics: Readonly<Record<string, number | string>>;
  /** When the run began whose result was restored. */
  readonly from?: string;
  /** Empty where no record is kept. */
  readonly outs: ReadonlyMap<ProjectPath, Artifact>;
  /** How its inputs differ from those of the entry before; undefined where that is not known. */
  readonly changes?: readonly Change[];
  /** The run before with the same inputs, where it made other bytes. */
  readonly unlike?: { readonly at: string; readonly outs: readonly ProjectPath[] };
}

/**
 * What is known of past runs: the journal's, and those whose records came from elsewhere, or are older than the journal.
 * Newest first.
 */
export function pastRuns(project: Project, wanted: (stage: string) => boolean): PastRun[] {
  const attempts = readJournal(project.root)
    .filter(({ stage }) => wanted(stage))
    .map((attempt) => lookedAfter(project, attempt));
  const records = [...project.store.runs.list()].filter(({ stage }) => wanted(stage));
  const byRun = new Map(records.map((record) => [runName(record.key, record.startedAt), record]));
  const known = new Set(attempts.flatMap((one) => (one.kind === 'run' ? runName(one.key, one.at) : [])));
  const all = [
    ...attempts.map((attempt) => ofAttempt(attempt, byRun)),
    ...records.filter((record) => !known.has(runName(record.key, record.startedAt))).map(ofRecord),
  ].sort((a, b) => Date.parse(a.run.at) - Date.parse(b.run.at));
  const told: PastRun[] = [];
  for (const ofStage of groupBy(all, ({ run }) => run.stage).values()) told.push(...compared(ofStage));
  return told.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

/**
 * Of a run on another machine its lock says whether it still works. Where that is gone it was killed, if the machine has this
 * one's name: it was started anew since then. Of others nobody here knows.
 */
export function lookedAfter({ workspace }: Project, attempt: Attempt): Attempt {
  if (attempt.kind !== 'run' || attempt.state !== 'unknown') return attempt;
  const { pid, stage } = attempt;
  const host = attempt.context['host'];
  const purpose = purposeOf(stage);
  const works = workspace.holders().some((one) => one.host === host && one.pid === pid && one.purpose === purpose);
  if (works) return { ...attempt, state: 'running' };
  return host === machineContext()['host'] ? { ...attempt, state: 'killed' } : attempt;
}

interface Entry {
  readonly run: PastRun;
  readonly fingerprint: string | undefined;
}

function runName(key: string, at: string): string {
  return `${key} ${at}`;
}

function ofAttempt(attempt: Attempt, records: ReadonlyMap<string, RunRecord>): Entry {
  const { at, key } = attempt;
  const stage = attempt.stage as StageAddress;
  if (attempt.kind === 'restored') {
    const record = records.get(runName(key, attempt.from));
    const { context, usage, logs, metrics, outs } = record === undefined ? UNKNOWN : ofRecord(record).run;
    const run = {
      stage,
      at,
      key,
      result: 'restored',
      from: attempt.from,
      context,
      usage,
      logs,
      metrics,
      outs,
    } as const;
    return { run, fingerprint: record?.fingerprint };
  }
  const record = records.get(runName(key, at));
  const ofRun = splitContext(record?.context ?? {});
  const context = { ...attempt.context, ...ofRun.rest };
  const outs = record?.outs ?? new Map();
  const { state, fingerprint = record?.fingerprint } = attempt;
  if (typeof state === 'string') {
    return { run: { stage, at, key, result: state, context, usage: {}, logs: [], metrics: {}, outs }, fingerprint };
  }
  const { status: result, seconds, exitCode, signal, message, usage = {}, logs = [], metrics = {} } = state;
  const told = {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(message === undefined ? {} : { message }),
  };
  return { run: { stage, at, key, result, seconds, ...told, context, usage, logs, metrics, outs }, fingerprint };
}

const UNKNOWN = { context: {}, usage: {}, logs: [], metrics: {}, outs: new Map() } as const;

const USAGE = [
  ...(['cpuUser', 'cpuSystem', 'peakRss', 'bytesRead', 'bytesWritten', 'diskRead', 'diskWritten'] as const),
  ...(['gpuUse', 'gpuMemory', 'gpuTemperature'] as const),
];

function ofRecord(record: RunRecord): Entry {
  const { stage, startedAt: at, key, outs, seconds, fingerprint } = record;
  const { rest: context, metrics } = splitContext(record.context);
  const usage: Usage = Object.fromEntries(
    USAGE.flatMap((name) => (typeof context[name] === 'number' ? [[name, context[name]]] : [])),
  );
  const { exitCode } = context;
  const isCommit = context['committed'] === true;
  const run = {
    stage,
    at,
    key,
    result: isCommit ? 'committed' : 'ok',
    ...(isCommit ? {} : { seconds }),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    context,
    usage,
    logs: logsOf(record),
    metrics: numbersAndTexts(metrics),
    outs,
  } as const;
  return { run, fingerprint };
}

function numbersAndTexts(values: Readonly<Record<string, unknown>>): Record<string, number | string> {
  const plain = Object.entries(values).filter(([, value]) => typeof value === 'number' || typeof value === 'string');
  return Object.fromEntries(plain) as Record<string, number | string>;
}

/** What a run printed, by its record, which may come from elsewhere: it names nothing outside the folder of logs. */
export function logsOf({ context: { log } }: Pick<RunRecord, 'context'>): string[] {
  return typeof log === 'string' && !log.split(/[\\/]/).includes('..') ? [log] : [];
}

/** The runs of one stage, oldest first, each with what sets it apart from those before. */
function* compared(entries: readonly Entry[]): Generator<PastRun> {
  let before: Fingerprint | undefined;
  const results = new Map<string, PastRun>();
  for (const { run, fingerprint } of entries) {
    const now = fingerprint === undefined ? undefined : parseFingerprint(fingerprint);
    const changes = before === undefined || now === undefined ? undefined : differences(before, now);
    const last = run.result === 'ok' && run.outs.size > 0 ? results.get(run.key) : undefined;
    const outs = last === undefined ? [] : differingOuts(last, run);
    yield {
      ...run,
      ...(changes === undefined ? {} : { changes }),
      ...(last === undefined || outs.length === 0 ? {} : { unlike: { at: last.at, outs } }),
    };
    if (run.result === 'ok' && run.outs.size > 0) results.set(run.key, run);
    before = now ?? before;
  }
}

function differences(before: Fingerprint, now: Fingerprint): Change[] {
  return compareInputs(before, now, {
    deps: new Set(now.deps.keys()),
    params: (file, key) => (now.params.get(file)?.has(key) === true ? 'named' : undefined),
  });
}
