import fs from 'node:fs';
import { ownerState, thisOwner } from '@dag/store';
import type { Usage } from '../run/usage.ts';
import { newestSegment, openSegment, segmentFile, segmentFiles } from './segments.ts';

/** What is known of a run when it starts. */
export interface Begun {
  readonly stage: string;
  readonly at: Date;
  readonly key: string;
  /** The canonical text of what it is made from. */
  readonly fingerprint: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}

/** How a run ended. */
export interface Ended {
  readonly status: 'ok' | 'failed' | 'cancelled';
  readonly seconds: number;
  readonly exitCode?: number;
  readonly signal?: string;
  /** What went wrong, in words. */
  readonly message?: string;
  /** Files in the `logs` folder of the cache, one a try. */
  readonly logs: readonly string[];
  readonly usage: Usage;
  /** The last values of what it reported while it ran; those that are not finite as text. */
  readonly metrics?: Readonly<Record<string, number | string>>;
}

/** A result that was taken from an earlier run. */
export interface Restored {
  readonly stage: string;
  readonly at: Date;
  readonly key: string;
  /** When the run that made it began; ISO 8601. */
  readonly from: string;
}

/** One line of the past: a run, or a result that came back without one. Times are ISO 8601. */
export type Attempt =
  | {
      readonly kind: 'run';
      readonly stage: string;
      readonly at: string;
      readonly key: string;
      /** Undefined where it was too long to keep. */
      readonly fingerprint: string | undefined;
      readonly context: Readonly<Record<string, string | number | boolean>>;
      /** Of the dag that ran it, where that is known. */
      readonly pid: number | undefined;
      /**
       * `killed`: the dag that ran it is gone and never said how it ended. `unknown`: it ran on another machine, or before
       * this one was started, and never said how it ended.
       */
      readonly state: 'running' | 'killed' | 'unknown' | Ended;
    }
  | {
      readonly kind: 'restored';
      readonly stage: string;
      readonly at: string;
      readonly key: string;
      readonly from: string;
    };

/** Notes every run of every stage. Where the disk refuses, `problem` says why, and nobody is disturbed. */
export interface Journal {
  /** @returns what to hand to `end`. */
  begin(run: Begun): string;
  end(id: string, end: Ended): void;
  restored(result: Restored): void;
  /**
   * Whether another process has noted anything since this journal was opened: what was seen before then may be otherwise by
   * now. True as well where that can't be told.
   */
  othersWrote(): boolean;
  problem(): string | undefined;
  close(): void;
}

/** A file above this many bytes is followed by the next. */
const LIMIT = 4 * 1024 * 1024;

/** Longest fingerprint that is kept, in characters. */
const FINGERPRINT_LIMIT = 16 * 1024;

/**
 * The journal of a project: `.cache/journal/N.ndjson`, appended to a line at a time by any number of processes, so that what
 * a killed process began is there. No fsync: it tells of results, it holds none.
 */
export function openJournal(root: string): Journal {
  let handle: number | undefined;
  let number = newestSegment(root);
  /** Bytes of that file that were there at first, or are ours. */
  let known = sizeOf(root, number);
  let others = false;
  let count = 0;
  let problem: string | undefined;
  const look = (): void => {
    const newest = newestSegment(root);
    const size = sizeOf(root, newest);
    others ||= newest !== number || size !== known;
    [number, known] = [newest, size];
  };
  const close = (): void => {
    if (handle !== undefined) fs.closeSync(handle);
    handle = undefined;
  };
  const append = (line: Record<string, unknown>): void => {
    if (problem !== undefined) return;
    try {
      if (handle !== undefined && fs.fstatSync(handle).size > LIMIT) close();
      if (handle === undefined) {
        look();
        if (number === 0 || known > LIMIT) [number, known] = [number + 1, 0];
        handle = openSegment(root, number);
        // A line that somebody could not write to its end must not swallow the next.
        if (known > 0) known += fs.writeSync(handle, '\n');
      }
      known += fs.writeSync(handle, `${JSON.stringify(line)}\n`);
    } catch (error) {
      problem = (error as Error).message;
    }
  };
  return {
    begin: ({ stage, at, key, fingerprint, context }) => {
      const owner = thisOwner();
      const id = `${at.getTime()}-${owner.host}-${owner.pid}-${++count}`;
      const kept = fingerprint.length > FINGERPRINT_LIMIT ? undefined : fingerprint;
      append({ run: id, stage, at: at.toISOString(), key, owner, context, fingerprint: kept });
      return id;
    },
    end: (id, end) => append({ end: id, ...end }),
    restored: ({ stage, at, key, from }) => append({ restored: stage, at: at.toISOString(), key, from }),
    othersWrote: () => {
      if (!others) look();
      return others || problem !== undefined;
    },
    problem: () => problem,
    close,
  };
}

/** All that the journal holds, oldest first. Lines that are no such are passed over. */
export function readJournal(root: string): Attempt[] {
  const lines = segmentFiles(root).flatMap((file) => readLines(file));
  const ends = new Map<string, Ended>();
  for (const line of lines) {
    const end = endOf(line);
    if (end !== undefined) ends.set(String(line['end']), end);
  }
  const attempts = lines.flatMap((line): Attempt[] => {
    const { at, key } = line;
    if (typeof at !== 'string' || Number.isNaN(Date.parse(at)) || typeof key !== 'string') return [];
    if (typeof line['restored'] === 'string') {
      return [{ kind: 'restored', stage: line['restored'], at, key, from: String(line['from']) }];
    }
    const { run, stage, owner, fingerprint, context } = line;
    if (typeof run !== 'string' || typeof stage !== 'string') return [];
    return [
      {
        kind: 'run',
        stage,
        at,
        key,
        fingerprint: typeof fingerprint === 'string' ? fingerprint : undefined,
        context: plainly(context, 'string', 'number', 'boolean'),
        ...(ends.has(run) ? { pid: undefined, state: ends.get(run) as Ended } : stateBy(owner)),
      },
    ];
  });
  return attempts.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** Whether a stage was run to a result, or had one restored, by anything that began after a moment. */
export function hasResultSince(root: string, stage: string, moment: Date): boolean {
  return readJournal(root).some((attempt) => {
    if (attempt.stage !== stage || Date.parse(attempt.at) <= moment.getTime()) return false;
    return attempt.kind === 'restored' || (typeof attempt.state === 'object' && attempt.state.status === 'ok');
  });
}

/** How a run ended; undefined for a line that says no such thing. */
function endOf(line: Record<string, unknown>): Ended | undefined {
  const { end, status, seconds, exitCode, signal, message, logs, usage, metrics } = line;
  if (typeof end !== 'string' || typeof seconds !== 'number') return undefined;
  if (status !== 'ok' && status !== 'failed' && status !== 'cancelled') return undefined;
  return {
    status,
    seconds,
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    ...(typeof signal === 'string' ? { signal } : {}),
    ...(typeof message === 'string' ? { message } : {}),
    logs: Array.isArray(logs) ? logs.filter((name) => typeof name === 'string') : [],
    usage: plainly(usage, 'number'),
    ...(metrics === undefined ? {} : { metrics: plainly<number | string>(metrics, 'number', 'string') }),
  };
}

/** Those members of an object that are of some types. */
function plainly<T extends string | number | boolean>(value: unknown, ...types: readonly string[]): Record<string, T> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, one]) => types.includes(typeof one)));
}

/** How a run stands that did not say how it ended, by the process that owns it. */
function stateBy(owner: unknown): {
  readonly pid: number | undefined;
  readonly state: 'running' | 'killed' | 'unknown';
} {
  const { host, pid, start } = (owner ?? {}) as Record<string, unknown>;
  const isOwner = typeof host === 'string' && typeof start === 'number' && Number.isSafeInteger(pid) && Number(pid) > 0;
  if (!isOwner) return { pid: undefined, state: 'unknown' };
  const state = ownerState({ host, pid: Number(pid), start });
  return { pid: Number(pid), state: state === 'elsewhere' ? 'unknown' : state === 'dead' ? 'killed' : 'running' };
}

function readLines(file: string): Record<string, unknown>[] {
  return readText(file)
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('{')) return [];
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function sizeOf(root: string, number: number): number {
  return number === 0 ? 0 : (fs.statSync(segmentFile(root, number), { throwIfNoEntry: false })?.size ?? 0);
}
