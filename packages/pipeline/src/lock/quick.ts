import {
  type AnyPath,
  type Artifact,
  type Digest,
  isInside,
  type Lock,
  type LockedStage,
  type ProjectPath,
  resolveAnyPath,
  resolvePath,
  type Value,
} from '@dag/model';
import { keyText, toValue } from '../data/value.ts';
import { readQuick } from '../yaml/quick.ts';
import { resolvePlain } from '../yaml/scalar.ts';

/**
 * Reads a lock in the very form that `renderLock` writes, several times faster and in less memory than through a tree of
 * YAML. Gives up (undefined) on anything else, and on all that would have to be reported: the plain reader is then asked.
 * Where it gives an answer it is the plain reader's.
 */
export function readWritten(text: string, folder: ProjectPath): Lock | undefined {
  if (UNUSUAL.test(text)) return undefined;
  try {
    return new Written(text, folder).lock();
  } catch (error) {
    if (error instanceof NotWritten) return undefined;
    throw error;
  }
}

class NotWritten extends Error {}

/** Tabs and other control characters, line ends that are no `\n`, marks of order, halves of characters. */
const UNUSUAL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]/;

const WORD = String.raw`('(?:[^'\n]|'')*'|"(?:[^"\\\n]|\\.)*"|[^\s'"][^\n]*?)`;
const HEAD = /schema: 1\n/y;
const DATA = /data:\n/y;
const STAGES = /stages:\n/y;
const NAME = new RegExp(` {2}${WORD}:\n`, 'y');
const EMPTY = / {4}\{\}\n/y;
const CMD = new RegExp(` {4}cmd: ${WORD}\n`, 'y');
const CMDS = / {4}cmd:\n/y;
const LINE = new RegExp(` {6}- ${WORD}\n`, 'y');
const WDIR = new RegExp(` {4}wdir: ${WORD}\n`, 'y');
const SHELL = / {4}shell:\n/y;
const SALT = new RegExp(` {4}salt: ${WORD}\n`, 'y');
const DEPS = / {4}deps:\n/y;
const PARAMS = / {4}params:\n/y;
const VALUES = new RegExp(` {6}${WORD}: (\\{[^\n]*\\})\n`, 'y');
const ENV = / {4}env: (\{[^\n]*\})\n/y;
const OUTS = / {4}outs:\n/y;
const COUNT = '(0|[1-9]\\d{0,14})';
const ARTIFACT = `${WORD}: \\{digest: '(blake3:[0-9a-f]{64})', size: ${COUNT}(?:, files: ${COUNT}|, executable: (true))?\\}\n`;
const OUTER_ARTIFACT = new RegExp(` {2}${ARTIFACT}`, 'y');
const INNER_ARTIFACT = new RegExp(` {6}${ARTIFACT}`, 'y');

type Values = ReadonlyMap<string, Value>;

/** A text that is taken line by line, each as the next thing that may stand there. */
class Written {
  private readonly text: string;
  private readonly folder: ProjectPath;
  private pos = 0;
  /** Maps on one line, each read once: a thousand stages may share one param. */
  private readonly maps = new Map<string, Values>();

  constructor(text: string, folder: ProjectPath) {
    this.text = text;
    this.folder = folder;
  }

  lock(): Lock {
    if (!this.take(HEAD)) throw new NotWritten();
    const data = this.take(DATA)
      ? this.artifacts(OUTER_ARTIFACT, (word) => this.insidePath(word))
      : new Map<ProjectPath, Artifact>();
    const stages = new Map<string, LockedStage>();
    if (this.take(STAGES)) {
      for (let name = this.take(NAME); name; name = this.take(NAME)) add(stages, keyOf(name[1]), this.stage());
      if (stages.size === 0) throw new NotWritten();
    }
    if (this.pos !== this.text.length) throw new NotWritten();
    return { stages, data };
  }

  private stage(): LockedStage {
    const start = this.pos;
    if (this.take(EMPTY)) return { deps: new Map(), params: new Map(), env: new Map(), outs: new Map() };
    const cmd = this.command();
    const wdir = this.take(WDIR);
    const shell = this.take(SHELL) ? this.lines() : undefined;
    const salt = this.take(SALT);
    const stage = {
      ...(cmd === undefined ? {} : { cmd }),
      ...(wdir === undefined ? {} : { wdir: this.path(wordOf(wdir[1])) }),
      ...(shell === undefined ? {} : { shell }),
      ...(salt === undefined ? {} : { salt: wordOf(salt[1]) }),
      deps: this.take(DEPS)
        ? this.artifacts(INNER_ARTIFACT, (word) => this.anyPath(word))
        : new Map<AnyPath, Artifact>(),
      params: this.take(PARAMS) ? this.params() : new Map<AnyPath, Values>(),
      env: this.env(),
      outs: this.take(OUTS)
        ? this.artifacts(INNER_ARTIFACT, (word) => this.anyPath(word))
        : new Map<AnyPath, Artifact>(),
    };
    if (this.pos === start) throw new NotWritten();
    return stage;
  }

  private command(): string | readonly string[] | undefined {
    const one = this.take(CMD);
    if (one) return wordOf(one[1]);
    return this.take(CMDS) ? this.lines() : undefined;
  }

  private lines(): readonly string[] {
    const lines: string[] = [];
    for (let line = this.take(LINE); line; line = this.take(LINE)) lines.push(wordOf(line[1]));
    if (lines.length === 0) throw new NotWritten();
    return lines;
  }

  private artifacts<P extends AnyPath>(line: RegExp, pathOf: (word?: string) => P): Map<P, Artifact> {
    const found = new Map<P, Artifact>();
    for (let match = this.take(line); match; match = this.take(line)) {
      const digest = match[2] as Digest;
      const size = Number(match[3]);
      const files = match[4];
      const artifact: Artifact =
        files === undefined
          ? { kind: 'file', digest, size, executable: match[5] !== undefined }
          : { kind: 'folder', digest, size, files: Number(files) };
      add(found, pathOf(match[1]), artifact);
    }
    if (found.size === 0) throw new NotWritten();
    return found;
  }

  private params(): Map<AnyPath, Values> {
    const found = new Map<AnyPath, Values>();
    for (let match = this.take(VALUES); match; match = this.take(VALUES)) {
      add(found, this.anyPath(match[1]), this.map(match[2]));
    }
    if (found.size === 0) throw new NotWritten();
    return found;
  }

  private env(): ReadonlyMap<string, string | null> {
    const match = this.take(ENV);
    if (match === undefined) return new Map();
    const values = this.map(match[1]);
    for (const value of values.values()) if (value !== null && typeof value !== 'string') throw new NotWritten();
    return values as ReadonlyMap<string, string | null>;
  }

  private map(text = ''): Values {
    const before = this.maps.get(text);
    if (before !== undefined) return before;
    const root = readQuick(`${text}\n`)?.root;
    if (root?.kind !== 'map' || root.end !== text.length) throw new NotWritten();
    const values = new Map(root.entries.map(({ key, value }) => [keyText(key.value), toValue(value)]));
    this.maps.set(text, values);
    return values;
  }

  /** A path that may be in a lock. */
  private anyPath(word?: string): AnyPath {
    const path = resolveAnyPath(this.folder, keyOf(word));
    const first = path?.split('/', 1)[0];
    if (path === undefined || path === '' || first === '.git' || first === '.cache') throw new NotWritten();
    return path;
  }

  private insidePath(word?: string): ProjectPath {
    const path = this.anyPath(word);
    if (!isInside(path)) throw new NotWritten();
    return path;
  }

  private path(written: string): ProjectPath {
    const path = resolvePath(this.folder, written);
    if (path === undefined) throw new NotWritten();
    return path;
  }

  private take(line: RegExp): RegExpExecArray | undefined {
    line.lastIndex = this.pos;
    const match = line.exec(this.text);
    if (match === null) return undefined;
    this.pos = line.lastIndex;
    return match;
  }
}

function add<K, V>(map: Map<K, V>, key: K, value: V): void {
  if (map.has(key)) throw new NotWritten();
  map.set(key, value);
}

/** How a word begins that may mean something else than itself, and what may not be in one. */
const NO_PLAIN = /^-(?: |$)|^[?:,[\]{}#&*!|>%@`=<]|^\.\.\.|:(?: |$)| #| $/;

/** A key as written. Longer ones YAML does not take for keys. */
function keyOf(written = ''): string {
  return written.length > 1000 ? giveUp() : wordOf(written);
}

/** A key or scalar as written, on one line, which must be text. */
function wordOf(written = ''): string {
  if (written.startsWith("'")) return written.slice(1, -1).replaceAll("''", "'");
  if (written.startsWith('"')) return JSON_TEXT.test(written) ? (JSON.parse(written) as string) : giveUp();
  if (NO_PLAIN.test(written) || resolvePlain(written).value !== written) return giveUp();
  return written;
}

/** Escapes that JSON and YAML have in common. */
const JSON_TEXT = /^"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"$/;

function giveUp(): never {
  throw new NotWritten();
}
