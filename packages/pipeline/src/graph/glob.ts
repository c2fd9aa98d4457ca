import { byCodeUnit, joinPath, type ProjectPath, ROOT, resolvePath } from '@dag/model';
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

/** Files and folders that match a pattern, sorted. `pattern` is relative to `folder`. */
export function expandGlob(reader: SourceReader, folder: ProjectPath, pattern: string): ProjectPath[] {
  const whole = resolvePath(folder, pattern);
  if (whole === undefined) return [];
  const parts = whole.split('/');
  const fixed = parts.findIndex((part) => /[*?[]/.test(part));
  const start = parts.slice(0, fixed).join('/') as ProjectPath;
  const test = globTest(whole);
  const deep = parts.includes('**');
  const found: ProjectPath[] = [];
  const visit = (at: ProjectPath, depth: number) => {
    for (const { name, kind } of reader.list(at)) {
      if (name === '.git' || (at === ROOT && name === '.cache')) continue;
      const path = joinPath(at, name);
      if (test.test(path)) found.push(path);
      if (kind === 'folder' && (deep || depth + 1 < parts.length)) visit(path, depth + 1);
    }
  };
  visit(start, fixed);
  return found.sort(byCodeUnit);
}
