import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asNobody } from '../../../test/rigs/nobody.ts';
import { freePort, missingS3, needS3, type S3Server, startS3 } from '../../../test/rigs/s3.ts';
import { startTlsFront } from '../../../test/rigs/tls-front.ts';
import { openRemote, redact } from '../src/index.ts';
import {
  addFile,
  addFolder,
  contentOf,
  failureOf,
  freshFolder,
  freshStore,
  manyFiles,
  noise,
  remoteAt,
  removeFolders,
} from './support.ts';

afterAll(removeFolders);

describe('what a user sees when the remote can not be used: S3', () => {
  let server: S3Server;
  beforeEach((context) => needS3(context));
  beforeAll(async () => {
    if (missingS3() === undefined) server = await startS3();
  });
  afterAll(async () => {
    await server?.remove();
  });
  const store = freshStore();
  const push = async (url: string, env: Record<string, string | undefined>, config = {}) => {
    const roots = [{ path: 'x', artifact: addFile(store, 'content of x') }];
    return await failureOf((await remoteAt({ url, ...config }, env)).push({ roots }, store));
  };

  test('a wrong secret key', async () => {
    const secret = 'a-very-secret-wrong-key';
    const failure = await push('s3://bucket/p', { ...server.env, AWS_SECRET_ACCESS_KEY: secret });
    expect(failure.code).toBe('remote');
    expect(failure.message).toMatch(
      /^remote 'store' \(s3:\/\/bucket\/p\): it does not accept the credentials \(SignatureDoesNotMatch/,
    );
    expect(failure.hint).toContain('AWS_SECRET_ACCESS_KEY');
    expect(JSON.stringify(failure)).not.toContain(secret);
  });

  test('an unknown access key', async () => {
    const failure = await push('s3://bucket/p', { ...server.env, AWS_ACCESS_KEY_ID: 'nobody-we-know' });
    expect(failure.message).toContain('it does not accept the credentials');
    expect(JSON.stringify(failure)).not.toContain('nobody-we-know');
  });

  test('no credentials at all', async () => {
    const home = freshFolder();
    const before = { ...process.env };
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, { HOME: home, AWS_EC2_METADATA_DISABLED: 'true' });
    try {
      const failure = await push('s3://bucket/p', { AWS_ENDPOINT_URL: server.endpoint });
      expect(failure.message).toContain('no credentials were found');
      expect(failure.hint).toContain('AWS_ACCESS_KEY_ID');
      const profile = await push('s3://bucket/p', { AWS_ENDPOINT_URL: server.endpoint }, { profile: 'not-there' });
      expect(profile.message).toContain('no credentials were found');
    } finally {
      process.env = before;
    }
  });

  test('a profile of the AWS configuration files', async () => {
    const home = freshFolder();
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = server.env;
    mkdirSync(join(home, '.aws'));
    writeFileSync(
      join(home, '.aws', 'credentials'),
      `[team]\naws_access_key_id = ${AWS_ACCESS_KEY_ID}\naws_secret_access_key = ${AWS_SECRET_ACCESS_KEY}\n`,
    );
    const before = { ...process.env };
    Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE: join(home, '.aws', 'credentials') });
    try {
      const config = { url: 's3://bucket/profile', profile: 'team', endpoint: server.endpoint };
      const remote = await remoteAt(config, { AWS_ACCESS_KEY_ID: 'wrong', AWS_SECRET_ACCESS_KEY: 'wrong' });
      const roots = [{ path: 'x', artifact: addFile(store, 'by profile') }];
      expect((await remote.push({ roots }, store)).objects).toBe(1);
    } finally {
      process.env = before;
    }
  });

  test('no such bucket', async () => {
    const failure = await push('s3://no-such-bucket/p', server.env);
    expect(failure.message).toMatch(/^remote 'store' \(s3:\/\/no-such-bucket\/p\): there is no such bucket or folder/);
  });

  test('credentials that may only read: fetch works, push says so', async () => {
    const { folder: _, bucket, env, client, addUser } = server;
    const artifact = await addFolder(store, { a: 'read only', b: 'also' });
    const roots = [{ path: 'data', artifact }];
    await (await remoteAt({ url: 's3://bucket/readonly' }, env)).push({ roots }, store);
    const reader = addUser('reader');
    const Policy = JSON.stringify({
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: ['reader'] },
          Action: ['s3:ListBucket'],
          Resource: `arn:aws:s3:::${bucket}`,
        },
        {
          Effect: 'Allow',
          Principal: { AWS: ['reader'] },
          Action: ['s3:GetObject'],
          Resource: `arn:aws:s3:::${bucket}/*`,
        },
      ],
    });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    const other = freshStore();
    const remote = await remoteAt({ url: 's3://bucket/readonly' }, reader);
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
    const failure = await push('s3://bucket/readonly', reader);
    expect(failure.message).toContain('the credentials do not allow writing (AccessDenied');
    expect(failure.hint).toContain('fetch and pull may work');
    const stranger = await failureOf(
      (await remoteAt({ url: 's3://bucket/readonly' }, addUser('stranger'))).fetch({ roots }, other),
    );
    expect(stranger.message).toContain('the credentials do not allow reading');
  });

  test('nothing listens there', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const failure = await push('s3://bucket/p', server.env, { endpoint });
    expect(failure.message).toContain('it can not be reached (');
    expect(failure.message).toContain('ECONNREFUSED');
  });

  test('a host name that does not exist', async () => {
    const failure = await push('s3://bucket/p', server.env, { endpoint: 'http://no-such-host.invalid' });
    expect(failure.message).toMatch(
      /its host name is not known \((ENOTFOUND|getaddrinfo ENOTFOUND|getaddrinfo EAI_AGAIN)/,
    );
  });

  test('https where the server speaks http', async () => {
    const failure = await push('s3://bucket/p', server.env, { endpoint: server.endpoint.replace('http:', 'https:') });
    expect(failure.message).toContain('no secure connection could be made');
  });

  test('a certificate of an unknown authority, until AWS_CA_BUNDLE names it', async () => {
    const front = await startTlsFront(server.endpoint, freshFolder());
    const failure = await push('s3://bucket/p', server.env, { endpoint: front.endpoint });
    expect(failure.message).toContain('no secure connection could be made (DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(failure.hint).toContain('AWS_CA_BUNDLE');
    const config = { url: 's3://bucket/tls', endpoint: front.endpoint };
    const remote = await remoteAt(config, { ...server.env, AWS_CA_BUNDLE: front.certificate });
    const roots = [{ path: 'x', artifact: addFile(store, 'over TLS') }];
    expect(await remote.push({ roots }, store)).toMatchObject({ objects: 1, failed: [] });
    expect(await remote.fetch({ roots }, freshStore())).toMatchObject({ objects: 1, failed: [] });
    remote.close();
    front.close();
    const absent = await push('s3://bucket/p', { ...server.env, AWS_CA_BUNDLE: '/not/there.pem' });
    expect(absent.message).toContain('AWS_CA_BUNDLE names /not/there.pem, which can not be read');
  });

  test('something that is no S3 server', async () => {
    const speaker = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => speaker.listen(0, '127.0.0.1', resolve));
    const address = speaker.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const failure = await push('s3://bucket/p', server.env, { endpoint: `http://127.0.0.1:${port}` });
    expect(failure.code).toBe('remote');
    expect(failure.message).toContain('it keeps failing or breaking off');
    speaker.close();
  });

  test('a server that never answers: asked again as often, and given up as soon, as the remote says', async () => {
    let asked = 0;
    const silent = createHttpServer(() => void asked++);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const endpoint = `http://127.0.0.1:${port}`;
    const failure = await push('s3://bucket/p', server.env, { endpoint, timeout: 100, retries: 2 });
    expect(failure.code).toBe('remote');
    expect(asked).toBe(3);
    silent.closeAllConnections();
    silent.close();
  });

  test('a server that goes away in the middle of a push, and comes back for the next', async () => {
    const artifact = await addFolder(store, { ...manyFiles(100, 'goes away'), big: noise(100 * 1024 * 1024, 'away') });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt({ url: 's3://bucket/away' }, server.env);
    let stopping: Promise<void> | undefined;
    const failure = await failureOf(
      remote.push({ roots }, store, {
        onEvent: (event) => {
          if (event.kind === 'progress') stopping ??= server.stop();
        },
      }),
    );
    expect(failure.code).toBe('remote');
    await stopping;
    expect((await failureOf(remote.fetch({ roots }, freshStore()))).message).toContain('can not be reached');
    await server.restart();
    const report = await remote.push({ roots }, store);
    expect(report.failed).toEqual([]);
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
  });
});

describe('what a user sees when the remote can not be used: a folder', () => {
  const store = freshStore();
  const roots = () => [{ path: 'x', artifact: addFile(store, 'x') }];

  test('a folder that is not there can not be fetched from, and has nothing', async () => {
    const remote = await remoteAt({ url: '../not/there' });
    expect((await failureOf(remote.fetch({ roots: roots() }, store))).message).toContain('there is no such folder');
    expect(await remote.presence(roots().map(({ artifact }) => artifact.digest))).toEqual(new Set());
  });

  test('a file where the folder should be', async () => {
    const file = join(freshFolder(), 'file');
    writeFileSync(file, '');
    const failure = await failureOf((await remoteAt({ url: file })).push({ roots: roots() }, store));
    expect(failure).toMatchObject({ code: 'remote' });
    expect(failure.message).toContain('the folder can not be written');
  });

  test('a folder without permission', async () => {
    const folder = freshFolder();
    chmodSync(folder, 0o555);
    const some = roots();
    const push = async () => await failureOf((await remoteAt({ url: folder })).push({ roots: some }, store));
    const failure = await asNobody([folder, store.dir], push);
    expect(failure.message).toContain('the folder can not be written');
  });
});

describe('declarations that make no sense', () => {
  test.each([
    ['https://me:topsecret@example.com/x', 'has credentials in its URL'],
    ['https://example.com/x?sig=topsecret', 'has a URL with a query'],
    ['ftp://example.com/x', 'of a kind that dag does not know (ftp://)'],
    ['gs://bucket/x', 'of a kind that dag does not know (gs://)'],
    ['s3://', 'no valid bucket'],
    ['s3://AKIAABCDEFGHIJKLMNOP:topsecret@bucket/x', 'has credentials in its URL'],
    ['s3://bucket/a/../b', 'a prefix with a part ".."'],
    ['', 'has no URL'],
  ])('%s', async (url, message) => {
    const failure = await failureOf(openRemote({ name: 'store', url }, { env: {}, root: '/' }));
    expect(failure.code).toBe('usage');
    expect(failure.message).toContain(message);
    expect(JSON.stringify(failure)).not.toContain('topsecret');
  });

  test('credentials in the endpoint', async () => {
    const config = { name: 'store', url: 's3://bucket', endpoint: 'https://me:topsecret@host' };
    const failure = await failureOf(openRemote(config, { env: {}, root: '/' }));
    expect(failure.message).toContain('has credentials in its endpoint');
    expect(JSON.stringify(failure)).not.toContain('topsecret');
  });
});

test('redact takes credentials out and leaves the rest', () => {
  const env = { AWS_SECRET_ACCESS_KEY: 'topsecret/+x', AWS_SESSION_TOKEN: 'tokentoken' };
  expect(redact('GET https://me:pw@host/x?X-Amz-Signature=abc&X-Amz-Credential=AK/1 failed', env)).toBe(
    'GET https://[redacted]@host/x?X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted] failed',
  );
  expect(redact('key topsecret/+x, token tokentoken, id AKIAIOSFODNN7EXAMPLE.', env)).toBe(
    'key [redacted], token [redacted], id [redacted].',
  );
  expect(redact('aws_secret_access_key = abc\nAuthorization: AWS4-HMAC-SHA256 Credential=x, Signature=y', {})).toBe(
    'aws_secret_access_key = [redacted]\nAuthorization: [redacted]',
  );
  expect(redact("remote 'store' (s3://bucket/p): nothing secret here", env)).toBe(
    "remote 'store' (s3://bucket/p): nothing secret here",
  );
});
