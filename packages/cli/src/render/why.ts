import type { Explanation, Uncacheable } from '@dag/engine';
import { type Change, unreachable } from '@dag/model';
import type { Inside } from '../project/inside.ts';
import { changeJson, changeText, reasonText, variationText } from './change.ts';
import { leftText } from './left.ts';
import { paint } from './paint.ts';
import { count, secondsText } from './units.ts';

/** What is known of the inside of changes. */
export type Insides = ReadonlyMap<Change, Inside>;

/** Names that a line shows before it only counts. */
const NAMES = 5;

/** What `why` says of a stage, for scripts. */
export function whyJson(explanation: Explanation, inside: Insides): unknown {
  const { stage, decision, nearest, unfinished, left, variation, uncacheable, unchanged } = explanation;
  const changes = (of: readonly Change[]): unknown[] => of.map((change) => json(change, inside));
  return {
    stage,
    decision: decision.kind,
    reason: reasonText(decision),
    changes: 'changes' in decision ? changes(decision.changes) : [],
    ...(decision.kind === 'undecided' ? { upstream: decision.upstream } : {}),
    ...(nearest === undefined
      ? {}
      : {
          nearest: {
            started_at: nearest.record.startedAt,
            key: nearest.record.key,
            changes: changes(nearest.changes),
          },
        }),
    ...(unfinished === undefined
      ? {}
      : {
          last_run: {
            started_at: unfinished.at,
            result: unfinished.result,
            ...(unfinished.exitCode === undefined ? {} : { exit_code: unfinished.exitCode }),
            ...(unfinished.signal === undefined ? {} : { signal: unfinished.signal }),
          },
        }),
    ...(left === undefined ? {} : { left }),
    ...(variation === undefined ? {} : { not_reproducible: variation }),
    ...(uncacheable === undefined ? {} : { no_run_cache: uncacheableText(uncacheable) }),
    unchanged: {
      deps: unchanged.deps.length,
      params: unchanged.params.length,
      env: unchanged.env.length,
      outs: unchanged.outs.length,
    },
    compared: unchanged,
  };
}

function json(change: Change, insides: Insides): Record<string, unknown> {
  const inside = insides.get(change);
  if (inside === undefined) return changeJson(change);
  if (inside.kind === 'lines') return { ...changeJson(change), lines: inside.ranges };
  const { added, deleted, modified } = inside;
  return { ...changeJson(change), files: { added, deleted, modified } };
}

/** What `why` says of a stage, for people. */
export function* whyLines(explanation: Explanation, inside: Insides, colour: boolean): Generator<string> {
  const { stage, decision, nearest, unfinished, left, variation, uncacheable, unchanged } = explanation;
  const name = paint('bold', stage, colour);
  const compared = [
    named(unchanged.deps, 'dep'),
    named(unchanged.params, 'param'),
    named(unchanged.env, 'variable'),
    named(unchanged.outs, 'out'),
  ].flatMap((text) => text ?? []);
  switch (decision.kind) {
    case 'skip':
      yield `${name} is skipped: ${decision.reason === 'frozen' ? 'it is frozen' : 'nothing changed'}`;
      if (decision.reason !== 'frozen') yield `  compared and equal: ${['its definition', ...compared].join(', ')}`;
      break;
    case 'restore':
      yield `${name} is restored, not run: ${reasonText(decision)}`;
      break;
    case 'run':
      yield `${name} would run, because`;
      for (const change of decision.changes) {
        const isBegun = change.changed === 'never-run' && unfinished !== undefined;
        yield `  ${changeText(change)}${isBegun ? ' to its end' : insideText(inside.get(change))}`;
      }
      break;
    case 'undecided':
      yield `${name} may run: it depends on what ${quoted(decision.upstream)} makes`;
      for (const change of decision.changes) yield `  ${changeText(change)}${insideText(inside.get(change))}`;
      break;
    case 'blocked':
      yield `${name} is blocked by ${decision.by}`;
      break;
  }
  if ('changes' in decision && decision.kind !== 'restore' && compared.length > 0) {
    yield `unchanged: ${compared.join(', ')}`;
  }
  if (unfinished !== undefined) yield unfinishedText(unfinished);
  if (left !== undefined) yield `it goes on ${leftText(left)}`;
  if (variation !== undefined) yield variationText(variation);
  const isStale = decision.kind === 'run' || (decision.kind === 'undecided' && decision.changes.length > 0);
  if (nearest !== undefined && isStale) yield* nearestLines(nearest, decision.changes, inside);
  if (uncacheable !== undefined) {
    yield `no part in the run cache: ${uncacheableText(uncacheable)}`;
  }
}

function unfinishedText({ stage, at, result, exitCode, signal }: NonNullable<Explanation['unfinished']>): string {
  const when = `${at.slice(0, 16).replace('T', ' ')} UTC`;
  if (result === 'running') return `it is running since ${when}`;
  const how = signal ?? (exitCode === undefined || exitCode === 0 ? undefined : `exit status ${exitCode}`);
  const told = how === undefined ? result : `${result} (${how})`;
  return `last run: ${when}, ${told}; 'dag log ${stage} --output' shows what it printed`;
}

function* nearestLines(
  { record, changes }: NonNullable<Explanation['nearest']>,
  known: readonly Change[],
  inside: Insides,
): Generator<string> {
  const when = `${record.startedAt.slice(0, 16).replace('T', ' ')} UTC, ${secondsText(record.seconds)}`;
  if (changes.length === 0) {
    yield `nearest earlier run: ${when}; nothing changed since, but its outs are not all in the cache`;
    return;
  }
  const text = (change: Change): string => `  ${changeText(change)}${insideText(inside.get(change))}`;
  if (changes.map(text).join('\n') === known.map(text).join('\n')) {
    yield `nearest earlier run: ${when}; it differs in the same`;
    return;
  }
  yield `nearest earlier run: ${when}; it differs in`;
  for (const change of changes) yield text(change);
}

/** Why no earlier result can come back for a stage. */
function uncacheableText(reason: Uncacheable): string {
  switch (reason.why) {
    case 'always-changed':
      return 'it is always_changed';
    case 'no-inputs':
      return 'it has no deps or params that its result could be known by';
    case 'no-outs':
      return 'it has no outs';
    case 'external-dep':
      return `its dep ${reason.path} is outside the project`;
    case 'external-out':
      return `its out ${reason.path} is outside the project`;
    case 'persists':
      return `its out ${reason.path} persists, so that a run builds on the one before`;
    case 'not-cached':
      return `its out ${reason.path} is not cached`;
    default:
      return unreachable(reason);
  }
}

/** `2 deps (a, b)`; undefined where there are none. */
function named(names: readonly string[], noun: string): string | undefined {
  return names.length === 0 ? undefined : `${count(names.length, noun)} (${few(names)})`;
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, NAMES).join(', ');
  return names.length > NAMES ? `${shown} and ${names.length - NAMES} more` : shown;
}

function quoted(names: readonly string[]): string {
  return few(names.map((name) => `'${name}'`));
}

function insideText(inside: Inside | undefined): string {
  if (inside === undefined) return '';
  if (inside.kind === 'lines') {
    const ranges = inside.ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
    const plural = inside.ranges.length > 1 || inside.ranges.some(([first, last]) => first !== last);
    return `: line${plural ? 's' : ''} ${few(ranges)}`;
  }
  const { modified, added, deleted } = inside;
  const parts = [
    ['modified', modified],
    ['added', added],
    ['deleted', deleted],
  ] as const;
  const told = parts.flatMap(([how, names]) => (names.length === 0 ? [] : [`${names.length} ${how} (${few(names)})`]));
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}
