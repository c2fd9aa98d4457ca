import { type AnyPath, byCodeUnit, isExternal, type StageAddress } from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import { locate, type Source } from '../diagnostic/source.ts';
import type { FileContents } from '../project/file.ts';
import type { Draft } from '../stage/draft.ts';
import type { Range } from '../yaml/node.ts';

/** Who makes a path: a stage (by its place in the list of drafts), or `data:` of a file. */
export interface Owner {
  readonly path: AnyPath;
  readonly draft: number | undefined;
  /** undefined for `data:`. */
  readonly stage: StageAddress | undefined;
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
  const doubled = new Doubled(report);
  const add = (owner: Owner) => {
    const before = byPath.get(owner.path);
    if (before === undefined) {
      byPath.set(owner.path, owner);
      all.push(owner);
    } else doubled.add(before, owner);
  };
  for (const { data: item, source, at } of data) {
    add({ path: item.path, draft: undefined, stage: undefined, source, at });
  }
  drafts.forEach((draft, index) => {
    draft.stage.outs.forEach((out, i) => {
      const at = draft.outPlaces[i] ?? draft.at;
      add({
        path: out.path,
        draft: index,
        stage: draft.stage.address,
        source: draft.source,
        at,
      });
    });
  });
  doubled.finish();
  reportOverlaps(all, byPath, report);
  return { byPath, sorted: all.sort((a, b) => byCodeUnit(a.path, b.path)) };
}

/** Paths with more than one owner. What all stages of a foreach make is written once, and told once. */
class Doubled {
  private readonly shared = new Map<string, { readonly first: Owner; readonly others: Owner[] }>();
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  add(before: Owner, owner: Owner): void {
    const path = quote(owner.path);
    if (before.draft === owner.draft) {
      const message = `${path} is ${labelOf(owner)} twice: at ${placeOf(before)} too`;
      this.report.add(owner.source, owner.at, 'duplicate', message, 'keep one of the two');
    } else if (before.source === owner.source && before.at.start === owner.at.start) {
      const key = `${owner.source.file}\0${owner.at.start}`;
      const shared = this.shared.get(key) ?? { first: before, others: [] };
      this.shared.set(key, shared);
      shared.others.push(owner);
    } else {
      const message = `${path} is ${labelOf(owner)}, and ${labelOf(before)} (${placeOf(before)}) too`;
      const hint = 'let one of them make it, or give one another path';
      this.report.add(owner.source, owner.at, 'duplicate', message, hint);
    }
  }

  finish(): void {
    for (const { first, others } of this.shared.values()) {
      const [second] = others;
      if (second === undefined) continue;
      const more = others.length > 1 ? ` and ${others.length - 1} more` : '';
      const message = `${quote(first.path)} is ${labelOf(first)}, and ${labelOf(second)}${more} too`;
      const hint = 'write ${item} or ${key} into its path, so that each makes its own';
      this.report.add(first.source, first.at, 'duplicate', message, hint);
    }
  }
}

/** What an owner does with its path, and its name: `made by stage 'train'`. */
export function labelOf({ stage }: Owner): string {
  return stage === undefined ? 'tracked under data:' : `made by stage ${quote(stage)}`;
}

/** Where an owner stands, as `pipeline.yaml:4:12`. */
function placeOf({ source, at }: Owner): string {
  const { line, column } = locate(source, at).span;
  return `${source.file}:${line}:${column}`;
}

/** Reports paths inside others; those that all stages of a foreach make are written once, and told once. */
function reportOverlaps(all: readonly Owner[], byPath: ReadonlyMap<string, Owner>, report: Report): void {
  const found = new Map<string, { readonly owner: Owner; readonly outer: Owner; more: number }>();
  for (const owner of all) {
    const outer = outerOf(owner.path, byPath);
    if (outer === undefined) continue;
    const key = [owner, outer].map(({ source, at }) => `${source.file}\0${at.start}`).join('\0');
    const before = found.get(key);
    if (before === undefined) found.set(key, { owner, outer, more: 0 });
    else before.more++;
  }
  for (const { owner, outer, more } of found.values()) {
    const others = more === 0 ? '' : ` and ${more} more`;
    const around = `${quote(outer.path)} (${labelOf(outer)}, ${placeOf(outer)})`;
    const message = `${quote(owner.path)} (${labelOf(owner)}${others}) lies inside ${around}`;
    const hint = 'keep them in folders of their own, or list only the folder';
    report.add(owner.source, owner.at, 'overlap', message, hint);
  }
}

/** The nearest folder around a path that somebody owns. */
function outerOf(path: AnyPath, byPath: ReadonlyMap<string, Owner>): Owner | undefined {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const outer = byPath.get(path.slice(0, end));
    if (outer !== undefined) return outer;
  }
  return undefined;
}

/** Owners of a path: of itself, of a folder around it, and of everything inside it. */
export function ownersAt(path: AnyPath, owners: Owners): Owner[] {
  const found: Owner[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const owner = owners.byPath.get(path.slice(0, end));
    if (owner) found.push(owner);
  }
  if (path === '') return owners.sorted.filter((owner) => !isExternal(owner.path));
  const prefix = `${path}/`;
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
