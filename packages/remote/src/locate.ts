import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FailureError } from '@dag/model';
import type { RemoteConfig } from './config.ts';
import { redact } from './redact.ts';
import { tokenVariable } from './storage/http/credentials.ts';

/** Where a remote's URL leads. */
export type Location =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 's3'; readonly bucket: string /** Empty, or ends with a slash. */; readonly prefix: string }
  /** Only to be read. */
  | { readonly kind: 'http' /** Ends with a slash. */; readonly base: string };

/**
 * Reads the URL of a remote.
 * @param root what relative folders are seen from; absolute.
 * @throws FailureError of code `usage` for a URL that leads nowhere we know or that holds credentials.
 */
export function locate(config: RemoteConfig, root: string): Location {
  const { name, url } = config;
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (url === '') throw usage(config, 'has no URL', 'write s3://bucket/prefix or a folder');
    return { kind: 'folder', folder: isAbsolute(url) ? url : resolve(root, url) };
  }
  if (scheme === 'file') return { kind: 'folder', folder: fileFolder(config) };
  if (scheme === 'http' || scheme === 'https') return webPlace(config);
  if (scheme !== 's3') {
    throw usage(
      config,
      `has a URL of a kind that dag does not know (${scheme}://)`,
      'write s3://bucket/prefix, https://host/path or a folder; other stores can be opened through an S3 server such as `rclone serve s3`',
    );
  }
  const [, authority = '', path = ''] = /^s3:\/\/([^/]*)(.*)$/i.exec(url) ?? [];
  if (authority.includes('@')) {
    throw usage(
      config,
      'has credentials in its URL',
      `take them out: pipeline.yaml is in git. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, instead`,
    );
  }
  if (!/^[a-z0-9][a-z0-9._-]{1,253}$/i.test(authority)) {
    throw usage(config, `has no valid bucket in its URL '${redact(url)}'`, 'write s3://bucket/prefix');
  }
  const parts = path.split('/').filter((part) => part !== '');
  const bad = parts.find((part) => part === '.' || part === '..' || hasControl(part));
  if (bad !== undefined) {
    throw usage(config, `has a prefix with a part ${JSON.stringify(bad)}`, 'write a plain prefix such as team/project');
  }
  checkEndpoint(config);
  return { kind: 's3', bucket: authority, prefix: parts.map((part) => `${part}/`).join('') };

  function hasControl(part: string): boolean {
    return Array.from(part).some((c) => (c.codePointAt(0) ?? 0) < 0x20) || Buffer.byteLength(part) > 255;
  }
  function fileFolder(of: RemoteConfig): string {
    try {
      return fileURLToPath(of.url);
    } catch {
      throw usage(of, `has a URL that is no file URL: '${redact(url)}'`, `write file:///folder, or just the folder`);
    }
  }
  function webPlace(of: RemoteConfig): Location {
    if (!URL.canParse(of.url)) throw usage(of, 'has a URL that is none', 'write https://host/path');
    const { origin, pathname, username, password, search, hash, hostname } = new URL(of.url);
    if (username !== '' || password !== '') {
      throw usage(
        of,
        'has credentials in its URL',
        `take them out: pipeline.yaml is in git. Set ${tokenVariable(hostname)} to user:password, or to a token`,
      );
    }
    if (search !== '' || hash !== '') {
      const hint = `write https://host/path; a token goes into ${tokenVariable(hostname)}`;
      throw usage(of, 'has a URL with a query, to which no key can be added', hint);
    }
    return { kind: 'http', base: `${origin}${pathname.replace(/\/*$/, '/')}` };
  }
  function checkEndpoint(of: RemoteConfig): void {
    if (of.endpoint === undefined) return;
    if (!URL.canParse(of.endpoint) || !/^https?:$/.test(new URL(of.endpoint).protocol)) {
      throw usage(of, `has an endpoint that is no URL: '${redact(of.endpoint)}'`, 'write https://host:port');
    }
    const { username, password } = new URL(of.endpoint);
    if (username !== '' || password !== '') {
      throw usage(of, 'has credentials in its endpoint', 'take them out and set them in the environment or a profile');
    }
  }
  function usage(of: RemoteConfig, what: string, hint: string): FailureError {
    return new FailureError({ code: 'usage', message: `remote '${of.name ?? name}' ${what}`, hint });
  }
}
