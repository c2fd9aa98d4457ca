import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type Counts, counted } from './count.ts';
import type { WorkFolder } from './work-folder.ts';

/** One program doing one thing. */
export interface Trial {
  /** Brings the state about that the command starts from; not timed. */
  readonly prepare?: (round: number) => void;
  /** In how many rounds it is measured; default: all. */
  readonly rounds?: number;
  /** The command of a round, program first. */
  readonly command: (round: number) => readonly string[];
  readonly cwd: string;
  /** Moves out of the way what it left and nobody needs; not timed. */
  readonly after?: () => void;
}

/** One thing to be done, by several programs in turn. */
export interface Step {
  readonly what: string;
  /** By the program's name, dag first; a string says why a program has no figure. */
  readonly by: ReadonlyMap<string, Trial | string>;
}

export interface Scenario {
  /** Steps in their order: each program starts one from where it left the one before. */
  readonly steps: readonly Step[];
  /** How often each is measured, where it doesn't take long. */
  readonly rounds: number;
  readonly env: Readonly<Record<string, string>>;
  /**
   * When what was moved out of the way is deleted, where it is too much to keep: before each command where it is few files,
   * else between the steps, of which each has another program first in each round. Default: when the bench ends.
   */
  readonly deletes?: 'before commands' | 'between steps' | 'at the end';
  /** Whether all files where a command runs are read before: a program pays for its work, not for what memory forgot. */
  readonly warm?: boolean;
  /** Called around the round in which dag's system calls are counted. @returns what else was counted since. */
  readonly counting?: { start(): Promise<Readonly<Record<string, string>>>; counts(): Sent; stop(): Promise<void> };
  /** Called when the last step of a round is over: removes what no other round needs. */
  readonly afterRound?: (round: number) => void;
}

/** What was sent to a server. */
export interface Sent {
  readonly requests: number;
  /** Of their bodies. */
  readonly bytes: number;
}

/** How one step went. */
export interface Row {
  readonly what: string;
  /** Seconds of each round, or why there are none, by program. */
  readonly seconds: ReadonlyMap<string, readonly number[] | string>;
  /** dag's. */
  readonly counts: Counts | undefined;
  /** What dag sent. */
  readonly sent: Sent | undefined;
  /** The most memory that dag had in any round, in bytes; undefined where the system doesn't say. */
  readonly memory: number | undefined;
  /** Median of the machine's one-minute load average before each run. */
  readonly load: number;
}

/** A step that took this many seconds is not measured again. */
const LONG = 20;

/** A command that takes this many milliseconds is stopped, and counts as failed. */
const LIMIT = 300_000;

/** Runs all steps in rounds, the programs in turn within each step; and dag once more to count. */
export async function measure(scenario: Scenario, work: WorkFolder, say: (line: string) => void): Promise<Row[]> {
  const { steps, rounds, env } = scenario;
  const seconds = steps.map(({ by }) => new Map([...by].map(([who, t]) => [who, typeof t === 'string' ? t : []])));
  const times = seconds as Map<string, number[] | string>[];
  const loads: number[][] = steps.map(() => []);
  const memory: (number | undefined)[] = steps.map(() => undefined);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { what, by }] of steps.entries()) {
      for (const [who, trial] of rotated([...by], round)) {
        const taken = times[i]?.get(who);
        if (typeof trial === 'string' || !Array.isArray(taken) || (taken[0] ?? 0) > LONG) continue;
        if (round >= (trial.rounds ?? rounds)) continue;
        trial.prepare?.(round);
        if (scenario.deletes === 'before commands') work.empty();
        if (scenario.warm === true)
          execFileSync('sh', ['-c', 'find . -type f -exec cat {} + > /dev/null'], { cwd: trial.cwd });
        execFileSync('sync');
        loads[i]?.push(loadavg()[0] ?? 0);
        const peak = who === 'dag' ? watchMemory() : undefined;
        const one = await time(trial.command(round), trial.cwd, env, work.at(`${who}.log`), peak?.start);
        const most = peak?.stop();
        if (most !== undefined) memory[i] = Math.max(most, memory[i] ?? 0);
        trial.after?.();
        if (typeof one === 'number') taken.push(one);
        else times[i]?.set(who, `failed: ${one}`);
        say(`${round + 1}/${rounds}  ${what}  ${who}  ${typeof one === 'number' ? `${one.toFixed(3)} s` : one}`);
      }
      if (scenario.deletes === 'between steps') work.empty();
    }
    scenario.afterRound?.(round);
  }
  const counts = await countRound(scenario, work);
  return steps.map(({ what }, i) => ({
    what,
    seconds: times[i] ?? new Map(),
    counts: counts[i]?.calls,
    sent: counts[i]?.sent,
    memory: memory[i],
    load: median(loads[i] ?? []),
  }));
}

/** Who comes after whom changes from round to round: a program pays for what the one before it left to the disk. */
function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

async function countRound(scenario: Scenario, work: WorkFolder) {
  const { steps, rounds, env, counting } = scenario;
  const more = await counting?.start();
  const counts: { calls: Counts | undefined; sent: Sent | undefined }[] = [];
  for (const { by } of steps) {
    const trial = by.get('dag');
    if (trial === undefined || typeof trial === 'string') {
      counts.push({ calls: undefined, sent: undefined });
      continue;
    }
    trial.prepare?.(rounds);
    if (scenario.deletes === 'before commands' || scenario.deletes === 'between steps') work.empty();
    const before = counting?.counts();
    const run = (command: readonly string[]) => time(command, trial.cwd, { ...env, ...more }, work.at('dag.log'));
    const calls = await counted(trial.command(rounds), work.at('strace.txt'), run);
    const after = counting?.counts();
    const sent = before && after && { requests: after.requests - before.requests, bytes: after.bytes - before.bytes };
    counts.push({ calls, sent });
  }
  await counting?.stop();
  scenario.afterRound?.(rounds);
  return counts;
}

/** @returns seconds, or the last lines of what a command that failed had to say. */
async function time(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
  log: string,
  onStart?: (pid: number) => void,
): Promise<number | string> {
  const [program = '', ...args] = command;
  const output = openSync(log, 'w');
  try {
    const started = process.hrtime.bigint();
    const status = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      const child = spawn(program, args, { cwd, env, stdio: ['ignore', output, output], timeout: LIMIT });
      if (child.pid !== undefined) onStart?.(child.pid);
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 1));
    });
    const taken = Number(process.hrtime.bigint() - started) / 1e9;
    if (status === 0) return taken;
    const said = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' ');
    return `${status} ${said.replaceAll(cwd, '').replaceAll('|', '/').slice(0, 160)}`;
  } finally {
    closeSync(output);
  }
}

/** Looks now and then how much memory a process has had at most, which Linux keeps count of. */
function watchMemory() {
  let most: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    start: (pid: number): void => {
      timer = setInterval(() => {
        const file = `/proc/${pid}/status`;
        const peak = existsSync(file) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
        if (peak !== undefined) most = Number(peak) * 1024;
      }, 20);
    },
    stop: (): number | undefined => {
      clearInterval(timer);
      return most;
    },
  };
}

/** @returns 0 of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
