import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { ANSWERS } from './fault-answers.ts';

/** What can go wrong with one exchange. */
export type Fault =
  /** Another answer; the server hears nothing. */
  | keyof typeof ANSWERS
  /** Breaks the connection; the server hears nothing. */
  | 'reset'
  /** Breaks the connection when the server has half of the request. */
  | 'cut-request'
  /** Turns one byte of the request's body round. */
  | 'corrupt-request'
  /** Sends the request to the server twice, and gives the second answer. */
  | 'twice'
  /** Gives the whole where a part was asked for, of what was lately put through here. */
  | 'no-range'
  /** Gives another part. */
  | 'other-range'
  /** Breaks the connection when the server has done the work. */
  | 'lost-answer'
  /** Sends the head and half the body, then breaks the connection. */
  | 'cut'
  /** Sends the head and half the body, then nothing. */
  | 'stall'
  /** Sends the body one byte after the other. */
  | 'trickle'
  /** Sends half the body as if it were all. */
  | 'short'
  /** Sends more than the body. */
  | 'long'
  /** Turns one byte of the body round. */
  | 'corrupt'
  /** Gives the answer that was given before, where this has been asked before. */
  | 'stale';

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** How many requests came before it. */
  readonly number: number;
  /** Bytes of its body, as it announces them. */
  readonly length: number;
}

/** An HTTP proxy on loopback in front of a real server, that makes trouble as a test tells it to. */
export interface FaultProxy {
  readonly endpoint: string;
  /** All requests so far, of which the faulty ones too. */
  readonly seen: readonly Seen[];
  /** Asked for every request; undefined lets it through. */
  setFaults: (fault: (seen: Seen) => Fault | undefined) => void;
  readonly close: () => Promise<void>;
}

/** What the server said. */
interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** So many bodies that were put are remembered. */
const REMEMBERED = 8;

/** Bytes of a slow body come in such steps, in milliseconds. */
const TRICKLE_MS = 5;

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const seen: Seen[] = [];
  const earlier = new Map<string, Reply>();
  const lately = new Map<string, Buffer>();
  let faultOf: (seen: Seen) => Fault | undefined = () => undefined;

  const server = createServer({ keepAliveTimeout: 60_000 }, async (incoming, answer) => {
    const { method = '', url = '', headers } = incoming;
    const one: Seen = { method, url, number: seen.length, length: Number(headers['content-length'] ?? 0) };
    seen.push(one);
    const fault = faultOf(one);
    if (fault === 'reset') {
      incoming.socket.resetAndDestroy();
    } else if (fault !== undefined && Object.hasOwn(ANSWERS, fault)) {
      answerInstead(incoming, answer, fault as keyof typeof ANSWERS);
    } else {
      const reply = await forward(incoming, fault).catch(() => undefined);
      if (reply === undefined) incoming.socket.resetAndDestroy();
      else give(instead(reply, one.url, fault), incoming, answer, fault);
      if (one.method === 'GET' && reply?.status === 200) earlier.set(one.url, reply);
    }
  });

  /** Another reply than the server's, for the faults that give one. */
  function instead(reply: Reply, url: string, fault: Fault | undefined): Reply {
    if (fault === 'stale') return earlier.get(url) ?? reply;
    const whole = lately.get(url.split('?')[0] ?? '');
    const range = /^bytes (\d+)-(\d+)\//.exec(reply.headers['content-range'] ?? '');
    if (whole === undefined || range === null) return reply;
    const { 'content-range': _, ...headers } = reply.headers;
    if (fault === 'no-range') return { status: 200, headers, body: whole };
    if (fault !== 'other-range') return reply;
    const [first, last] = [Number(range[1]) + 1, Math.min(whole.length - 1, Number(range[2]) + 1)];
    const other = { ...headers, 'content-range': `bytes ${first}-${last}/${whole.length}` };
    return { status: 206, headers: other, body: whole.subarray(first, last + 1) };
  }

  function remember(url: string, body: Buffer): void {
    const [path = ''] = url.split('?');
    lately.set(path, body);
    const [oldest] = lately.keys();
    if (lately.size > REMEMBERED && oldest !== undefined) lately.delete(oldest);
  }

  /** Has the server do it. @returns undefined where it did not get all of the request. */
  async function forward(incoming: IncomingMessage, fault: Fault | undefined): Promise<Reply | undefined> {
    const body = await collect(incoming);
    const half = Math.floor(body.length / 2);
    if (fault === 'corrupt-request' && body.length > 0) body[half] = (body[half] ?? 0) ^ 0xff;
    const { expect: _, ...headers } = incoming.headers;
    if (incoming.method === 'PUT') remember(incoming.url ?? '', Buffer.from(body));
    if (fault === 'twice') await send(incoming, headers, body);
    return await send(incoming, headers, body, fault === 'cut-request' ? half : undefined);
  }

  function send(
    { method, url }: IncomingMessage,
    headers: OutgoingHttpHeaders,
    body: Buffer,
    upTo?: number,
  ): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      const onward = request({ hostname, port, method, path: url, headers }, (reply) => {
        collect(reply).then(
          (all) => resolve({ status: reply.statusCode ?? 502, headers: reply.headers, body: all }),
          reject,
        );
      });
      onward.on('error', reject);
      if (upTo === undefined) onward.end(body);
      else {
        onward.write(body.subarray(0, upTo), () => {
          onward.destroy();
          resolve(undefined);
        });
      }
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    setFaults: (fault) => {
      faultOf = fault;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerInstead(incoming: IncomingMessage, answer: ServerResponse, fault: keyof typeof ANSWERS): void {
  incoming.resume();
  const { status, body, headers }: { status: number; body: string; headers?: Readonly<Record<string, string>> } =
    ANSWERS[fault];
  const type = { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) };
  answer.writeHead(status, { ...type, ...headers });
  answer.end(incoming.method === 'HEAD' ? undefined : body);
}

function give(reply: Reply, incoming: IncomingMessage, answer: ServerResponse, fault: Fault | undefined): void {
  if (fault === 'lost-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  const body = Buffer.from(reply.body);
  const half = body.subarray(0, Math.floor(body.length / 2));
  const headers: OutgoingHttpHeaders = { ...reply.headers };
  delete headers['transfer-encoding'];
  if (incoming.method !== 'HEAD' && reply.status !== 204) headers['content-length'] = `${body.length}`;
  if (body.length === 0) {
    answer.writeHead(reply.status, headers);
    answer.end();
    return;
  }
  if (fault === 'short') headers['content-length'] = `${half.length}`;
  if (fault === 'corrupt') body[half.length] = (body[half.length] ?? 0) ^ 0xff;
  answer.writeHead(reply.status, headers);
  if (fault === 'cut') answer.write(half, () => incoming.socket.resetAndDestroy());
  else if (fault === 'stall') answer.write(half);
  else if (fault === 'trickle') trickle(body, answer);
  else if (fault === 'long') overflow(body, answer);
  else answer.end(fault === 'short' ? half : body);
}

/** Twice the body where it was announced once. */
function overflow(body: Buffer, answer: ServerResponse): void {
  answer.flushHeaders();
  answer.socket?.write(Buffer.concat([body, body]), () => answer.destroy());
}

/** The first bytes one by one, for as long as somebody listens. */
function trickle(body: Buffer, answer: ServerResponse): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < body.length && !answer.destroyed) answer.write(body.subarray(at, ++at));
    else clearInterval(timer);
  }, TRICKLE_MS);
  answer.once('close', () => clearInterval(timer));
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
