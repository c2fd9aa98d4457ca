import type { CheckOptions, CheckReport } from '@dag/store';
import type { Context } from './context.ts';
import type { Job } from './threads/protocol.ts';

/** More bytes than this are worth worker threads. */
const MANY_BYTES = 64 * 1024 * 1024;

/** See `Workspace.checkCache`. */
export function checkCache(context: Context, options: Omit<CheckOptions, 'run'> = {}): Promise<CheckReport> {
  return context.store.checkAll({
    ...options,
    async run(parts, done, signal) {
      const bytes = parts.reduce((sum, { objects }) => objects.reduce((inner, { size }) => inner + size, sum), 0);
      const pool = (bytes > MANY_BYTES ? context.threads() : undefined) ?? context.local;
      const jobs = parts.map((part): Job => ({ kind: 'check', part }));
      await pool.run(
        jobs,
        (result, job) => {
          if (result.kind !== 'check' || job.kind !== 'check') throw new Error('a check gave something else');
          done(job.part, result.bad);
        },
        signal,
      );
    },
  });
}
