import { type AnyPath, absolutePath, byCodeUnit, folderOf, isExternal, joinPath, ROOT, relateToRoot } from '@dag/model';
import type { SourceReader } from '../pipeline.ts';

/**
 * A pattern as a test of project paths. `*` and `?` stay within one name, `**` spans folders, `[a-c]` and `[!a]` are
 * sets; a name that starts with a dot is only matched by a pattern that writes the dot.
 */
export function globTest(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((part) => (part === '**' ? '**' : `${/^[*?[]/.test(part) ? '(?!\\.)' : ''}${partSource(part)}`))
    .join('/')
    .replaceAll('**/', '(?:(?!\\.)[^/]+/)*')
    .replace(/\*\*$/, '(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+');
  return new RegExp(`^${source}$`, 'su');
}

function partSource(part: string): string {
  return part.replace(
    /\[(!?)([^\]]+)\]|[*?]|[^*?[]+|\[/gs,
    (text, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not ? '^/' : ''}${set.replace(/[\\\]^[]/g, '\\$&')}]`;
      if (text === '*') return '[^/]*';
      if (text === '?') return '[^/]';
      return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (mark) => (mark === '/' ? '/' : `\\${mark}`)).replaceAll('\\-', '-');
    },
  );
}

/**
 * Files and folders that match a pattern, sorted. The project itself, met from outside, is no match, nor is what holds it.
 * @param pattern from the root, or absolute.
 */
export function expandGlob<P extends AnyPath>(reader: SourceReader, pattern: P): P[] {
  const { root } = reader;
  const parts = pattern.split('/');
  const fixed = parts.findIndex((part) => /[*?[]/.test(part));
  const test = globTest(pattern);
  const deep = parts.includes('**');
  const found: P[] = [];
  const visit = (at: AnyPath, depth: number) => {
    for (const { name, kind } of reader.list(at)) {
      if (name === '.git' || (at === ROOT && name === '.cache')) continue;
      const path = joinPath(at === '/' ? ROOT : at, at === '/' ? `/${name}` : name);
      const own = root !== undefined && isExternal(path) ? relateToRoot(root, absolutePath(root, path)) : undefined;
      if (own === ROOT) continue;
      if (own === undefined && test.test(path)) found.push(path as P);
      if (kind === 'folder' && (deep || depth + 1 < parts.length)) visit(path, depth + 1);
    }
  };
  visit(folderOf([...parts.slice(0, fixed), ''].join('/') as AnyPath), fixed);
  return found.sort(byCodeUnit);
}
