import { FailureError } from '@dag/model';
import type { Store } from '@dag/store';
import { prepareCodec } from '../chunk/codec.ts';
import type { Catalog } from '../index/catalog.ts';
import { storageTime } from '../marker.ts';
import type { RemovalPlan, RemovalRequest } from '../remote.ts';
import { StorageError } from '../storage/problem.ts';
import type { Session } from '../transfer/session.ts';
import { describe } from './describe.ts';
import type { Reading } from './live.ts';
import { makePlan, type Plan } from './plan.ts';
import { carryOut } from './remove.ts';

/** How often it is planned anew because others changed the indexes meanwhile. */
const TRIES = 5;

/** Finds out what of a remote nothing needs, and changes nothing. */
export async function planRemoval(
  session: Session,
  catalog: Catalog,
  store: Store,
  request: RemovalRequest,
): Promise<RemovalPlan> {
  await prepareCodec();
  const reading = { session, catalog, store };
  const { report } = await planWhole(reading, request, async () => session.now());
  return report;
}

/** Marks what nothing needs, and removes what was marked long enough ago. */
export async function remove(
  session: Session,
  catalog: Catalog,
  store: Store,
  request: RemovalRequest,
): Promise<RemovalPlan> {
  await prepareCodec();
  const reading = { session, catalog, store };
  for (let tries = 1; tries <= TRIES; tries++) {
    const { plan, report } = await planWhole(reading, request, () => storageTime(session));
    if (await carryOut(session, catalog, plan)) return report;
  }
  throw new StorageError('busy', 'others change it all the time', { transient: false });
}

/**
 * A plan, and what it says. What another collector removes while it is made looks damaged: where the indexes are other ones by
 * then, it is made anew.
 * @throws FailureError `refused` where something is damaged.
 */
async function planWhole(
  reading: Reading,
  request: RemovalRequest,
  time: () => Promise<number>,
): Promise<{ readonly plan: Plan; readonly report: RemovalPlan }> {
  for (let tries = 1; ; tries++) {
    try {
      const plan = await makePlan(reading, request, await time());
      return { plan, report: await describe(reading, plan, request) };
    } catch (error) {
      const isRefused = error instanceof FailureError && error.failure.code === 'refused';
      if (!isRefused || tries === TRIES || !(await reading.catalog.refresh(reading.session))) throw error;
    }
  }
}
