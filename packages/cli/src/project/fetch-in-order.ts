import { type Artifact, type Digest, FailureError, groupBy, type ObjectFailure } from '@dag/model';
import type { Remote } from '@dag/remote';

/** Something that is to be had from the first of some remotes that has it whole. */
export interface Sought {
  readonly path: string;
  readonly artifact: Artifact;
  readonly inside?: string | undefined;
  /** Names of remotes, in the order in which they are asked. */
  readonly remotes: readonly string[];
}

type Fetched = Awaited<ReturnType<Remote['fetch']>>;

export interface FetchingInOrder {
  /** Brings what the cache lacks from one remote. */
  readonly fetch: (name: string, request: Parameters<Remote['fetch']>[0]) => Promise<Fetched>;
  readonly isHere: (digest: Digest) => boolean;
  /** Told of each remote that could not be asked though there is another one. */
  readonly onUnreachable: (error: FailureError) => void;
}

/** What came, and from where. */
export interface FetchedInOrder extends Omit<Fetched, 'failed'> {
  readonly from: ReadonlyMap<string, Omit<Fetched, 'failed'>>;
  /** What is whole in none of its remotes, with what each says of it. */
  readonly failed: readonly ObjectFailure[];
  /** What one remote could not give, and another could. */
  readonly spared: readonly Refusal[];
}

/** What a remote says of an object that it can't give. */
interface Refusal {
  readonly remote: string;
  readonly failure: ObjectFailure;
}

/**
 * Asks each remote for what those before it don't have whole. One that can't be used is passed over where there are others; where
 * it might have had what nobody else has, that is what is thrown in the end.
 */
export async function fetchInOrder(items: readonly Sought[], work: FetchingInOrder): Promise<FetchedInOrder> {
  const from = new Map<string, { objects: number; bytes: number }>();
  const refusals = new Map<string, Refusal>();
  const unusable = new Map<string, FailureError>();
  // Listings first: what they name may be in a remote that lacks them.
  const folders = items.filter(({ artifact, remotes }) => artifact.kind === 'folder' && remotes.length > 1);
  await ask(folders, true);
  const pending = await ask(items, false);
  const missing = [...refusals.values()].filter(({ failure }) => !work.isHere(failure.digest));
  const reason = pending.flatMap(({ remotes }) => remotes.flatMap((name) => unusable.get(name) ?? []))[0];
  if (reason !== undefined) throw reason;
  const spared = [...refusals.values()].filter(({ failure }) => work.isHere(failure.digest));
  return { ...total(from), from, failed: together(missing), spared };

  /** Asks all remotes in their order. @returns what none of them has whole. */
  async function ask(wanted: readonly Sought[], listings: boolean): Promise<readonly Sought[]> {
    let left = wanted;
    for (let round = 0; left.some(({ remotes }) => round < remotes.length); round++) {
      const failed = new Set<Sought>();
      for (const [name, group] of groupBy(left, ({ remotes }) => remotes[round])) {
        const report = name === undefined || unusable.has(name) ? undefined : await askOne(name, group, listings);
        for (const item of group) if (report === undefined || isRefused(item, report.failed)) failed.add(item);
      }
      left = left.filter((item) => failed.has(item));
    }
    return left;
  }

  async function askOne(name: string, group: readonly Sought[], listings: boolean): Promise<Fetched | undefined> {
    try {
      const roots = group.map(({ path, artifact, inside }) => ({
        path,
        artifact,
        ...(inside === undefined ? {} : { inside }),
      }));
      const report = await work.fetch(name, { roots, listings });
      const { objects, bytes } = from.get(name) ?? { objects: 0, bytes: 0 };
      from.set(name, { objects: objects + report.objects, bytes: bytes + report.bytes });
      for (const failure of report.failed) {
        refusals.set(`${name}\0${failure.path}\0${failure.digest}`, { remote: name, failure });
      }
      return report;
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'remote') throw error;
      unusable.set(name, error);
      if (group.some(({ remotes }) => remotes.length > 1)) work.onUnreachable(error);
      return undefined;
    }
  }
}

function isRefused({ path }: Sought, failed: readonly ObjectFailure[]): boolean {
  return failed.some((failure) => failure.path === path || failure.path.startsWith(`${path}/`));
}

function total(from: ReadonlyMap<string, { objects: number; bytes: number }>): { objects: number; bytes: number } {
  let [objects, bytes] = [0, 0];
  for (const one of from.values()) {
    objects += one.objects;
    bytes += one.bytes;
  }
  return { objects, bytes };
}

/** One failure an object, with what each remote says of it. */
function together(refusals: readonly Refusal[]): ObjectFailure[] {
  return [...groupBy(refusals, ({ failure }) => `${failure.path}\0${failure.digest}`).values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined) return [];
    const reasons = new Set(all.map(({ failure }) => failure.reason));
    if (all.length === 1) return [first.failure];
    const names = all.map(({ remote }) => remote).join(', ');
    const reason =
      reasons.size === 1
        ? `${first.failure.reason} (${names})`
        : all.map(({ remote, failure }) => `${remote}: ${failure.reason}`).join('; ');
    return [{ ...first.failure, reason }];
  });
}
