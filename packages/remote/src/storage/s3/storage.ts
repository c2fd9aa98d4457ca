import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { cutOut } from '../cut-out.ts';
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
  let tagsAreMd5 = true;
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
        const answer = await client.send(command, until(options.signal));
        if (!isOfS3(answer)) throw noAnswer();
        // A server that gives the checksum back has verified it.
        if (answer.ChecksumCRC32 === undefined && tagsAreMd5 && !(await isWhatWasSent(key, bytes, answer.ETag))) {
          throw new StorageError('busy', 'the body changed on its way', { transient: true, garbled: true });
        }
        return 'stored';
      } catch (error) {
        if (statusOf(error) === 412) return 'present';
        if (statusOf(error) !== 501 || !conditionalPut) throw error;
        conditionalPut = false;
        throw new StorageError('busy', 'the server knows no conditional put', { transient: true });
      }
    });
  }

  /** By its tag, which with most servers is the MD5; where it is not, by reading it once, and never again. */
  async function isWhatWasSent(key: string, bytes: Uint8Array, tag = ''): Promise<boolean> {
    const md5 = /^"?([0-9a-f]{32})"?$/.exec(tag)?.[1];
    if (md5 === undefined || md5 === createHash('md5').update(bytes).digest('hex')) return true;
    let at = 0;
    for await (const chunk of (await get(key))?.body ?? []) {
      if (Buffer.compare(bytes.subarray(at, at + chunk.length), chunk) !== 0) return false;
      at += chunk.length;
    }
    tagsAreMd5 = at !== bytes.length;
    return !tagsAreMd5;
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
        const body = answer.Body as Readable;
        const size = sizeOf(answer);
        if (size === undefined) {
          body.destroy();
          throw noAnswer();
        }
        const all = { size, body: readOut(body, { size, signal: options.signal, stallMs, problemOf: s3Problem }) };
        if (range === undefined) return all;
        // Some servers, and some caches before them, send the whole object where a part was asked for.
        if (answer.$metadata.httpStatusCode !== 206) return cutOut(all, range);
        if (size <= range.length && startOf(answer.ContentRange) === range.start) return all;
        body.destroy();
        throw new StorageError('busy', 'another part came than was asked for', { transient: true });
      } catch (error) {
        if (isAbsent(error)) return undefined;
        // The object ends before the range begins.
        if (range !== undefined && statusOf(error) === 416) return { size: 0, body: nothing() };
        throw error;
      }
    });
  }

  async function head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return await request(options.signal, async (client) => {
      try {
        const command = new HeadObjectCommand({ Bucket: bucket, Key: prefix + key });
        const answer = await client.send(command, until(options.signal));
        const size = sizeOf(answer);
        if (size === undefined) throw noAnswer();
        return { key, size, modified: answer.LastModified?.getTime() ?? 0 };
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
      const contents = answer.Contents ?? [];
      if (answer.IsTruncated === undefined || (answer.KeyCount ?? contents.length) !== contents.length) {
        throw new StorageError('busy', 'a list that is not whole', { transient: true });
      }
      const page = contents.map(({ Key, Size, LastModified }): ObjectInfo => {
        if (Key === undefined || Size === undefined || !Key.startsWith(prefix + under)) {
          throw new StorageError('busy', 'a list of something else', { transient: true });
        }
        return { key: Key.slice(prefix.length), size: Size, modified: LastModified?.getTime() ?? 0 };
      });
      if (page.length > 0) yield page;
      token = answer.IsTruncated ? answer.NextContinuationToken : undefined;
      if (answer.IsTruncated && (token === undefined || token === from)) {
        throw new StorageError('busy', 'a list that does not go on', { transient: true });
      }
    } while (token !== undefined);
  }

  async function remove(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      const Objects = keys.slice(at, at + DELETE_AT_ONCE).map((key) => ({ Key: prefix + key }));
      const answer = await request(options.signal, (client) =>
        client.send(
          new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: false } }),
          until(options.signal),
        ),
      );
      if ((answer.Deleted?.length ?? 0) + (answer.Errors?.length ?? 0) < Objects.length) throw noAnswer();
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

/** What every answer has that is read here. */
interface Answer {
  readonly ETag?: string | undefined;
  readonly ContentLength?: number | undefined;
  readonly $metadata: { readonly requestId?: string | undefined };
}

/** Pages of something between us and the server may come with any status; they have no tag of an object, nor a request's id. */
function isOfS3({ ETag, $metadata }: Answer): boolean {
  return ETag !== undefined || $metadata.requestId !== undefined;
}

/** An object's length; undefined where the answer does not say it, or is none of an S3 server's. */
function sizeOf(answer: Answer): number | undefined {
  return isOfS3(answer) ? answer.ContentLength : undefined;
}

function noAnswer(): StorageError {
  return new StorageError('busy', 'an answer that no S3 server gives', { transient: true });
}

/** The first byte of what a Content-Range header names. */
function startOf(contentRange: string | undefined): number | undefined {
  const first = /^bytes (\d+)-/.exec(contentRange ?? '')?.[1];
  return first === undefined ? undefined : Number(first);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
