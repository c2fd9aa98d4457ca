import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What can go wrong with one exchange. */
export type Fault =
  /** Answers 503 SlowDown; the server hears nothing. */
  | 'busy'
  /** Breaks the connection; the server hears nothing. */
  | 'reset'
  /** Breaks the connection when the server has done the work. */
  | 'lost-answer'
  /** Sends the head and half the body, then breaks the connection. */
  | 'cut'
  /** Sends half the body as if it were all. */
  | 'short'
  /** Turns one byte of the body round. */
  | 'corrupt';

interface Seen {
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

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const seen: Seen[] = [];
  let faultOf: (seen: Seen) => Fault | undefined = () => undefined;

  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, answer) => {
    const { method = '', url = '', headers } = incoming;
    const one: Seen = { method, url, number: seen.length, length: Number(headers['content-length'] ?? 0) };
    seen.push(one);
    const fault = faultOf(one);
    if (fault === 'reset') incoming.socket.resetAndDestroy();
    else if (fault === 'busy') refuse(incoming, answer);
    else forward(incoming, answer, fault);
  });

  function forward(incoming: IncomingMessage, answer: ServerResponse, fault: Fault | undefined): void {
    const { method, url, rawHeaders } = incoming;
    const headers = rawHeaders.filter((_, i) => !/^expect$/i.test(rawHeaders[i - (i % 2)] ?? ''));
    const onward = request({ hostname, port, method, path: url, headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('error', () => incoming.socket.destroy());
      reply.on('end', () => give(reply, Buffer.concat(chunks), incoming, answer, fault));
    });
    onward.on('error', () => incoming.socket.destroy());
    incoming.on('error', () => onward.destroy());
    incoming.pipe(onward);
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

function refuse(incoming: IncomingMessage, answer: ServerResponse): void {
  incoming.resume();
  const text =
    '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';
  answer.writeHead(503, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(text) });
  answer.end(incoming.method === 'HEAD' ? undefined : text);
}

function give(
  reply: IncomingMessage,
  body: Buffer,
  incoming: IncomingMessage,
  answer: ServerResponse,
  fault: Fault | undefined,
): void {
  if (fault === 'lost-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  const half = body.subarray(0, Math.floor(body.length / 2));
  const headers = { ...reply.headers };
  if (incoming.method !== 'HEAD' && headers['content-length'] !== undefined)
    headers['content-length'] = `${body.length}`;
  if (fault === 'short' && body.length > 0) headers['content-length'] = `${half.length}`;
  if (fault === 'corrupt' && body.length > 0) body[half.length] = (body[half.length] ?? 0) ^ 0xff;
  answer.writeHead(reply.statusCode ?? 502, headers);
  if (fault === 'cut' && body.length > 0) {
    answer.write(half, () => incoming.socket.resetAndDestroy());
    return;
  }
  answer.end(fault === 'short' ? half : body);
}
