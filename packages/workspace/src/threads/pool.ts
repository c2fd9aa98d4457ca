import { Worker } from 'node:worker_threads';
import { FailureError } from '@dag/model';
import type { StatCache } from '@dag/store';
import type { Answer, Job, JobResult, Request, ThreadSetup } from './protocol.ts';
import { ThreadWork } from './work.ts';

/** Jobs by index: an array, or something that makes each when it is asked for. */
export interface JobList {
  readonly length: number;
  at(index: number): Job | undefined;
}

/** Does jobs, in some order; results come as they are done. */
export interface Pool {
  /** Does all jobs. Stops at the first failure, or when the signal says so; what runs then is waited for. */
  run(jobs: JobList, onResult: (result: JobResult, job: Job) => void, signal?: AbortSignal): Promise<void>;
  /** One job in every thread that has done any so far. */
  everywhere(job: Job): Promise<JobResult[]>;
  close(): Promise<void>;
}

export interface LocalPool extends Pool {
  doNow(job: Job): JobResult | Promise<JobResult>;
}

/** All in this thread, with a breath for the event loop between jobs. */
export function localPool(setup: ThreadSetup, statCache: StatCache): LocalPool {
  let work: ThreadWork | undefined;
  const open = (): ThreadWork => {
    work ??= new ThreadWork(setup, statCache);
    return work;
  };
  return {
    doNow: (job) => open().do(job),
    async run(jobs, onResult, signal) {
      let last = Date.now();
      for (let i = 0; i < jobs.length; i++) {
        signal?.throwIfAborted();
        const job = jobs.at(i) as Job;
        onResult(await open().do(job), job);
        if (Date.now() - last < 10) continue;
        await new Promise((resolve) => setImmediate(resolve));
        last = Date.now();
      }
    },
    everywhere: async (job) => (work === undefined ? [] : [await work.do(job)]),
    async close() {
      work?.close();
      work = undefined;
    },
  };
}

/** Who does jobs. */
interface Doer {
  do(job: Job): Promise<JobResult>;
}

/** What threads make is soon garbage: more memory for it than this makes them no faster. */
const YOUNG_MB = 8;

/** One worker thread. It keeps the process alive while it has something to do. */
class Thread implements Doer {
  readonly #worker: Worker;
  /** Of the jobs that it was given, by their ids. */
  readonly #waiting = new Map<number, { resolve(result: JobResult): void; reject(error: unknown): void }>();
  #lastId = 0;

  constructor(url: URL, setup: ThreadSetup) {
    this.#worker = new Worker(url, { workerData: setup, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => {
      const settle = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      if (answer.result !== undefined) settle?.resolve(answer.result);
      else if (answer.failure !== undefined) settle?.reject(new FailureError(answer.failure));
      else settle?.reject(new Error(answer.bug));
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('a worker thread ended too early')));
  }

  do(job: Job): Promise<JobResult> {
    return new Promise<JobResult>((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, job } satisfies Request);
    });
  }

  /** The thread closes what it has open and ends by itself. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#worker.once('exit', () => resolve());
      this.#worker.ref();
      this.#worker.postMessage(undefined);
    });
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Worker threads, started when there is work for them. */
export interface ThreadPool extends Pool {
  /** Starts one that will soon be needed: it takes as long as looking at some 8,000 files. */
  prepare(): void;
  /** A pool of the same threads but one, with the calling thread in its place: for jobs of a few ms each. */
  with(here: (job: Job) => JobResult | Promise<JobResult>): Pool;
}

/** Up to `size` worker threads. @param setup asked for when one starts. */
export function threadPool(url: URL, setup: () => ThreadSetup, size: number): ThreadPool {
  let threads: Thread[] = [];
  const start = (count: number): Thread[] => {
    while (threads.length < count) threads.push(new Thread(url, setup()));
    return threads;
  };
  const everywhere = (job: Job): Promise<JobResult[]> => Promise.all(threads.map((thread) => thread.do(job)));
  const close = async (): Promise<void> => {
    const closing = threads;
    threads = [];
    await Promise.all(closing.map((thread) => thread.close()));
  };
  return {
    run: (jobs, onResult, signal) => doAll(start(Math.min(size, jobs.length)), jobs, onResult, signal),
    everywhere,
    close,
    prepare: () => void start(1),
    with: (here) => ({
      run(jobs, onResult, signal) {
        const others = start(Math.min(size, jobs.length) - 1);
        const own: Doer = {
          // A breath first, for what the others have to say.
          do: async (job) => {
            await new Promise((resolve) => setImmediate(resolve));
            return here(job);
          },
        };
        // Each of the others has its next job at hand while this thread is at work on its own.
        return doAll([...others, own, ...others], jobs, onResult, signal);
      },
      everywhere,
      close,
    }),
  };
}

/** Gives each who is free the next job. */
async function doAll(
  doers: readonly Doer[],
  jobs: JobList,
  onResult: (result: JobResult, job: Job) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (doer: Doer): Promise<void> => {
    while (!failed && next < jobs.length) {
      signal?.throwIfAborted();
      const job = jobs.at(next++) as Job;
      try {
        onResult(await doer.do(job), job);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(doers.map(lane));
  for (const result of lanes) if (result.status === 'rejected') throw result.reason;
}
