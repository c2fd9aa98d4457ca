/** What an ignore file says of a path: that it is left out, that it is not, or nothing. */
export interface IgnoreAnswer {
  readonly ignored: boolean;
  readonly unignored: boolean;
}

/**
 * What one ignore file says of a path whose folder is not left out. `test` answers for a path and the folders above it at once:
 * where it would leave out such a folder, and a deeper file took that back, only what it says of the name itself counts.
 * @param path seen from the ignore file; a folder ends in a slash.
 */
export function ignoreAnswer(test: (path: string) => IgnoreAnswer, path: string): IgnoreAnswer {
  const answer = test(path);
  const slash = path.lastIndexOf('/', path.length - 2);
  if (!answer.ignored || slash === -1 || !test(path.slice(0, slash + 1)).ignored) return answer;
  return test(path.slice(0, slash).replace(/[^/]+/g, NO_NAME) + path.slice(slash));
}

/** Stands for names of folders, and matches no pattern that names one. */
const NO_NAME = '\u{f8ff}';
