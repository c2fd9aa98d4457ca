import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** How a web server answers; each may be changed at any time. */
export interface WebWays {
  /** Whether it gives parts (default true). */
  ranges?: boolean;
  /** Whether it packs what it sends, asked or not. */
  gzip?: boolean;
  /** Whether it says beforehand how much it sends (default true). */
  lengths?: boolean;
  /** Status of what is not there (default 404); 200 with a page for people, as some sites do. */
  absent?: 200 | 403 | 404;
  /** The `authorization` that it wants of everyone. */
  auth?: string;
  /** What it does with a request before all else; true where that answered it. */
  before?: (request: IncomingMessage, answer: ServerResponse) => boolean;
}

/** A web server on loopback that publishes a folder. */
export interface Web {
  readonly url: string;
  readonly ways: WebWays;
  /** Requests so far: the path, the range, and the bytes that were sent. */
  readonly seen: { readonly path: string; readonly headers: IncomingMessage['headers']; sent: number }[];
  readonly close: () => Promise<void>;
}

export async function startWeb(folder: string, ways: WebWays = {}): Promise<Web> {
  const seen: Web['seen'] = [];
  const server = createServer((request, answer) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const one = { path, headers: request.headers, sent: 0 };
    seen.push(one);
    const write = answer.write.bind(answer);
    answer.write = ((chunk: Buffer, ...rest: never[]) => {
      one.sent += chunk.length;
      return write(chunk, ...rest);
    }) as typeof answer.write;
    if (ways.before?.(request, answer) === true) return;
    if (ways.auth !== undefined && request.headers.authorization !== ways.auth) answer.writeHead(401).end('who?');
    else give(join(folder, path), request, answer, ways);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ways,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function give(file: string, request: IncomingMessage, answer: ServerResponse, ways: WebWays): void {
  const info = statSync(file, { throwIfNoEntry: false });
  if (info?.isFile() !== true) {
    const page = '<!doctype html><title>Nothing here</title>';
    answer.writeHead(ways.absent ?? 404, { 'content-type': 'text/html', 'content-length': page.length }).end(page);
    return;
  }
  const { ranges = true, gzip = false, lengths = true } = ways;
  const head: Record<string, string | number> = { 'last-modified': info.mtime.toUTCString() };
  const [, from, to] = (ranges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') : null) ?? [];
  if (gzip) {
    const packed = gzipSync(readFileSync(file));
    answer.writeHead(200, { ...head, 'content-encoding': 'gzip', 'content-length': packed.length });
    if (request.method !== 'HEAD') answer.write(packed);
    answer.end();
    return;
  }
  const start = Number(from ?? 0);
  const end = Math.min(Number(to ?? info.size), info.size - 1);
  if (from !== undefined && start >= info.size) {
    answer.writeHead(416, { 'content-range': `bytes */${info.size}` }).end();
    return;
  }
  if (from !== undefined) head['content-range'] = `bytes ${start}-${end}/${info.size}`;
  if (lengths || request.method === 'HEAD') head['content-length'] = end - start + 1;
  answer.writeHead(from === undefined ? 200 : 206, head);
  if (request.method === 'HEAD' || info.size === 0) answer.end();
  else createReadStream(file, { start, end }).pipe(answer);
}
