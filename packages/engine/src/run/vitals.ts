import type { GroupNow } from './meter.ts';

/** How often a running stage is looked at, in milliseconds. */
export const LOOK_MS = 1000;

/** A gap between two looks above this means that this process was not looking: stopped, suspended, busy. */
const ASLEEP_MS = 5 * LOOK_MS;

/** Silence after which the user is told, and after twice as long again. */
const NOTE_MS = 30_000;

/** CPU time that counts as work: so many seconds, and such a part of one core. Beats and timers take less. */
const WORK_SECONDS = 0.05;
const WORK_PART = 0.01;

export interface VitalsOptions {
  /** Milliseconds without any sign of progress after which `onStalled` is called. */
  readonly stall?: number | undefined;
  /** Whether the process says that its event loop turns. */
  readonly beats: boolean;
  /** Milliseconds, of a clock that never jumps. */
  now(): number;
  /** What the group uses; undefined where that can't be told. */
  look(): GroupNow | undefined;
  /** Something that the user should know, as the end of a sentence that begins with the stage. */
  tell(text: string, hint?: string): void;
  onStalled(): void;
}

/**
 * Tells a stage that works from one that hangs. Signs of progress are output, metrics, progress messages, and CPU time: a long
 * native training step holds the event loop, and so the beats, for as long as it takes, but it computes. So a stage is given
 * up only if its user said after how long (`stall`), and only when there was no sign of any kind. What is merely silent is
 * told, with what it does meanwhile. Time in which this process itself was not looking counts for nothing.
 */
export class Vitals {
  readonly #options: VitalsOptions;
  #lookedAt: number;
  /** The last sign of progress, CPU time included, and the CPU time at that moment. */
  #progressAt: number;
  #progressCpu: number | undefined;
  /** The last message, line, metric or beat, and the CPU time at that moment. */
  #heardAt: number;
  #heardCpu: number | undefined;
  #did: { readonly what: string; at: number } | undefined;
  #noteAt: number;
  #noted = false;
  #stalled = false;

  constructor(options: VitalsOptions) {
    this.#options = options;
    const now = options.now();
    this.#lookedAt = now;
    this.#progressAt = now;
    this.#heardAt = now;
    this.#noteAt = this.#firstNote();
  }

  /** Its event loop turns. */
  beat(): void {
    this.#hear();
  }

  /** It did something that others can see: in words. */
  active(what: string): void {
    this.#hear();
    this.#progressAt = this.#heardAt;
    this.#progressCpu = undefined;
    this.#did = { what, at: this.#heardAt };
  }

  /** Looks at it. To be called every LOOK_MS. */
  look(): GroupNow | undefined {
    const { now: clock, stall } = this.#options;
    const now = clock();
    this.#skipSleep(now);
    const group = this.#options.look();
    if (group === undefined) return undefined;
    this.#countCpu(group.cpu, now);
    if (this.#stalled) return group;
    if (stall !== undefined && now - this.#progressAt >= stall) {
      this.#stalled = true;
      this.#options.onStalled();
      return group;
    }
    this.#note(group, now);
    return group;
  }

  #hear(): void {
    const now = this.#options.now();
    this.#skipSleep(now);
    if (this.#noted) this.#options.tell(`goes on, after ${duration(now - this.#heardAt)} without a word`);
    this.#heardAt = now;
    this.#heardCpu = undefined;
    this.#noteAt = this.#firstNote();
    this.#noted = false;
  }

  #firstNote(): number {
    const { stall } = this.#options;
    return stall === undefined ? NOTE_MS : Math.min(NOTE_MS, stall / 2);
  }

  #skipSleep(now: number): void {
    const gap = now - this.#lookedAt;
    this.#lookedAt = now;
    if (gap <= ASLEEP_MS) return;
    this.#progressAt += gap;
    this.#heardAt += gap;
    if (this.#did !== undefined) this.#did.at += gap;
  }

  #countCpu(cpu: number, now: number): void {
    // Processes that went take their time with them.
    this.#progressCpu = Math.min(this.#progressCpu ?? cpu, cpu);
    this.#heardCpu = Math.min(this.#heardCpu ?? cpu, cpu);
    const used = cpu - this.#progressCpu;
    if (used <= Math.max(WORK_SECONDS, (WORK_PART * (now - this.#progressAt)) / 1000)) return;
    this.#progressAt = now;
    this.#progressCpu = cpu;
  }

  #note(group: GroupNow, now: number): void {
    const { beats, stall } = this.#options;
    const silent = now - this.#heardAt;
    const idle = now - this.#progressAt;
    // A command may well be silent; what it does is worth a word only where it ends soon, or can't go on.
    const isDue = beats || group.stopped || (stall !== undefined && idle >= this.#noteAt);
    if (silent < this.#noteAt || !isDue) return;
    while (silent >= this.#noteAt) this.#noteAt *= 2;
    this.#noted = true;
    const did = this.#did === undefined ? '' : `; last, ${duration(now - this.#did.at)} ago: ${this.#did.what}`;
    const ends =
      stall === undefined || idle < this.#firstNote() ? '' : `; it is ended after ${duration(stall)} of that (stall)`;
    const { what, hint } = this.#doing(group, silent);
    this.#options.tell(`has said nothing for ${duration(silent)}: ${what}${did}${ends}`, hint);
  }

  #doing({ cpu, stopped }: GroupNow, silent: number): { readonly what: string; readonly hint?: string } {
    if (stopped) return { what: 'it is stopped', hint: 'SIGCONT to its process has it go on' };
    const used = cpu - (this.#heardCpu ?? cpu);
    if (used <= (WORK_PART * silent) / 1000) return { what: 'it waits, and uses no CPU time' };
    const busy = this.#options.beats ? 'its event loop is busy' : 'it computes';
    return { what: `${busy} (${used.toFixed(1)} s of CPU time)` };
  }
}

/** A length of time, in words. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 10_000) return `${Math.round(ms / 100) / 10} s`;
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
