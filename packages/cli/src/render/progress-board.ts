import type { Durations, ReproEvent } from '@dag/engine';
import type { StageAddress } from '@dag/model';
import { liveFrame, type RunningStage, type Size } from './frame.ts';
import { timeLeft } from './time-left.ts';
import { plainLine } from './width.ts';

interface Running {
  readonly since: number;
  fraction?: number;
  text?: string;
}

/** What a board needs to know. `now` in milliseconds. */
export interface BoardOptions {
  readonly selection: readonly StageAddress[];
  readonly upstream: (stage: StageAddress) => readonly StageAddress[];
  readonly durations: () => Durations;
  readonly jobs: number;
  readonly now: () => number;
}

/** How long an estimate of all that is left is good for, in milliseconds. */
const ESTIMATE_MS = 1000;

/** Keeps what a live display shows of a run: what is running, how far it is, and what is left. */
export class ProgressBoard {
  readonly #options: BoardOptions;
  readonly #running = new Map<StageAddress, Running>();
  readonly #settled = new Set<StageAddress>();
  readonly #counts = { ran: 0, restored: 0, skipped: 0, failed: 0, savedSeconds: 0 };
  #durations: Durations | undefined;
  #left: { readonly at: number; readonly seconds: number | undefined } | undefined;

  constructor(options: BoardOptions) {
    this.#options = options;
  }

  take(event: ReproEvent): void {
    switch (event.event) {
      case 'stage': {
        const { decision } = event;
        if (decision.kind === 'run' || decision.kind === 'undecided') return;
        this.#settled.add(event.stage);
        if (decision.kind === 'skip') this.#counts.skipped++;
        if (decision.kind !== 'restore') return;
        this.#counts.restored++;
        if (decision.from.kind === 'run') this.#counts.savedSeconds += decision.from.record.seconds;
        return;
      }
      case 'started':
        if (!this.#running.has(event.stage)) this.#running.set(event.stage, { since: this.#options.now() });
        return;
      case 'output': {
        const running = this.#running.get(event.stage);
        const text = plainLine(event.line);
        if (running !== undefined && text !== '') running.text = text;
        return;
      }
      case 'progress': {
        const running = this.#running.get(event.stage);
        if (running === undefined) return;
        running.fraction = Math.min(1, Math.max(0, event.fraction));
        if (event.text !== undefined) running.text = plainLine(event.text);
        return;
      }
      case 'finished':
        this.#running.delete(event.stage);
        this.#settled.add(event.stage);
        if (event.status === 'ok') this.#counts.ran++;
        if (event.status === 'failed') this.#counts.failed++;
        this.#left = undefined;
        return;
      default:
        return;
    }
  }

  /** The lines to show; none while nothing runs. */
  lines(size: Size): string[] {
    if (this.#running.size === 0) return [];
    const now = this.#options.now();
    const running = Array.from(
      this.#running,
      ([name, { since, fraction, text }]): RunningStage => ({
        name,
        elapsed: (now - since) / 1000,
        usual: this.#usual(name),
        fraction,
        text,
      }),
    );
    if (this.#left === undefined || now - this.#left.at >= ESTIMATE_MS) {
      this.#left = { at: now, seconds: this.#estimate(now) };
    }
    const totals = { stages: this.#options.selection.length, ...this.#counts, secondsLeft: this.#left.seconds };
    return liveFrame(running, totals, size);
  }

  #estimate(now: number): number | undefined {
    const { selection: stages, upstream, jobs } = this.#options;
    return timeLeft({
      stages,
      upstream,
      jobs,
      isSettled: (stage) => this.#settled.has(stage),
      usual: (stage) => this.#usual(stage),
      elapsed: (stage) => {
        const since = this.#running.get(stage)?.since;
        return since === undefined ? undefined : (now - since) / 1000;
      },
    });
  }

  #usual(stage: StageAddress): number | undefined {
    this.#durations ??= this.#options.durations();
    return this.#durations.of(stage)?.seconds;
  }
}
