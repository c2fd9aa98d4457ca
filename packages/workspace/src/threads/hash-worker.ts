import { parentPort, workerData } from 'node:worker_threads';
import { FailureError } from '@dag/model';
import type { Answer, Request, ThreadSetup } from './protocol.ts';
import { ThreadWork } from './work.ts';

/** The entry of a worker thread: jobs in, results out; others are done while one waits for the disk. */
if (parentPort !== null) {
  const port = parentPort;
  const work = new ThreadWork(workerData as ThreadSetup);
  port.on('message', async (request: Request) => {
    if (request === undefined) {
      work.close();
      port.close();
      return;
    }
    const { id, job } = request;
    const answer = (rest: Omit<Answer, 'id'>): void => port.postMessage({ id, ...rest } satisfies Answer);
    try {
      answer({ result: await work.do(job) });
    } catch (error) {
      if (error instanceof FailureError) answer({ failure: error.failure });
      else answer({ bug: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
