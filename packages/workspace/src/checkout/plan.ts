import { dirname, join } from 'node:path';
import {
  type Artifact,
  baseName,
  type Digest,
  encodeTree,
  FailureError,
  joinPath,
  type ProjectPath,
  parentPath,
  type TreeEntry,
} from '@dag/model';
import { type FolderRecord, hashBytes, ObjectMissing, tempName } from '@dag/store';
import type { Context } from '../context.ts';
import type { Going } from '../keep.ts';
import type { FileFacts } from '../observe/facts.ts';
import { Digests, type FolderNode, innerFirst, type Standing } from '../observe/node.ts';
import { tempFolderFor } from '../temp-folder.ts';
import type { CheckoutItem, CheckoutOptions } from '../types.ts';
import { entryProblem } from './guard.ts';
import { alikeNames } from './names.ts';
import { isOwnWritable, leadsToObject, lookUp, type Present } from './present.ts';

/** Files to be placed in one folder. `temp`: first as temp files there, then renamed; undefined where the folder is private. */
export interface Placement {
  readonly folder: string;
  readonly path: ProjectPath;
  readonly temp: string | undefined;
  readonly files: PlacedFiles;
  /** For a private folder: what the stat cache is to know of its tree. */
  readonly tree?: FolderRecord['tree'];
}

/** The files of a placement, field by field: there may be millions. */
export class PlacedFiles {
  readonly names: string[] = [];
  readonly digests: Digests;
  readonly sizes: number[] = [];
  readonly executable: boolean[] = [];
  /** mtime (µs) of what each may replace; NaN for nothing. */
  readonly replaces: number[] = [];

  /** @param count how many there will be; there may be fewer. */
  constructor(count = 0) {
    this.digests = new Digests(count);
  }

  push(entry: TreeEntry & { readonly kind: 'file' }, replaces: number): void {
    this.digests.set(this.names.length, entry.digest.slice('blake3:'.length));
    this.names.push(entry.name);
    this.sizes.push(entry.size);
    this.executable.push(entry.executable);
    this.replaces.push(replaces);
  }
}

export interface PlanFailure {
  readonly path: string;
  readonly digest: Digest;
  readonly reason: string;
  readonly missing: boolean;
}

/** All that one item needs done. Nothing of it is done yet. */
export interface Plan {
  readonly path: ProjectPath;
  readonly wasAbsent: boolean;
  readonly isDelete: boolean;
  /** Private folders to be filled, outer first, and renamed when they are. */
  readonly makeFolders: string[];
  readonly newFolders: { readonly build: string; readonly final: string }[];
  readonly placements: Placement[];
  readonly links: { readonly abs: string; readonly target: string; readonly temp: string | undefined }[];
  readonly chmods: { readonly abs: string; readonly executable: boolean }[];
  /** mtime in µs when looked at; undefined for what was a symlink. */
  readonly removeFiles: { readonly abs: string; readonly path: ProjectPath; readonly mtime: number | undefined }[];
  /** Inner ones first; one that is not empty by then stays. */
  readonly removeFolders: string[];
  /** What leaves the workspace, and has to be whole in the cache before. */
  readonly going: Going;
  /** Content and symlinks that would be lost: the cache has them nowhere. */
  readonly unsafe: ProjectPath[];
  readonly failed: PlanFailure[];
}

/** Compares what stands with what should, and plans the difference. With `dry` no folder for temp files is made: the plan is for show. */
export function planItem(
  context: Context,
  item: CheckoutItem,
  standing: Standing,
  options: Pick<CheckoutOptions, 'relink' | 'dry'>,
): Plan {
  const plan = emptyPlan(item, standing);
  const planner = new Planner(context, plan, options, item.artifact);
  planner.item(item.path, item.artifact, standing);
  if (!planner.unfoldsTooFar) return plan;
  const none = emptyPlan(item, standing);
  const reason = 'its listing unfolds into more than it says it holds';
  none.failed.push({ path: item.path, digest: item.artifact?.digest ?? NO_DIGEST, reason, missing: false });
  return none;
}

function emptyPlan(item: CheckoutItem, standing: Standing): Plan {
  return {
    path: item.path,
    wasAbsent: standing.kind === 'absent' && !standing.broken,
    isDelete: item.artifact === undefined,
    makeFolders: [],
    newFolders: [],
    placements: [],
    links: [],
    chmods: [],
    removeFiles: [],
    removeFolders: [],
    going: { files: [], folders: [] },
    unsafe: [],
    failed: [],
  };
}

interface Listing {
  readonly digest: Digest;
  readonly entries: readonly TreeEntry[];
}

/** Folders that a listing may have beyond as many as it has files: empty ones count as no file. */
const SPARE_FOLDERS = 10_000;

class Planner {
  readonly #context: Context;
  readonly #plan: Plan;
  readonly #relink: boolean;
  readonly #tempFor: (folder: string) => string;
  /** How many more files and folders there may be: a listing that unfolds into far more than it says is no honest one. */
  #budget: number;

  constructor(
    context: Context,
    plan: Plan,
    { relink, dry }: Pick<CheckoutOptions, 'relink' | 'dry'>,
    artifact: Artifact | undefined,
  ) {
    this.#context = context;
    this.#plan = plan;
    this.#relink = relink === true;
    this.#tempFor = (folder) => (dry === true ? folder : tempFolderFor(context, folder));
    this.#budget = artifact?.kind === 'folder' ? 2 * artifact.files + SPARE_FOLDERS : 1;
  }

  get unfoldsTooFar(): boolean {
    return this.#budget < 0;
  }

  item(path: ProjectPath, artifact: Artifact | undefined, standing: Standing): void {
    const abs = join(this.#context.root, path);
    const present = presentOf(standing);
    if (artifact === undefined) {
      if (present !== undefined) this.#remove(present, abs, path, undefined);
      return;
    }
    const folder: Placement = {
      folder: dirname(abs),
      path: parentPath(path),
      temp: '',
      files: new PlacedFiles(),
    };
    const name = baseName(path);
    const entry: TreeEntry =
      artifact.kind === 'file'
        ? { kind: 'file', name, executable: artifact.executable, size: artifact.size, digest: artifact.digest }
        : { kind: 'folder', name, size: artifact.size, files: artifact.files, digest: artifact.digest };
    this.#entry(entry, folder, path, abs, present, undefined);
    this.#add(folder);
  }

  /** A folder that stands: its entries one by one; what is not in the listing goes. */
  #existing(digest: Digest, node: FolderNode, path: ProjectPath): void {
    if (node.digest === digest && !this.#relink) return;
    const entries = this.#entries(digest, path);
    if (entries === undefined) return;
    if (node.digest !== digest) this.#plan.going.folders.push(node);
    const wanted = new Set(entries.map(({ name }) => name));
    const present = lookUp(node);
    const folder: Placement = { folder: node.abs, path, temp: '', files: new PlacedFiles() };
    for (const entry of this.#told(entries, node.abs, path)) {
      const abs = `${node.abs}/${entry.name}`;
      this.#entry(entry, folder, joinPath(path, entry.name), abs, present.get(entry.name), node);
    }
    for (const [name, one] of present) {
      if (!wanted.has(name)) this.#remove(one, `${node.abs}/${name}`, joinPath(path, name), node);
    }
    this.#add(folder);
  }

  /** @param within the folder that `present` stands in, where that is part of what is checked out. */
  #entry(
    entry: TreeEntry,
    folder: Placement,
    path: ProjectPath,
    abs: string,
    present: Present | undefined,
    within: FolderNode | undefined,
  ): void {
    const problem = entryProblem(parentPath(path), entry);
    if (problem !== undefined) {
      this.#fail(path, entry.kind === 'symlink' ? undefined : entry.digest, problem);
      return;
    }
    if (entry.kind === 'folder') {
      if (present?.kind === 'folder' && (!present.isLink || present.node.digest === entry.digest)) {
        if (!present.isLink) this.#existing(entry.digest, present.node, path);
        return;
      }
      const entries = this.#entries(entry.digest, path);
      if (entries === undefined) return;
      if (present !== undefined) this.#remove(present, abs, path, within);
      const build = join(this.#tempFor(dirname(abs)), tempName('checkout'));
      this.#plan.newFolders.push({ build, final: abs });
      this.#fresh({ digest: entry.digest, entries }, build, path);
      return;
    }
    if (entry.kind === 'symlink') {
      if (present?.kind === 'link' && present.target === entry.target) return;
      if (present !== undefined) this.#remove(present, abs, path, within);
      this.#plan.links.push({ abs, target: entry.target, temp: this.#tempFor(dirname(abs)) });
      return;
    }
    if (--this.#budget < 0) return;
    let replaces = Number.NaN;
    if (present?.kind === 'file') {
      if (present.digest === entry.digest && !this.#relink) {
        if (present.executable === entry.executable) return;
        if (!present.isLink && present.writable(abs)) {
          this.#plan.chmods.push({ abs, executable: entry.executable });
          return;
        }
      }
      if (present.digest === entry.digest) this.#goes(present, abs);
      else this.#mustBeKept(present, abs, path);
      replaces = present.mtime;
    } else if (present !== undefined) {
      this.#remove(present, abs, path, within);
    }
    folder.files.push(entry, replaces);
  }

  /** A folder that is made from nothing, under a name that nobody else knows. */
  #fresh({ digest, entries }: Listing, build: string, path: ProjectPath): void {
    this.#plan.makeFolders.push(build);
    const rest = hashBytes(encodeTree(entries.filter(({ kind }) => kind !== 'file')));
    const folder: Placement = {
      folder: build,
      path,
      temp: undefined,
      files: new PlacedFiles(entries.length),
      tree: { rest, digest },
    };
    for (const entry of this.#told(entries, build, path)) {
      const inner = joinPath(path, entry.name);
      const problem = entryProblem(path, entry);
      if (problem !== undefined) {
        this.#fail(inner, entry.kind === 'symlink' ? undefined : entry.digest, problem);
      } else if (entry.kind === 'symlink') {
        this.#plan.links.push({ abs: `${build}/${entry.name}`, target: entry.target, temp: undefined });
      } else if (--this.#budget < 0) {
        return;
      } else if (entry.kind === 'folder') {
        const inside = this.#entries(entry.digest, inner);
        if (inside === undefined) continue;
        this.#fresh({ digest: entry.digest, entries: inside }, `${build}/${entry.name}`, inner);
      } else {
        folder.files.push(entry, Number.NaN);
      }
    }
    this.#add(folder);
  }

  #remove(present: Present, abs: string, path: ProjectPath, within: FolderNode | undefined): void {
    if (present.kind === 'link') {
      // Only listings tell of symlinks, and of listings only that of the folder as it stands is known by its name.
      const isKept = within?.digest !== undefined && this.#context.store.has(within.digest);
      if (!isKept && !leadsToObject(abs)) this.#plan.unsafe.push(path);
      this.#plan.removeFiles.push({ abs, path, mtime: undefined });
      return;
    }
    if (present.kind === 'file') {
      this.#mustBeKept(present, abs, path);
      this.#plan.removeFiles.push({ abs, path, mtime: present.isLink ? undefined : present.mtime });
      return;
    }
    if (present.isLink) {
      const all = innerFirst(present.node).map((node) => node.facts);
      if (!all.every((facts) => this.#isKept(facts))) this.#plan.unsafe.push(path);
      this.#plan.removeFiles.push({ abs, path, mtime: undefined });
      return;
    }
    this.#removeFolder(present.node);
  }

  /** What is checked out lies in the project; what a symlink in it leads to need not, and is not looked into. */
  #removeFolder(node: FolderNode): void {
    for (const [name, inner] of lookUp(node)) {
      this.#remove(inner, `${node.abs}/${name}`, joinPath(node.path as ProjectPath, name), node);
    }
    this.#plan.going.folders.push(node);
    this.#plan.removeFolders.push(node.abs);
  }

  #isKept(facts: FileFacts): boolean {
    for (let i = 0; i < facts.flags.length; i++) if (!this.#context.store.has(facts.digest(i))) return false;
    return true;
  }

  #mustBeKept(file: Present & { readonly kind: 'file' }, abs: string, path: ProjectPath): void {
    this.#goes(file, abs);
    if (!this.#context.store.has(file.digest)) this.#plan.unsafe.push(path);
  }

  /** What a symlink leads to stays. */
  #goes({ digest, isLink }: Present & { readonly kind: 'file' }, abs: string): void {
    if (!isLink) this.#plan.going.files.push({ abs, digest });
  }

  /** The entries that the file system can tell apart; the others fail by name. */
  #told(entries: readonly TreeEntry[], folder: string, path: ProjectPath): readonly TreeEntry[] {
    const alike = alikeNames(entries.map(({ name }) => name));
    if (alike.size === 0) return entries;
    return entries.filter((entry) => {
      const before = alike.get(entry.name);
      if (before === undefined || !this.#context.isOneName(folder, before, entry.name)) return true;
      const digest = entry.kind === 'symlink' ? undefined : entry.digest;
      const reason = `this file system takes its name for that of '${before}': rename one of them where both can be`;
      this.#fail(joinPath(path, entry.name), digest, reason);
      return false;
    });
  }

  #entries(digest: Digest, path: ProjectPath): TreeEntry[] | undefined {
    try {
      return this.#context.store.readTree(digest);
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
      const reason = error.failure.failed[0]?.reason ?? error.message;
      this.#plan.failed.push({ path, digest, reason, missing: error instanceof ObjectMissing });
      return undefined;
    }
  }

  #fail(path: ProjectPath, digest: Digest | undefined, reason: string): void {
    this.#plan.failed.push({ path, digest: digest ?? NO_DIGEST, reason, missing: false });
  }

  #add(folder: Placement): void {
    if (folder.files.names.length === 0) return;
    const temp = folder.temp === undefined ? undefined : this.#tempFor(folder.folder);
    this.#plan.placements.push({ ...folder, temp });
  }
}

/** Stands in a failure for what has no object of its own (a symlink). */
export const NO_DIGEST = `blake3:${'0'.repeat(64)}` as Digest;

function presentOf(standing: Standing): Present | undefined {
  if (standing.kind === 'absent') return standing.broken ? { kind: 'link', target: '', isLink: true } : undefined;
  if (standing.kind === 'folder') return { kind: 'folder', node: standing.node, isLink: standing.isLink };
  const { facts, isLink } = standing;
  return {
    kind: 'file',
    digest: facts.digest(0),
    executable: facts.executable(0),
    mtime: facts.mtime(0),
    isLink,
    writable: isOwnWritable,
  };
}
