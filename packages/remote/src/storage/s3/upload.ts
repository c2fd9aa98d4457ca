import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { AbortMultipartUploadCommand, type S3Client, type UploadPartCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Body, PutOptions } from '../storage.ts';

/** Objects up to this many bytes are put in one request, larger ones in parts of at least this size. */
export const PART_SIZE = 8 * 1024 * 1024;
const MAX_PARTS = 9_000;
const PARTS_AT_ONCE = 4;
const PART_TRIES = 4;

/**
 * Uploads a large object in parts of known length, each with its checksum. The object appears when the last request, which
 * names all parts, has been answered; when anything fails before it, the parts are removed again. Parts are sent again
 * on their own when the SDK calls their failure passing.
 */
export async function uploadInParts(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string; readonly IfNoneMatch?: string },
  body: Extract<Body, { kind: 'chunks' }>,
  options: PutOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);

  setMaxListeners(0, signal);

  /** The library neither ends the calls in flight on a signal nor the other parts after a failure: so do it here. */
  const send = async (command: Parameters<S3Client['send']>[0]): Promise<unknown> => {
    if (command instanceof AbortMultipartUploadCommand) {
      return await client.send(command, { abortSignal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await client.send(command as UploadPartCommand, { abortSignal: signal });
      } catch (error) {
        if (attempt < PART_TRIES && !signal.aborted && isPassing(error)) {
          await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt * (0.5 + Math.random() / 2)));
          continue;
        }
        failed.abort();
        throw error;
      }
    }
  };
  const upload = new Upload({
    client: Object.create(client, { send: { value: send } }) as S3Client,
    partSize: Math.max(PART_SIZE, Math.ceil(body.size / MAX_PARTS / 1024) * 1024),
    queueSize: PARTS_AT_ONCE,
    params: {
      ...target,
      Body: Readable.from(body.open(), { objectMode: false }),
      ContentLength: body.size,
      ChecksumAlgorithm: 'CRC32',
    },
  });
  let sent = 0;
  upload.on('httpUploadProgress', ({ loaded = 0 }) => {
    if (loaded > sent) options.onSent?.(loaded - sent);
    sent = Math.max(sent, loaded);
  });
  await upload.done();
}

function isPassing(error: unknown): boolean {
  const thrown = error as { $metadata?: { httpStatusCode?: number }; name?: string };
  const status = thrown.$metadata?.httpStatusCode;
  return status === undefined ? thrown.name !== 'AbortError' : status >= 500 || status === 429;
}
