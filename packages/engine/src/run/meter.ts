import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import type { Readable } from 'node:stream';
import { groupOf, memoryOf, openStat, processIds, processNow, type Usage, usageOfEnded } from './usage.ts';

/**
 * The file descriptor by which a process tells that it ends: a pipe that nobody writes to. Above those that shell scripts
 * name (0 to 9) and those that shells take for themselves (10 and on).
 */
const PIPE = 19;

/** First look at a process's memory, and the longest time between two, in milliseconds. */
const FIRST_MS = 50;
const MOST_MS = 200;
/** So long after a look it is still known which group a process is of. */
const KNOWN_MS = 1000;
/** Looks that are due within so many milliseconds are taken together. */
const TOGETHER_MS = 25;

/** What a process group uses at this moment. */
export interface GroupNow {
  /** Seconds of CPU time of the processes that are there, and of their children that they waited for. */
  readonly cpu: number;
  /** Bytes. */
  readonly rss: number;
  readonly processes: number;
  /** Whether all of them are stopped: SIGSTOP, a debugger. */
  readonly stopped: boolean;
}

interface Watched {
  readonly statFile: number | undefined;
  dueAt: number;
  delay: number;
  peakRss: number;
  /** Read when it ended; undefined before. */
  ended: Usage | undefined;
}

/**
 * Measures process groups while they work. CPU time and bytes moved are read when the leader of a group has ended and
 * before this process has waited for it: the pipe that it held breaks first, and Node handles that before the signal. (Where
 * many end within the same fraction of a millisecond one may slip through: its time is not known then, never wrong.) They
 * hold for the leader and all that was waited for below it. Memory is looked at five times a second, for all processes of
 * the group; as the kernel remembers each process's peak, only a process that lives less than that can be missed.
 * Without /proc (macOS) it measures nothing.
 */
export class Meter {
  readonly #works = process.platform === 'linux' && fs.existsSync('/proc/self/stat');
  readonly #watched = new Map<number, Watched>();
  /** The group of every process of this machine, as last seen. */
  #groups = new Map<number, number>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** What to give `spawn` for a process that is to be measured. */
  stdio<T extends string>(standard: readonly T[]): (T | 'pipe' | 'ignore')[] {
    if (!this.#works) return [...standard];
    const stdio: (T | 'pipe' | 'ignore')[] = [...standard];
    while (stdio.length < PIPE) stdio.push('ignore');
    return [...stdio, 'pipe'];
  }

  /** Measures a process that leads its group, from now until the returned function is called, after its end. */
  watch(child: ChildProcess): () => Usage {
    const { pid } = child;
    if (!this.#works || pid === undefined) return () => ({});
    const statFile = openStat(pid);
    const dueAt = performance.now() + FIRST_MS;
    const watched: Watched = { statFile, dueAt, delay: FIRST_MS, peakRss: 0, ended: undefined };
    this.#watched.set(pid, watched);
    this.#schedule();
    const pipe = (child.stdio as readonly unknown[])[PIPE] as Readable | null | undefined;
    pipe?.once('end', () => this.#readEnded());
    pipe?.on('error', () => {});
    pipe?.resume();
    return () => {
      pipe?.destroy();
      if (statFile !== undefined) fs.closeSync(statFile);
      this.#watched.delete(pid);
      this.#schedule();
      return { ...watched.ended, ...(watched.peakRss === 0 ? {} : { peakRss: watched.peakRss }) };
    };
  }

  /** A group that is watched, as it is now; undefined where that can't be told. */
  now(leader: number): GroupNow | undefined {
    if (!this.#works) return undefined;
    let [cpu, rss, processes, held] = [0, 0, 0, 0];
    for (const [pid, group] of this.#groups) {
      const one = group === leader ? processNow(pid) : undefined;
      if (one === undefined) continue;
      cpu += one.cpu;
      rss += memoryOf(pid)?.now ?? 0;
      processes++;
      if (one.stopped) held++;
    }
    return processes === 0 ? undefined : { cpu, rss, processes, stopped: held === processes };
  }

  /** All that are ending: Node waits for every one that has ended when it hears of the first. */
  #readEnded(): void {
    for (const [pid, watched] of this.#watched) {
      watched.ended = usageOfEnded(pid, watched.statFile) ?? watched.ended;
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#watched.size === 0) return;
    const next = Math.min(...Array.from(this.#watched.values(), ({ dueAt }) => dueAt));
    this.#timer = setTimeout(() => this.#look(), Math.max(0, next - performance.now()));
    this.#timer.unref();
  }

  #look(): void {
    const now = performance.now();
    const until = now + TOGETHER_MS;
    const sums = new Map<number, number>();
    if (now > this.#lookedAt + KNOWN_MS) this.#groups.clear();
    this.#lookedAt = now;
    this.#groups = this.#groupsNow();
    for (const [pid, group] of this.#groups) {
      const watched = this.#watched.get(group);
      if (watched === undefined || watched.dueAt > until) continue;
      const memory = memoryOf(pid);
      if (memory === undefined) continue;
      const sum = (sums.get(group) ?? 0) + memory.now;
      sums.set(group, sum);
      watched.peakRss = Math.max(watched.peakRss, sum, memory.peak);
    }
    for (const watched of this.#watched.values()) {
      if (watched.dueAt > until) continue;
      watched.delay = Math.min(MOST_MS, watched.delay * 2);
      watched.dueAt = now + watched.delay;
    }
    this.#schedule();
  }

  /** Only processes that were not there the last time are asked for their group. */
  #groupsNow(): Map<number, number> {
    const groups = new Map<number, number>();
    for (const pid of processIds()) {
      const group = this.#watched.has(pid) ? pid : (this.#groups.get(pid) ?? groupOf(pid));
      if (group !== undefined) groups.set(pid, group);
    }
    return groups;
  }
}
