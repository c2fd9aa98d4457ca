import type { OneRun, PathComparison, Rerun } from '@dag/engine';
import { unreachable } from '@dag/model';
import { EXIT, exitStatus } from '../failure.ts';
import { comparisonJson, comparisonText, isNumeric } from './difference.ts';
import { withTrace } from './traced-verdict.ts';
import type { Verdict } from './verdict.ts';

type Ran = Extract<OneRun, { status: 'ran' }>;

/** What running a stage again says of it; undefined where it was broken off. */
export function rerunVerdict({ stage, runs, elsewhere, varies }: Rerun): Verdict | undefined {
  const place = { file: stage.file, span: { line: stage.line, column: 1, length: 1 } };
  const row = { kind: 'stage', name: stage.address, place } as const;
  const last = runs.at(-1);
  if (last === undefined) return undefined;
  switch (last.status) {
    case 'cancelled':
      return undefined;
    case 'no-inputs':
      return noInputsVerdict(row, last);
    case 'failed':
      return withTrace(failedVerdict(row, last), last.trace);
    case 'ran': {
      const ran = runs.filter((run): run is Ran => run.status === 'ran');
      const told = ran.flatMap(({ strays, touched }) => [...strays.changed, ...strays.added, ...touched]);
      return { ...row, ...withTrace(ranVerdict(ran, elsewhere, varies), last.trace, told) };
    }
    default:
      return unreachable(last);
  }
}

function noInputsVerdict(
  row: Pick<Verdict, 'kind' | 'name' | 'place'>,
  { missing, failure }: Extract<OneRun, { status: 'no-inputs' }>,
): Verdict {
  const reasons = missing.map(
    (path) => `dep ${path} can't be had as pipeline.lock names it: neither cache, remote nor git has it`,
  );
  const why = failure !== undefined && 'message' in failure ? [failure.message] : [];
  const json = { missing, surroundings: failure === undefined ? undefined : true };
  return { ...row, verdict: 'no-inputs', ok: false, reasons: [...limited(reasons), ...why], notes: [], json };
}

function failedVerdict(
  row: Pick<Verdict, 'kind' | 'name' | 'place'>,
  { failure, tail, seconds }: Extract<OneRun, { status: 'failed' }>,
): Verdict {
  const said =
    failure.code === 'invalid-pipeline' ? failure.diagnostics.map(({ message }) => message) : [failure.message];
  const hint = 'it had only what is declared, and what git has: does it read something that is no dep?';
  return {
    ...row,
    verdict: 'failed',
    ok: false,
    reasons: [...said, ...tail.map((line) => `│ ${line}`), ...(failure.code === 'stage-failed' ? [hint] : [])],
    notes: [],
    seconds,
    json: { code: failure.code, surroundings: exitStatus(failure) === EXIT.surroundings || undefined },
  };
}

function ranVerdict(
  runs: readonly Ran[],
  elsewhere: Rerun['elsewhere'],
  varies: boolean,
): Omit<Verdict, 'kind' | 'name' | 'place'> {
  const differing = unique(runs.flatMap((run) => run.differing));
  const unknown = [...new Set(runs.flatMap((run) => run.unknown))];
  const strays = [...new Set(runs.flatMap(({ strays: { changed, added } }) => [...changed, ...added]))].sort();
  const touched = [...new Set(runs.flatMap((run) => run.touched))];
  const holdsPath = [...new Set(runs.flatMap((run) => run.holdsPath))];
  const isDifferent = unknown.length > 0 || differing.some(({ comparison }) => comparison.verdict === 'different');
  const isDrift =
    elsewhere.length > 0 &&
    unknown.length === 0 &&
    !varies &&
    differing.every(({ comparison }) => isNumeric(comparison));
  const verdict = isDifferent
    ? isDrift
      ? 'drift'
      : 'different'
    : strays.length + touched.length > 0
      ? 'undeclared'
      : ((['tolerated', 'canonical'] as const).find((one) =>
          differing.some(({ comparison }) => comparison.verdict === one),
        ) ?? 'identical');
  const ok = ['identical', 'canonical', 'tolerated', 'drift'].includes(verdict) && strays.length + touched.length === 0;
  const shown = differing.filter(({ comparison }) => !isDifferent || comparison.verdict === 'different');
  const ignored = new Set(runs.flatMap((run) => run.strays.ignored));
  return {
    verdict,
    ok,
    warning: verdict === 'drift',
    reasons: [
      ...limited(shown.map(comparisonText)),
      ...limited(unknown.map((path) => `${path} is other content; what it was can't be had`)),
      ...(isDifferent && varies
        ? [
            `${runs.length} runs made different results: it is not deterministic; is it the clock, a random number, an order?`,
          ]
        : []),
      ...(isDifferent && !varies && runs.length > 1
        ? [`${runs.length} runs made the same: what pipeline.lock names was made from something else`]
        : []),
      ...limited(holdsPath.map((path) => `${path} holds the path of the folder that the stage ran in`)),
      ...elsewhere.map(({ name, before, now }) => `it was made with ${name} ${before}; here it is ${now}`),
      ...limited(touched.map((path) => `it changes its own dep ${path}`)),
      ...limited(strays.map((path) => `it writes ${path}, which is none of its outs`)),
    ],
    notes: ignored.size === 0 ? [] : [`it leaves files that git ignores: ${limited([...ignored].sort()).join(', ')}`],
    seconds: runs.reduce((sum, run) => sum + run.seconds, 0),
    json: {
      outs: differing.map(comparisonJson),
      ...(runs.length === 1 ? {} : { runs: runs.length, varies }),
      ...(unknown.length === 0 ? {} : { unknown }),
      ...(strays.length === 0 ? {} : { strays }),
      ...(touched.length === 0 ? {} : { touched }),
      ...(elsewhere.length === 0 ? {} : { elsewhere }),
    },
  };
}

/** Of several runs, the worst of each path. */
function unique(all: readonly PathComparison[]): PathComparison[] {
  const rank = { identical: 0, canonical: 1, tolerated: 2, different: 3 };
  const worst = new Map<string, PathComparison>();
  for (const one of all) {
    const before = worst.get(one.path);
    if (before === undefined || rank[before.comparison.verdict] < rank[one.comparison.verdict])
      worst.set(one.path, one);
  }
  return [...worst.values()];
}

const MOST = 5;

function limited(lines: readonly string[]): string[] {
  return lines.length <= MOST ? [...lines] : [...lines.slice(0, MOST), `and ${lines.length - MOST} more`];
}
