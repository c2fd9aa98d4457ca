import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FailureError, type ObjectFailure, type RunKey } from '@dag/model';
import { hashOf } from '@dag/store';
import { check as checkRemote } from './check/check.ts';
import { fetchCheckpoint, findCheckpoints } from './checkpoints/fetch.ts';
import { nothingSent, pushCheckpoint } from './checkpoints/push.ts';
import { dropCheckpoints } from './checkpoints/remove.ts';
import { planRemoval, remove } from './collect/collect.ts';
import type { OpenOptions, RemoteConfig } from './config.ts';
import { toFailure } from './failures.ts';
import { Catalog } from './index/catalog.ts';
import { copiesIn, noCopies } from './index/copies.ts';
import { type Location, locate } from './locate.ts';
import { checkMarker } from './marker.ts';
import { publishIndexes } from './published/publish.ts';
import { type PublishedStorage, withPublishedLists } from './published/read.ts';
import { redact } from './redact.ts';
import type { Remote, TransferOptions } from './remote.ts';
import { folderStorage } from './storage/folder.ts';
import { StorageError } from './storage/problem.ts';
import type { Storage } from './storage/storage.ts';
import { fetch } from './transfer/fetch.ts';
import { push } from './transfer/push.ts';
import { findRecords, listRunKeys } from './transfer/records.ts';
import { DEFAULT_RETRY } from './transfer/retry.ts';
import { type Session, startSession } from './transfer/session.ts';
import { NOWHERE } from './transfer/words.ts';

const CHECKPOINT_JOBS = 4;
const HEX_DIGITS = '0123456789abcdef';

/**
 * A remote, ready to be used; no request has been sent and no folder looked at.
 * @throws FailureError of code `usage` when the declaration makes no sense or holds credentials.
 */
export async function openRemote(config: RemoteConfig, options: OpenOptions): Promise<Remote> {
  const location = locate(config, options.root);
  const storage = await openStorage(location, config, options);
  const { writable } = storage.capabilities;
  const url = redact(config.url, options.env);
  const attempts = config.retries === undefined ? {} : { attempts: config.retries + 1 };
  const policy = { ...DEFAULT_RETRY, ...attempts, ...options.retry };
  const catalog = new Catalog(
    options.copies === undefined ? noCopies : copiesIn(join(options.copies, placeId(config, location))),
  );
  const host = location.kind === 'http' ? new URL(location.base).hostname : undefined;
  let marked: 'read' | 'written' | undefined;

  /** Every operation: its own session, the format checked first, and what goes wrong in the user's words. */
  async function operate<T>(
    writing: boolean,
    transfer: TransferOptions,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    if (writing && !writable) throw readOnly(config.name, url);
    try {
      const session = startSession(storage, policy, { ...transfer, jobs: transfer.jobs ?? config.jobs }, options);
      if (marked !== 'written' && (writing || marked === undefined)) {
        await checkMarker(session, writing);
        marked = writing ? 'written' : 'read';
      }
      const result = await work(session);
      if (writing) await publishIndexes(session, catalog);
      return result;
    } catch (error) {
      const profile = config.profile ?? (options.env['AWS_PROFILE'] || undefined);
      throw toFailure(error, { name: config.name, url, kind: location.kind, host, writing, profile, env: options.env });
    }
  }

  /** What is missing by a list that may lag behind is said to be. */
  function asListed(failure: ObjectFailure): ObjectFailure {
    const { asOf } = storage as Partial<PublishedStorage>;
    if (failure.reason !== NOWHERE || asOf === undefined) return failure;
    return { ...failure, reason: `${NOWHERE} by its list of ${new Date(asOf).toISOString().slice(0, 16)} UTC` };
  }

  /** Only a push makes the folder. */
  function needFolder(): void {
    if (location.kind === 'folder' && !existsSync(location.folder)) {
      throw new StorageError('no-bucket', '', { transient: false });
    }
  }

  return {
    name: config.name,
    url,
    writable,
    asOf: () => (storage as Partial<PublishedStorage>).asOf,
    push: (request, store, transfer = {}) =>
      operate(true, transfer, (session) => push(session, catalog, store, request)),
    fetch: (request, store, transfer = {}) =>
      operate(false, transfer, async (session) => {
        needFolder();
        const report = await fetch(session, catalog, store, request);
        return { ...report, failed: report.failed.map(asListed) };
      }),
    check: async (check = {}) => {
      await operate(false, check, async () => needFolder());
      return await operate(writable, check, (session) => checkRemote(session, catalog, check));
    },
    planRemoval: (request, store, transfer = {}) =>
      operate(false, transfer, (session) => {
        needFolder();
        return planRemoval(session, catalog, store, request);
      }),
    remove: async (request, store, transfer = {}) => {
      await operate(false, transfer, async () => needFolder());
      return await operate(true, transfer, (session) => remove(session, catalog, store, request));
    },
    presence: (digests, transfer = {}) =>
      operate(false, transfer, async (session) => {
        await catalog.refresh(session);
        const wanted = new Set(digests);
        const there = () => new Set([...wanted].filter((digest) => catalog.has(hashOf(digest))));
        const found = there();
        // What is called missing was not there when it was looked for twice.
        return found.size < wanted.size && (await catalog.refresh(session)) ? there() : found;
      }),
    findRuns: (key, transfer = {}) => operate(false, transfer, (session) => findRecords(session, key)),
    checkpoints: (name) => {
      const sent = nothingSent();
      // A piece is large: few at once are enough, and leave memory to the training.
      const few = (transfer: TransferOptions): TransferOptions => ({ jobs: CHECKPOINT_JOBS, ...transfer });
      return {
        push: (snapshot, transfer = {}) =>
          operate(true, few(transfer), (session) => pushCheckpoint(session, name, sent, snapshot)),
        find: (transfer = {}) => operate(false, transfer, (session) => findCheckpoints(session, name)),
        fetch: (record, folder, transfer = {}) =>
          operate(false, few(transfer), (session) => fetchCheckpoint(session, record, folder)),
        drop: (transfer = {}) => operate(true, transfer, (session) => dropCheckpoints(session, name)),
      };
    },
    listRuns: async function* (transfer: TransferOptions = {}): AsyncGenerator<RunKey> {
      for (const digit of HEX_DIGITS) {
        yield* await operate(false, transfer, (session) => listRunKeys(session, digit));
      }
    },
    close: () => storage.close(),
  };
}

function readOnly(name: string, url: string): FailureError {
  return new FailureError({
    code: 'usage',
    message: `remote '${name}' (${url}) is only read: nothing can be sent there or removed`,
    hint: 'name another remote with -r: the bucket or folder that is published there',
  });
}

/** What copies of the index are kept under: another place has another name, and no name tells the place. */
function placeId(config: RemoteConfig, location: Location): string {
  const place = JSON.stringify([config.endpoint ?? '', location]);
  return createHash('sha256').update(place).digest('hex').slice(0, 16);
}

async function openStorage(location: Location, config: RemoteConfig, options: OpenOptions): Promise<Storage> {
  if (location.kind === 'folder') return folderStorage(location.folder);
  if (location.kind === 'http') {
    const { httpStorage } = await import('./storage/http/storage.ts');
    return withPublishedLists(httpStorage(location.base, { timeout: config.timeout, env: options.env }));
  }
  const { s3Storage } = await import('./storage/s3/storage.ts');
  return s3Storage(location.bucket, location.prefix, {
    endpoint: config.endpoint,
    region: config.region,
    profile: config.profile,
    pathStyle: config.pathStyle,
    timeout: config.timeout,
    env: options.env,
  });
}
