import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';

/** What Node calls work that ends by itself: files that are read or written, and turns of a computation. */
const WORK = new Set(['FSReqPromise', 'FSReqCallback', 'CloseReq', 'Immediate']);

/** How long such work may go on before it is told of, in milliseconds: reading ahead that nobody needs any more ends sooner. */
const TOLD_AFTER_MS = 1000;
const PAUSE_MS = 2;

/**
 * Resolves when nothing that a module began and did not wait for is at work any more: a model that is being written is no
 * result yet. Timers, sockets and child processes are not waited for, as many of them never end.
 * @param own resolves when this program itself does nothing for the module.
 * @param tell called once where it takes long.
 */
export async function workDone(own: () => Promise<unknown>, tell: () => void): Promise<void> {
  const begun = performance.now();
  let [told, waited] = [false, false];
  for (let quiet = 0; quiet < 2; ) {
    await own();
    await (quiet > 0 || !waited ? turn() : pause(PAUSE_MS));
    waited = true;
    quiet = process.getActiveResourcesInfo().some((name) => WORK.has(name)) ? 0 : quiet + 1;
    if (quiet > 0 || told || performance.now() - begun < TOLD_AFTER_MS) continue;
    told = true;
    tell();
  }
}
