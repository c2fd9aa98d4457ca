import type { StatCache, StoreBatch } from '@dag/store';
import type { Context } from '../context.ts';
import type { Job, JobResult } from '../threads/protocol.ts';
import { WorkList } from '../threads/work-list.ts';
import type { Progress, WorkOptions } from '../types.ts';
import { type FileList, lookAt } from './file-list.ts';
import type { KnownTrees } from './known-trees.ts';
import { FolderRecall } from './recall.ts';

/** More files than this to be read are worth worker threads, and not worth a look at each before. */
export const MANY_FILES = 1500;
/** Files that one job compares. */
const COMPARE_CHUNK = 1024;
/** More files than this to be compared are worth another thread. */
export const COMPARE_MANY = 16_384;
/** How long (ms) it works before it lets others have a turn. */
const TURN_MS = 10;

/** Some of a list's files, by index. */
export interface Part {
  readonly list: FileList;
  readonly indices: readonly number[];
}

/** What must be read; bytes as far as they are known. */
export interface Unread {
  readonly parts: readonly Part[];
  readonly files: number;
  readonly bytes: number;
}

export interface Question {
  readonly context: Context;
  readonly lists: readonly FileList[];
  /** Which must have what need not be read. */
  readonly batch: StoreBatch | undefined;
  /** Of what that has. */
  readonly known: KnownTrees | undefined;
  readonly signal: WorkOptions['signal'];
  readonly progress: { -readonly [K in keyof Progress]: Progress[K] };
  readonly tell: () => void;
}

/** Fills in facts that the stat cache knows, reading no file: by the folder's record, else by the file's own. */
export async function ask(question: Question, statCache: StatCache): Promise<Unread> {
  const { lists, progress, known } = question;
  const recalls = new Map<FileList, FolderRecall>();
  for (const list of lists) {
    const { node } = list;
    if (node === undefined) continue;
    if (node.record === undefined) node.recalled(statCache.recall(node.id));
    if (node.record !== undefined) recalls.set(list, new FolderRecall(node, node.record));
  }
  await compare(question, [...recalls.values()]);
  const unread = { parts: [] as Part[], files: 0, bytes: 0 };
  const turn = turns(question);
  for (const list of lists) {
    const recalled = recalls.get(list);
    const others = recalled?.finish();
    const isTrusted = recalled?.isWhole === true && list.node !== undefined && known?.trust(list.node) === true;
    const batch = isTrusted ? undefined : question.batch;
    const looking = lookThrough(list, others, { statCache, batch, unread });
    let step = looking.next();
    while (step.done !== true) {
      if (turn.isOver()) await turn.next();
      step = looking.next();
    }
    if (step.value.length > 0) unread.parts.push({ list, indices: step.value });
    list.node?.settle(recalled?.isWhole === true && step.value.length === 0);
    if (turn.isOver()) await turn.next();
  }
  progress.files = lists.reduce((sum, { count }) => sum + count, 0) - unread.files;
  return unread;
}

/**
 * Looks at files that no record of a folder tells of, one by one, until it is clear that there are many.
 * @param others which files of the list these are; undefined for all.
 * @returns a generator, so that others get their turn. Its result: which files must be read.
 */
function* lookThrough(
  list: FileList,
  others: readonly number[] | undefined,
  rules: {
    readonly statCache: StatCache;
    readonly batch: StoreBatch | undefined;
    unread: { files: number; bytes: number };
  },
): Generator<void, number[]> {
  const { statCache, batch, unread } = rules;
  const toRead: number[] = [];
  if (others?.length === 0 && batch === undefined) return toRead;
  const { at, count } = list;
  const { facts } = list.holder;
  let next = 0;
  for (let i = 0; i < count; i++) {
    if (others === undefined || others[next] === i) {
      next++;
      if (unread.files > MANY_FILES) {
        toRead.push(i);
        unread.files++;
        continue;
      }
      yield;
      const stats = lookAt(list, i);
      facts.set(at + i, stats, true);
      const digest = stats.isFile() ? statCache.find(stats) : undefined;
      if (digest === undefined) {
        toRead.push(i);
        unread.files++;
        unread.bytes += Number(stats.size);
        continue;
      }
      facts.setDigest(at + i, digest);
    }
    if (batch === undefined || batch.hasHash(facts.hashes, (at + i) * 32)) continue;
    toRead.push(i);
    unread.files++;
    unread.bytes += facts.size(at + i);
  }
  return toRead;
}

/** Has the files of whole folders compared with what their records say. */
async function compare({ context, signal, progress, tell }: Question, recalls: readonly FolderRecall[]): Promise<void> {
  const jobs = new WorkList(portions(recalls), (portion) => ({
    kind: 'compare',
    parts: portion.map(({ recall, from, to }) => recall.part(from, to)),
  }));
  const take = (result: JobResult, job: Job): void => {
    if (result.kind !== 'compare') throw new Error('a comparison gave something else');
    for (const [n, { recall, from, to }] of jobs.done(job).entries()) {
      recall.differ(from, result.differing[n] ?? []);
      progress.files += to - from;
    }
    tell();
  };
  const total = recalls.reduce((sum, { count }) => sum + count, 0);
  const pool = total > COMPARE_MANY ? context.together() : context.local;
  if (jobs.length > 0) await pool.run(jobs, take, signal);
}

interface Portion {
  readonly recall: FolderRecall;
  readonly from: number;
  readonly to: number;
}

/** Parts of large folders, and small folders together: so many files each. */
function portions(recalls: readonly FolderRecall[]): Portion[][] {
  const all: Portion[][] = [];
  let room = 0;
  for (const recall of recalls) {
    for (let from = 0; from < recall.count; ) {
      if (room === 0) {
        all.push([]);
        room = COMPARE_CHUNK;
      }
      const to = Math.min(recall.count, from + room);
      all.at(-1)?.push({ recall, from, to });
      room -= to - from;
      from = to;
    }
  }
  return all;
}

/** Turns of work between which others (timers, a signal) have theirs. */
function turns({ signal, tell }: Question): { isOver(): boolean; next(): Promise<void> } {
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
