import { FORMAT_VERSION, MARKER_KEY } from './layout.ts';
import { StorageError } from './storage/problem.ts';
import { collect } from './transfer/read-whole.ts';
import type { Session } from './transfer/session.ts';

const MARKER_LIMIT = 64 * 1024;
const TEXT = `${JSON.stringify({ format: 'dag-remote', version: FORMAT_VERSION })}\n`;
const MARKER = Buffer.from(TEXT);

/**
 * Sees to it that the format is one that we know; the first request of every operation, which also tells best what is
 * wrong with the place or the credentials. A place without a marker is an empty remote; one that is written gets one. Where
 * nothing can be written there is none.
 */
export async function checkMarker(session: Session, writing: boolean): Promise<void> {
  let text = await readMarker(session);
  // It has no digest: what is wrong with it may have happened on its way.
  if (text !== undefined && text !== TEXT) text = await readMarker(session);
  if (text !== undefined) return checkText(text);
  // What can't be written by anyone was published whole, or is not there.
  if (!session.storage.capabilities.writable) throw new StorageError('no-bucket', '', { transient: false });
  if (writing) await session.call(() => putMarker(session));
}

/** Puts the marker unless it is there: the smallest write there is, so what fails with it can write nothing. One call. */
export async function putMarker({ storage, signal }: Pick<Session, 'storage' | 'signal'>): Promise<void> {
  await storage.put(MARKER_KEY, MARKER, { signal });
}

async function readMarker({ storage, signal, call }: Session): Promise<string | undefined> {
  return await call(async () => {
    const reading = await storage.get(MARKER_KEY, { signal });
    if (reading === undefined) return undefined;
    if (reading.size > MARKER_LIMIT) throw unknownFormat('it is too large');
    return (await collect(reading)).toString('utf8');
  });
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
