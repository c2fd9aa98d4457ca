import fs from 'node:fs';
import path from 'node:path';
import { symlinkAbove } from '@dag/engine';
import {
  type Artifact,
  FailureError,
  groupBy,
  isWithin,
  overlaps,
  type ProjectPath,
  parentPath,
  relativePath,
  sameArtifact,
} from '@dag/model';
import { addDataText } from '@dag/pipeline';
import { holding } from '@dag/store';
import { EXIT } from '../failure.ts';
import { edited, pipelineFileFor, textOf } from '../project/edit.ts';
import { trackedByGit } from '../project/git.ts';
import { expandGlobs } from '../project/glob.ts';
import { type OpenProject, openProject, reloaded } from '../project/open.ts';
import { rememberTracked } from '../project/remembered.ts';
import { toProjectPath } from '../project/root.ts';
import { waiting } from '../project/waiting.ts';
import { sayCopied } from '../render/copied.ts';
import { workProgress } from '../render/progress.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly glob?: boolean;
  readonly desc?: string;
  readonly remote?: string;
}

export async function add(context: Context, written: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { mutates: true });
  try {
    const paths = options.glob === true ? expandGlobs(project, written) : projectPaths(project, context, written);
    const inGit = trackedByGit(project.root, paths);
    for (const wanted of paths) checkAddable(project, wanted, inGit);
    if (options.remote !== undefined && !project.pipeline.settings.remotes.has(options.remote)) {
      throw new FailureError({ code: 'usage', message: `there is no remote '${options.remote}'` });
    }
    const release = await project.workspace.acquire(
      { read: paths, write: [], purpose: `dag add ${paths.join(' ')}` },
      waiting(context),
    );
    try {
      await holding(project.store, () => store(context, project, paths, options));
    } finally {
      release();
    }
    return EXIT.done;
  } finally {
    await project.close();
  }
}

async function store(
  context: Context,
  project: OpenProject,
  paths: readonly ProjectPath[],
  options: Options,
): Promise<void> {
  const progress = workProgress(context, 'storing');
  let copied = 0;
  const onCopied = (bytes: number): void => {
    copied += bytes;
  };
  const artifacts = await project.workspace.commit(paths, { ...progress.options, onCopied, signal: context.stop });
  progress.end();
  sayCopied(context, copied);
  const before = new Map(project.pipeline.data.map((entry) => [entry.path, project.locks.data(entry)]));
  await record(project, artifacts, options);
  report(context, before, artifacts);
}

/** The objects are stored already. A kill before pipeline.lock is written leaves a path that status shows as new. */
async function record(
  project: OpenProject,
  artifacts: ReadonlyMap<ProjectPath, Artifact>,
  options: Options,
): Promise<void> {
  const byFile = groupBy(artifacts.keys(), (tracked) => pipelineFileFor(project, tracked));
  for (const [file, tracked] of byFile) {
    const folder = parentPath(file);
    const entries = tracked.map((entry) => ({
      path: relativePath(folder, entry),
      ...(options.desc === undefined ? {} : { desc: options.desc }),
      ...(options.remote === undefined ? {} : { remote: options.remote }),
    }));
    const data = new Map(tracked.map((entry) => [entry, artifacts.get(entry)]));
    await project.locks.exclusively(() => {
      const text = edited(addDataText(textOf(project, file), file, entries));
      project.workspace.updateGitignore({ add: tracked, remove: [] });
      project.workspace.writeFileAtomic(file, text);
    });
    await project.locks.update(file, { data });
  }
  await rememberTracked(reloaded(project), { settled: artifacts });
}

function report(
  context: Context,
  before: ReadonlyMap<ProjectPath, Artifact | undefined>,
  artifacts: ReadonlyMap<ProjectPath, Artifact>,
): void {
  let [objects, bytes] = [0, 0];
  for (const [tracked, artifact] of artifacts) {
    const how = !before.has(tracked) ? 'added' : sameArtifact(before.get(tracked), artifact) ? 'unchanged' : 'modified';
    const files = artifact.kind === 'folder' ? artifact.files : 1;
    objects += files;
    bytes += artifact.size;
    context.emit({ event: 'added', path: tracked, how, digest: artifact.digest, size: artifact.size, files });
    context.print(`${how.padEnd(9)}  ${tracked}  ${count(files, 'file')}, ${bytesText(artifact.size)}`);
  }
  context.emit({ event: 'summary', objects, bytes, failed: [] });
}

function projectPaths(project: OpenProject, context: Context, written: readonly string[]): ProjectPath[] {
  const paths = written.map((text) => {
    const found = toProjectPath(project.root, fs.realpathSync(context.cwd), text);
    if (found === undefined || found === '') {
      throw new FailureError({ code: 'usage', message: `'${text}' does not lie inside the project` });
    }
    return found;
  });
  const unique = [...new Set(paths)];
  for (const one of unique) {
    const inner = unique.find((other) => other !== one && isWithin(one, other));
    if (inner !== undefined) {
      throw new FailureError({ code: 'usage', message: `'${inner}' lies in '${one}': add the folder alone` });
    }
  }
  return unique;
}

function checkAddable(project: OpenProject, wanted: ProjectPath, inGit: ReadonlySet<ProjectPath>): void {
  const fail = (message: string, hint?: string): never => {
    throw new FailureError({ code: 'usage', message, ...(hint === undefined ? {} : { hint }) });
  };
  const stat = fs.lstatSync(path.join(project.root, wanted), { throwIfNoEntry: false });
  if (stat === undefined) fail(`'${wanted}' does not exist`);
  if (/(^|\/)(\.git|\.cache)(\/|$)/.test(wanted)) fail(`'${wanted}' is git's or dag's own`);
  if (/(^|\/)(pipeline\.(yaml|lock)|\.(git|dag)ignore)$/.test(wanted))
    fail(`'${wanted}' belongs in git, not in the cache`);
  const link = symlinkAbove(project.root, wanted);
  if (link !== undefined)
    fail(`'${wanted}' lies behind the symlink '${link}'`, 'add the real place; it has to lie in the project');
  for (const stage of project.pipeline.stages.values()) {
    const out = stage.outs.find((made) => overlaps(made.path, wanted));
    if (out !== undefined) {
      fail(
        `'${wanted}' is ${out.path === wanted ? 'an out' : `in the way of '${out.path}', an out`} of stage '${stage.address}'`,
        `its stage tracks it: 'dag commit ${stage.address}' stores it as it stands`,
      );
    }
  }
  if (inGit.has(wanted)) {
    fail(`'${wanted}' is tracked by git`, `take it out of git first, the file stays: git rm -r --cached '${wanted}'`);
  }
  const other = project.pipeline.data.find((entry) => entry.path !== wanted && overlaps(entry.path, wanted));
  if (other !== undefined) {
    const inside = wanted.startsWith(`${other.path}/`);
    fail(
      inside
        ? `'${wanted}' lies in '${other.path}', which is tracked`
        : `'${other.path}', inside it, is tracked already`,
      inside ? `record it with 'dag add ${other.path}'` : `first 'dag remove ${other.path}'`,
    );
  }
}
