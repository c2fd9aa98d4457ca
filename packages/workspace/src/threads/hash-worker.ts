import { parentPort, workerData } from 'node:worker_threads';
import { FailureError } from '@dag/model';
import type { Job, ThreadSetup } from './protocol.ts';
import { ThreadWork } from './work.ts';

/** The entry of a worker thread: jobs in, results out, one at a time. `undefined` asks it to end. */
if (parentPort !== null) {
  const port = parentPort;
  const work = new ThreadWork(workerData as ThreadSetup);
  port.on('message', (job: Job | undefined) => {
    if (job === undefined) {
      work.close();
      port.close();
      return;
    }
    try {
      port.postMessage({ result: work.do(job) });
    } catch (error) {
      if (error instanceof FailureError) port.postMessage({ failure: error.failure });
      else port.postMessage({ bug: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
