import { putMarker } from '../marker.ts';
import { StorageError } from '../storage/problem.ts';
import type { Session } from './session.ts';

/**
 * Puts an object that is named after its bytes: when this returns, one of that name and length is there. What another, or an
 * earlier try, has put is left; what is shorter or longer is a damaged one, and is put anew.
 */
export async function putWhole(session: Session, key: string, bytes: Uint8Array): Promise<void> {
  const { storage, signal, call } = session;
  let replace = false;
  await call(async () => {
    try {
      if ((await storage.put(key, bytes, { signal, replace })) === 'stored') return;
    } catch (error) {
      if (error instanceof StorageError && error.garbled) replace = true;
      if (!(error instanceof StorageError) || !error.transient || !error.unanswered) throw error;
      // It may have been done. Or it was refused before all of it was sent: then some servers break the connection, and
      // their word is lost.
      if (!replace && (await storage.head(key, { signal }))?.size === bytes.length) return;
      await putMarker(session);
      throw error;
    }
    if ((await storage.head(key, { signal }))?.size !== bytes.length) {
      await storage.put(key, bytes, { signal, replace: true });
    }
  });
}
