import fs from 'node:fs';
import path from 'node:path';
import { compareNumbers, numbersIn, type Rerun } from '@dag/engine';
import { FailureError } from '@dag/model';
import { openRevisions } from '../compare/revisions.ts';
import type { OpenProject } from '../project/open.ts';
import type { Context } from '../verb.ts';
import { comparisonText } from './difference.ts';
import type { Verdict } from './verdict.ts';

type ByPath = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Numbers of metrics files to compare with, by file and dotted key. */
export interface Baseline {
  /** A file, or a revision, as the user named it. */
  readonly name: string;
  readonly metrics: ByPath;
}

/** What `--baseline` names: a file that `--save-baseline` wrote, else the metrics at a revision. */
export function readBaseline(context: Context, project: OpenProject, name: string): Baseline {
  const file = path.resolve(context.cwd, name);
  if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true) {
    return { name, metrics: parseBaseline(fs.readFileSync(file, 'utf8'), name) };
  }
  const snapshot = openRevisions(project)?.snapshot(name);
  const outs = [...(snapshot?.pipeline?.stages.values() ?? [])].flatMap((stage) => stage.outs);
  const metrics = new Map<string, ReadonlyMap<string, number>>();
  for (const { path: at } of outs.filter(({ kind }) => kind === 'metric')) {
    const content = snapshot?.content(at);
    if (content?.kind === 'bytes') metrics.set(at, numbersIn(content.bytes, at));
    if (content?.kind === 'not-in-cache') {
      const message = `'${at}' of ${name} is not in the cache, so that nothing can be compared with it`;
      throw new FailureError({ code: 'usage', message, hint: `fetch it with 'dag fetch --all-commits ${at}'` });
    }
  }
  return { name, metrics };
}

/** The text of a file for `--baseline`: what the stages made that ran. */
export function baselineText(commit: string, results: readonly Rerun[]): string {
  const metrics = Object.fromEntries(
    results
      .flatMap((result) => [...metricsOf(result)])
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([at, numbers]) => [at, Object.fromEntries(numbers)]),
  );
  return `${JSON.stringify({ schema: 1, commit, metrics }, undefined, 2)}\n`;
}

/** Judges a run by its numbers alone: those of a baseline stand for what pipeline.lock names. */
export function judgedBy(baseline: Baseline, result: Rerun, verdict: Verdict): Verdict {
  const last = result.runs.at(-1);
  if (last?.status !== 'ran' || verdict.verdict === 'undeclared' || verdict.verdict === 'untraced') return verdict;
  const compared = [...metricsOf(result)].flatMap(([at, after]) => {
    const before = baseline.metrics.get(at);
    const check = result.stage.verify?.find((one) => one.path === at);
    if (before === undefined || check?.ignore === true) return [];
    return [{ path: at as never, as: 'json', comparison: compareNumbers(before, after, check) } as const];
  });
  const isBeyond = compared.some(({ comparison }) => comparison.verdict === 'different');
  const word = compared.length === 0 ? 'no-baseline' : isBeyond ? 'beyond' : 'within';
  const shown = compared.filter(({ comparison }) => comparison.verdict === (isBeyond ? 'different' : 'tolerated'));
  return {
    ...verdict,
    verdict: word,
    ok: !isBeyond,
    warning: word === 'no-baseline',
    reasons:
      word === 'no-baseline'
        ? [`${baseline.name} has no metrics of it`]
        : shown.map((one) => `${comparisonText(one)} (${baseline.name})`),
    notes: [...verdict.notes, ...verdict.reasons],
    json: { ...verdict.json, locked: verdict.verdict, baseline: compared },
  };
}

function metricsOf({ runs }: Rerun): ByPath {
  const last = runs.at(-1);
  return last?.status === 'ran' ? last.metrics : new Map();
}

function parseBaseline(text: string, name: string): ByPath {
  const fail = (): never => {
    const message = `'${name}' is no baseline`;
    throw new FailureError({ code: 'usage', message, hint: "'dag verify --run --save-baseline FILE' writes one" });
  };
  let json: { schema?: unknown; metrics?: unknown };
  try {
    json = JSON.parse(text) as typeof json;
  } catch {
    return fail();
  }
  if (json?.schema !== 1 || typeof json.metrics !== 'object' || json.metrics === null) return fail();
  return new Map(
    Object.entries(json.metrics).map(([at, numbers]) => {
      const known = Object.entries((numbers ?? {}) as Record<string, unknown>);
      return [at, new Map(known.filter((entry): entry is [string, number] => typeof entry[1] === 'number'))];
    }),
  );
}
