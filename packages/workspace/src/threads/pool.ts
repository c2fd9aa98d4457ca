import { Worker } from 'node:worker_threads';
import { type Failure, FailureError } from '@dag/model';
import type { StatCache } from '@dag/store';
import type { Job, JobResult, ThreadSetup } from './protocol.ts';
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

/** All in this thread, with a breath for the event loop between jobs. */
export function localPool(setup: ThreadSetup, statCache: StatCache): Pool {
  let work: ThreadWork | undefined;
  const open = (): ThreadWork => {
    work ??= new ThreadWork(setup, statCache);
    return work;
  };
  return {
    async run(jobs, onResult, signal) {
      let last = Date.now();
      for (let i = 0; i < jobs.length; i++) {
        signal?.throwIfAborted();
        const job = jobs.at(i) as Job;
        onResult(open().do(job), job);
        if (Date.now() - last < 10) continue;
        await new Promise((resolve) => setImmediate(resolve));
        last = Date.now();
      }
    },
    everywhere: async (job) => (work === undefined ? [] : [work.do(job)]),
    async close() {
      work?.close();
      work = undefined;
    },
  };
}

interface Answer {
  readonly result?: JobResult;
  readonly failure?: Failure;
  readonly bug?: string;
}

/** One worker thread: a queue of one. It does not keep the process alive. */
class Thread {
  readonly #worker: Worker;
  #settle: { resolve(result: JobResult): void; reject(error: unknown): void } | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(url: URL, setup: ThreadSetup) {
    this.#worker = new Worker(url, { workerData: setup });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => {
      const settle = this.#settle;
      this.#settle = undefined;
      if (answer.result !== undefined) settle?.resolve(answer.result);
      else if (answer.failure !== undefined) settle?.reject(new FailureError(answer.failure));
      else settle?.reject(new Error(answer.bug));
    });
    this.#worker.on('error', (error) => this.#settle?.reject(error));
    this.#worker.on('exit', () => this.#settle?.reject(new Error('a worker thread ended too early')));
  }

  do(job: Job): Promise<JobResult> {
    const done = this.#tail.then(
      () =>
        new Promise<JobResult>((resolve, reject) => {
          this.#settle = { resolve, reject };
          this.#worker.ref();
          this.#worker.postMessage(job);
        }),
    );
    this.#tail = done.catch(() => undefined).then(() => this.#worker.unref());
    return done;
  }

  /** The thread closes what it has open and ends by itself. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#worker.once('exit', () => resolve());
      this.#worker.ref();
      this.#worker.postMessage(undefined);
    });
  }
}

/** Up to `size` worker threads, started when there is work for them. @param setup asked for when one starts. */
export function threadPool(url: URL, setup: () => ThreadSetup, size: number): Pool {
  let threads: Thread[] = [];
  return {
    async run(jobs, onResult, signal) {
      while (threads.length < Math.min(size, jobs.length)) threads.push(new Thread(url, setup()));
      let next = 0;
      let failed = false;
      const lane = async (thread: Thread): Promise<void> => {
        while (!failed && next < jobs.length) {
          signal?.throwIfAborted();
          const job = jobs.at(next++) as Job;
          try {
            onResult(await thread.do(job), job);
          } catch (error) {
            failed = true;
            throw error;
          }
        }
      };
      const lanes = await Promise.allSettled(threads.map(lane));
      for (const result of lanes) if (result.status === 'rejected') throw result.reason;
    },
    everywhere: (job) => Promise.all(threads.map((thread) => thread.do(job))),
    async close() {
      const closing = threads;
      threads = [];
      await Promise.all(closing.map((thread) => thread.close()));
    },
  };
}
