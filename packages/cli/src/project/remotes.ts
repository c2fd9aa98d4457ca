import path from 'node:path';
import { FailureError } from '@dag/model';
import type { RemoteConfig } from '@dag/pipeline';
import type { Remote } from '@dag/remote';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import type { Tracked } from './tracked.ts';

/** The remote that a tracked path is sent to or comes from: its own, else the default. */
export function remoteOf(project: OpenProject, context: Context, tracked: Pick<Tracked, 'remote'>): string | undefined {
  return tracked.remote ?? defaultRemote(project, context);
}

/** `DAG_REMOTE`, else the default of the settings. */
export function defaultRemote(project: OpenProject, context: Context): string | undefined {
  return context.io.env['DAG_REMOTE'] || project.pipeline.settings.remote;
}

/** The configuration of a remote; fails where there is none of that name. */
export function remoteConfig(project: OpenProject, name: string | undefined): RemoteConfig {
  const { remotes } = project.pipeline.settings;
  if (name === undefined) {
    const [only] = remotes.keys();
    const hint =
      only === undefined
        ? "add one with 'dag remote add -d NAME URL'"
        : `name one with -r, or make one the default: 'dag remote default ${only}'`;
    throw new FailureError({ code: 'usage', message: 'no remote is set', hint });
  }
  const config = remotes.get(name);
  if (config !== undefined) return config;
  const known = [...remotes.keys()].join(', ') || 'none';
  throw new FailureError({ code: 'usage', message: `there is no remote '${name}'`, hint: `configured: ${known}` });
}

/** Opens a remote by name; the code for it is loaded now. */
export async function openNamedRemote(
  project: OpenProject,
  context: Context,
  name: string | undefined,
): Promise<Remote> {
  const config = remoteConfig(project, name);
  const { openRemote } = await import('@dag/remote');
  const copies = path.join(project.root, '.cache', 'remotes');
  return await openRemote(config, { env: context.io.env, root: project.root, copies });
}
