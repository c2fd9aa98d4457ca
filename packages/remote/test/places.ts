import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { beforeEach } from 'vitest';
import { s3PerGroup } from '../../../test/rigs/per-group.ts';
import { needS3 } from '../../../test/rigs/s3.ts';
import { freshFolder } from './support.ts';

/** What a remote can be. */
export const PLACES = ['folder', 'S3'] as const;

/** A remote of its own for a test, and the folder of files that it is. */
export interface Place {
  readonly url: string;
  readonly env: Record<string, string>;
  readonly folder: string;
  /** Removes an object as another client would. */
  readonly remove: (key: string) => Promise<unknown>;
}

/** For a group of tests on one kind of place, which are skipped where that can't be had. @returns what makes one. */
export function placesPerGroup(kind: (typeof PLACES)[number]): () => Place {
  if (kind === 'folder') {
    return () => {
      const folder = join(freshFolder(), 'remote');
      return { url: folder, env: {}, folder, remove: async (key) => rmSync(join(folder, key)) };
    };
  }
  const server = s3PerGroup();
  beforeEach((context) => needS3(context));
  let places = 0;
  return () => {
    const prefix = `place-${places++}`;
    const { bucket, env, folder, client } = server;
    return {
      url: `s3://${bucket}/${prefix}`,
      env,
      folder: join(folder, prefix),
      remove: (key) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}` })),
    };
  };
}
