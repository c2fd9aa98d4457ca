import type { Store } from '@dag/store';
import { prepareCodec } from '../chunk/codec.ts';
import type { Catalog } from '../index/catalog.ts';
import { storageTime } from '../marker.ts';
import type { RemovalPlan, RemovalRequest } from '../remote.ts';
import { StorageError } from '../storage/problem.ts';
import type { Session } from '../transfer/session.ts';
import { describe } from './describe.ts';
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
  return await describe(reading, await makePlan(reading, request, session.now()), request);
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
    const plan: Plan = await makePlan(reading, request, await storageTime(session));
    const report = await describe(reading, plan, request);
    if (await carryOut(session, catalog, plan)) return report;
  }
  throw new StorageError('busy', 'others change it all the time', { transient: false });
}
