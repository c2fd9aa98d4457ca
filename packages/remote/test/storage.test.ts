import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingS3, needS3, type S3Server, startS3 } from '../../../test/rigs/s3.ts';
import { startWeb, type Web, type WebWays } from '../../../test/rigs/web.ts';
import { folderStorage } from '../src/storage/folder.ts';
import { httpStorage } from '../src/storage/http/storage.ts';
import { s3Storage } from '../src/storage/s3/storage.ts';
import { testStorageContract } from './contract.ts';
import { testReadContract } from './contract-read.ts';

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

const KINDS: readonly (readonly [string, WebWays])[] = [
  ['as most are', {}],
  ['that gives no parts', { ranges: false }],
  ['that does not say how much it sends', { lengths: false }],
  ['that packs what it sends', { gzip: true }],
  ['that forbids what is not there', { absent: 403 }],
];
for (const [name, ways] of KINDS) {
  const published = mkdtempSync(join(tmpdir(), 'dag-web-'));
  let web: Web;
  testReadContract({
    name: `a web server ${name}`,
    available: () => true,
    open: async () => {
      web = await startWeb(published, ways);
      return httpStorage(`${web.url}/some/where/`, { env: {} });
    },
    openWriter: async () => folderStorage(join(published, 'some/where')),
    streams: ways.gzip !== true && ways.lengths !== false,
    remove: async () => {
      await web.close();
      rmSync(published, { recursive: true, force: true });
    },
  });
}
