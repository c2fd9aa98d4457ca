import { afterAll, beforeAll } from 'vitest';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { missingS3, type S3Server, startS3 } from './s3.ts';

/**
 * Something that all tests of a file or a group have in common: made before the first, unless there is a reason why it can't be
 * had, and removed after the last, what was made last first. What is returned stands for it.
 */
function perGroup<T extends object>(
  missing: string | undefined,
  make: () => Promise<T>,
  remove: (one: T) => unknown,
): T {
  let current: T | undefined;
  beforeAll(async () => {
    if (missing === undefined) current = await make();
  });
  afterAll(async () => {
    if (current !== undefined) await remove(current);
  });
  return new Proxy({} as T, {
    get: (_, key) => {
      if (current === undefined) throw new Error(missing ?? 'there is none outside of a test');
      return Reflect.get(current, key);
    },
  });
}

/** A real S3 server. Tests that use it say so by `needS3`. */
export function s3PerGroup(): S3Server {
  return perGroup(missingS3(), startS3, (server) => server.remove());
}

/** A proxy that makes trouble, before a server of `s3PerGroup`. */
export function faultProxyPerGroup(server: S3Server): FaultProxy {
  return perGroup(
    missingS3(),
    () => startFaultProxy(server.endpoint),
    (proxy) => proxy.close(),
  );
}
