import { renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Digest } from '@dag/model';
import { fsyncFile, fsyncFolder, makeFolder } from '../durable.ts';
import { isErrno } from '../failure.ts';
import { hashBytes } from '../hash.ts';
import type { Layout } from '../layout.ts';
import type { Range } from './format.ts';
import type { PackReader } from './read.ts';
import { PackWriter } from './write.ts';

/**
 * Takes damaged objects out of a pack: a new pack with the whole ones is published first, then the old one goes to
 * quarantine. A crash between the two leaves both, which does no harm.
 * @returns where the old pack is now, and which objects were damaged.
 */
export function salvagePack(
  layout: Layout,
  reader: PackReader,
): { readonly moved: string; readonly dropped: readonly { readonly digest: Digest; readonly size: number }[] } {
  makeFolder(layout.tmp);
  makeFolder(layout.quarantine);
  const writer = new PackWriter(layout.tmp);
  const dropped: { digest: Digest; size: number }[] = [];
  let name: string;
  try {
    for (const { digest, range } of reader.inOrder()) {
      const bytes = readOrNothing(reader, range);
      if (bytes !== undefined && hashBytes(bytes) === digest) writer.add(bytes, digest);
      else dropped.push({ digest, size: range.length });
    }
    name = writer.close();
  } catch (error) {
    writer.discard();
    throw error;
  } finally {
    reader.close();
  }
  fsyncFile(writer.temp);
  renameSync(writer.temp, join(layout.packs, name));
  fsyncFolder(layout.packs);
  const moved = join(layout.quarantine, basename(reader.path));
  renameSync(reader.path, moved);
  fsyncFolder(layout.packs);
  return { moved, dropped };
}

/** undefined where the disk can't give the bytes. */
function readOrNothing(reader: PackReader, range: Range): Buffer | undefined {
  try {
    return reader.read(range);
  } catch (error) {
    if (isErrno(error, 'EIO', 'EUCLEAN', 'EBADMSG')) return undefined;
    throw error;
  }
}
