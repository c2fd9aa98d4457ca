import { FailureError } from '@dag/model';

const PREFIX = 'DAG_TOKEN_';

/** Names of the variables that hold tokens for hosts: what is in them is never shown. */
export function isTokenVariable(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The variable that holds the token for a host: bound to the host, so that no pipeline.yaml can have it sent elsewhere. */
export function tokenVariable(host: string): string {
  return PREFIX + host.replace(/[^0-9A-Za-z]/g, '_');
}

/**
 * What a request to this place authenticates itself with: a token, `user:password`, or a whole `Bearer …` or `Basic …`;
 * undefined where the environment has nothing for the host.
 * @throws FailureError of code `usage` where it would go over an open wire.
 */
export function authorization(url: URL, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const name = tokenVariable(url.hostname);
  const value = env[name];
  if (value === undefined || value === '') return undefined;
  if (url.protocol !== 'https:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    throw new FailureError({
      code: 'usage',
      message: `${name} is set, and ${url.origin} would be sent it unencrypted`,
      hint: 'write https:// in the URL of the remote, or unset it where it is not needed',
    });
  }
  if (/^(Bearer|Basic) /i.test(value)) return value;
  return value.includes(':') ? `Basic ${Buffer.from(value).toString('base64')}` : `Bearer ${value}`;
}
