import { isTokenVariable } from './storage/http/credentials.ts';

/**
 * Takes credentials out of a text that is to be shown or kept: the only place where that is done.
 * Gone are the user part of URLs, signatures and authorization headers, session tokens, things that look like AWS access
 * keys, and the values of secret variables of the environment where one is handed in.
 */
export function redact(text: string, env: Readonly<Record<string, string | undefined>> = {}): string {
  let clean = text;
  for (const name of secretVariables(env)) {
    const value = env[name];
    if (value !== undefined && value.length >= 4) clean = clean.replaceAll(value, MARK);
  }
  for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
  return clean;
}

function secretVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  return [...SECRET_VARIABLES, ...Object.keys(env).filter(isTokenVariable)];
}

const MARK = '[redacted]';

const SECRET_VARIABLES = [
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_ACCESS_KEY_ID',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
] as const;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi, `$1${MARK}@`],
  [/\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"']+/gi, `$1${MARK}`],
  [/\b((?:x-amz-security-token|authorization)"?\s*[:=]\s*"?)[^"\n]+/gi, `$1${MARK}`],
  [/\b((?:aws_)?(?:secret_access_key|session_token|access_key_id)"?\s*[:=]\s*"?)[^\s"&,]+/gi, `$1${MARK}`],
  [/\b((?:Signature|Credential)=)[^,&\s"']+/g, `$1${MARK}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, MARK],
];
