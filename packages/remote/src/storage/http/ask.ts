import { type Dispatcher, type EnvHttpProxyAgent, request } from 'undici';
import { detail, isBrokenOff, type KnownCodes, problemByCode } from '../network.ts';
import { StorageError } from '../problem.ts';
import { openAgent } from './agent.ts';
import { authorization } from './credentials.ts';

/** The head of an answer, and its body: to be read, or to be let go of by `discard`. */
export type Answer = Dispatcher.ResponseData;

/** Connections to a web server, kept for the next request. */
export interface Connections {
  /**
   * Sends a GET or HEAD, follows redirects, and comes back with the head of the answer. Credentials go to the host that they
   * are for and to no other.
   */
  ask(method: 'GET' | 'HEAD', url: URL, headers: Headers, signal: AbortSignal | undefined): Promise<Answer>;
  close(): void;
}

type Headers = Readonly<Record<string, string>>;

const REDIRECTS = 5;

/** @param stallMs a connection on which nothing moves for so many milliseconds is given up. */
export function openConnections(env: Readonly<Record<string, string | undefined>>, stallMs: number): Connections {
  const agents = new Map<string, EnvHttpProxyAgent>();
  const timeouts = { headersTimeout: stallMs, bodyTimeout: stallMs };

  async function send(method: 'GET' | 'HEAD', url: URL, extra: Headers, signal: AbortSignal | undefined) {
    const auth = authorization(url, env);
    const headers = auth === undefined ? extra : { ...extra, authorization: auth };
    const dispatcher = agents.get(url.protocol) ?? openAgent(url.protocol, env, stallMs);
    agents.set(url.protocol, dispatcher);
    const answer = await request(url, { method, headers, dispatcher, signal: signal ?? null, ...timeouts });
    // To be destroyed by who reads it is no error of the body.
    answer.body.on('error', () => {});
    return answer;
  }

  return {
    ask: async (method, first, headers, signal) => {
      let url = first;
      for (let hop = 0; ; hop++) {
        signal?.throwIfAborted();
        let answer: Answer;
        try {
          answer = await send(method, url, headers, signal);
        } catch (error) {
          signal?.throwIfAborted();
          throw httpProblem(error);
        }
        const location = header(answer, 'location');
        if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === '') return answer;
        discard(answer);
        url = redirected(url, location, hop);
      }
    },
    close: () => {
      for (const agent of agents.values()) void agent.destroy();
    },
  };
}

/** A header of an answer, empty where there is none. */
export function header({ headers }: Answer, name: string): string {
  return String(headers[name] ?? '');
}

/** Lets go of an answer's body: read to its end where it is short, so that the connection can be used again. */
export function discard({ body }: Answer): void {
  body.dump({ limit: 64 * 1024 }).catch(() => {});
}

/** Where a redirect leads: ours, because the library's lead from https to http too, and know no credentials of a second host. */
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

/** What errors of the library itself mean; those of sockets and of TLS come through it as they are. */
const LIBRARY_CODES: KnownCodes = {
  UND_ERR_CONNECT_TIMEOUT: ['unreachable', true],
  UND_ERR_HEADERS_TIMEOUT: ['busy', true],
  UND_ERR_BODY_TIMEOUT: ['busy', true],
  UND_ERR_SOCKET: ['busy', true],
  UND_ERR_DESTROYED: ['busy', true],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['busy', true],
  UND_ERR_HEADERS_OVERFLOW: ['refused', false],
  // A proxy that lets nobody through, to a host by TLS or to one without.
  UND_ERR_ABORTED: ['unreachable', true],
  UND_ERR_INVALID_ARG: ['refused', false],
};

/** What an error of a request, or of the body of its answer, means; bugs come back as they are. */
export function httpProblem(error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const code = String((error as { code?: unknown }).code ?? '');
  const library = Object.hasOwn(LIBRARY_CODES, code) ? LIBRARY_CODES[code] : undefined;
  if (library !== undefined) {
    const text = /_(HEADERS|BODY)_TIMEOUT$/.test(code) ? 'TimeoutError: nothing came' : error.message;
    return new StorageError(library[0], text, { transient: library[1], unanswered: true });
  }
  const known = problemByCode(error);
  if (known !== undefined) return known;
  const isBroken = isBrokenOff(error) || code.startsWith('HPE_');
  return isBroken ? new StorageError('busy', detail(error, error.name), { transient: true }) : error;
}
