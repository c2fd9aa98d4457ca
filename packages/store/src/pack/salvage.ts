import { renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { digestHex } from '@dag/model';
import { fsyncFile, fsyncFolder, makeFolder } from '../durable.ts';
import { hashBytes } from '../hash.ts';
import type { Layout } from '../layout.ts';
import type { PackReader } from './read.ts';
import { PackWriter } from './write.ts';

/**
 * Takes damaged objects out of a pack: a new pack with the whole ones is published first, then the old one goes to
 * quarantine. A crash between the two leaves both, which does no harm.
 * @returns where the old pack is now.
 */
export function salvagePack(layout: Layout, reader: PackReader): string {
  makeFolder(layout.tmp);
  makeFolder(layout.quarantine);
  const writer = new PackWriter(layout.tmp);
  let name: string;
  try {
    for (const { digest } of reader.list()) {
      const range = reader.find(Buffer.from(digestHex(digest), 'hex'));
      const bytes = range === undefined ? undefined : reader.read(range);
      if (bytes !== undefined && hashBytes(bytes) === digest) writer.add(bytes, digest);
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
  return moved;
}
