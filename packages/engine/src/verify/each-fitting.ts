import type { Stage } from '@dag/model';
import type { Leases } from '../leases.ts';

/** Works on stages, as many at once as there are jobs and as their resources and mutexes allow, the first that fits first. */
export async function eachFitting(
  stages: readonly Stage[],
  { jobs, leases, stop }: { readonly jobs: number; readonly leases: Leases; readonly stop: AbortSignal },
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const waiting = [...stages];
  const running = new Set<Promise<void>>();
  while ((waiting.length > 0 && !stop.aborted) || running.size > 0) {
    for (let at = 0; at < waiting.length && running.size < jobs && !stop.aborted; ) {
      const stage = waiting[at];
      if (stage === undefined || !leases.fits(stage)) {
        at++;
        continue;
      }
      waiting.splice(at, 1);
      const lease = leases.take(stage);
      const one: Promise<void> = work(stage).finally(() => {
        lease.release();
        running.delete(one);
      });
      running.add(one);
    }
    await Promise.race(running);
  }
}
