import type { GitEntry, ObjectId } from './repository.ts';

/** Reads a folder in git's own form: `MODE NAME\0` and the raw id, an entry after the other. Names that are not UTF-8 are left out. */
export function parseGitTree(bytes: Buffer, idLength: number): GitEntry[] {
  const entries: GitEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space === -1 || end === -1) break;
    const mode = bytes.toString('latin1', at, space);
    const name = bytes.toString('utf8', space + 1, end);
    at = end + 1 + idLength;
    if (name.includes('\uFFFD')) continue;
    entries.push({ name, kind: kindOf(mode), id: bytes.toString('hex', end + 1, at) as ObjectId });
  }
  return entries;
}

function kindOf(mode: string): GitEntry['kind'] {
  if (mode.startsWith('100')) return 'file';
  return mode === '40000' ? 'folder' : 'other';
}
