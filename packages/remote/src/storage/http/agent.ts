import { EnvHttpProxyAgent, Pool } from 'undici';
import { certificates } from '../certificates.ts';

type Env = Readonly<Record<string, string | undefined>>;

const CONNECT_MS = 10_000;

/**
 * Connections for URLs of one protocol, by the proxy that the environment names for it: `https_proxy`, `http_proxy`,
 * `all_proxy` and `no_proxy`.
 * @param stallMs no connection takes longer to make.
 */
export function openAgent(protocol: string, env: Env, stallMs: number): EnvHttpProxyAgent {
  const timeout = Math.min(CONNECT_MS, stallMs);
  const proxy = proxyFor(protocol, env);
  const isSecure = protocol === 'https:' || /^https:/i.test(proxy);
  const ca = isSecure ? certificates(env, 'SSL_CERT_FILE', 'AWS_CA_BUNDLE') : undefined;
  const tls = { timeout, ...(ca === undefined ? {} : { ca }) };
  return new EnvHttpProxyAgent({
    // Each is given, were it empty: what is absent would be looked for in the environment of the process.
    httpProxy: proxy,
    httpsProxy: proxy,
    noProxy: either(env, 'no_proxy'),
    // Caches on the way see requests for http: then, and not just bytes.
    proxyTunnel: false,
    ...userAlone(proxy),
    connections: 64,
    connect: tls,
    requestTls: tls,
    proxyTls: tls,
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeout }),
  });
}

/** The URL of a proxy, or nothing; one of a kind that is not known is none. */
function proxyFor(protocol: string, env: Env): string {
  const text = either(env, protocol === 'https:' ? 'https_proxy' : 'http_proxy') || either(env, 'all_proxy');
  const url = text.includes('://') ? text : `http://${text}`;
  return URL.canParse(url) && /^https?:/i.test(url) ? url : '';
}

/** The library leaves out a user who has no password. */
function userAlone(proxy: string): { token?: string } {
  const { username, password } = proxy === '' ? { username: '', password: '' } : new URL(proxy);
  if (username === '' || password !== '') return {};
  return { token: `Basic ${Buffer.from(`${decodeURIComponent(username)}:`).toString('base64')}` };
}

function either(env: Env, name: string): string {
  return env[name] || env[name.toUpperCase()] || '';
}
