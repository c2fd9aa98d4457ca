import fs from 'node:fs';

/** How often what was told to end is looked at, and how long it has before it is killed, in milliseconds. */
const POLL_MS = 10;
const GRACE_MS = 10_000;

/** So many process ids are asked for one by one; more are looked for among all there are. */
const FEW = 256;

/** The variable that every process of a stage inherits: the name of its run's note, which no other run bears. */
export const RUN_VARIABLE = 'DAG_RUN';

/** A process that bears the mark of a run. */
interface Marked {
  readonly pid: number;
  readonly run: string;
  readonly stage: string;
}

interface EndOptions {
  /** Only processes that began after this one. */
  readonly leader?: number | undefined;
  /** No grace any more. */
  readonly kill?: AbortSignal;
  /** Processes that need no look: they belong to others. */
  readonly others?: Others;
}

/**
 * Which processes belong to which runs of this process that are at work, so that each is looked at once and not whenever
 * one of many runs ends.
 */
export class Others {
  readonly #atWork = new Set<string>();
  readonly #runs = new Map<number, string>();

  began(run: string): void {
    this.#atWork.add(run);
  }

  ended(run: string): void {
    this.#atWork.delete(run);
    for (const [pid, of] of this.#runs) if (of === run) this.#runs.delete(pid);
  }

  has(pid: number): boolean {
    return this.#runs.has(pid);
  }

  /** @param environment of a process that bears no mark that was looked for. */
  learn(pid: number, environment: string): void {
    const run = variableOf(environment, RUN_VARIABLE);
    if (run !== undefined && this.#atWork.has(run)) this.#runs.set(pid, run);
  }
}

/**
 * Ends what some runs have left behind, outside of their process groups too: daemons, and whatever called setsid. They are
 * known by the environment that they inherited, so that one which is to outlive its stage is started without DAG_STAGE.
 * Without /proc (macOS) nothing is found.
 * @returns those that were found.
 */
export async function endMarked(runs: Iterable<string>, options: EndOptions = {}): Promise<readonly Marked[]> {
  const { leader, kill, others } = options;
  const wanted = new Set(runs);
  let first: readonly Marked[] | undefined;
  for (let waited = 0; ; waited += POLL_MS) {
    const marked = findMarked(wanted, leader, others);
    first ??= marked;
    if (marked.length === 0) return first;
    const isOver = waited >= GRACE_MS || kill?.aborted === true;
    if (waited === 0 || isOver) for (const { pid } of marked) signal(pid, isOver ? 'SIGKILL' : 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function findMarked(runs: ReadonlySet<string>, leader: number | undefined, others: Others | undefined): Marked[] {
  const names = [...runs];
  return (leader === undefined ? allProcesses() : newerThan(leader)).flatMap((pid) => {
    if (others?.has(pid) === true) return [];
    const environment = read(`${pid}/environ`);
    if (environment === undefined) return [];
    if (!names.some((name) => environment.includes(name))) {
      others?.learn(pid, environment);
      return [];
    }
    const [run, stage] = [variableOf(environment, RUN_VARIABLE), variableOf(environment, 'DAG_STAGE')];
    return run === undefined || stage === undefined || !runs.has(run) ? [] : [{ pid, run, stage }];
  });
}

/** The value of a variable in an environment as /proc has it. */
function variableOf(environment: string, name: string): string | undefined {
  const variable = environment.split('\0').find((one) => one.startsWith(`${name}=`));
  return variable?.slice(name.length + 1);
}

/** Processes that began after another one, by the order in which the kernel gives ids: up to the last, then from the start. */
function newerThan(leader: number): number[] {
  const last = Number(/(\d+)\s*$/.exec(read('loadavg') ?? '')?.[1]);
  if (!Number.isSafeInteger(last) || last === leader) return [];
  if (last > leader && last - leader <= FEW) return Array.from({ length: last - leader }, (_, i) => leader + 1 + i);
  return allProcesses().filter((pid) => (last > leader ? pid > leader && pid <= last : pid > leader || pid <= last));
}

function allProcesses(): number[] {
  try {
    return fs.readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function read(name: string): string | undefined {
  const file = `/proc/${name}`;
  // Most are gone by now, and to look is cheaper than an error.
  if (!fs.existsSync(file)) return undefined;
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already, or another user's.
  }
}
