import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { byCodeUnit } from '@dag/model';
import { StorageError } from './problem.ts';
import type { CallOptions, GetOptions, ObjectInfo, PutOptions, Reading, Storage } from './storage.ts';

/** Where half-written files lie: inside the remote's folder, so that a rename stays on one file system. */
const TMP = 'tmp';
const READ_SIZE = 256 * 1024;
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/**
 * A folder as storage: one file a key. A file is written under `tmp/`, made durable, and then linked to its name, which
 * is atomic and fails where there is one already; on a file system without hard links it is renamed.
 * @param folder absolute; made by the first put. Its `tmp` is its own.
 */
export function folderStorage(folder: string): Storage {
  let links = true;
  /** Folders with names that are not yet known to be durable. */
  const unsettled = new Set<string>();
  const made = new Set<string>();
  const fileOf = (key: string) => join(folder, checkKey(key));

  let swept = false;

  /** Removes what pushes that died long ago had half written. */
  async function sweep(): Promise<void> {
    if (swept) return;
    swept = true;
    const names = await readdir(join(folder, TMP)).catch(() => []);
    for (const name of names) {
      const path = join(folder, TMP, name);
      const info = await stat(path).catch(() => undefined);
      if (info !== undefined && Date.now() - info.mtimeMs > ABANDONED_MS)
        await rm(path, { force: true }).catch(() => {});
    }
  }

  async function makeFolder(path: string): Promise<void> {
    if (made.has(path)) return;
    const first = await mkdir(path, { recursive: true });
    made.add(path);
    // Each new folder is a name in the one above it.
    for (let at = path; first !== undefined && at.length >= first.length; at = dirname(at)) unsettled.add(dirname(at));
  }

  async function put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<'stored' | 'present'> {
    const target = fileOf(key);
    options.signal?.throwIfAborted();
    const temporary = join(folder, TMP, `${process.pid}-${randomUUID()}`);
    try {
      await sweep();
      await Promise.all([makeFolder(dirname(temporary)), makeFolder(dirname(target))]);
      await write(temporary, bytes);
      options.signal?.throwIfAborted();
      if (options.replace === true) {
        await rename(temporary, target);
      } else if (!(await publish(temporary, target))) {
        return 'present';
      }
      unsettled.add(dirname(target));
      return 'stored';
    } catch (error) {
      if (isCode(error, 'ENOENT')) made.clear();
      throw problemOf(error);
    } finally {
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  async function publish(temporary: string, target: string): Promise<boolean> {
    if (links) {
      try {
        await link(temporary, target);
        return true;
      } catch (error) {
        if (isCode(error, 'EEXIST')) return false;
        if (!isCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK')) throw error;
        links = false;
      }
    }
    if ((await infoOf(target)) !== undefined) return false;
    await rename(temporary, target);
    return true;
  }

  async function get(key: string, options: GetOptions = {}): Promise<Reading | undefined> {
    options.signal?.throwIfAborted();
    const path = fileOf(key);
    const whole = (await infoOf(path))?.size;
    if (whole === undefined) return undefined;
    const start = options.range?.start ?? 0;
    const size = Math.max(0, Math.min(options.range?.length ?? whole, whole - start));
    return { size, body: readOut(path, start, size, options.signal) };
  }

  async function head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    options.signal?.throwIfAborted();
    const info = await infoOf(fileOf(key));
    return info === undefined ? undefined : { key, ...info };
  }

  async function* list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo[]> {
    const slash = prefix.lastIndexOf('/') + 1;
    yield* walk(prefix.slice(0, slash), prefix.slice(slash), options.signal);
  }

  /** One page a folder, each sorted; together they are in order, as no name here is a prefix of its neighbour with `/`. */
  async function* walk(parent: string, start: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo[]> {
    signal?.throwIfAborted();
    const entries = await readdir(join(folder, parent), { withFileTypes: true }).catch((error: unknown) => {
      if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw problemOf(error);
    });
    const keyOrder = (entry: { name: string; isDirectory(): boolean }) =>
      entry.isDirectory() ? `${entry.name}/` : entry.name;
    entries.sort((a, b) => byCodeUnit(keyOrder(a), keyOrder(b)));
    let page: ObjectInfo[] = [];
    for (const entry of entries) {
      if (!entry.name.startsWith(start) || (parent === '' && entry.name === TMP)) continue;
      const key = parent + entry.name;
      if (entry.isDirectory()) {
        if (page.length > 0) yield page;
        page = [];
        yield* walk(`${key}/`, '', signal);
      } else if (entry.isFile()) {
        const info = await infoOf(join(folder, key));
        if (info !== undefined) page.push({ key, ...info });
      }
    }
    if (page.length > 0) yield page;
  }

  async function remove(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) {
      options.signal?.throwIfAborted();
      try {
        await rm(fileOf(key), { force: true });
      } catch (error) {
        throw problemOf(error);
      }
      unsettled.add(dirname(fileOf(key)));
    }
  }

  async function settle(): Promise<void> {
    const folders = [...unsettled];
    unsettled.clear();
    for (const path of folders) await syncFolder(path);
  }

  return {
    url: folder,
    get capabilities() {
      return { conditionalPut: links, writable: true, jobs: 8 };
    },
    put,
    get,
    head,
    list,
    delete: remove,
    settle,
    close: () => {},
  };
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o444);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Reads `size` bytes from `start`; opens the file when the reading begins and closes it however that ends. */
async function* readOut(
  path: string,
  start: number,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (size === 0) return;
  const stream = createReadStream(path, { start, end: start + size - 1, highWaterMark: READ_SIZE });
  let left = size;
  try {
    for await (const chunk of stream) {
      signal?.throwIfAborted();
      left -= chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw problemOf(error);
  } finally {
    stream.destroy();
  }
  if (left !== 0) throw new StorageError('busy', 'a file grew shorter while it was read', { transient: true });
}

async function infoOf(path: string): Promise<Omit<ObjectInfo, 'key'> | undefined> {
  try {
    const info = await stat(path);
    return info.isFile() ? { size: info.size, modified: info.mtimeMs } : undefined;
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw problemOf(error);
  }
}

async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Some network file systems can't sync a folder; one that was removed since needs none.
    if (!isCode(error, 'EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'ENOENT', 'EBADF')) throw problemOf(error);
  }
}

function checkKey(key: string): string {
  const good = key.split('/').every((part) => /^[0-9A-Za-z._-]{1,255}$/.test(part) && part !== '.' && part !== '..');
  if (!good) throw new Error(`not a key: ${JSON.stringify(key)}`);
  return key;
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** What a system error means for a folder; anything else (the signal's reason, a bug) goes through. */
function problemOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const detail = error.message;
  if (isCode(error, 'EACCES', 'EPERM', 'EROFS')) return new StorageError('permission', detail, { transient: false });
  if (isCode(error, 'ENOSPC', 'EDQUOT')) return new StorageError('full', detail, { transient: false });
  if (isCode(error, 'EMFILE', 'ENFILE', 'EAGAIN', 'ETIMEDOUT', 'ESTALE', 'ENOENT')) {
    return new StorageError('busy', detail, { transient: true });
  }
  return new StorageError('unreachable', detail, { transient: false });
}
