import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';

type Env = Readonly<Record<string, string | undefined>>;

/** The proxy that requests to a place go through: `https_proxy`, `http_proxy` and `no_proxy`, as curl reads them. */
export function proxyOf(url: URL, env: Env): URL | undefined {
  const either = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  if (isExempt(url, either('no_proxy'))) return undefined;
  // Capital HTTP_PROXY can be set by a request where a program runs as CGI: nobody heeds it there.
  const proxy = url.protocol === 'https:' ? either('https_proxy') : env['http_proxy'] || env['HTTP_PROXY'];
  const text = proxy ?? either('all_proxy');
  if (text === undefined || text === '') return undefined;
  const full = text.includes('://') ? text : `http://${text}`;
  return URL.canParse(full) && new URL(full).protocol === 'http:' ? new URL(full) : undefined;
}

function isExempt({ hostname, port }: URL, list: string | undefined): boolean {
  return (list ?? '').split(/[\s,]+/).some((entry) => {
    const [, name = '', only] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
    if (entry === '*') return true;
    if (name === '' || (only !== undefined && only !== port)) return false;
    return hostname === name || hostname.endsWith(`.${name}`);
  });
}

/** What a proxy wants to know of whoever asks. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` };
}

/** A secure connection to a host, made through a proxy that carries bytes. */
export function tunnel(
  proxy: URL,
  to: ConnectionOptions & { host?: string; port?: number | string },
  done: (error: Error | null, socket?: Socket) => void,
): void {
  const path = `${to.host}:${to.port}`;
  const ask: ClientRequest = request({
    host: proxy.hostname,
    port: proxy.port || 80,
    method: 'CONNECT',
    path,
    headers: { host: path, ...proxyHeaders(proxy) },
    timeout: 10_000,
  });
  ask.once('timeout', () => ask.destroy(Object.assign(new Error('the proxy does not answer'), { code: 'ETIMEDOUT' })));
  ask.once('error', (error) => done(error));
  ask.once('connect', (answer: IncomingMessage, socket: Socket) => {
    if (answer.statusCode === 200) {
      done(null, connect({ ...to, socket }));
      return;
    }
    socket.destroy();
    done(Object.assign(new Error(`the proxy answers ${answer.statusCode}`), { code: 'EHOSTUNREACH' }));
  });
  ask.end();
}
