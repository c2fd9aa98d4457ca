import type { JobList } from './pool.ts';
import type { Job } from './protocol.ts';

/** A job for each of some parts of the work, made when it is asked for: there may be many, and they are large. */
export class WorkList<Part> implements JobList {
  readonly #parts: readonly Part[];
  readonly #toJob: (part: Part) => Job;
  readonly #open = new Map<Job, Part>();

  constructor(parts: readonly Part[], toJob: (part: Part) => Job) {
    this.#parts = parts;
    this.#toJob = toJob;
  }

  get length(): number {
    return this.#parts.length;
  }

  at(index: number): Job | undefined {
    const part = this.#parts[index];
    if (part === undefined) return undefined;
    const job = this.#toJob(part);
    this.#open.set(job, part);
    return job;
  }

  /** The part that a job was for; called once for each. */
  done(job: Job): Part {
    const part = this.#open.get(job);
    if (part === undefined) throw new Error('a job that nobody asked for');
    this.#open.delete(job);
    return part;
  }
}
