import type { AnyPath, Digest } from '@dag/model';
import type { FileStats, FolderRecord, FolderTimes, RecalledFolder } from '@dag/store';
import { FileFacts } from './facts.ts';

/** A folder of the workspace as it stands: names first, the facts when its files were scanned. */
export class FolderNode {
  /** Where it really is. */
  readonly abs: string;
  /** Where the user sees it. */
  readonly path: AnyPath;
  /** Whether a symlink leads to it: its content counts, but it is not ours to change. */
  readonly isOutside: boolean;
  /** By which the stat cache knows it. */
  readonly id: { readonly dev: bigint; readonly ino: bigint };
  /** Symlinks to files that lie outside the tracked folder: their content counts. */
  readonly followed: string[] = [];
  /** Symlinks that stay symlinks; targets are relative. */
  readonly links: { readonly name: string; readonly target: string }[] = [];
  /** Symlinks to objects that are not there: gone from the cache, or the cache was moved. They count as absent. */
  readonly dangling: string[] = [];
  readonly folders: { readonly name: string; readonly node: FolderNode; readonly isLink: boolean }[] = [];
  fileCount = 0;
  /** What the stat cache has of its files; undefined where it has nothing, or was not asked. */
  record: RecalledFolder | undefined;
  /** Whether that lists the same files in the same order. */
  isListedAsRecalled = false;
  /** What the stat cache had of its tree, when it knew all of `files`. */
  remembered: FolderRecord['tree'];
  /** Its times, where they vouch for it holding `files` and nothing else. */
  listed: FolderTimes | undefined;
  /** Whether the stat cache had other facts of `files`, or none. */
  isNews = false;
  /** Of its tree object; set when all inside is known. */
  digest: Digest | undefined;
  size = 0;
  count = 0;
  #files: readonly string[] | undefined;
  /** Has the names of `files` where they are not kept here: as text they would take as much memory again. */
  #listing: RecalledFolder | undefined;
  #facts: FileFacts | undefined;

  constructor(abs: string, path: AnyPath, { dev, ino }: Pick<FileStats, 'dev' | 'ino'>, isOutside: boolean) {
    this.isOutside = isOutside;
    this.abs = abs;
    this.path = path;
    this.id = { dev, ino };
  }

  /** Plain files, as they were listed. */
  get files(): readonly string[] {
    this.#files ??= this.fileCount === 0 ? [] : (this.#listing?.text.split('\0') ?? []);
    return this.#files;
  }

  set files(names: readonly string[]) {
    this.#files = names;
    this.fileCount = names.length;
  }

  /** Facts of `files`, then of `followed`. */
  get facts(): FileFacts {
    this.#facts ??= new FileFacts(this.fileCount + this.followed.length);
    return this.#facts;
  }

  set facts(facts: FileFacts) {
    this.#facts = facts;
  }

  /** @returns whether the stat cache's record has the listing of the folder with these times; it is taken then. */
  isListedWith({ mtimeNs, ctimeNs }: FolderTimes): boolean {
    const { record } = this;
    const listed = record?.listed;
    if (record === undefined || listed?.mtimeNs !== mtimeNs || listed.ctimeNs !== ctimeNs) return false;
    this.listed = listed;
    this.isListedAsRecalled = true;
    this.fileCount = record.flags.length;
    this.#listing = record;
    return true;
  }

  /** Takes what the stat cache has. Where that has the same names, they are kept as it has them: a million take 30 MB less. */
  recalled(record: RecalledFolder | undefined): void {
    this.record = record;
    this.isListedAsRecalled = record?.flags.length === this.fileCount && record.text === this.files.join('\0');
    if (!this.isListedAsRecalled || record === undefined) return;
    this.#listing = record;
    this.#files = undefined;
  }

  /** All facts are known. @param isWhole whether they are those that the stat cache has. */
  settle(isWhole: boolean): void {
    const { listed, record } = this;
    this.remembered = isWhole ? record?.tree : undefined;
    const isListingNews = listed !== undefined && listed.ctimeNs !== record?.listed?.ctimeNs;
    this.isNews = !isWhole || isListingNews;
    this.record = undefined;
  }
}

/** What stands at a path that was asked for. */
export type Standing =
  | { readonly kind: 'absent' /** A symlink that leads nowhere. */; readonly broken: boolean }
  | { readonly kind: 'file'; readonly abs: string; readonly isLink: boolean; facts: FileFacts }
  | { readonly kind: 'folder'; readonly node: FolderNode; readonly isLink: boolean };

const HASH_SIZE = 32;

/** Digests by index, 32 bytes each. */
export class Digests {
  #bytes: Buffer;

  /** @param count how many there will be; there may be more. */
  constructor(count = 0) {
    this.#bytes = Buffer.alloc(count * HASH_SIZE);
  }

  set(index: number, hex: string): void {
    const end = (index + 1) * HASH_SIZE;
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#bytes.length));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#bytes.write(hex, index * HASH_SIZE, HASH_SIZE, 'hex');
  }

  /** undefined beyond what was set. */
  get(index: number): Digest | undefined {
    const hex = this.hex(index);
    return hex === '' ? undefined : (`blake3:${hex}` as Digest);
  }

  hex(index: number): string {
    return this.hexOf(index, index + 1);
  }

  /** 32 bytes each, and perhaps room for more. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Several, one after the other. */
  hexOf(from: number, to: number): string {
    return this.#bytes.toString('hex', from * HASH_SIZE, to * HASH_SIZE);
  }
}

/** Every folder of a tree of nodes, inner ones before those that hold them. */
export function innerFirst(node: FolderNode): FolderNode[] {
  const order: FolderNode[] = [];
  const waiting = [node];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    order.push(next);
    for (const inner of next.folders) waiting.push(inner.node);
  }
  return order.reverse();
}

/** Those of `innerFirst` whose files may be changed. */
export function ownFolders(node: FolderNode): FolderNode[] {
  return innerFirst(node).filter(({ isOutside }) => !isOutside);
}
