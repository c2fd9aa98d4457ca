import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { makeFolder, openStatCache, type StatCache, type Store, statCacheFolder, withIo } from '@dag/store';
import { isOneName } from './checkout/names.ts';
import { folderWithGit } from './gitignore.ts';
import { type IgnoreRules, openIgnoreRules } from './ignore-rules.ts';
import type { Claim } from './lock/claim.ts';
import { type LocalPool, localPool, type Pool, type ThreadPool, threadPool } from './threads/pool.ts';
import type { Job, JobResult, ThreadSetup } from './threads/protocol.ts';
import { hashWorkerUrl } from './threads/worker-file.ts';
import type { LinkStrategy, WorkspaceOptions } from './types.ts';

/** What the parts of a workspace share. */
export interface Context {
  readonly root: string;
  readonly store: Store;
  readonly link: readonly LinkStrategy[];
  /** `.cache` of the project: temp files, locks, stat cache. */
  readonly home: string;
  /** Folders that hold no data of the user's. */
  readonly skip: readonly string[];
  /** See `WorkspaceOptions.isOneName`. */
  readonly isOneName: (folder: string, a: string, b: string) => boolean;
  /** See `WorkspaceOptions.gitTop`. */
  gitTop(): string | undefined;
  /** Rules of .dagignore as they stand now. */
  ignore(): IgnoreRules;
  /** Claims to paths that were read and will not change any more, by their id; see `readClaims`. */
  readonly claims: Map<string, Claim>;
  /** The folder for temp files, made when first asked for. */
  tmp(): string;
  /** Of this thread. Whoever uses it flushes it in the end. */
  readonly statCache: StatCache;
  readonly local: Pool;
  /** Worker threads; undefined where there are none to be had. */
  threads(): ThreadPool | undefined;
  /** This thread and worker threads together, or this one alone, for jobs of a few ms each. */
  together(): Pool;
  /** One job in every thread that has done any work, this one too. */
  everywhere(job: Job): Promise<JobResult[]>;
  nextOp(): number;
}

export const DEFAULT_LINK: readonly LinkStrategy[] = ['reflink', 'copy'];
const MOST_THREADS = 8;

export function openContext(options: WorkspaceOptions): Context {
  const { root, store } = options;
  const home = join(root, '.cache');
  const link = options.link ?? DEFAULT_LINK;
  let setup: ThreadSetup | undefined;
  const threadSetup = (): ThreadSetup => {
    const chosen = options.statCache ?? statCacheFolder(join(home, 'stat'));
    setup ??= { storeDir: store.dir, statCache: chosen === false ? undefined : chosen, link };
    return setup;
  };
  let statCache: StatCache | undefined;
  const openCache = (): StatCache => {
    statCache ??= openStatCache(threadSetup().statCache);
    return statCache;
  };
  let local: LocalPool | undefined;
  const openLocal = (): LocalPool => {
    local ??= localPool(threadSetup(), openCache());
    return local;
  };
  let threads: ThreadPool | undefined;
  const size = options.threads ?? Math.min(availableParallelism(), MOST_THREADS);
  const openThreads = (): ThreadPool | undefined => {
    if (threads !== undefined) return threads;
    const url = size > 0 ? hashWorkerUrl() : undefined;
    if (url !== undefined) {
      threads = threadPool(url, () => ({ ...threadSetup(), indexes: store.shareIndexes() }), size);
    }
    return threads;
  };
  let op = 0;
  return {
    claims: new Map(),
    root,
    store,
    link,
    home,
    // A work tree that lies in the cache's folder, a temporary one, is no part of the cache.
    skip: `${root}/`.startsWith(`${store.dir}/`) ? [home] : [home, store.dir],
    isOneName: options.isOneName ?? isOneName,
    gitTop: options.gitTop ?? (() => folderWithGit(root)),
    ignore: () => openIgnoreRules(root, '.dagignore'),
    tmp() {
      const tmp = join(home, 'tmp');
      withIo('make the folder', '.cache/tmp', () => makeFolder(tmp));
      return tmp;
    },
    get statCache() {
      return openCache();
    },
    local: {
      run: (jobs, onResult, signal) => openLocal().run(jobs, onResult, signal),
      everywhere: (job) => (local === undefined ? Promise.resolve([]) : local.everywhere(job)),
      async close() {
        await local?.close();
        statCache?.close();
      },
    },
    threads: openThreads,
    together: () => openThreads()?.with((job) => openLocal().doNow(job)) ?? openLocal(),
    everywhere: async (job) => [...((await local?.everywhere(job)) ?? []), ...((await threads?.everywhere(job)) ?? [])],
    nextOp: () => ++op,
  };
}
