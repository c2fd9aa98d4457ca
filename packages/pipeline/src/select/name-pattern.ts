/** A pattern of names, as Python's fnmatch: `*`, `?`, `[abc]`, `[!abc]`. */
export function namePattern(pattern: string): RegExp {
  const source = pattern.replace(
    /\[(!?)([^\]]+)\]|[\s\S]/g,
    (text, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\\]^[]/g, '\\$&')}]`;
      if (text === '*') return '.*';
      if (text === '?') return '.';
      return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    },
  );
  return new RegExp(`^${source}$`, 's');
}
