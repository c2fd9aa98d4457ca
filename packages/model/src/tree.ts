import type { Digest } from './digest.ts';
import { err, ok, type Result } from './result.ts';

/** One name in a folder. Sizes are in bytes; `files` counts at any depth. */
export type TreeEntry =
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly executable: boolean;
      readonly size: number;
      readonly digest: Digest;
    }
  | {
      readonly kind: 'folder';
      readonly name: string;
      readonly size: number;
      readonly files: number;
      /** Digest of that folder's own tree. */
      readonly digest: Digest;
    }
  | { readonly kind: 'symlink'; readonly name: string; readonly target: string };

const HEADER = 'dag tree 1\n';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Writes a folder's listing, one object per folder, so that folders form a Merkle tree.
 * Format, version 1: the line `dag tree 1`, then a record an entry, sorted by the bytes of the name:
 * `f SIZE HEX NAME\0` (file), `x SIZE HEX NAME\0` (executable file), `d SIZE FILES HEX NAME\0` (folder) or
 * `l NAME\0TARGET\0` (symlink). A name holds any byte of UTF-8 but NUL and `/`.
 */
export function encodeTree(entries: readonly TreeEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => compareUtf8(a.name, b.name));
  let text = HEADER;
  for (const entry of sorted) {
    const problem = nameProblem(entry.name);
    if (problem !== undefined) throw new Error(`tree entry ${JSON.stringify(entry.name)}: ${problem}`);
    switch (entry.kind) {
      case 'file':
        text += `${entry.executable ? 'x' : 'f'} ${entry.size} ${entry.digest.slice(7)} ${entry.name}\0`;
        break;
      case 'folder':
        text += `d ${entry.size} ${entry.files} ${entry.digest.slice(7)} ${entry.name}\0`;
        break;
      case 'symlink':
        text += `l ${entry.name}\0${entry.target}\0`;
        break;
    }
  }
  return encoder.encode(text);
}

/**
 * Reads a tree back, trusting nothing: every field is checked, names can't lead out of the folder, order is strict
 * (so that one folder has one encoding, and no name stands twice).
 * @returns the entries, or what is wrong in words.
 */
export function decodeTree(bytes: Uint8Array): Result<TreeEntry[], string> {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return err('not UTF-8');
  }
  if (!text.startsWith(HEADER)) return err('no tree header');
  if (text.length > HEADER.length && !text.endsWith('\0')) return err('cut short');
  const entries: TreeEntry[] = [];
  let at = HEADER.length;
  let previous: string | undefined;
  while (at < text.length) {
    const end = text.indexOf('\0', at);
    const record = text.slice(at, end);
    at = end + 1;
    let entry: TreeEntry | undefined;
    if (record.startsWith('l ')) {
      const targetEnd = text.indexOf('\0', at);
      if (targetEnd === -1) return err('cut short');
      entry = { kind: 'symlink', name: record.slice(2), target: text.slice(at, targetEnd) };
      at = targetEnd + 1;
    } else {
      entry = decodeRecord(record);
    }
    if (entry === undefined) return err(`bad entry ${JSON.stringify(record.slice(0, 100))}`);
    const problem = nameProblem(entry.name);
    if (problem !== undefined) return err(`entry ${JSON.stringify(entry.name)}: ${problem}`);
    if (previous !== undefined && compareUtf8(previous, entry.name) >= 0) {
      return err(`entry ${JSON.stringify(entry.name)} is out of order`);
    }
    previous = entry.name;
    entries.push(entry);
  }
  return ok(entries);
}

function decodeRecord(record: string): TreeEntry | undefined {
  const file = /^([fx]) (\d{1,15}) ([0-9a-f]{64}) ([\s\S]+)$/.exec(record);
  if (file) {
    const digest = `blake3:${file[3]}` as Digest;
    return { kind: 'file', name: file[4] as string, executable: file[1] === 'x', size: Number(file[2]), digest };
  }
  const folder = /^d (\d{1,15}) (\d{1,15}) ([0-9a-f]{64}) ([\s\S]+)$/.exec(record);
  if (!folder) return undefined;
  const digest = `blake3:${folder[3]}` as Digest;
  return { kind: 'folder', name: folder[4] as string, size: Number(folder[1]), files: Number(folder[2]), digest };
}

/** Why a name can't stand in a tree; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'not a file name';
  if (name.includes('/') || name.includes('\0')) return 'holds a slash or a NUL';
  if (!name.isWellFormed()) return 'not valid Unicode';
  return undefined;
}

/** Order of two strings by their UTF-8 bytes: code-point order, which differs from code-unit order above U+FFFF. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}
