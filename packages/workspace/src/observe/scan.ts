import type { AnyPath } from '@dag/model';
import { openStatCache, SMALL_LIMIT, type StatCache, type StoreBatch } from '@dag/store';
import type { Context } from '../context.ts';
import type { JobList, Pool } from '../threads/pool.ts';
import type { Job, JobResult } from '../threads/protocol.ts';
import type { WorkOptions } from '../types.ts';
import type { Standing } from './node.ts';
import { type FileList, fileLists, recall } from './recall.ts';

/** More files than this to be read, or more bytes, are worth worker threads (bytes: some 10 ms of hashing). */
const MANY_FILES = 1500;
const MANY_BYTES = 32 * 1024 * 1024;
/** Files and bytes up to which reading takes less time than opening the stat cache; and than asking it, once it is open. */
const FEW = { files: 64, bytes: 1024 * 1024 };
const VERY_FEW = { files: 4, bytes: SMALL_LIMIT };
/** Files of one job, at most. */
const CHUNK = 512;
/** How long (ms) it works before it lets others have a turn. */
const TURN_MS = 10;

/** Some of a list's files, by index. */
interface Part {
  readonly list: FileList;
  readonly indices: readonly number[];
}

/**
 * Fills in the facts of all files that stand at some paths; with a batch, content that the cache has not is staged in the
 * threads that read it. First the stat cache is asked, here; what it doesn't know is read, in worker threads when that is much.
 * Very little is read without asking.
 * @returns the pool that did the reading.
 */
export async function scan(
  context: Context,
  work: {
    readonly op: number;
    readonly standing: readonly (readonly [AnyPath, Standing])[];
    readonly batch?: StoreBatch;
  },
  options: WorkOptions = {},
): Promise<Pool> {
  const { op, standing, batch } = work;
  const lists = standing.flatMap(([path, one]) => fileLists(path, one));
  const totalFiles = lists.reduce((sum, list) => sum + list.names.length, 0);
  const progress = { phase: 'hash' as const, files: 0, bytes: 0, totalFiles };
  let [unknownFiles, unknownBytes] = [0, 0];
  let unknown: Part[] = [];
  const turn = turns(options, () => options.onProgress?.(progress));
  const ask = async (statCache: StatCache): Promise<void> => {
    unknown = [];
    unknownFiles = 0;
    unknownBytes = 0;
    const rules = {
      statCache,
      trust: (hash: Uint8Array, at: number) => batch === undefined || batch.hasHash(hash, at),
      eager: () => unknownFiles <= MANY_FILES,
      onFile(known: boolean, bytes: number) {
        if (known) {
          progress.files++;
          progress.bytes += bytes;
        } else {
          unknownFiles++;
          unknownBytes += bytes;
        }
      },
    };
    for (const list of lists) {
      const recalling = recall(list, rules);
      let step = recalling.next();
      for (let i = 0; step.done !== true; i++) {
        if (i % 64 === 0 && turn.isOver()) await turn.next();
        step = recalling.next();
      }
      if (step.value.length > 0) unknown.push({ list, indices: step.value });
    }
  };
  const opens = batch === undefined && !context.statCache.isOpen;
  const little = opens ? FEW : VERY_FEW;
  // What a folder holds the stat cache tells in one answer.
  const isLittle = totalFiles <= little.files && (opens || standing.every(([, { kind }]) => kind !== 'folder'));
  if (isLittle) await ask(NO_STAT_CACHE);
  const isAsked = !isLittle || unknownBytes > little.bytes;
  if (isAsked) await ask(context.statCache);
  const many = unknownFiles > MANY_FILES || unknownBytes > MANY_BYTES;
  const pool = (many ? context.threads() : undefined) ?? context.local;
  const size = Math.max(1, Math.min(CHUNK, Math.ceil(unknownFiles / 32)));
  const jobs = new ScanJobs(
    unknown.flatMap((part) => cut(part, size)),
    { op, store: batch !== undefined, statCache: isAsked },
  );
  const take = (result: JobResult, job: Job): void => {
    if (result.kind !== 'scan') throw new Error('a scan gave something else');
    const { list, indices } = jobs.done(job);
    const { facts, at } = list;
    for (let i = 0; i < indices.length; i++) {
      facts.copy(at + (indices[i] as number), result, i);
      progress.bytes += facts.size(at + (indices[i] as number));
    }
    progress.files += indices.length;
    if (result.copiedBytes > 0) options.onCopied?.(result.copiedBytes);
    options.onProgress?.(progress);
  };
  if (jobs.length > 0) await pool.run(jobs, take, options.signal);
  return pool;
}

type ScanJob = Extract<Job, { readonly kind: 'scan' }>;

const NO_STAT_CACHE = openStatCache(undefined);

/** A job for each part, made when it is asked for. */
class ScanJobs implements JobList {
  readonly #parts: readonly Part[];
  readonly #about: Pick<ScanJob, 'op' | 'store' | 'statCache'>;
  readonly #open = new Map<Job, Part>();

  constructor(parts: readonly Part[], about: Pick<ScanJob, 'op' | 'store' | 'statCache'>) {
    this.#parts = parts;
    this.#about = about;
  }

  get length(): number {
    return this.#parts.length;
  }

  at(index: number): Job | undefined {
    const part = this.#parts[index];
    if (part === undefined) return undefined;
    const { folder, shown, follow, names, node } = part.list;
    const chosen = part.indices.map((i) => names[i] as string);
    const job: Job = {
      ...this.#about,
      kind: 'scan',
      folder,
      shown,
      names: chosen,
      follow,
      together: node !== undefined,
    };
    this.#open.set(job, part);
    return job;
  }

  /** The part that a job was for. */
  done(job: Job): Part {
    const part = this.#open.get(job);
    if (part === undefined) throw new Error('a job that nobody asked for');
    this.#open.delete(job);
    return part;
  }
}

function cut({ list, indices }: Part, size: number): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < indices.length; from += size)
    parts.push({ list, indices: indices.slice(from, from + size) });
  return parts;
}

/** Turns of work between which others (timers, a signal) have theirs. */
function turns({ signal }: WorkOptions, tell: () => void): { isOver(): boolean; next(): Promise<void> } {
  let last = performance.now();
  return {
    isOver: () => performance.now() - last > TURN_MS,
    async next() {
      tell();
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      last = performance.now();
    },
  };
}
