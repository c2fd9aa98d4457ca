import { backendFacts, type PastRun } from '@dag/engine';
import type { Value } from '@dag/model';
import { changeJson, changeText } from './change.ts';
import { type Paint, paint } from './paint.ts';
import { bytesText, secondsText } from './units.ts';

/** Numbers that a run wrote into its metrics, by file and key. */
type Metrics = ReadonlyMap<string, ReadonlyMap<string, Value>>;

interface Shown {
  readonly run: PastRun;
  readonly metrics: Metrics;
}

/** Changes and metrics of a run that are named before it says how many more there are. */
const NAMED = 5;

/** Past runs as a table; below each what set it apart. `single`: all are of one stage, and numbered from the newest. */
export function* pastRunLines(
  shown: readonly Shown[],
  { single, colour }: { readonly single: boolean; readonly colour: boolean },
): Generator<string> {
  if (shown.length === 0) return;
  const manyHosts = new Set(shown.map(({ run }) => run.context['host'])).size > 1;
  const head = [single ? '#' : 'STAGE', 'WHEN (UTC)', 'RESULT', 'TOOK', 'CPU', 'PEAK', 'COMMIT', 'HOST'];
  const rows = shown.map(({ run }, index) => [single ? String(index + 1) : run.stage, ...cells(run)]);
  if (!manyHosts) for (const row of [head, ...rows]) row.pop();
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[], style?: Paint): string =>
    row
      .map((cell, at) => {
        const padded = cell.padEnd(widths[at] ?? 0);
        return at === 2 && style !== undefined ? paint(style, padded, colour) : padded;
      })
      .join('  ')
      .trimEnd();
  yield paint('dim', line(head), colour);
  const indent = ' '.repeat((widths[0] ?? 0) + 2);
  for (const [index, { run, metrics }] of shown.entries()) {
    yield line(rows[index] ?? [], STYLES[run.result]);
    for (const note of notes(run, metrics)) yield `${indent}${note}`;
  }
}

const STYLES: Readonly<Record<PastRun['result'], Paint>> = {
  ok: 'green',
  failed: 'red',
  cancelled: 'yellow',
  killed: 'red',
  unknown: 'yellow',
  running: 'bold',
  restored: 'cyan',
  committed: 'cyan',
};

function cells({ at, result, seconds, exitCode, signal, usage, context }: PastRun): string[] {
  const how = signal ?? (exitCode === undefined || exitCode === 0 ? undefined : String(exitCode));
  const { cpuUser, cpuSystem, peakRss } = result === 'restored' ? {} : usage;
  const { gitCommit, gitDirty, host } = result === 'restored' ? {} : context;
  return [
    at.slice(0, 19).replace('T', ' '),
    how === undefined ? result : `${result} (${how})`,
    seconds === undefined ? '' : secondsText(seconds),
    cpuUser === undefined || cpuSystem === undefined ? '' : secondsText(cpuUser + cpuSystem),
    peakRss === undefined ? '' : bytesText(peakRss),
    typeof gitCommit === 'string' ? `${gitCommit.slice(0, 7)}${gitDirty === true ? '+' : ''}` : '',
    String(host ?? ''),
  ];
}

function* notes(run: PastRun, metrics: Metrics): Generator<string> {
  const { message, from, changes = [], unlike } = run;
  const isPlain = message === `stage '${run.stage}' failed with exit status ${run.exitCode}`;
  if (message !== undefined && !isPlain) yield String(message.split('\n')[0]);
  if (run.result === 'killed') yield 'dag itself was killed while it ran';
  if (run.result === 'unknown')
    yield `it ran on ${run.context['host'] ?? 'another machine'}, which never said how it ended`;
  if (run.result !== 'restored' && run.context['resumes'] !== undefined) yield resumedText(run);
  if (from !== undefined) yield `from the run of ${from.slice(0, 19).replace('T', ' ')}`;
  yield* few(changes.map(changeText));
  const { backend } = run.context;
  if (backend !== undefined && run.result !== 'restored') {
    const facts = Array.from(backendFacts(run.context), ([name, value]) => `${name} ${value}`);
    yield [`on ${backend}`, ...facts].join(', ').replace(', ', ': ');
  }
  for (const [file, values] of metrics) {
    const texts = Array.from(values, ([key, value]) => `${key} ${numberText(value)}`);
    yield `${file}: ${texts.slice(0, NAMED).join(', ')}${texts.length > NAMED ? ', …' : ''}`;
  }
  const live = Object.entries(run.metrics).map(([name, value]) => `${name} ${numberText(value)}`);
  if (live.length > 0) yield `last: ${live.slice(0, NAMED).join(', ')}${live.length > NAMED ? ', …' : ''}`;
  if (unlike !== undefined) {
    yield `not reproducible: other bytes than the run of ${unlike.at.slice(0, 19).replace('T', ' ')} in ${unlike.outs.join(', ')}`;
  }
}

/** What a run went on from: `went on from step 120 (2nd time; 34 s before)`. */
function resumedText({ context: { resumes, resumedFrom, resumedAt, earlierSeconds } }: PastRun): string {
  const where =
    resumedFrom === undefined
      ? `what was left at ${String(resumedAt).slice(0, 19).replace('T', ' ')}`
      : `step ${resumedFrom}`;
  const often = resumes === 1 ? '' : `, taken up ${resumes} times`;
  const before = typeof earlierSeconds === 'number' ? `; earlier tries took ${secondsText(earlierSeconds)}` : '';
  return `went on from ${where}${often}${before}`;
}

function* few(texts: readonly string[]): Generator<string> {
  yield* texts.slice(0, NAMED);
  if (texts.length > NAMED) yield `and ${texts.length - NAMED} more`;
}

function numberText(value: Value): string {
  return typeof value === 'number' && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : String(value);
}

/** A past run as scripts read it. Times in seconds, sizes in bytes. */
export function pastRunJson(run: PastRun, metrics: Metrics, logs: readonly string[]): unknown {
  const { stage, at, result, seconds, exitCode, signal, message, key, context, usage, from, changes, unlike } = run;
  const { gitCommit, gitDirty, host, resumes, resumedFrom, resumedAt, earlierSeconds, ...rest } = context;
  for (const name of ['log', 'exitCode', ...Object.keys(usage)]) delete (rest as Record<string, unknown>)[name];
  return {
    stage,
    started_at: at,
    result,
    seconds,
    exit_code: exitCode,
    signal,
    message,
    cpu_user: usage.cpuUser,
    cpu_system: usage.cpuSystem,
    peak_rss: usage.peakRss,
    bytes_read: usage.bytesRead,
    bytes_written: usage.bytesWritten,
    disk_read: usage.diskRead,
    disk_written: usage.diskWritten,
    gpu_use: usage.gpuUse,
    gpu_memory: usage.gpuMemory,
    gpu_temperature: usage.gpuTemperature,
    host,
    git_commit: gitCommit,
    git_dirty: gitDirty,
    key,
    from,
    changes: changes?.map(changeJson),
    metrics,
    resumed:
      resumes === undefined
        ? undefined
        : { times: resumes, step: resumedFrom, at: resumedAt, earlier_seconds: earlierSeconds },
    last_metrics: run.metrics,
    not_reproducible: unlike === undefined ? undefined : { than: unlike.at, outs: unlike.outs },
    outs: new Map([...run.outs].map(([path, { digest, size }]) => [path, { digest, size }])),
    logs,
    context: rest,
  };
}
