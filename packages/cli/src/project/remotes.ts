import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { digestHex, FailureError } from '@dag/model';
import type { RemoteConfig } from '@dag/pipeline';
import type { Remote } from '@dag/remote';
import { hashText } from '@dag/store';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import type { Tracked } from './tracked.ts';

/** The default remotes in the order in which they are looked in: `DAG_REMOTE` (names with commas), else those of the settings. */
export function defaultRemotes(project: OpenProject, context: Context): readonly string[] {
  const set = context.io.env['DAG_REMOTE'];
  if (set === undefined || set === '') return project.pipeline.settings.defaultRemotes;
  return [...new Set(set.split(',').map((name) => name.trim()))].filter((name) => name !== '');
}

/**
 * Where a tracked path is looked for, in order: in its own remote, else in the default ones.
 * @param named the remote that the user named: then there alone, and nowhere where the path belongs to another.
 */
export function remotesOf(
  project: OpenProject,
  context: Context,
  { remote: own }: Pick<Tracked, 'remote'>,
  named: string | undefined,
): readonly string[] {
  if (named !== undefined) return own === undefined || own === named ? [named] : [];
  return own === undefined ? defaultRemotes(project, context) : [own];
}

/** The remote that something is sent to, of those in which it is looked for: the first that can be written. */
export function homeOf(project: OpenProject, names: readonly string[]): string | undefined {
  return names.find((name) => !isOnlyRead(project.pipeline.settings.remotes.get(name))) ?? names[0];
}

/** Whether a remote is what a web server publishes. */
export function isOnlyRead(config: RemoteConfig | undefined): boolean {
  return config !== undefined && /^https?:/i.test(config.url);
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
  return await openRemote(config, {
    env: context.io.env,
    root: project.root,
    copies,
    by: cloneId(project.root, copies),
  });
}

/**
 * What this clone of the project is called in remotes: no other has the name, and it tells nothing. Where it can't be kept, each
 * use has another.
 */
function cloneId(root: string, folder: string): string {
  const file = path.join(folder, 'clone');
  const secret = () => fs.readFileSync(file, 'utf8');
  const named = (text: string): string => digestHex(hashText(JSON.stringify([text, hostname(), root])));
  try {
    return named(secret());
  } catch {
    const made = randomUUID();
    try {
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(file, made, { flag: 'wx' });
      return named(made);
    } catch {
      return named(fs.existsSync(file) ? secret() : made);
    }
  }
}

/** Remotes that are opened when they are first asked for, and closed together. */
export interface OpenRemotes {
  get(name: string): Promise<Remote>;
  close(): Promise<void>;
}

export function openRemotes(project: OpenProject, context: Context): OpenRemotes {
  const opened = new Map<string, Promise<Remote>>();
  return {
    get: (name) => {
      let remote = opened.get(name);
      if (remote === undefined) {
        remote = openNamedRemote(project, context, name);
        opened.set(name, remote);
      }
      return remote;
    },
    close: async () => {
      for (const remote of opened.values()) await remote.then((one) => one.close()).catch(() => {});
    },
  };
}
