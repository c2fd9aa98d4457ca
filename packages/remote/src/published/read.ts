import { INDEX_NAMES_KEY, INDEX_PREFIX, indexKey, RUN_NAMES_KEY, RUN_PREFIX } from '../layout.ts';
import { StorageError } from '../storage/problem.ts';
import type { CallOptions, ObjectInfo, Storage } from '../storage/storage.ts';
import { decodeNames, NAMES_LIMIT, type Names } from './names.ts';

const INDEX_NAME = /^[0-9a-f]{64}$/;
const RECORD_NAME = /^[0-9a-f]{64}\/[0-9a-f]{64}$/;
/** Names of run records are asked for again after so long. */
const RECORDS_MS = 60_000;

/** A storage whose lists are what writers published. */
export interface PublishedStorage extends Storage {
  /** When the indexes that are there were written down; undefined before they were first listed. */
  readonly asOf: number | undefined;
}

/**
 * Gives a storage that can't list the two lists that reading needs, of indexes and of run records, as writers wrote them down.
 * They may lag behind. Of what is listed only the key is known.
 */
export function withPublishedLists(storage: Storage): PublishedStorage {
  let asOf: number | undefined;
  let records: { readonly keys: readonly string[]; readonly read: number } | undefined;

  async function read(key: string, form: RegExp, { signal }: CallOptions): Promise<Names | undefined> {
    const reading = await storage.get(key, { signal, fresh: true });
    if (reading === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of reading.body) {
      size += chunk.length;
      if (size > NAMES_LIMIT) throw new StorageError('format', `${key}: it is too large`, { transient: false });
      chunks.push(chunk);
    }
    const names = decodeNames(Buffer.concat(chunks), form);
    if (names === undefined) throw new StorageError('format', `${key}: it is no list of names`, { transient: false });
    return names;
  }

  async function recordKeys(options: CallOptions): Promise<readonly string[]> {
    if (records === undefined || performance.now() - records.read > RECORDS_MS) {
      const names = (await read(RUN_NAMES_KEY, RECORD_NAME, options))?.names ?? [];
      const keys = names.map((name) => `${RUN_PREFIX}${name.slice(0, 2)}/${name}.json`).sort();
      records = { keys, read: performance.now() };
    }
    return records.keys;
  }

  async function* list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo[]> {
    if (prefix === INDEX_PREFIX) {
      const published = await read(INDEX_NAMES_KEY, INDEX_NAME, options);
      if (published === undefined) throw new StorageError('unpublished', '', { transient: false });
      asOf = published.at;
      // The order is all that is known of when they were put.
      yield published.names.map((name, i) => ({ key: indexKey(name), size: 0, modified: published.at - i }));
    } else {
      const keys = (await recordKeys(options)).filter((key) => key.startsWith(prefix));
      if (keys.length > 0) yield keys.map((key) => ({ key, size: 0, modified: 0 }));
    }
  }

  return {
    ...storage,
    list,
    get asOf() {
      return asOf;
    },
  };
}
