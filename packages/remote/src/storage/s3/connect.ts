import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { certificates } from '../certificates.ts';
import { STALL_MS } from '../read-out.ts';

/** Where the server is and as whom to speak to it. */
export interface S3Options {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly pathStyle?: boolean | undefined;
  /** Milliseconds; see `STALL_MS`. */
  readonly timeout?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes a client; sends nothing. Strongest first: the remote's own settings, `AWS_*` of the environment
 * handed in, the AWS configuration files. A region that none of them names is us-east-1, which servers that aren't AWS
 * don't care for. The client makes each call once: retrying is the caller's.
 */
export async function connect(options: S3Options): Promise<S3Client> {
  const { env } = options;
  const profile = options.profile ?? nonEmpty(env['AWS_PROFILE']);
  const endpoint = options.endpoint ?? nonEmpty(env['AWS_ENDPOINT_URL_S3']) ?? nonEmpty(env['AWS_ENDPOINT_URL']);
  const region = options.region ?? nonEmpty(env['AWS_REGION']) ?? nonEmpty(env['AWS_DEFAULT_REGION']);
  const credentials = profile === undefined ? environmentCredentials(env) : undefined;
  const ca = certificates(env, 'AWS_CA_BUNDLE');
  const config: S3ClientConfig = {
    maxAttempts: 1,
    followRegionRedirects: true,
    // Every object's digest is checked, which says more than the server's checksum.
    responseChecksumValidation: 'WHEN_REQUIRED',
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    // To wait for `100 Continue`, the SDK would make a new connection for each pack, without the certificates below.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: options.timeout ?? STALL_MS,
      httpAgent: new HttpAgent(CONNECTIONS),
      httpsAgent: new HttpsAgent({ ...CONNECTIONS, ...(ca === undefined ? {} : { ca }) }),
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials }),
  };
  const client = construct(config);
  if (region !== undefined || (await hasRegion(client))) return client;
  client.destroy();
  return construct({ ...config, region: 'us-east-1' });
}

const CONNECTIONS = { keepAlive: true, maxSockets: 128 } as const;

/** The SDK warns of old versions of Node on standard error as soon as a client is made: not ours to print. */
function construct(config: S3ClientConfig): S3Client {
  const name = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';
  const before = process.env[name];
  process.env[name] = 'true';
  try {
    return new S3Client(config);
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

async function hasRegion(client: S3Client): Promise<boolean> {
  try {
    return (await client.config.region()) !== '';
  } catch {
    return false;
  }
}

function environmentCredentials(env: S3Options['env']): S3ClientConfig['credentials'] {
  const accessKeyId = nonEmpty(env['AWS_ACCESS_KEY_ID']);
  const secretAccessKey = nonEmpty(env['AWS_SECRET_ACCESS_KEY']);
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = nonEmpty(env['AWS_SESSION_TOKEN']);
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
