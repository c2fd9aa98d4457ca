import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingS3, needS3, type S3Server, startS3 } from '../../../test/rigs/s3.ts';
import { folderStorage } from '../src/storage/folder.ts';
import { s3Storage } from '../src/storage/s3/storage.ts';
import { testStorageContract } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'dag-folder-'));
testStorageContract({
  name: 'folder',
  available: () => true,
  open: async () => folderStorage(join(folder, 'not/yet/made')),
  remove: async () => rmSync(folder, { recursive: true, force: true }),
});

let server: Promise<S3Server> | undefined;
const started = () => {
  server ??= startS3();
  return server;
};
for (const prefix of ['', 'team/project/']) {
  testStorageContract({
    name: `S3 (versitygw), ${prefix === '' ? 'a whole bucket' : 'under a prefix'}`,
    need: needS3,
    available: () => missingS3() === undefined,
    open: async () => {
      const { bucket, env } = await started();
      return s3Storage(bucket, prefix, { env });
    },
    remove: async () => {
      if (prefix !== '') await (await server)?.remove();
    },
  });
}
