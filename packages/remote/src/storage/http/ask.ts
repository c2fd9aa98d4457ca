import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { certificates } from '../certificates.ts';
import { detail, isBrokenOff, problemByCode } from '../network.ts';
import { StorageError } from '../problem.ts';
import { authorization } from './credentials.ts';
import { proxyHeaders, proxyOf, tunnel } from './proxy.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Connections to a web server, kept for the next request. */
export interface Connections {
  /**
   * Sends a GET or HEAD, follows redirects, and comes back with the head of the answer; its body is the caller's to read or to
   * destroy. Credentials go to the host that they are for and to no other.
   */
  ask(
    method: 'GET' | 'HEAD',
    url: URL,
    headers: Headers,
    signal: AbortSignal | undefined,
  ): Promise<http.IncomingMessage>;
  close(): void;
}

type Headers = Readonly<Record<string, string>>;

const CONNECT_MS = 10_000;
const REDIRECTS = 5;

/** @param stallMs a connection on which nothing moves for so many milliseconds is given up. */
export function openConnections(env: Env, stallMs: number): Connections {
  const keep = { keepAlive: true, maxSockets: 64 };
  let plain: http.Agent | undefined;
  const secure = new Map<string, https.Agent>();

  function agentFor(url: URL, proxy: URL | undefined): http.Agent {
    if (url.protocol === 'http:') {
      plain ??= new http.Agent(keep);
      return plain;
    }
    const name = proxy?.href ?? '';
    let agent = secure.get(name);
    if (agent === undefined) {
      const ca = certificates(env, 'SSL_CERT_FILE', 'AWS_CA_BUNDLE');
      agent = new https.Agent({ ...keep, ...(ca === undefined ? {} : { ca }) });
      if (proxy !== undefined) {
        const through = proxy;
        agent.createConnection = (to, done) => {
          tunnel(through, to as Parameters<typeof tunnel>[1], done as (error: Error | null, socket?: Duplex) => void);
          return undefined;
        };
      }
      secure.set(name, agent);
    }
    return agent;
  }

  function once(method: string, url: URL, extra: Headers, signal: AbortSignal | undefined) {
    const proxy = proxyOf(url, env);
    const auth = authorization(url, env);
    const headers = { ...extra, host: url.host, ...(auth === undefined ? {} : { authorization: auth }) };
    const agent = agentFor(url, proxy);
    const options: https.RequestOptions = { method, headers, agent, ...(signal === undefined ? {} : { signal }) };
    if (url.protocol === 'https:') return https.request(url, options);
    if (proxy === undefined) return http.request(url, options);
    return http.request({
      ...options,
      host: proxy.hostname,
      port: proxy.port || 80,
      path: url.href,
      headers: { ...headers, ...proxyHeaders(proxy) },
    });
  }

  async function send(method: string, url: URL, headers: Headers, signal: AbortSignal | undefined) {
    return await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = once(method, url, headers, signal);
      const late = (what: string) => request.destroy(Object.assign(new Error(what), { name: 'TimeoutError' }));
      request.setTimeout(stallMs, () => late('nothing came'));
      request.once('socket', (socket) => {
        if (!socket.connecting) return;
        const timer = setTimeout(() => late('no connection'), Math.min(CONNECT_MS, stallMs));
        for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
      });
      request.on('error', reject);
      request.once('response', resolve);
      request.end();
    });
  }

  return {
    ask: async (method, first, headers, signal) => {
      let url = first;
      for (let hop = 0; ; hop++) {
        signal?.throwIfAborted();
        let answer: http.IncomingMessage;
        try {
          answer = await send(method, url, headers, signal);
        } catch (error) {
          signal?.throwIfAborted();
          throw httpProblem(error);
        }
        const { statusCode = 0 } = answer;
        const { location } = answer.headers;
        if (![301, 302, 303, 307, 308].includes(statusCode) || location === undefined) return answer;
        discard(answer);
        url = redirected(url, location, hop);
      }
    },
    close: () => {
      plain?.destroy();
      for (const agent of secure.values()) agent.destroy();
    },
  };
}

/** Lets go of an answer's body: read to its end where it is short, so that the connection can be used again. */
export function discard(answer: http.IncomingMessage): void {
  const length = Number(answer.headers['content-length'] ?? Number.NaN);
  answer.on('error', () => {});
  if (answer.complete || length <= SHORT) answer.resume();
  else answer.destroy();
}

const SHORT = 64 * 1024;

function redirected(from: URL, location: string, hop: number): URL {
  const refuse = (why: string) => new StorageError('refused', why, { transient: false });
  if (hop >= REDIRECTS) throw refuse('it redirects in a circle');
  if (!URL.canParse(location, from.href)) throw refuse('it redirects to nowhere');
  const to = new URL(location, from);
  if (to.protocol !== 'https:' && (to.protocol !== 'http:' || from.protocol === 'https:')) {
    throw refuse(`it redirects from ${from.protocol}// to ${to.protocol}//`);
  }
  return to;
}

/** What an error of a request, or of the body of its answer, means; bugs come back as they are. */
export function httpProblem(error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const known = problemByCode(error);
  if (known !== undefined) return known;
  const isBroken = isBrokenOff(error) || String((error as { code?: unknown }).code ?? '').startsWith('HPE_');
  return isBroken ? new StorageError('busy', detail(error, error.name), { transient: true }) : error;
}
