import { StorageError } from '../storage/problem.ts';
import type { GetOptions, Reading } from '../storage/storage.ts';
import type { Session } from './session.ts';

/**
 * Reads what lies under a key into memory; undefined where there is nothing.
 * @param fresh not from a copy on the way: what came before was damaged, or absent where it should not be.
 */
export async function readWhole(
  session: Session,
  key: string,
  limit: number,
  fresh = false,
): Promise<Buffer | 'too-large' | undefined> {
  const { storage, signal } = session;
  return await session.call(async () => {
    const reading = await storage.get(key, { signal, fresh });
    if (reading === undefined) return undefined;
    return reading.size > limit ? 'too-large' : await collect(reading);
  });
}

/**
 * Reads a range, which is shorter where the object ends before it does; undefined where there is nothing.
 * @param fresh as for `readWhole`.
 */
export async function readRange(
  session: Session,
  key: string,
  range: NonNullable<GetOptions['range']>,
  fresh = false,
): Promise<Buffer | undefined> {
  const { storage, signal } = session;
  return await session.call(async () => {
    const reading = await storage.get(key, { signal, range, fresh });
    return reading === undefined ? undefined : await collect(reading);
  });
}

/** All that comes, in memory of its own. */
export async function collect(reading: Reading): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(reading.size);
  let at = 0;
  for await (const chunk of reading.body) {
    if (at + chunk.length > bytes.length)
      throw new StorageError('busy', 'more came than was announced', { transient: true });
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.subarray(0, at);
}
