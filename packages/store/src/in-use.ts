import { lstatSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FailureError } from '@dag/model';
import { listNames, makeFolder, removeFile } from './durable.ts';
import { isErrno } from './failure.ts';
import { ownerOf, ownerState, tempName } from './owner.ts';

// Writers and gc agree through marks in `users/`, named after their makers. FORMAT.md, "Removing objects", has the rules.

const WRITER = 'use';
const COLLECTOR = 'gc';
/** A mark stays so long (ms) after the last write: until the lock that names what was written is on disk. */
const LINGER_MS = 5000;
/** The living touch their marks so often (ms). */
const HEARTBEAT_MS = 20_000;
/** A mark from another machine that was not touched for so long (ms) is a dead one. */
const SILENT_MS = 120_000;
const POLL_MS = 50;

/**
 * Held from before the first look at what the cache has until the lock that names it is on disk. What is found to be there
 * meanwhile stays, unless a gc was at work already.
 */
export interface Hold {
  /** Whether a gc began before: it may take what is there, unless that is written anew. */
  readonly gcAtWork: boolean;
  /** Calling it twice does no harm. */
  end(): void;
}

/** Does what ends with a lock on disk that names what the cache has, or gets: see `Hold`. */
export async function holding<T>(store: { hold(): Hold }, work: () => Promise<T>): Promise<T> {
  const hold = store.hold();
  try {
    return await work();
  } finally {
    hold.end();
  }
}

/** Says to gc that this process writes into the cache. */
export class WriterMark {
  readonly #users: string;
  #mark: string | undefined;
  #open = 0;
  #linger: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(users: string) {
    this.#users = users;
  }

  /** Before the first look at what the cache has already. */
  begin(): void {
    this.#open++;
    clearTimeout(this.#linger);
    if (this.#mark !== undefined) return;
    this.#mark = newMark(this.#users, WRITER);
    this.#heartbeat = setInterval(() => touch(this.#mark), HEARTBEAT_MS).unref();
  }

  /** When what was written is on disk. The mark stays a little longer, for the lock that is written next. */
  end(): void {
    this.#open = Math.max(0, this.#open - 1);
    if (this.#open > 0 || this.#mark === undefined) return;
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => this.close(), LINGER_MS).unref();
  }

  /** See `Store.hold`. Who may not write into the cache has no mark: nobody waits for those who only read. */
  hold(): Hold {
    try {
      this.begin();
    } catch (error) {
      this.end();
      if (isErrno(error, 'EROFS', 'EACCES', 'EPERM')) return { gcAtWork: isGcAtWork(this.#users), end: () => {} };
      throw error;
    }
    let open = true;
    return {
      gcAtWork: isGcAtWork(this.#users),
      end: () => {
        if (open) this.end();
        open = false;
      },
    };
  }

  /** At once, whatever is open. */
  close(): void {
    clearTimeout(this.#linger);
    clearInterval(this.#heartbeat);
    if (this.#mark !== undefined) removeFile(this.#mark);
    this.#mark = undefined;
    this.#open = 0;
  }
}

/** A gc at work: what was written since it began stays. */
export interface Collector {
  /** ctime in ns of the first moment that counts as new, by the clock of the cache's file system. */
  readonly since: bigint;
  /** Waits until those have ended who looked into the cache before gc announced itself. */
  waitForWriters(options: { readonly onWait?: (pid: number) => void; readonly signal?: AbortSignal }): Promise<void>;
  end(): void;
}

/** Announces a gc: from now on nobody relies on an object that is there already. Throws `locked` where another gc is at work. */
export function announceGc(users: string): Collector {
  const mark = newMark(users, COLLECTOR);
  const others = living(users, COLLECTOR).filter((name) => join(users, name) !== mark);
  if (others.length > 0) {
    removeFile(mark);
    const pid = ownerOf(others[0] as string)?.pid;
    throw new FailureError({
      code: 'locked',
      message: `another dag gc is at work in this cache (pid ${pid})`,
      hint: 'wait until it has ended',
    });
  }
  const heartbeat = setInterval(() => touch(mark), HEARTBEAT_MS).unref();
  return {
    since: lstatSync(mark, { bigint: true }).ctimeNs,
    async waitForWriters({ onWait, signal }) {
      const before = new Set(living(users, WRITER));
      let told: number | undefined;
      for (;;) {
        const waitedFor = living(users, WRITER).find((name) => before.has(name));
        if (waitedFor === undefined) return;
        const pid = ownerOf(waitedFor)?.pid;
        if (pid !== undefined && pid !== told) onWait?.(pid);
        told = pid;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        signal?.throwIfAborted();
      }
    },
    end() {
      clearInterval(heartbeat);
      removeFile(mark);
    },
  };
}

/** Whether a gc is at work: then an object that is there may be gone in a moment, and must be written anew. */
export function isGcAtWork(users: string): boolean {
  return living(users, COLLECTOR).length > 0;
}

function newMark(users: string, kind: string): string {
  makeFolder(users);
  const mark = join(users, tempName(kind));
  writeFileSync(mark, '', { flag: 'wx' });
  return mark;
}

/** Marks of processes that live; of this one too, but for its own writers, which no gc of this process need wait for. */
function living(users: string, kind: string): string[] {
  return listNames(users).filter((name) => {
    if (!name.startsWith(`${kind}-`)) return false;
    const owner = ownerOf(name);
    if (owner === undefined) return false;
    const state = ownerState(owner);
    if (state === 'self') return kind === COLLECTOR;
    if (state !== 'elsewhere') return state === 'alive';
    const stats = lstatSync(join(users, name), { throwIfNoEntry: false });
    return stats !== undefined && Date.now() - stats.mtimeMs < SILENT_MS;
  });
}

function touch(mark: string | undefined): void {
  const now = new Date();
  try {
    if (mark !== undefined) utimesSync(mark, now, now);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw error;
  }
}
