import { FORMAT_VERSION, MARKER_KEY } from './layout.ts';
import { StorageError } from './storage/problem.ts';
import { collect } from './transfer/read-whole.ts';
import type { Session } from './transfer/session.ts';

const MARKER_LIMIT = 64 * 1024;
const MARKER = Buffer.from(`${JSON.stringify({ format: 'dag-remote', version: FORMAT_VERSION })}\n`);

/**
 * Sees to it that the format is one that we know; the first request of every operation, which also tells best what is
 * wrong with the place or the credentials. A place without a marker is an empty remote; one that is written gets one. Where
 * nothing can be written there is none.
 */
export async function checkMarker(session: Session, writing: boolean): Promise<void> {
  const { storage, signal } = session;
  const text = await session.call(async () => {
    const reading = await storage.get(MARKER_KEY, { signal });
    if (reading === undefined) return undefined;
    if (reading.size > MARKER_LIMIT) throw unknownFormat('it is too large');
    return (await collect(reading)).toString('utf8');
  });
  if (text !== undefined) return checkText(text);
  // What can't be written by anyone was published whole, or is not there.
  if (!storage.capabilities.writable) throw new StorageError('no-bucket', '', { transient: false });
  if (!writing) return;
  await session.call(() => storage.put(MARKER_KEY, MARKER, { signal }));
}

/**
 * The time by the storage's own clock, in milliseconds since 1970: the marker is put once more, with the very same bytes.
 * So who may not write there is told before anything else is done.
 */
export async function storageTime({ storage, signal, call }: Session): Promise<number> {
  await call(() => storage.put(MARKER_KEY, MARKER, { signal, replace: true }));
  const info = await call(() => storage.head(MARKER_KEY, { signal }));
  if (info === undefined) throw new StorageError('busy', `${MARKER_KEY} went away`, { transient: false });
  return info.modified;
}

function checkText(text: string): void {
  let marker: unknown;
  try {
    marker = JSON.parse(text);
  } catch {
    throw unknownFormat('it is not JSON');
  }
  if (typeof marker !== 'object' || marker === null) throw unknownFormat('it is not an object');
  const { format, version } = marker as { format?: unknown; version?: unknown };
  if (format !== 'dag-remote' || typeof version !== 'number') throw unknownFormat('it names no format');
  if (version !== FORMAT_VERSION) {
    throw unknownFormat(`it is of version ${version}, and version ${FORMAT_VERSION} is what this dag reads and writes`);
  }
}

function unknownFormat(why: string): StorageError {
  return new StorageError('format', `${MARKER_KEY}: ${why}`, { transient: false });
}
