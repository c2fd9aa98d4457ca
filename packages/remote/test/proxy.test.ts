import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { perTest } from '../../../test/rigs/per-test.ts';
import { startTlsFront } from '../../../test/rigs/tls-front.ts';
import { openConnections } from '../src/storage/http/ask.ts';
import type { StorageError } from '../src/storage/problem.ts';
import { freshFolder, removeFolders } from './support.ts';

afterAll(removeFolders);

type Env = Readonly<Record<string, string>>;

/** A server that says hello and redirects to what stands behind `/to/`, the same over TLS, and a proxy on the way. */
const place = perTest(
  async () => {
    const target = await startServer((request, answer) => {
      const [, location] = /^\/to\/(.*)$/.exec(request.url ?? '') ?? [];
      if (location === undefined) answer.end('hello');
      else answer.writeHead(302, { location: decodeURIComponent(location) }).end();
    });
    const front = await startTlsFront(target.url, freshFolder());
    const seen: string[] = [];
    const tunnel = {
      /** What it does where a way through is asked for. */
      open: (request: IncomingMessage, inside: Duplex) => {
        const [host, port] = (request.url ?? '').split(':');
        const outside = connect(Number(port), host, () => inside.write('HTTP/1.1 200 OK\r\n\r\n'));
        inside.pipe(outside).pipe(inside);
        for (const [one, other] of [
          [inside, outside],
          [outside, inside],
        ] as const)
          one.on('error', () => other.destroy());
      },
    };
    let status = 200;
    const note = ({ method, url, headers }: IncomingMessage) =>
      seen.push([method, url, headers['proxy-authorization']].join(' ').trim());
    const proxy = await startServer(
      (request, answer) => {
        note(request);
        answer.writeHead(status).end('by proxy');
      },
      (request, inside) => {
        note(request);
        tunnel.open(request, inside);
      },
    );
    return {
      plain: target.url,
      secure: front.endpoint,
      certificate: front.certificate,
      proxy: proxy.url,
      seen,
      tunnel,
      answerWith: (code: number) => {
        status = code;
      },
      /** The text of an answer, asked for with an environment in which the authority of `secure` is known. */
      ask: async (url: string, env: Env, stallMs = 5000): Promise<string> => {
        const connections = openConnections({ SSL_CERT_FILE: front.certificate, ...env }, stallMs);
        try {
          const answer = await connections.ask('GET', new URL(url), {}, undefined);
          return `${answer.statusCode} ${await answer.body.text()}`;
        } finally {
          connections.close();
        }
      },
      close: () => {
        for (const one of [target, proxy, front]) one.close();
      },
    };
  },
  ({ close }) => close(),
);

const hello = '200 hello';
const problem = async (asked: Promise<unknown>) =>
  await asked.then(
    () => undefined,
    ({ problem, message, transient }: StorageError) => ({ problem, message, transient }),
  );

test.each<[string, (proxy: string) => Env]>([
  ['http_proxy', (proxy) => ({ http_proxy: proxy })],
  ['HTTP_PROXY', (proxy) => ({ HTTP_PROXY: proxy })],
  ['all_proxy', (proxy) => ({ all_proxy: proxy })],
  ['http_proxy without a scheme', (proxy) => ({ http_proxy: proxy.replace('http://', '') })],
  ['http_proxy, though no_proxy names others', (proxy) => ({ http_proxy: proxy, no_proxy: 'a.org, 127.0.0.1:1' })],
])('http goes by %s', async (_, env) => {
  expect(await place.ask(`${place.plain}/x`, env(place.proxy))).toBe('200 by proxy');
  expect(place.seen).toEqual([`GET ${place.plain}/x`]);
});

test.each<[string, (proxy: string) => Env]>([
  ['https_proxy', (proxy) => ({ https_proxy: proxy })],
  ['all_proxy', (proxy) => ({ ALL_PROXY: proxy })],
])('https goes by %s, through a tunnel', async (_, env) => {
  expect(await place.ask(`${place.secure}/x`, env(place.proxy))).toBe(hello);
  expect(place.seen).toEqual([`CONNECT ${new URL(place.secure).host}`]);
});

test('a proxy may itself be spoken to by TLS', async () => {
  const front = await startTlsFront(place.proxy, freshFolder());
  const SSL_CERT_FILE = join(freshFolder(), 'both.pem');
  writeFileSync(SSL_CERT_FILE, readFileSync(front.certificate, 'utf8') + readFileSync(place.certificate, 'utf8'));
  const env = { all_proxy: front.endpoint, SSL_CERT_FILE };
  expect(await place.ask(`${place.secure}/x`, env)).toBe(hello);
  expect(await place.ask(`${place.plain}/x`, env)).toBe(hello);
  expect(place.seen).toEqual([place.secure, place.plain].map((url) => `CONNECT ${new URL(url).host}`));
  front.close();
});

test.each<[string, (proxy: string) => Env]>([
  ['a proxy for the other protocol', (proxy) => ({ http_proxy: proxy })],
  ['no_proxy that names it', (proxy) => ({ https_proxy: proxy, no_proxy: 'example.org,127.0.0.1' })],
  ['no_proxy that names its port', (proxy) => ({ https_proxy: proxy, no_proxy: new URL(place.secure).host })],
  ['no_proxy that names all', (proxy) => ({ https_proxy: proxy, no_proxy: '*' })],
  ['a proxy that is none', () => ({ https_proxy: 'http://[' })],
  ['a proxy of a kind that is not known', () => ({ https_proxy: 'gopher://127.0.0.1:1' })],
])('https goes straight there with %s', async (_, env) => {
  expect(await place.ask(`${place.secure}/x`, env(place.proxy))).toBe(hello);
  expect(place.seen).toEqual([]);
});

test('only the environment that is handed in counts', async () => {
  process.env['HTTP_PROXY'] = place.proxy;
  try {
    expect(await place.ask(`${place.plain}/x`, {})).toBe(hello);
  } finally {
    delete process.env['HTTP_PROXY'];
  }
  expect(place.seen).toEqual([]);
});

test.each([
  ['me:p%20w', 'me:p w'],
  ['me', 'me:'],
])('a proxy gets to know who asks: %s', async (user, sent) => {
  const proxy = place.proxy.replace('//', `//${user}@`);
  await place.ask(`${place.plain}/x`, { http_proxy: proxy });
  await place.ask(`${place.secure}/x`, { https_proxy: proxy });
  const auth = `Basic ${Buffer.from(sent).toString('base64')}`;
  expect(place.seen).toEqual([`GET ${place.plain}/x ${auth}`, `CONNECT ${new URL(place.secure).host} ${auth}`]);
});

test('a proxy that wants a password says so', async () => {
  place.answerWith(407);
  expect(await problem(place.ask(`${place.plain}/x`, { http_proxy: place.proxy }))).toEqual({
    problem: 'refused',
    message: 'Proxy Authentication Required (407)',
    transient: false,
  });
});

test.each([403, 407])('a proxy that refuses the way through: %i', async (status) => {
  place.tunnel.open = (_, inside) => inside.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  expect(await problem(place.ask(`${place.secure}/x`, { https_proxy: place.proxy }))).toEqual({
    problem: 'unreachable',
    message: expect.stringContaining(`(${status})`),
    transient: true,
  });
});

test('a proxy that never answers is given up', async () => {
  place.tunnel.open = () => {};
  expect(await problem(place.ask(`${place.secure}/x`, { https_proxy: place.proxy }, 100))).toEqual({
    problem: 'busy',
    message: 'TimeoutError: nothing came',
    transient: true,
  });
});

test('redirects lead from http to https, and not back', async () => {
  const to = (url: string) => `/to/${encodeURIComponent(url)}`;
  expect(await place.ask(place.plain + to(`${place.secure}/x`), {})).toBe(hello);
  expect(await problem(place.ask(place.secure + to(`${place.plain}/x`), {}))).toMatchObject({
    problem: 'refused',
    message: 'it redirects from https:// to http://',
  });
  expect(await problem(place.ask(place.plain + to('file:///etc/passwd'), {}))).toMatchObject({ problem: 'refused' });
  expect(await problem(place.ask(place.plain + to('http://['), {}))).toMatchObject({
    message: 'it redirects to nowhere',
  });
});

async function startServer(
  answer: (request: IncomingMessage, answer: ServerResponse) => void,
  onConnect: (request: IncomingMessage, socket: Duplex) => void = () => {},
) {
  const open = new Set<Duplex>();
  const server = createServer(answer);
  server.on('connect', (request, socket) => {
    open.add(socket);
    socket.on('error', () => {});
    onConnect(request, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
      for (const socket of open) socket.destroy();
    },
  };
}
