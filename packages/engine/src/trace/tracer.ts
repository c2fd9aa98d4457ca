import os from 'node:os';
import path from 'node:path';
import type { AnyPath, Stage } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';
import type { Project } from '../project.ts';
import { Collect } from './collect.ts';
import { sweepTraceFolders } from './folder.ts';
import { watchByHooks } from './hooks.ts';
import { judge } from './judge.ts';
import type { StageTrace } from './report.ts';
import { Makers, realPath, Scope, type Surroundings } from './scope.ts';
import { findStrace, type Started, type Strace, watchByStrace } from './strace.ts';

/** What traces on this machine. */
export interface TraceTools {
  readonly strace: Strace | { readonly missing: string };
  /** The folder of what is loaded into Node and Python where strace can't be had; absolute. */
  readonly hooks: string;
  /** Says who makes and tracks what, in the place of the project's own, which may have been told less. */
  readonly pipeline?: Pipeline;
}

/** Looks for what can trace here, by trying it: strace, or else what the languages offer. Sweeps what killed traces left. */
export async function findTraceTools(env: Project['env'], hooks: string): Promise<TraceTools> {
  sweepTraceFolders(os.tmpdir());
  return { strace: await findStrace(env, os.tmpdir()), hooks };
}

/** Traces the stages of a project, one or many at once. */
export interface Tracer {
  /** Begins to trace one run of a stage. `modules`: files of a worker stage that are known already. */
  begin(stage: Stage, modules: Iterable<AnyPath>): StageTracing;
}

/** One run of a stage that is traced. */
export interface StageTracing {
  /** What to start in the place of a program of the stage, in a folder; may be called for several, one after another. */
  wrap(program: Started, folder: string): Started;
  /** Call it once, when all of its processes are gone and its outs in place. */
  end(): Promise<StageTrace>;
}

export function openTracer(
  project: Project,
  { strace: found, hooks, pipeline = project.pipeline }: TraceTools,
): Tracer {
  const tmp = os.tmpdir();
  const makers = new Makers(project.root, pipeline);
  const surroundings: Surroundings = {
    root: project.root,
    own: [realPath(project.store.dir), path.join(project.root, '.cache'), path.dirname(project.modules.childEntry)],
    home: project.env['HOME'],
    temporary: realPath(project.env['TMPDIR'] || os.tmpdir()),
  };
  return {
    begin: (stage, modules) => {
      const known = [...modules];
      const scope = new Scope(stage, surroundings, known);
      const collect = new Collect(scope);
      const watch =
        'missing' in found
          ? watchByHooks({ tmp, hooks, why: found.missing }, stage, (access) => collect.add(access))
          : watchByStrace(found, tmp, (access) => collect.add(access));
      return {
        wrap: (program, folder) => watch.wrap(program, folder),
        end: async () => {
          const problems = await watch.end();
          const by = 'missing' in found ? 'language-hooks' : 'strace';
          const trace = judge(project, stage, { scope, makers }, collect.end(), { by, problems });
          const bundled = new Set(known);
          return { ...trace, unread: trace.unread.filter((dep) => !bundled.has(dep as AnyPath)) };
        },
      };
    },
  };
}
