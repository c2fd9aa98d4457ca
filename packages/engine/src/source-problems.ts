import fs from 'node:fs';
import path from 'node:path';
import {
  type AnyPath,
  byCodeUnit,
  type Dep,
  type Diagnostic,
  type ExternalPath,
  folderOf,
  isExternal,
  joinPath,
  overlaps,
  type ProjectPath,
  relativePath,
  type Stage,
} from '@dag/model';
import { findPlaces, type MissingParam, nearest, type Places, paramKeys, type StagePart } from '@dag/pipeline';
import type { Project } from './project.ts';

/** Names of what a worker can be written in. */
const MODULE = /\.[cm]?[jt]sx?$/;

/** Takes down what stages name and is not there, each with its place: one problem for all stages that one line makes. */
export class SourceProblems {
  readonly #project: Project;
  readonly #found = new Map<string, { readonly problem: Diagnostic; readonly stage: string; more: number }>();
  readonly #others = new Set<Diagnostic>();
  #places: Places | undefined;

  constructor(project: Project) {
    this.#project = project;
  }

  add(problems: readonly Diagnostic[]): void {
    for (const problem of problems) this.#others.add(problem);
  }

  dep(stage: Stage, { path: dep, pattern }: Dep): void {
    const maker = [...this.#project.pipeline.stages.values()].find((other) =>
      other.outs.some((out) => overlaps(out.path, dep)),
    );
    const part = { part: 'dep', path: dep, pattern } as const;
    if (maker !== undefined) {
      const { address } = maker;
      const restore = isExternal(dep) ? '' : ", or restore it with 'dag checkout'";
      const hint = `stage '${address}' makes it: run 'dag repro ${address}'${restore}`;
      this.#add(stage, part, dep, (who) => `'${dep}', a dep of ${who}, does not exist`, hint);
    } else if (/[*?[]/.test(dep)) {
      const message = (who: string) => `'${dep}', a dep of ${who}, matches no file, and nothing that a stage makes`;
      this.#add(stage, part, dep, message, 'correct the pattern, or put a file there');
    } else {
      const message = (who: string) => `'${dep}', a dep of ${who}, does not exist, and no stage makes it`;
      this.#add(stage, part, dep, message, this.#meant(stage, dep));
    }
  }

  frozenOut(stage: Stage, out: AnyPath): void {
    const hint = `put it there, or let the stage make it: 'dag unfreeze ${stage.address}'`;
    const message = (who: string) =>
      `'${out}', an out of ${who}, does not exist, and the stage is frozen: it never runs`;
    this.#add(stage, { part: 'out', path: out }, out, message, hint);
  }

  behindSymlink(stage: Stage, out: ProjectPath, link: ProjectPath): void {
    const hint = 'name the real place in the outs; it has to lie in the project';
    const message = (who: string) => `'${out}', an out of ${who}, lies behind the symlink '${link}'`;
    this.#add(stage, { part: 'out', path: out }, out, message, hint, 'bad-path');
  }

  /** An out outside the project that meets the folder of the cache. */
  inCache(stage: Stage, out: ExternalPath): void {
    const { dir } = this.#project.store;
    const message = (who: string) => `'${out}', an out of ${who}, is in the way of the cache, '${dir}'`;
    this.#add(stage, { part: 'out', path: out }, out, message, 'let the stage write elsewhere', 'bad-path');
  }

  /** Where the worker module of a stage is no file, or not one of a language that workers are written in. */
  module(stage: Stage, module: ProjectPath): void {
    const stat = fs.statSync(path.join(this.#project.root, module), { throwIfNoEntry: false });
    if (stat?.isFile() === true && MODULE.test(module)) return;
    const near = stat === undefined ? this.#near(module) : undefined;
    const [what, hint] =
      stat === undefined
        ? ['does not exist', near === undefined ? "create it, or correct 'worker:'" : `did you mean '${near}'?`]
        : stat.isFile()
          ? ['is neither TypeScript nor JavaScript', "a program in another language is started by 'cmd:'"]
          : ['is not a file', "name the module in it that is to run: 'worker: FOLDER/main.ts'"];
    this.#add(stage, { part: 'worker' }, module, (who) => `the worker module '${module}' of ${who} ${what}`, hint);
  }

  /** Where the working folder of a stage is no folder. */
  wdir(stage: Stage): void {
    const stat = fs.statSync(path.join(this.#project.root, stage.wdir), { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) return;
    const what = stat === undefined ? 'does not exist' : 'is not a folder';
    const near = stat === undefined ? this.#near(stage.wdir) : undefined;
    const hint = near === undefined ? 'make that folder, or correct wdir' : `did you mean '${near}'?`;
    this.#add(stage, { part: 'wdir' }, stage.wdir, (who) => `the wdir '${stage.wdir}' of ${who} ${what}`, hint);
  }

  param(stage: Stage, param: MissingParam): void {
    const known = param.key === undefined ? [] : paramKeys(this.#project.reader, param.file);
    const near = param.key === undefined ? this.#near(param.file) : nearest(param.key, known);
    const hint = near === undefined ? MISSING_PARAM_HINT : `did you mean '${near}'?`;
    const message = (who: string) => missingParamText(who, param);
    this.#add(stage, { part: 'param', key: param.key }, `${param.file}:${param.key}`, message, hint);
  }

  /** All of them, by file and place. */
  sorted(): readonly Diagnostic[] {
    const own = [...this.#found.values()].map(({ problem, stage, more }) => {
      const message = problem.message.replace(stage, () => `${stage}${more === 0 ? '' : ` and ${more} more`}`);
      return { ...problem, message };
    });
    return [...this.#others, ...own].sort(
      (a, b) =>
        byCodeUnit(a.file, b.file) ||
        (a.span?.line ?? 0) - (b.span?.line ?? 0) ||
        (a.span?.column ?? 0) - (b.span?.column ?? 0),
    );
  }

  #add(
    stage: Stage,
    part: StagePart,
    what: string,
    message: (who: string) => string,
    hint: string,
    code: Diagnostic['code'] = 'missing-dep',
  ): void {
    this.#places ??= findPlaces(this.#project.reader);
    const place = this.#places.stage(stage.address, part) ?? { file: stage.file };
    const who = `stage '${stage.address}'`;
    const key = [place.file, place.span?.line, place.span?.column, part.part, what].join('\0');
    const before = this.#found.get(key);
    if (before === undefined) {
      this.#found.set(key, { problem: { code, message: message(who), ...place, hint }, stage: who, more: 0 });
    } else before.more++;
  }

  /** What a dep that nobody makes was most likely meant to be, or else the ways to bring it here. */
  #meant(stage: Stage, dep: AnyPath): string {
    const within = stage.wdir === '' ? undefined : dep.slice(stage.wdir.length + 1);
    const fromRoot = within !== undefined && dep.startsWith(`${stage.wdir}/`) && this.#exists(within);
    if (fromRoot) {
      const up = path.posix.relative(stage.wdir, within);
      return `paths are relative to '${stage.wdir}', its wdir: '${within}' of the project is '${up}' there`;
    }
    const near = this.#near(dep);
    if (near !== undefined) return `did you mean '${relativePath(stage.wdir, near)}'?`;
    if (isExternal(dep)) return 'create it, or take it out of the deps';
    return `create it, track it with 'dag add ${dep}', or take it out of the deps`;
  }

  /** The nearest path that is there, or that is made or tracked. */
  #near(wanted: AnyPath): AnyPath | undefined {
    const { reader, pipeline } = this.#project;
    const folder = folderOf(wanted);
    const there = reader.list(folder).map(({ name }) => joinPath(folder, name));
    const outs = [...pipeline.stages.values()].flatMap((stage) => stage.outs.map((out) => out.path));
    const known = [...there, ...outs, ...pipeline.data.map((data) => data.path)].filter((one) => one !== wanted);
    return nearestPath(wanted, known) ?? known.find((one) => path.posix.basename(one) === path.posix.basename(wanted));
  }

  #exists(file: string): boolean {
    return fs.existsSync(path.join(this.#project.root, file));
  }
}

/** The nearest path of the same extension; else the same but for its extension. */
function nearestPath(wanted: AnyPath, known: readonly AnyPath[]): AnyPath | undefined {
  const extension = path.posix.extname(wanted);
  const stem = (one: string) => one.slice(0, one.length - path.posix.extname(one).length);
  const alike = new Map(known.filter((one) => path.posix.extname(one) === extension).map((one) => [stem(one), one]));
  const near = nearest(stem(wanted), alike.keys());
  return near === undefined ? known.find((one) => stem(one) === stem(wanted)) : alike.get(near);
}

/** That a stage asks for a param which is not there, in words. */
export function missingParamText(who: string, { file, key }: MissingParam): string {
  const what = key === undefined ? `the params file '${file}'` : `the param '${key}' of ${file}`;
  return `${who} asks for ${what}, which is not there`;
}

export const MISSING_PARAM_HINT = 'add it, or take it out of the params of the stage';
