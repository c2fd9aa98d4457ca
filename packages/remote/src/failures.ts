import { FailureError } from '@dag/model';
import { redact } from './redact.ts';
import { tokenVariable } from './storage/http/credentials.ts';
import { type Problem, StorageError } from './storage/problem.ts';

/** What the texts speak of: the remote's name and place, and what was being done. */
export interface Purpose {
  readonly name: string;
  readonly url: string;
  readonly kind: 'folder' | 's3' | 'http';
  /** The host of a web server. */
  readonly host?: string | undefined;
  readonly writing: boolean;
  /** Of the AWS configuration, where one is named. */
  readonly profile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The failure that a user sees for what a storage threw. Anything that is not a StorageError (a bug, the signal's reason,
 * a failure of the store) goes through as it is.
 */
export function toFailure(error: unknown, purpose: Purpose): unknown {
  if (!(error instanceof StorageError)) return error;
  const { what, hint } = explain(error.problem, purpose);
  const detail = error.message === '' ? '' : ` (${error.message})`;
  const message = `remote '${purpose.name}' (${purpose.url}): ${what}${detail}`;
  return new FailureError({ code: 'remote', message: redact(message, purpose.env), hint: redact(hint, purpose.env) });
}

function explain(problem: Problem, purpose: Purpose): { what: string; hint: string } {
  const { name, writing } = purpose;
  if (purpose.kind === 'folder' && (problem === 'permission' || problem === 'no-bucket' || problem === 'unreachable')) {
    return {
      what:
        problem === 'no-bucket' ? 'there is no such folder' : `the folder can not be ${writing ? 'written' : 'read'}`,
      hint: 'check the path, that its disk is mounted, and its permissions; the first push makes the folder',
    };
  }
  const special = purpose.kind === 'http' ? explainWeb(problem, purpose) : undefined;
  if (special !== undefined) return special;
  switch (problem) {
    case 'dns':
      return {
        what: 'its host name is not known',
        hint: 'check the endpoint, the region and your network; `dag remote list` shows what is set',
      };
    case 'unreachable':
      return {
        what: 'it can not be reached',
        hint: 'check that the server is up, and the endpoint and your network; what has been moved is kept, so the same command goes on from here',
      };
    case 'busy':
      return {
        what: 'it keeps failing or breaking off',
        hint: 'try again later, or with fewer calls at once (-j); what has been moved is kept',
      };
    case 'tls':
      return {
        what: 'no secure connection could be made',
        hint: 'check the endpoint (https or http?) and its certificate; a certificate authority of your own goes into AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS',
      };
    case 'no-credentials':
      return {
        what: `no credentials were found${purpose.profile === undefined ? '' : ` for the profile '${purpose.profile}'`}`,
        hint: `set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the remote a profile that exists (\`profile:\` of remote '${name}' in pipeline.yaml or .cache/local.yaml)`,
      };
    case 'credentials':
      return {
        what: 'it does not accept the credentials',
        hint: 'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile',
      };
    case 'expired':
      return {
        what: 'the credentials have run out',
        hint: 'get new ones (`aws sso login`, or new AWS_* variables) and run the same command again: what has been moved is kept',
      };
    case 'permission':
      return writing
        ? {
            what: 'the credentials do not allow writing',
            hint: 'fetch and pull may work with these; to push, use credentials that may put objects there',
          }
        : {
            what: 'the credentials do not allow reading',
            hint: 'use credentials that may list the bucket and get objects there; where there are none at all, set them up',
          };
    case 'no-bucket':
      return {
        what: 'there is no such bucket or folder',
        hint: 'check the URL, the endpoint and the region; a bucket has to be made before the first push',
      };
    case 'region':
      return {
        what: 'the bucket is in another region',
        hint: `set \`region:\` of remote '${name}', or AWS_REGION`,
      };
    case 'clock':
      return { what: "this machine's clock and the server's differ too much", hint: 'set the clock' };
    case 'full':
      return { what: 'there is no room left on it', hint: 'make room there; what has been moved is kept' };
    case 'format':
      return {
        what: 'its format is not one that this version knows',
        hint: 'use a newer version of dag, or another URL',
      };
    case 'read-only':
      return { what: 'it can only be read', hint: 'push to the bucket or folder that is published there' };
    case 'unpublished':
      return {
        what: 'what it has was never written down for readers who can not list',
        hint: "a 'dag push' to the bucket or folder that is published there does that, even with nothing to send",
      };
    case 'refused':
      return { what: 'it refuses the request', hint: 'check the URL and endpoint: is it an S3 server?' };
  }
}

/** What differs where a web server is only read. */
function explainWeb(problem: Problem, { host }: Purpose): { what: string; hint: string } | undefined {
  switch (problem) {
    case 'format':
      return {
        what: 'what it answers is not what a remote has',
        hint: 'check the URL: does it lead to the folder that holds dag-remote.json, or to a page for people? Else use a newer version of dag',
      };
    case 'no-bucket':
      return {
        what: 'there is no remote',
        hint: 'check the URL: it must lead to the folder that holds dag-remote.json',
      };
    case 'credentials':
    case 'permission':
      return {
        what: 'it does not let us read',
        hint: `where it asks for a token or password, set ${tokenVariable(host ?? 'host')} to the token or to user:password`,
      };
    case 'tls':
      return {
        what: 'no secure connection could be made',
        hint: 'check the URL (https or http?) and its certificate; a certificate authority of your own goes into SSL_CERT_FILE or NODE_EXTRA_CA_CERTS',
      };
    case 'refused':
      return { what: 'it refuses the request', hint: 'check the URL' };
    default:
      return undefined;
  }
}
