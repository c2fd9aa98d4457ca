import type { Readable } from 'node:stream';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from '../problem.ts';
import { readOut, STALL_MS } from '../read-out.ts';
import type { CallOptions, GetOptions, ObjectInfo, PutOptions, Reading, Storage } from '../storage.ts';
import { connect, type S3Options } from './connect.ts';
import { isAbsent, s3Problem, statusOf } from './problem.ts';

const DELETE_AT_ONCE = 1000;

/**
 * A bucket, or what lies under a prefix in it, as storage. This module loads the SDK; the first request is sent by the
 * first call.
 * @param prefix empty, or ends with a slash.
 */
export function s3Storage(bucket: string, prefix: string, options: S3Options): Storage {
  let connecting: Promise<S3Client> | undefined;
  const stallMs = options.timeout ?? STALL_MS;
  let conditionalPut = true;
  const connected = () => {
    connecting ??= connect(options);
    return connecting;
  };

  /** Every request goes through here: its errors in our words, and the signal's reason where that is why it ended. */
  async function request<T>(signal: AbortSignal | undefined, call: (client: S3Client) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await call(await connected());
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Problem(error);
    }
  }

  async function put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<'stored' | 'present'> {
    const condition = conditionalPut && options.replace !== true ? { IfNoneMatch: '*' } : {};
    return await request(options.signal, async (client) => {
      if (!conditionalPut && options.replace !== true && (await exists(client, key, options.signal))) return 'present';
      try {
        const command = new PutObjectCommand({
          Bucket: bucket,
          Key: prefix + key,
          ...condition,
          Body: bytes,
          ContentLength: bytes.length,
          ChecksumAlgorithm: 'CRC32',
        });
        await client.send(command, until(options.signal));
        return 'stored';
      } catch (error) {
        if (statusOf(error) === 412) return 'present';
        if (statusOf(error) !== 501 || !conditionalPut) throw error;
        conditionalPut = false;
        throw new StorageError('busy', 'the server knows no conditional put', { transient: true });
      }
    });
  }

  async function exists(client: S3Client, key: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await client.send(new HeadObjectCommand({ Bucket: bucket, Key: prefix + key }), until(signal));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  async function get(key: string, options: GetOptions = {}): Promise<Reading | undefined> {
    return await request(options.signal, async (client) => {
      const { range } = options;
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: prefix + key,
        ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.start + range.length - 1}` }),
      });
      try {
        const answer = await client.send(command, until(options.signal));
        const body = answer.Body as (Readable & { setTimeout?: Readable['on'] }) | undefined;
        const size = answer.ContentLength;
        if (body === undefined || size === undefined) {
          throw new StorageError('refused', 'an answer without a length', { transient: false });
        }
        if (range !== undefined && (size > range.length || statusOf({ $metadata: answer.$metadata }) !== 206)) {
          body.destroy();
          throw new StorageError('refused', 'the server ignores ranges', { transient: false });
        }
        return { size, body: readOut(body, { size, signal: options.signal, stallMs, problemOf: s3Problem }) };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async function head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return await request(options.signal, async (client) => {
      try {
        const command = new HeadObjectCommand({ Bucket: bucket, Key: prefix + key });
        const answer = await client.send(command, until(options.signal));
        if (answer.ContentLength === undefined) {
          throw new StorageError('refused', 'an answer without a length', { transient: false });
        }
        return { key, size: answer.ContentLength, modified: answer.LastModified?.getTime() ?? 0 };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async function* list(under: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo[]> {
    let token: string | undefined;
    do {
      const from = token;
      const answer = await request(options.signal, (client) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix + under,
            ...(from === undefined ? {} : { ContinuationToken: from }),
          }),
          until(options.signal),
        ),
      );
      const page: ObjectInfo[] = [];
      for (const { Key, Size, LastModified } of answer.Contents ?? []) {
        if (Key !== undefined && Size !== undefined && Key.startsWith(prefix + under)) {
          page.push({ key: Key.slice(prefix.length), size: Size, modified: LastModified?.getTime() ?? 0 });
        }
      }
      if (page.length > 0) yield page;
      token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async function remove(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      const Objects = keys.slice(at, at + DELETE_AT_ONCE).map((key) => ({ Key: prefix + key }));
      const answer = await request(options.signal, (client) =>
        client.send(
          new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
          until(options.signal),
        ),
      );
      const failed = answer.Errors?.find((error) => error.Code !== 'NoSuchKey');
      if (failed !== undefined) {
        const code = failed.Code ?? 'unknown';
        throw s3Problem(
          Object.assign(new Error(failed.Message ?? code), { name: code, $metadata: { httpStatusCode: 403 } }),
        );
      }
    }
  }

  return {
    url: `s3://${bucket}/${prefix.slice(0, -1)}`,
    get capabilities() {
      return { conditionalPut, writable: true, jobs: 16 };
    },
    put,
    get,
    head,
    list,
    delete: remove,
    settle: async () => {},
    close: () => {
      connecting?.then((client) => client.destroy()).catch(() => {});
    },
  };
}

function until(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
