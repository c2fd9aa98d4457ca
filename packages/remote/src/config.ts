import type { Times } from './times.ts';
import type { RetryPolicy } from './transfer/retry.ts';

/** A remote as pipeline.yaml or .cache/local.yaml declares it. No field holds a credential. */
export interface RemoteConfig {
  readonly name: string;
  /** `s3://bucket/prefix`, `https://host/path` (only read), `file:///folder`, or a folder, absolute or relative to the project root. */
  readonly url: string;
  /** For S3-compatible servers: `https://host:port`. */
  readonly endpoint?: string;
  readonly region?: string;
  /** A profile of the AWS configuration files. */
  readonly profile?: string;
  /** `host/bucket/key` instead of `bucket.host/key`. Default: whether `endpoint` is set. */
  readonly pathStyle?: boolean;
  /** Calls at once, at most; a transfer may say otherwise. Default: what the storage likes best. */
  readonly jobs?: number;
  /** Milliseconds without a byte after which a call to a server is given up, and made again. Default: 60,000. */
  readonly timeout?: number;
  /** How often a call that failed for the moment is made again. Default: 5. */
  readonly retries?: number;
}

/** What a remote is handed of its surroundings. */
export interface OpenOptions {
  /** The environment: `AWS_*`, `DAG_TOKEN_*`, `HOME`, proxies and certificates. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The project root, absolute: relative folders are seen from here. */
  readonly root: string;
  /** A folder, absolute, for copies of remotes' indexes; without one each opened remote reads its index anew. */
  readonly copies?: string;
  /** How patient it is with a server that stumbles; by default some ten seconds. */
  readonly retry?: Partial<RetryPolicy>;
  /** Names this clone of the project, 64 hex digits: what it pushed itself does not bind its own collector. */
  readonly by?: string;
  /** Other times than those of the format, for tests. */
  readonly times?: Partial<Times>;
}
