import fs from 'node:fs';
import type { ReproEvent } from '@dag/engine';
import { type Decision, FailureError, type StageAddress } from '@dag/model';
import type { OpenProject } from '../project/open.ts';
import { reasonText } from './change.ts';

/** Writes what happens, and when, in Chrome's format for traces, which Perfetto and chrome://tracing show. */
export interface Timeline {
  event(event: ReproEvent): void;
  /** @returns why it is not whole, where the disk refused. */
  close(): string | undefined;
}

/** A stage that holds a job slot. */
interface Turn {
  readonly slot: number;
  /** Microseconds since the beginning. */
  readonly from: number;
  decision?: Decision;
  tries: number;
  /** Since when, and for what, it waits. */
  waiting?: { readonly from: number; readonly why: string };
}

/** Waits below this many microseconds are none. */
const SHORTEST_WAIT = 1000;

/**
 * Opens a timeline: one row for each job slot, a stage as a complete event from its turn to its end; waits, for a slot or for
 * what another process holds, as events of their own. Each event is written when it ends, so that the file is a valid
 * trace (the format needs no closing bracket) if this process is killed.
 */
export function openTimeline(file: string, project: OpenProject): Timeline {
  const handle = openFile(file);
  let problem: string | undefined;
  const began = performance.now();
  const now = (): number => Math.round((performance.now() - began) * 1000);
  const turns = new Map<StageAddress, Turn>();
  const ended = new Map<StageAddress, number>();
  const slots: (StageAddress | undefined)[] = [];
  let separator = '[\n';
  const writeText = (text: string): void => {
    if (problem !== undefined) return;
    try {
      fs.writeSync(handle, text);
    } catch (error) {
      problem = (error as Error).message;
    }
  };
  const write = (record: Record<string, unknown>): void => {
    writeText(`${separator}${JSON.stringify({ pid: 1, ...record })}`);
    separator = ',\n';
  };
  const name = (tid: number, text: string): void => write({ ph: 'M', name: 'thread_name', tid, args: { name: text } });
  write({ ph: 'M', name: 'process_name', tid: 0, args: { name: 'dag repro' } });

  const wait = (stage: StageAddress, why: string, from: number, to: number): void => {
    if (to - from < SHORTEST_WAIT) return;
    const about = { cat: 'wait', id: stage, tid: 0, name: `${stage}: ${why}` };
    write({ ph: 'b', ts: from, ...about });
    write({ ph: 'e', ts: to, ...about });
  };
  const begin = (stage: StageAddress): Turn => {
    const free = slots.indexOf(undefined);
    const slot = free === -1 ? slots.length : free;
    if (free === -1) name(slot + 1, `slot ${slot + 1}`);
    slots[slot] = stage;
    const from = now();
    const upstream = project.pipeline.upstream(stage).flatMap((address) => ended.get(address) ?? []);
    wait(stage, 'waits for its turn', Math.max(0, ...upstream), from);
    const turn: Turn = { slot, from, tries: 0 };
    turns.set(stage, turn);
    return turn;
  };
  const waited = (stage: StageAddress, turn: Turn): void => {
    if (turn.waiting !== undefined) wait(stage, turn.waiting.why, turn.waiting.from, now());
    delete turn.waiting;
  };
  const end = (stage: StageAddress, args: Record<string, unknown>): void => {
    const turn = turns.get(stage) ?? begin(stage);
    const { slot, from, decision } = turn;
    const kind = decision?.kind ?? 'run';
    const reason = decision === undefined ? undefined : reasonText(decision);
    const tries = turn.tries > 1 ? { tries: turn.tries } : {};
    const dur = now() - from;
    write({
      ph: 'X',
      name: stage,
      cat: kind,
      tid: slot + 1,
      ts: from,
      dur,
      args: { decision: kind, reason, ...tries, ...args },
    });
    turns.delete(stage);
    slots[slot] = undefined;
    ended.set(stage, from + dur);
  };
  return {
    event: (event) => {
      switch (event.event) {
        case 'turn':
          begin(event.stage);
          return;
        case 'stage': {
          const { stage, decision } = event;
          const turn = turns.get(stage) ?? begin(stage);
          waited(stage, turn);
          turn.decision = decision;
          if (decision.kind !== 'run' || event.planned) end(stage, {});
          return;
        }
        case 'started': {
          const turn = turns.get(event.stage);
          if (turn === undefined) return;
          waited(event.stage, turn);
          turn.tries = event.attempt;
          return;
        }
        case 'finished': {
          const { stage, status, exitCode, failure } = event;
          end(stage, {
            status,
            exit_code: exitCode,
            error: failure !== undefined && 'message' in failure ? failure.message : undefined,
          });
          return;
        }
        case 'waiting': {
          const turn = event.stage === undefined ? undefined : turns.get(event.stage);
          if (turn !== undefined) turn.waiting ??= { from: now(), why: event.message };
          return;
        }
        default:
          return;
      }
    },
    close: () => {
      for (const stage of [...turns.keys()]) end(stage, { status: 'cancelled' });
      writeText('\n]\n');
      fs.closeSync(handle);
      return problem;
    },
  };
}

function openFile(file: string): number {
  try {
    return fs.openSync(file, 'w');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EISDIR') throw error;
    const what = code === 'EISDIR' ? 'it is a folder' : 'its folder does not exist';
    throw new FailureError({ code: 'usage', message: `--timeline: '${file}' can't be written: ${what}` });
  }
}
