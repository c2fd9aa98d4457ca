import { byCodeUnit, type ProjectPath } from '@dag/model';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { FileContents } from '../project/file.ts';
import type { Draft } from '../stage/draft.ts';
import type { Range } from '../yaml/node.ts';

/** Who makes a path: a stage (by its place in the list of drafts), or `data:` of a file. */
export interface Owner {
  readonly path: ProjectPath;
  readonly draft: number | undefined;
  /** The owner in words. */
  readonly label: string;
  readonly source: Source;
  readonly at: Range;
}

/** All paths that stages make or that are tracked: no two the same, none inside another. */
export interface Owners {
  readonly byPath: ReadonlyMap<string, Owner>;
  /** Sorted by path. */
  readonly sorted: readonly Owner[];
}

/** Collects the owners of paths, and reports doubled and overlapping ones with both owners. Linear but for the sort. */
export function collectOwners(drafts: readonly Draft[], data: FileContents['data'], report: Report): Owners {
  const byPath = new Map<string, Owner>();
  const all: Owner[] = [];
  const add = (owner: Owner) => {
    const before = byPath.get(owner.path);
    if (before === undefined) {
      byPath.set(owner.path, owner);
      all.push(owner);
      return;
    }
    const both = before.draft !== undefined && before.draft === owner.draft;
    const message = both
      ? `${owner.path} is listed twice by ${owner.label}`
      : `${owner.path} is made by ${owner.label}, and by ${before.label} too`;
    report.add(owner.source, owner.at, 'duplicate', message, 'let one of them make it, or give one another path');
  };
  for (const { data: item, source, at } of data) {
    add({ path: item.path, draft: undefined, label: `data: of ${item.file}`, source, at });
  }
  drafts.forEach((draft, index) => {
    draft.stage.outs.forEach((out, i) => {
      const at = draft.outPlaces[i] ?? draft.at;
      add({ path: out.path, draft: index, label: `stage ${draft.stage.address}`, source: draft.source, at });
    });
  });
  for (const owner of all) reportOverlap(owner, byPath, report);
  return { byPath, sorted: all.sort((a, b) => byCodeUnit(a.path, b.path)) };
}

function reportOverlap(owner: Owner, byPath: ReadonlyMap<string, Owner>, report: Report): void {
  for (let end = owner.path.lastIndexOf('/'); end > 0; end = owner.path.lastIndexOf('/', end - 1)) {
    const outer = byPath.get(owner.path.slice(0, end));
    if (outer === undefined) continue;
    const message = `${owner.path} (${owner.label}) lies inside ${outer.path} (${outer.label})`;
    report.add(
      owner.source,
      owner.at,
      'overlap',
      message,
      'keep them in folders of their own, or list only the folder',
    );
    return;
  }
}

/** Owners of a path: of itself, of a folder around it, and of everything inside it. */
export function ownersAt(path: ProjectPath, owners: Owners): Owner[] {
  const found: Owner[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const owner = owners.byPath.get(path.slice(0, end));
    if (owner) found.push(owner);
  }
  const prefix = path === '' ? '' : `${path}/`;
  let low = 0;
  let high = owners.sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((owners.sorted[middle] as Owner).path < prefix) low = middle + 1;
    else high = middle;
  }
  for (let i = low; i < owners.sorted.length; i++) {
    const owner = owners.sorted[i] as Owner;
    if (!owner.path.startsWith(prefix)) break;
    found.push(owner);
  }
  return found;
}
