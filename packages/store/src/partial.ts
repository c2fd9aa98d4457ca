import { constants, lstatSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestHex } from '@dag/model';
import { listNames, makeFolder } from './durable.ts';
import { ioFailure, isErrno, withIo } from './failure.ts';
import { newHasher } from './hash.ts';
import { type Layout, OBJECT_MODE } from './layout.ts';
import { ownerOf, ownerState, tempName } from './owner.ts';

/** What nobody went on with for so long (ms) is given up. */
const KEPT_MS = 7 * 24 * 3600 * 1000;
/** What another machine's process did not write to for so long (ms) is nobody's. */
const SILENT_MS = 3600 * 1000;
const READ_SIZE = 1 << 20;

/**
 * A large object of which parts come in any order, in one process or, after a kill, in several. Nothing in it is trusted
 * for being there: whoever goes on with it hashes what it finds.
 */
export interface PartialObject {
  /** Whether another process began it: some of its parts may be there. */
  readonly resumed: boolean;
  /** @param at where the part begins in the object. */
  write(part: Uint8Array, at: number): Promise<void>;
  /** Fills `into` with what is there from `at` on; zeros where nothing was written. */
  read(into: Uint8Array, at: number): Promise<void>;
  /** Has what was written go to the disk, so that less is left to wait for at the end. */
  flush(): Promise<void>;
  /** Whether all of it is what its digest says. */
  matches(): Promise<boolean>;
  /** Closes it: `keep` for a later try, `drop`, or to be `putTemp` into a batch by the name that this returns. */
  end(how: 'keep' | 'drop' | 'finished'): Promise<string>;
}

/**
 * Begins an object, or goes on with what a process that is gone left of it.
 * @param size bytes.
 */
export async function openPartial(layout: Layout, digest: Digest, size: number): Promise<PartialObject> {
  const free = join(layout.partial, digestHex(digest));
  const path = `${free}.${tempName('fetch')}`;
  const io = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw ioFailure(error, doing, path);
    }
  };
  withIo('make the folder', layout.partial, () => makeFolder(layout.partial));
  const { file, resumed } = await io('write', async () => {
    const found = await adopt(layout, digest, path);
    const made = found ?? (await open(path, 'wx+', 0o644));
    await made.truncate(size);
    return { file: made, resumed: found !== undefined };
  });

  return {
    resumed,
    write: (part, at) =>
      io('write', async () => {
        for (let done = 0; done < part.length; ) {
          done += (await file.write(part, done, part.length - done, at + done)).bytesWritten;
        }
      }),
    read: (into, at) => io('read', () => readFully(file, into, at)),
    flush: () => io('write', () => file.datasync()),
    matches: () =>
      io('read', async () => {
        const hasher = newHasher();
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_SIZE, size));
        for (let at = 0; at < size; at += READ_SIZE) {
          const part = buffer.subarray(0, Math.min(READ_SIZE, size - at));
          await readFully(file, part, at);
          hasher.update(part);
        }
        return hasher.digest() === digest;
      }),
    end: (how) =>
      io('write', async () => {
        if (how === 'finished') await file.chmod(OBJECT_MODE);
        await file.close();
        if (how === 'keep') renameSync(path, free);
        if (how === 'drop') rmSync(path, { force: true });
        return path;
      }),
  };
}

/** Removes what is nobody's. @param age only what nobody wrote to for so long (ms). */
export function sweepPartials(layout: Layout, now: number, age = KEPT_MS): void {
  for (const name of listNames(layout.partial)) {
    const path = join(layout.partial, name);
    const modified = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (modified === undefined || now - modified < age || isInUse(name, modified, now)) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

/** Takes over what is left of an object, under this process's name; undefined where there is nothing to go on with. */
async function adopt(layout: Layout, digest: Digest, path: string): Promise<FileHandle | undefined> {
  for (const name of listNames(layout.partial)) {
    const from = join(layout.partial, name);
    if (!name.startsWith(digestHex(digest))) continue;
    try {
      if (isInUse(name, lstatSync(from).mtimeMs, Date.now())) continue;
      renameSync(from, path);
      const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
      const { nlink, uid } = await file.stat();
      if (nlink === 1 && uid === (process.geteuid?.() ?? uid)) return file;
      await file.close();
      rmSync(path, { force: true });
    } catch (error) {
      // Another was faster, or it is another user's, or no file at all.
      if (!isErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ELOOP', 'EISDIR')) throw error;
      rmSync(path, { recursive: true, force: true });
    }
  }
  return undefined;
}

/** `HEX` is nobody's; `HEX.fetch-…` is its maker's, while that one lives. */
function isInUse(name: string, modified: number, now: number): boolean {
  const owner = ownerOf(name.slice(65));
  if (owner === undefined) return false;
  const state = ownerState(owner);
  return state === 'elsewhere' ? now - modified < SILENT_MS : state !== 'dead';
}

async function readFully(file: FileHandle, into: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done);
    if (bytesRead === 0) return void into.fill(0, done);
    done += bytesRead;
  }
}
