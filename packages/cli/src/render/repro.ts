import { commandText, type ReproEvent, type ReproSummary, readDurations } from '@dag/engine';
import { type Decision, type LastWords, type StageAddress, unreachable } from '@dag/model';
import { failureJson, failureText } from '../failure.ts';
import type { OpenProject } from '../project/open.ts';
import type { Context } from '../verb.ts';
import { changeJson, reasonText } from './change.ts';
import { leftText } from './left.ts';
import { LiveLines } from './live.ts';
import { MetricLines, shortNumber } from './metric-lines.ts';
import { type Paint, paint } from './paint.ts';
import { ProgressBoard } from './progress-board.ts';
import { tracedJson, tracedLines } from './traced.ts';
import { count, secondsText } from './units.ts';

/** Shows how a `repro` goes: plain lines, a live display on a terminal, or NDJSON. */
export interface ReproReporter {
  event(event: ReproEvent): void;
  summary(summary: ReproSummary): void;
  close(): void;
}

/** What is reported on. */
export interface ReportOptions {
  readonly dry: boolean;
  /** Stages at once. */
  readonly jobs: number;
  /** Whether the user is asked about each stage: a question and a live display don't share a terminal. */
  readonly asks: boolean;
}

export function reproReporter(
  context: Context,
  project: OpenProject,
  selection: readonly StageAddress[],
  how: ReportOptions,
): ReproReporter {
  return context.json ? jsonReporter(context, project) : textReporter(context, project, selection, how);
}

function jsonReporter(context: Context, project: OpenProject): ReproReporter {
  return {
    event: (event) => {
      // What is wrong in a file has a line of its own for each problem.
      const failure = event.event === 'finished' ? event.failure : undefined;
      if (failure?.code === 'invalid-pipeline') context.io.out(failureJson(failure));
      if (event.event !== 'turn') context.emit(eventJson(event, project, context.verbose));
    },
    summary: ({ failures: _, savedSeconds, ...lists }) => {
      context.emit({ event: 'summary', ...lists, saved_seconds: savedSeconds });
    },
    close: () => {},
  };
}

function eventJson(event: Exclude<ReproEvent, { event: 'turn' }>, project: OpenProject, verbose: boolean): unknown {
  switch (event.event) {
    case 'stage': {
      const { stage, decision, planned } = event;
      const kind = decision.kind === 'undecided' ? 'run' : decision.kind;
      const changes = 'changes' in decision ? decision.changes.map(changeJson) : [];
      const certain = decision.kind === 'undecided' ? { undecided: true } : {};
      const dry = planned ? { planned, command: plannedCommand(event, project)?.join('\n') } : {};
      return { event: 'stage', stage, decision: kind, reason: reasonText(decision), changes, ...certain, ...dry };
    }
    case 'finished': {
      const { stage, status, exitCode, seconds, failure, left } = event;
      const error = failure === undefined || failure.code === 'invalid-pipeline' ? undefined : failure.message;
      const last = failure?.code === 'stage-failed' ? failure.last : undefined;
      const said = last === undefined ? {} : { last_output: last.output, last_metrics: last.metrics };
      return {
        event: 'finished',
        stage,
        status,
        exit_code: exitCode ?? null,
        seconds,
        error,
        hint: hintOf(failure),
        left,
        ...said,
      };
    }
    case 'data': {
      const { path, artifact, how } = event;
      return { event: 'data', path, how, digest: artifact.digest, size: artifact.size };
    }
    case 'started':
    case 'output':
    case 'progress':
    case 'metric':
    case 'checkpoint':
    case 'waiting':
    case 'warning':
      return event;
    case 'traced':
      return tracedJson(event, verbose);
    default:
      return unreachable(event);
  }
}

function hintOf(failure: { hint?: string } | object | undefined): string | undefined {
  return failure !== undefined && 'hint' in failure ? failure.hint : undefined;
}

function textReporter(
  context: Context,
  project: OpenProject,
  selection: readonly StageAddress[],
  { dry, jobs, asks }: ReportOptions,
): ReproReporter {
  const { io, quiet } = context;
  const colour = io.colour;
  const width = Math.min(32, Math.max(0, ...selection.map((stage) => stage.length)));
  const isLive = io.live && !quiet && !dry && !asks;
  const board = isLive ? boardOf(project, selection, jobs) : undefined;
  const live = new LiveLines(io, isLive, () => board?.lines(io.terminal.size()) ?? []);
  const started = new Set<string>();
  const running = new Set<string>();
  /** Stages whose output stands among that of others. */
  const mixed = new Set<string>();
  let undecided = 0;
  const metrics = new MetricLines((stage, text) => live.say(`${prefix(stage)}${text}\n`));
  const prefix = (stage: string): string => paint('dim', `${stage.padEnd(width)} │ `, colour.err);
  const result = (word: string, style: Paint, stage: string, rest: string): void => {
    if (quiet) return;
    live.print(`${paint(style, word.padEnd(8), colour.out)} ${stage.padEnd(width)}  ${rest}\n`);
  };
  const warn = (text: string, hint?: string): void => {
    live.say(`${paint('yellow', 'warning', colour.err)}: ${text}\n${hint === undefined ? '' : `  ${hint}\n`}`);
  };
  return {
    event: (event) => {
      board?.take(event);
      switch (event.event) {
        case 'stage': {
          const { word, style } = decisionWord(event.decision, event.planned);
          if (event.decision.kind === 'undecided') undecided++;
          // It failed before there was a reason to run it; what follows says why.
          if (event.decision.kind === 'run' && event.decision.changes.length === 0) return;
          if (event.decision.kind === 'skip' && selection.length > 40 && !context.verbose) return;
          result(word, style, event.stage, reasonText(event.decision));
          if (quiet || !event.planned) return;
          for (const line of plannedCommand(event, project) ?? []) live.print(`${' '.repeat(width + 11)}$ ${line}\n`);
          return;
        }
        case 'turn':
          return;
        case 'started':
          live.start();
          started.add(event.stage);
          running.add(event.stage);
          if (running.size > 1) for (const stage of running) mixed.add(stage);
          if (!quiet) live.say(`${prefix(event.stage)}${paint('bold', `$ ${firstLine(event.command)}`, colour.err)}\n`);
          if (!quiet && event.resumed !== undefined)
            live.say(`${prefix(event.stage)}goes on ${leftText(event.resumed)}\n`);
          return;
        case 'output':
          if (quiet) return;
          return live.say(`${prefix(event.stage)}${event.line}\n`);
        case 'progress':
          return;
        case 'checkpoint':
          return;
        case 'metric':
          if (!quiet) metrics.add(event.stage, event.name, event.value, event.step);
          return;
        case 'finished': {
          metrics.flush();
          running.delete(event.stage);
          const { status, seconds, failure, left } = event;
          if (status === 'ok') return result('ran', 'green', event.stage, `in ${secondsText(seconds)}`);
          const next = left === undefined ? '' : `it goes on ${leftText(left)}`;
          const stays = [outsText(project, event.stage), next].filter((text) => text !== '').join('; ');
          const outs = started.has(event.stage) ? stays || `after ${secondsText(seconds)}` : 'not started';
          if (status === 'cancelled') return result('cancelled', 'yellow', event.stage, outs);
          if (failure !== undefined) live.say(failureText(failure, colour.err));
          if (failure?.code === 'stage-failed') {
            for (const line of lastWords(failure, quiet || mixed.has(event.stage))) live.say(`  ${line}\n`);
          }
          return result('failed', 'red', event.stage, outs);
        }
        case 'traced':
          for (const line of tracedLines(event, context.verbose, colour.err)) live.say(`${line}\n`);
          return;
        case 'data':
          return result(dry ? PLANNED[event.how] : event.how, 'green', event.path, DATA_WORDS[event.how]);
        case 'waiting':
          return live.say(`${event.stage === undefined ? '' : `${event.stage}: `}${event.message}\n`);
        case 'warning':
          return warn(event.message, event.hint);
        default:
          return unreachable(event);
      }
    },
    summary: (summary) => {
      metrics.flush();
      live.close();
      context.print(summaryLine(summary, project, dry ? { undecided } : undefined));
    },
    close: () => live.close(),
  };
}

const PLANNED = { recorded: 'record', restored: 'restore', followed: 'follow' } as const;

const DATA_WORDS = {
  recorded: 'data as it stands now',
  restored: 'data as pipeline.lock names it',
  followed: 'data as git changed it in pipeline.lock',
};

function boardOf(project: OpenProject, selection: readonly StageAddress[], jobs: number): ProgressBoard {
  return new ProgressBoard({
    selection,
    upstream: (stage) => project.pipeline.upstream(stage),
    durations: () => readDurations(project.root),
    jobs,
    now: () => performance.now(),
  });
}

/** The lines of the command that would be run, or the module of a worker; undefined where nothing would. */
function plannedCommand(
  { stage, decision }: Extract<ReproEvent, { event: 'stage' }>,
  project: OpenProject,
): readonly string[] | undefined {
  if (decision.kind !== 'run' && decision.kind !== 'undecided') return undefined;
  const action = project.pipeline.stages.get(stage)?.action;
  if (action === undefined) return undefined;
  return action.kind === 'worker' ? [action.module] : commandText(action.cmd).trimEnd().split('\n');
}

function decisionWord(decision: Decision, planned: boolean): { word: string; style: Paint } {
  switch (decision.kind) {
    case 'skip':
      return { word: 'skip', style: 'dim' };
    case 'restore':
      return { word: planned ? 'restore' : 'restored', style: 'cyan' };
    case 'run':
      return { word: 'run', style: 'bold' };
    case 'undecided':
      return { word: 'may run', style: 'bold' };
    case 'blocked':
      return { word: 'blocked', style: 'yellow' };
    default:
      return unreachable(decision);
  }
}

/** What it said last; its output only where that is not to be read right above. */
function* lastWords({ last }: { readonly last?: LastWords }, withOutput: boolean): Generator<string> {
  if (last === undefined) return;
  const metrics = Object.entries(last.metrics).slice(0, 5);
  if (withOutput && last.output.length > 0) {
    yield 'it printed last:';
    for (const line of last.output) yield `  ${line}`;
  }
  if (metrics.length > 0) {
    const text = metrics.map(([name, value]) => `${name} ${typeof value === 'number' ? shortNumber(value) : value}`);
    yield `last metrics: ${text.join(', ')}`;
  }
}

/** What a stage that did not succeed leaves of its outs: what persists is as the stage left it. */
function outsText(project: OpenProject, address: StageAddress): string {
  const outs = project.pipeline.stages.get(address)?.outs ?? [];
  if (outs.length === 0) return '';
  const kept = outs.filter((out) => out.persist).map((out) => `'${out.path}'`);
  if (kept.length === outs.length) return `${kept.join(', ')} persists, as it left it`;
  return `its old outs are in place${kept.length === 0 ? '' : `; ${kept.join(', ')} persists, as it left it`}`;
}

function summaryLine(summary: ReproSummary, project: OpenProject, dry: { undecided: number } | undefined): string {
  const { ran, restored, skipped, failed, blocked, cancelled, savedSeconds } = summary;
  const parts = [
    [ran.slice(0, ran.length - (dry?.undecided ?? 0)), dry ? 'to run' : 'ran'],
    [ran.slice(0, dry?.undecided ?? 0), 'may run'],
    [restored, dry ? 'to restore' : 'restored'],
    [skipped, dry ? 'to skip' : 'skipped'],
    [failed, 'failed'],
    [blocked, 'blocked'],
    [cancelled, 'cancelled'],
  ] as const;
  const text = parts.filter(([list]) => list.length > 0).map(([list, word]) => `${list.length} ${word}`);
  if (text.length === 0) {
    return project.pipeline.stages.size === 0 ? 'There are no stages yet: see dag stage add.' : 'Nothing was selected.';
  }
  const saved = savedSeconds >= 1 ? `; ${secondsText(savedSeconds)} saved` : '';
  if (text.length === 1 && skipped.length > 0)
    return `Everything is up to date: ${count(skipped.length, 'stage')} skipped.`;
  return `${text.join(', ')}${saved}.`;
}

function firstLine(command: string): string {
  const [line = '', ...more] = command.trim().split('\n');
  return more.length === 0 ? line : `${line} …`;
}
