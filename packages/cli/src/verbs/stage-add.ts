import path from 'node:path';
import { baseName, FailureError, type ProjectPath, parentPath, type Stage } from '@dag/model';
import { addStageText, loadPipeline, type OutDefinition, type SourceReader, type StageDefinition } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { edited, pipelineFileHere, textOf } from '../project/edit.ts';
import { trackedByGit } from '../project/git.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly name: string;
  readonly deps?: readonly string[];
  readonly outs?: readonly string[];
  readonly outsNoCache?: readonly string[];
  readonly outsPersist?: readonly string[];
  readonly outsPersistNoCache?: readonly string[];
  readonly metrics?: readonly string[];
  readonly metricsNoCache?: readonly string[];
  readonly plots?: readonly string[];
  readonly plotsNoCache?: readonly string[];
  readonly params?: readonly string[];
  readonly wdir?: string;
  readonly env?: readonly string[];
  readonly gpu?: string;
  readonly gpuMemory?: string;
  readonly desc?: string;
  readonly frozen?: boolean;
  readonly alwaysChanged?: boolean;
  readonly force?: boolean;
  readonly run?: boolean;
}

export async function stageAdd(context: Context, words: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { mutates: true });
  try {
    const file = pipelineFileHere(project);
    const definition = stageDefinition(words, options);
    const added = await project.locks.exclusively(() => writeStage(project, file, definition, options.force ?? false));
    context.emit({ stage: added?.address ?? options.name, file });
    context.print(`Added stage '${options.name}' to ${file}.`);
  } finally {
    await project.close();
  }
  if (options.run !== true) return EXIT.done;
  const { reproVerb } = await import('./repro.ts');
  return await reproVerb(context, [options.name], { runCache: true, commit: true, wait: true });
}

/** Writes the stage and the lines of its outs in .gitignore; what the new text would break is told before it is written. */
function writeStage(
  project: OpenProject,
  file: ProjectPath,
  definition: StageDefinition,
  replace: boolean,
): Stage | undefined {
  const text = edited(addStageText(textOf(project, file), file, definition, { replace }));
  const { pipeline, diagnostics } = loadPipeline(readerWith(project, file, text), { cwd: project.cwd });
  if (pipeline === undefined) throw new FailureError({ code: 'invalid-pipeline', diagnostics });
  const find = (stages: Iterable<Stage>): Stage | undefined =>
    [...stages].find((stage) => stage.file === file && stage.name === definition.name);
  const [added, before] = [find(pipeline.stages.values()), find(project.pipeline.stages.values())];
  const outs = added?.outs.filter((out) => out.cache).map((out) => out.path) ?? [];
  const [inGit] = trackedByGit(project.root, outs);
  if (inGit !== undefined) {
    throw new FailureError({
      code: 'usage',
      message: `'${inGit}' is tracked by git, and can't be an out that is cached`,
      hint: `take it out of git first (git rm -r --cached '${inGit}'), or declare it with -O`,
    });
  }
  const gone = before?.outs.flatMap((out) => (out.cache && !outs.includes(out.path) ? [out.path] : [])) ?? [];
  project.workspace.writeFileAtomic(file, text);
  project.workspace.updateGitignore({ add: outs, remove: gone });
  return added;
}

/** The project's files with this text in place of one, which needn't be there yet. */
function readerWith(project: OpenProject, file: ProjectPath, text: string): SourceReader {
  const { reader } = project;
  return {
    read: (path) => (path === file ? new TextEncoder().encode(text) : reader.read(path)),
    list: (folder) => {
      const entries = reader.list(folder);
      const name = baseName(file);
      if (folder !== parentPath(file) || entries.some((entry) => entry.name === name)) return entries;
      return [...entries, { name, kind: 'file' }];
    },
  };
}

function stageDefinition(words: readonly string[], options: Options): StageDefinition {
  const deps = (options.deps ?? []).map((dep) => path.posix.normalize(dep));
  const twice = deps.find((dep, i) => deps.indexOf(dep) !== i);
  if (twice !== undefined) throw new FailureError({ code: 'usage', message: `'${twice}' is given twice as a dep` });
  const outs = [
    ...outDefinitions(options.outs, {}),
    ...outDefinitions(options.outsNoCache, { cache: false }),
    ...outDefinitions(options.outsPersist, { persist: true }),
    ...outDefinitions(options.outsPersistNoCache, { persist: true, cache: false }),
  ];
  const metrics = [...outDefinitions(options.metrics, {}), ...outDefinitions(options.metricsNoCache, { cache: false })];
  const plots = [...outDefinitions(options.plots, {}), ...outDefinitions(options.plotsNoCache, { cache: false })];
  return {
    name: options.name,
    cmd: commandOf(words),
    ...(options.wdir === undefined ? {} : { wdir: options.wdir }),
    ...(options.desc === undefined ? {} : { desc: options.desc }),
    ...(options.deps === undefined ? {} : { deps: options.deps }),
    ...(options.params === undefined ? {} : { params: options.params.flatMap(paramDefinition) }),
    ...(options.env === undefined ? {} : { env: options.env }),
    resources: {
      ...(options.gpu === undefined ? {} : { gpu: positiveInteger('--gpu', options.gpu) }),
      ...(options.gpuMemory === undefined ? {} : { gpu_memory: options.gpuMemory }),
    },
    ...(outs.length === 0 ? {} : { outs }),
    ...(metrics.length === 0 ? {} : { metrics }),
    ...(plots.length === 0 ? {} : { plots }),
    ...(options.frozen === true ? { frozen: true } : {}),
    ...(options.alwaysChanged === true ? { alwaysChanged: true } : {}),
  };
}

function outDefinitions(paths: readonly string[] | undefined, flags: Omit<OutDefinition, 'path'>): OutDefinition[] {
  return (paths ?? []).map((path) => ({ path, ...flags }));
}

/** `a,b` are keys of params.yaml; `file:a,b` keys of that file; `file:` the file as a whole. */
function paramDefinition(text: string): NonNullable<StageDefinition['params']>[number][] {
  const colon = text.lastIndexOf(':');
  const keys = (list: string): string[] =>
    list
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== '');
  if (colon === -1) return keys(text);
  return [{ file: text.slice(0, colon), keys: keys(text.slice(colon + 1)) }];
}

/** One word is the command as it stands; several are quoted where the shell would split them. */
function commandOf(words: readonly string[]): string {
  const [only] = words;
  if (words.length === 1 && only !== undefined) return only;
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replaceAll(/["$`\\]/g, '\\$&')}"`))
    .join(' ');
}
