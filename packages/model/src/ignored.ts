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
export function ignoreAnswer<A extends IgnoreAnswer>(test: (path: string) => A, path: string): A {
  const answer = test(path);
  const slash = path.lastIndexOf('/', path.length - 2);
  if (!answer.ignored || slash === -1 || !test(path.slice(0, slash + 1)).ignored) return answer;
  return test(path.slice(0, slash).replace(/[^/]+/g, NO_NAME) + path.slice(slash));
}

/** A line that leaves out what has this name in the file's own folder, and says nothing else. */
const PLAIN_LINE = /^\/(?!\.+$)[\w.@%+=,-]+$/;

/**
 * What the text of an ignore file says of paths, as `compile` has it. Lines that are a plain name, of which a file has one
 * for each out beside it, are looked up instead of tried one by one.
 * @param compile reads the whole language; what it returns takes paths seen from the file, a folder's with a slash at its end.
 */
export function ignoreTest(
  text: string,
  compile: (text: string) => (path: string) => IgnoreAnswer,
): (path: string) => IgnoreAnswer {
  const lines = text.split(/\r?\n/);
  // Where something is taken back, the order counts.
  if (lines.some((line) => line.startsWith('!'))) return compile(text);
  const names = new Set<string>();
  const others: string[] = [];
  for (const line of lines) {
    if (PLAIN_LINE.test(line)) names.add(line.slice(1));
    else others.push(line);
  }
  const test = compile(others.join('\n'));
  return (path) => {
    const slash = path.indexOf('/');
    return names.has(slash === -1 ? path : path.slice(0, slash)) ? LEFT_OUT : test(path);
  };
}

const LEFT_OUT: IgnoreAnswer = { ignored: true, unignored: false };

/** Stands for names of folders, and matches no pattern that names one. */
const NO_NAME = '\u{f8ff}';
