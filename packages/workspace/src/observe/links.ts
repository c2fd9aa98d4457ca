import { HashSet, KNOWN, type ObjectLinks, STAT_COLUMNS, type StatCache } from '@dag/store';
import type { Pool } from '../threads/pool.ts';
import type { Job, JobResult } from '../threads/protocol.ts';
import { WorkList } from '../threads/work-list.ts';
import type { Part } from './ask.ts';
import type { FileFacts } from './facts.ts';
import { recordFile } from './file-list.ts';

/** Files that are objects now, by index. */
export type Linked = Map<FileFacts, Set<number>>;

/**
 * Files that are to become objects by links, each content once, as a batch takes them. Their facts are brought up to date as
 * they are linked.
 * @param parts what a scan said is to be linked, as it is known from then.
 * @returns undefined where there are none.
 */
export function linksOf(
  parts: readonly Part[],
  {
    pool,
    op,
    since,
    statCache,
  }: { readonly pool: Pool; readonly op: number; readonly since: number; readonly statCache: StatCache },
): (ObjectLinks & { readonly done: Linked }) | undefined {
  const chosen = firstOfEach(parts);
  if (chosen.length === 0) return undefined;
  const files = chosen.flatMap(({ list, indices }) => indices.map((i) => `${list.folder}/${list.names[i]}`));
  const digests = chosen.flatMap(({ list, indices }) => indices.map((i) => list.holder.facts.digest(list.at + i)));
  const done: Linked = new Map();
  const jobs = new WorkList(chosen, (part) => linkJob(part, op, since));
  const take = (result: JobResult, job: Job): void => {
    if (result.kind !== 'link') throw new Error('links gave something else');
    const { list, indices } = jobs.done(job);
    const { facts } = list.holder;
    const linked = done.get(facts) ?? new Set();
    done.set(facts, linked);
    for (const [n, i] of indices.entries()) {
      linked.add(list.at + i);
      if (((result.flags[n] as number) & KNOWN) === 0) continue;
      facts.setStats(list.at + i, result.stats.subarray(n * STAT_COLUMNS, (n + 1) * STAT_COLUMNS));
      recordFile(statCache, list, i, result.dev);
    }
  };
  return { files, digests, done, link: () => pool.run(jobs, take) };
}

/** Without those whose content another has, too. */
function firstOfEach(parts: readonly Part[]): Part[] {
  const seen = new HashSet();
  return parts
    .map(({ list, indices }) => ({
      list,
      indices: indices.filter((i) => seen.add(list.holder.facts.hashes, (list.at + i) * 32)),
    }))
    .filter(({ indices }) => indices.length > 0);
}

function linkJob({ list, indices }: Part, op: number, since: number): Job {
  const { folder, shown, names, at } = list;
  const { facts } = list.holder;
  const hashes = Buffer.alloc(indices.length * 32);
  const stats = new BigInt64Array(indices.length * STAT_COLUMNS);
  for (const [n, i] of indices.entries()) {
    hashes.set(facts.hashes.subarray((at + i) * 32, (at + i + 1) * 32), n * 32);
    stats.set(facts.stats.subarray((at + i) * STAT_COLUMNS, (at + i + 1) * STAT_COLUMNS), n * STAT_COLUMNS);
  }
  const chosen = indices.map((i) => names[i] as string);
  return { kind: 'link', op, folder, shown, names: chosen, hashes, stats, since };
}
