import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, unreachable } from '@dag/model';
import type { Access } from './access.ts';
import { realPath, type Scope } from './scope.ts';

/** What a stage did with one file that it does not declare. */
export interface Touched {
  /** Absolute, in normal form, symlinks resolved. */
  readonly file: string;
  /** What to call it: in the project where it was named by a path there that leads to it. */
  readonly shown: string;
  /** The first program that did something with it. */
  readonly program: string;
  /** Whether its content, as it was before the stage, was read. */
  read: boolean;
  written: boolean;
  /** Whether it is known to have been there before, or not to have been. */
  before: boolean | undefined;
}

/** What a run of a stage touched, as far as it declares nothing of the kind. */
export interface Collected {
  readonly touched: readonly Touched[];
  /** Deps of which something was opened. */
  readonly used: ReadonlySet<AnyPath>;
  /** Files of the project that were looked for and are not there. */
  readonly absent: readonly string[];
  /** `host:port`, or a socket's path. */
  readonly connections: readonly string[];
  readonly readsGit: boolean;
  /** Files of the system and of packages that were read. */
  readonly packages: readonly string[];
  /** Whether there was more than is kept in memory. */
  readonly isCut: boolean;
}

/** So many files are kept in memory, and so many of each list that is only there to be looked up. */
const MOST_FILES = 200_000;
const MOST_LISTED = 2000;
const MOST_FOLDERS = 50_000;

/** Sockets that say nothing of what a stage reads: names of users and hosts, the system's log. */
const EVERYDAY_SOCKETS = /\/(?:nscd\/socket|nss-\w+|resolve\/io\.systemd\.\w+|log|userdb\/[\w.]+)$/;

/** A package's own description, which Node looks up for each module that it loads. */
const SETTINGS_OF_LANGUAGE = /\/(?:package\.json|pyvenv\.cfg)$/;

/** Python's compiled form of a module: read in place of the source. */
const COMPILED = /^(.*)\/__pycache__\/([^/]+?)\.[\w-]+(?:\.opt-\d)?\.pyc$/;

/** Takes accesses as they come. What the stage declares, and what it made itself, is not kept. */
export class Collect {
  readonly #scope: Scope;
  readonly #touched = new Map<string, Touched>();
  readonly #used = new Set<AnyPath>();
  readonly #absent = new Set<string>();
  readonly #connections = new Set<string>();
  readonly #packages = new Set<string>();
  readonly #folders = new Map<string, string>();
  #readsGit = false;
  #isCut = false;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  add(access: Access): void {
    switch (access.kind) {
      case 'connect':
        if (!EVERYDAY_SOCKETS.test(access.to)) list(this.#connections, access.to);
        return;
      case 'read':
        this.#readAt(access.path, access.real, access.program);
        return;
      case 'list':
        this.#listed(access.path, access.real);
        return;
      case 'write':
        this.#write(access.path, access.real, access.isNew, access.program);
        return;
      case 'delete':
        this.#delete(access.path, access.program);
        return;
      case 'move':
        this.#move(access.from, access.path, access.program);
        return;
      case 'absent': {
        const file = this.#normal(access.path);
        if (this.#scope.of(file).is === 'project') list(this.#absent, file);
        return;
      }
      default:
        unreachable(access);
    }
  }

  end(): Collected {
    // What was learned of environments on the way holds for what was read before, too.
    const touched = [...this.#touched.values()].filter(
      ({ file, shown }) => this.#scope.of(file, shown).is !== 'package',
    );
    return {
      touched,
      used: this.#used,
      absent: [...this.#absent],
      connections: [...this.#connections].sort(),
      readsGit: this.#readsGit,
      packages: [...this.#packages].sort(),
      isCut: this.#isCut,
    };
  }

  #readAt(named: string, real: string | undefined, program: string): void {
    const source = sourceOf(named);
    this.#read(source, source === named ? real : undefined, program);
  }

  #read(named: string, resolved: string | undefined, program: string): void {
    const alias = this.#normal(named);
    const file = resolved ?? alias;
    if (path.basename(file) === program) {
      this.#scope.learnProgram(alias);
      this.#scope.learnProgram(file);
    }
    if (alias.endsWith('/pyvenv.cfg')) this.#scope.learnEnvironment(path.dirname(alias));
    const verdict = this.#scope.of(file, alias);
    switch (verdict.is) {
      case 'dep':
        if (verdict.dep !== undefined) this.#used.add(verdict.dep);
        return;
      case 'out':
      case 'own':
        return;
      case 'git':
        this.#readsGit = true;
        return;
      case 'package':
        list(this.#packages, file);
        return;
      case 'temporary':
      case 'project':
      case 'outside':
        if (SETTINGS_OF_LANGUAGE.test(file)) list(this.#packages, file);
        else this.#readUndeclared(file, named, program);
        return;
      default:
        unreachable(verdict);
    }
  }

  #readUndeclared(file: string, named: string, program: string): void {
    const touched = this.#at(file, named, program);
    // What it wrote before is its own.
    if (touched === undefined || touched.written) return;
    touched.read = true;
    touched.before = true;
  }

  #listed(named: string, real: string | undefined): void {
    const alias = this.#normal(named);
    const verdict = this.#scope.of(real ?? alias, alias);
    if (verdict.is === 'dep' && verdict.dep !== undefined) this.#used.add(verdict.dep);
  }

  #write(named: string, real: string | undefined, isNew: boolean, program: string): void {
    const alias = this.#normal(named);
    const file = real ?? alias;
    const touched = this.#writable(file, alias, named, program);
    if (touched === undefined) return;
    touched.written = true;
    if (isNew) touched.before ??= false;
  }

  #delete(named: string, program: string): void {
    const file = this.#normal(named);
    const known = this.#touched.has(file);
    const touched = this.#writable(file, file, named, program);
    if (touched === undefined) return;
    if (!known) touched.before = true;
    touched.written = true;
  }

  #move(from: string, to: string, program: string): void {
    const [source, target] = [this.#normal(from), this.#normal(to)];
    this.#delete(from, program);
    this.#write(to, undefined, false, program);
    if (!isFolder(target)) return;
    // What was made below moves along; a folder itself is nothing that a stage makes.
    this.#touched.delete(target);
    for (const [file, touched] of [...this.#touched]) {
      if (!file.startsWith(`${source}/`) || !touched.written || touched.read) continue;
      this.#touched.delete(file);
      const moved = target + file.slice(source.length);
      const there = this.#writable(moved, moved, moved, touched.program);
      if (there !== undefined) there.written = true;
    }
  }

  /** What is kept of a file that the stage should not write; undefined where it may, or where that means nothing. */
  #writable(file: string, alias: string, named: string, program: string): Touched | undefined {
    const { is } = this.#scope.of(file, alias);
    if (is === 'out' || is === 'own' || is === 'package' || is === 'git') return undefined;
    return this.#at(file, named, program);
  }

  #at(file: string, named: string, program: string): Touched | undefined {
    const known = this.#touched.get(file);
    if (known !== undefined) return known;
    if (this.#touched.size >= MOST_FILES) {
      this.#isCut = true;
      return undefined;
    }
    const written = path.normalize(named);
    const isInside = this.#scope.of(file).is !== 'project' && this.#scope.of(written).is === 'project';
    const shown = isInside && realPath(written) === file ? written : file;
    const touched: Touched = { file, shown, program, read: false, written: false, before: undefined };
    this.#touched.set(file, touched);
    return touched;
  }

  /** In normal form, with the symlinks on the way resolved; the last part as it is. */
  #normal(file: string): string {
    const slash = file.lastIndexOf('/');
    const name = file.slice(slash + 1);
    const folder = file.slice(0, slash) || '/';
    if (name === '' || name === '.' || name === '..') return realPath(file);
    let real = this.#folders.get(folder);
    if (real === undefined) {
      if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear();
      real = realPath(folder);
      this.#folders.set(folder, real);
    }
    return real === '/' ? `/${name}` : `${real}/${name}`;
  }
}

function isFolder(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function list(entries: Set<string>, entry: string): void {
  if (entries.size < MOST_LISTED) entries.add(entry);
}

/** The module that a compiled one is read in the place of, where it is there. */
function sourceOf(file: string): string {
  const [, folder, name] = COMPILED.exec(file) ?? [];
  const source = folder === undefined ? file : `${folder}/${name}.py`;
  return source === file || fs.existsSync(source) ? source : file;
}
