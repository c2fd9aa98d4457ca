import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startTlsFront } from '../../../test/rigs/tls-front.ts';
import { StorageError } from '../src/storage/problem.ts';
import { s3Storage } from '../src/storage/s3/storage.ts';
import { freshFolder, noise, removeFolders } from './support.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  removeFolders();
});

/** What is written as the answer to a request, piece by piece, each by itself; `end` ends the connection. */
type Script = readonly (string | Buffer | 'end')[];

/** A server that answers requests by a script each, in their order; and how it was asked. */
async function scripted(...scripts: readonly Script[]) {
  const heads: string[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', async (bytes) => {
      text += bytes.toString('latin1');
      if (!text.endsWith('\r\n\r\n')) return;
      const script = scripts[heads.push(text) - 1] ?? [];
      text = '';
      for (const part of script) {
        if (part === 'end') socket.destroySoon();
        else socket.write(part);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    get connections() {
      return connections;
    },
  };
}

function storageAt(endpoint: string, env: Record<string, string> = {}) {
  const keys = { AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'secret' };
  const storage = s3Storage('bucket', '', { endpoint, timeout: 2000, env: { ...keys, ...env } });
  closing.push(() => storage.close());
  return storage;
}

async function read(storage: ReturnType<typeof storageAt>, length: number): Promise<Buffer | undefined> {
  const reading = await storage.get("a (b)/c+d'é.pack", { range: { start: 0, length } });
  if (reading === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of reading.body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const problem = async (promise: Promise<unknown>): Promise<StorageError> => {
  const error = await promise.catch((thrown: unknown) => thrown);
  if (!(error instanceof StorageError)) throw error;
  return error;
};

const head = (size: number, more = ''): string =>
  `HTTP/1.1 206 Partial Content\r\netag: x\r\ncontent-range: bytes 0-9/10\r\ncontent-length: ${size}\r\n${more}\r\n`;

test('answers come whole however they are cut, one after the other over one connection', async () => {
  const large = noise(1_500_000, 'large');
  const halves = [large.subarray(0, 700_001), large.subarray(700_001)];
  const server = await scripted(
    [
      'HTTP/1.1 100 Continue\r\n\r',
      '\nHTTP/1.1 206 Par',
      'tial Content\r\nETag: x\r\nContent-Range: bytes 0-4/5\r\nContent-Le',
      'ngth: 5\r\n\r',
      '\nhel',
      'lo',
    ],
    [head(large.length), ...halves],
    [`${head(0)}`],
    [Buffer.concat([Buffer.from(head(large.length)), large])],
  );
  const storage = storageAt(server.endpoint);
  expect(String(await read(storage, 5))).toBe('hello');
  expect((await read(storage, large.length))?.equals(large)).toBe(true);
  expect(await read(storage, 5)).toEqual(Buffer.alloc(0));
  expect((await read(storage, large.length))?.equals(large)).toBe(true);
  expect(server.connections).toBe(1);
  expect(server.heads[0]).toMatch(/^GET \/bucket\/a%20%28b%29\/c%2Bd%27%C3%A9\.pack\?x-id=GetObject HTTP\/1\.1\r\n/);
  expect(server.heads[0]).toContain('\r\nrange: bytes=0-4\r\n');
});

test('a signal ends what waits for a head, or for the rest of a body', async () => {
  const server = await scripted([], [`${head(10)}half`]);
  const storage = storageAt(server.endpoint);
  const first = new AbortController();
  const waiting = storage.get('a', { signal: first.signal }).catch((error: unknown) => error);
  await expect.poll(() => server.heads.length).toBe(1);
  first.abort(new Error('enough'));
  expect(await waiting).toMatchObject({ message: 'enough' });
  const second = new AbortController();
  const reading = await storage.get('a', { signal: second.signal });
  const body = reading?.body[Symbol.asyncIterator]();
  expect(String((await body?.next())?.value)).toBe('half');
  const rest = body?.next().catch((error: unknown) => error);
  second.abort(new Error('enough'));
  expect(await rest).toMatchObject({ message: 'enough' });
});

test('over TLS too, by a certificate of the user’s own, and not by one that nobody knows', async () => {
  const large = noise(3_000_000, 'secret');
  const server = await scripted([head(large.length), large], [head(large.length), large]);
  const front = await startTlsFront(server.endpoint, freshFolder());
  closing.push(front.close);
  const storage = storageAt(front.endpoint, { AWS_CA_BUNDLE: front.certificate });
  for (let i = 0; i < 2; i++) expect((await read(storage, large.length))?.equals(large)).toBe(true);
  expect(server.connections).toBe(1);
  expect(await problem(read(storageAt(front.endpoint), 3))).toMatchObject({ problem: 'tls', transient: false });
});
