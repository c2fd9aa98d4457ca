import {
  type BigIntStats,
  type Dirent,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { type AnyPath, absolutePath, FailureError, isExternal, joinPath } from '@dag/model';
import { isErrno, isListingSettled, nowNs, type RecalledFolder, tellsOfNames, withIo } from '@dag/store';
import { type FolderRules, type IgnoreRules, isIgnored, NO_RULES } from '../ignore-rules.ts';
import { isHiddenTemp } from '../temp-folder.ts';
import { isObjectPath } from '../threads/link.ts';
import { FileFacts } from './facts.ts';
import { FolderNode, type Standing } from './node.ts';

/** How a walk treats what it meets. */
export interface WalkRules {
  /** The project root, absolute. */
  readonly root: string;
  readonly ignore: IgnoreRules;
  /** Folders that hold no data of the user's: the cache. Absolute. (That of another project is known by its place.) */
  readonly skip: readonly string[];
  /** Whether what can't be kept is a failure (commit), or merely seen (observe). */
  readonly strict: boolean;
  /** What the stat cache has of a folder that is looked at: one that it has the listing of need not be listed. */
  readonly recall?: (folder: BigIntStats) => RecalledFolder | undefined;
  /** Hears of each folder as soon as it is listed, inner ones first. */
  readonly onFolder?: (node: FolderNode) => void;
}

/** Looks at what stands at a path and lists all inside, without reading any file. What can't be kept is refused by name. */
export function walk(path: AnyPath, rules: WalkRules): Standing {
  const abs = absolutePath(rules.root, path);
  return withIo('look at', path, () => {
    const self = statOrNothing(lstatSync, abs);
    if (self === undefined) return { kind: 'absent', broken: false };
    const isLink = self.isSymbolicLink();
    const stats = isLink ? statOrNothing(statSync, abs) : self;
    if (stats === undefined) return { kind: 'absent', broken: true };
    if (stats.isFile()) return { kind: 'file', abs, isLink, facts: new FileFacts(1) };
    if (!stats.isDirectory()) throw refusal(path, 'it is neither a file nor a folder');
    const real = isLink ? realpathSync(abs) : abs;
    const folderRules = isExternal(path) ? NO_RULES : rules.ignore.in(path);
    const top: Walk = { rules, top: real, isOutside: isLink };
    return { kind: 'folder', isLink, node: walkFolder(top, real, path, folderRules, [real]) };
  });
}

/** undefined also where a part of the path is a file, or symlinks lead in a circle. */
function statOrNothing(stat: (path: string) => Stats, abs: string): Stats | undefined {
  try {
    return stat(abs);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

interface Walk {
  readonly rules: WalkRules;
  /** The tracked folder (or the folder outside that a symlink led to): symlinks that stay in it are kept. */
  readonly top: string;
  /** Whether a symlink led to `top`. */
  readonly isOutside: boolean;
}

function walkFolder(
  current: Walk,
  abs: string,
  path: AnyPath,
  ignore: FolderRules,
  above: readonly string[],
): FolderNode {
  const before = nowNs();
  const self = statSync(abs, { bigint: true });
  const node = new FolderNode(abs, path, self, current.isOutside);
  const skipped = current.rules.skip.filter((folder) => dirname(folder) === abs).map((folder) => basename(folder));
  node.record = current.rules.recall?.(self);
  if (ignore.chain.length === 0 && skipped.length === 0 && node.isListedWith(self)) {
    current.rules.onFolder?.(node);
    return node;
  }
  const files: string[] = [];
  let entries = 0;
  for (const entry of readFolder(abs, path)) {
    const { name } = entry;
    entries++;
    if (name === '.git' || isHiddenTemp(name) || skipped.includes(name)) continue;
    if (name === '.cache' && existsSync(`${abs}/pipeline.yaml`)) continue;
    if (ignore.chain.length > 0 && isIgnored(ignore, name, entry.isDirectory())) continue;
    if (name === '.dagignore' && current.rules.strict) {
      const inner = joinPath(path, name);
      throw refusal(inner, 'an ignore file inside a tracked folder would change what the folder is', IGNORE_HINT);
    }
    if (entry.isFile()) {
      files.push(name);
    } else if (entry.isDirectory()) {
      const inner = joinPath(path, name);
      const innerAbs = `${abs}/${name}`;
      const innerNode = walkFolder(current, innerAbs, inner, enter(current, ignore, inner), [...above, innerAbs]);
      node.folders.push({ name, node: innerNode, isLink: false });
    } else if (entry.isSymbolicLink()) {
      addLink(current, node, name, ignore, above);
    } else {
      const why = `it is ${special(entry)}, which can't be kept`;
      throw refusal(joinPath(path, name), why, `remove it, or name it in .dagignore`);
    }
  }
  node.files = files;
  if (node.record !== undefined) node.recalled(node.record);
  const isAll = files.length === entries && !files.includes('.dagignore');
  if (isAll && isListingSettled(self, before) && tellsOfNames(self.dev, abs)) {
    node.listed = { mtimeNs: self.mtimeNs, ctimeNs: self.ctimeNs };
  }
  current.rules.onFolder?.(node);
  return node;
}

const IGNORE_HINT = 'move its lines to a .dagignore above the folder';

function enter(current: Walk, ignore: FolderRules, path: AnyPath): FolderRules {
  return isExternal(path) ? ignore : current.rules.ignore.enter(ignore, path);
}

function addLink(current: Walk, node: FolderNode, name: string, ignore: FolderRules, above: readonly string[]): void {
  const abs = `${node.abs}/${name}`;
  const path = joinPath(node.path, name);
  const target = readlinkSync(abs, 'utf8');
  if (target.includes('\uFFFD')) throw refusal(path, 'it is a symlink whose target is not valid UTF-8');
  const leadsTo = resolve(node.abs, target);
  if (leadsTo === current.top || leadsTo.startsWith(current.top + sep)) {
    node.links.push({ name, target: isAbsolute(target) ? relative(node.abs, leadsTo) || '.' : target });
    return;
  }
  const stats = statOrNothing(statSync, abs);
  if (stats === undefined) {
    if (!current.rules.strict && isObjectPath(leadsTo)) {
      node.dangling.push(name);
      return;
    }
    throw refusal(
      path,
      `it is a symlink to ${target}, which is not there`,
      'mend or remove it, or name it in .dagignore',
    );
  }
  if (stats.isFile()) {
    node.followed.push(name);
  } else if (stats.isDirectory()) {
    const real = realpathSync(abs);
    if (above.some((one) => one === real || one.startsWith(real + sep))) {
      throw refusal(path, 'it is a symlink to a folder that it lies in');
    }
    const outside: Walk = { rules: current.rules, top: real, isOutside: true };
    const inner = walkFolder(outside, real, path, enter(current, ignore, path), [...above, real]);
    node.folders.push({ name, node: inner, isLink: true });
  } else {
    throw refusal(path, 'it is a symlink to something that is neither a file nor a folder');
  }
}

/** Names and kinds. A name that is not UTF-8 can't be written down, so it is refused rather than bent. */
function readFolder(abs: string, path: AnyPath): Dirent[] {
  return withIo('list the folder', path, () => {
    const entries = readdirSync(abs, { withFileTypes: true });
    if (entries.some((entry) => entry.name.includes('\uFFFD'))) {
      for (const bytes of readdirSync(abs, { encoding: 'buffer' })) {
        const name = bytes.toString('utf8');
        if (Buffer.from(name, 'utf8').equals(bytes)) continue;
        throw refusal(joinPath(path, name), 'its name is not valid UTF-8', 'rename it, or name it in .dagignore');
      }
    }
    return entries;
  });
}

function special(entry: Dirent): string {
  if (entry.isFIFO()) return 'a FIFO';
  if (entry.isSocket()) return 'a socket';
  return 'a device';
}

function refusal(path: AnyPath, why: string, hint?: string): FailureError {
  const message = `can't keep ${JSON.stringify(path)}: ${why}`;
  return new FailureError({ code: 'io', message, path, ...(hint === undefined ? {} : { hint }) });
}
