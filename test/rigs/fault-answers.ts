/** An answer that comes from no server: the proxy gives it in the server's place. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers in place of the server's, by name. */
export const ANSWERS = {
  /** 503, as S3 asks for less. */
  busy: s3(503, 'SlowDown', 'Please reduce your request rate.'),
  /** The same, with the time that it wants to be left alone for. */
  'busy-for-a-while': { ...s3(503, 'SlowDown', 'Please reduce your request rate.'), headers: { 'retry-after': '7' } },
  /** 429, as gateways ask for less. */
  throttled: { status: 429, headers: { 'retry-after': '2' }, body: 'slow down' },
  /** 500, as S3 stumbles. */
  stumbled: s3(500, 'InternalError', 'We encountered an internal error. Please try again.'),
  /** A gateway's page that its server is away. */
  'bad-gateway': page(502, 'Bad Gateway'),
  /** A page that something else is not there: no word of the object. */
  'no-page': page(404, 'Not Found'),
  /** 200, with something that is no S3 answer. */
  garbage: { status: 200, body: '<ListBucketResult><Name>bucket</Name><Contents><Key>index/0' },
  /** A page in place of an answer, as networks with a log-in have them. */
  'log-in-page': page(200, 'Welcome to the network'),
  redirect: { ...s3(307, 'TemporaryRedirect', 'Elsewhere.'), headers: { location: 'http://127.0.0.1:9/' } },
  moved: {
    ...s3(301, 'PermanentRedirect', 'The bucket must be addressed using another endpoint.'),
    headers: { 'x-amz-bucket-region': 'eu-central-1' },
  },
  skewed: s3(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'),
  expired: s3(400, 'ExpiredToken', 'The provided token has expired.'),
  denied: s3(403, 'AccessDenied', 'Access Denied'),
} as const satisfies Readonly<Record<string, Answer>>;

function s3(status: number, code: string, message: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

function page(status: number, title: string): Answer {
  return { status, headers: { 'content-type': 'text/html' }, body: `<html><body><h1>${title}</h1><br></body></html>` };
}
