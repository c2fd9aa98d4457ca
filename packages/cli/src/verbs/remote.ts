import fs from 'node:fs';
import path from 'node:path';
import { FailureError, type ProjectPath } from '@dag/model';
import { type RemoteDefinition, removeRemoteText, setDefaultRemoteText, setRemoteText } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { edited, textOf } from '../project/edit.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { remoteConfig } from '../project/remotes.ts';
import { PIPELINE_FILE } from '../project/root.ts';
import type { Context } from '../verb.ts';

interface AddOptions {
  readonly default?: boolean;
  readonly force?: boolean;
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly local?: boolean;
}

export async function remoteAdd(context: Context, words: readonly string[], options: AddOptions): Promise<number> {
  const [name = '', url = ''] = words;
  return await withProject(context, async (project) => {
    if (project.pipeline.settings.remotes.has(name) && options.force !== true) {
      throw new FailureError({
        code: 'usage',
        message: `there is a remote '${name}' already`,
        hint: 'dag remote add -f replaces it',
      });
    }
    if (url.trim() === '') throw new FailureError({ code: 'usage', message: 'the URL of a remote can not be empty' });
    const file = settingsFile(options);
    const { endpoint, region, profile } = options;
    const remote = {
      name,
      url: fromRoot(project, context, url),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
    };
    await checkRemote(project, context, remote);
    await project.locks.exclusively(() => {
      let text = edited(setRemoteText(textOf(project, file), file, remote));
      if (options.default === true) text = edited(setDefaultRemoteText(text, file, [name]));
      project.workspace.writeFileAtomic(file, text);
    });
    context.emit({ name, url: remote.url, default: options.default ?? false });
    context.print(
      `Added remote '${name}' (${remote.url}) to ${file}${options.default === true ? ', as the default' : ''}.`,
    );
  });
}

/** Opens the remote, which sends nothing, so that one that can't be is refused before it is written down. */
async function checkRemote(project: OpenProject, context: Context, remote: RemoteDefinition): Promise<void> {
  const { openRemote } = await import('@dag/remote');
  (await openRemote(remote, { env: context.io.env, root: project.root })).close();
}

export async function remoteList(context: Context): Promise<number> {
  return await withProject(context, async (project) => {
    const { remotes, defaultRemotes: defaults } = project.pipeline.settings;
    const [first] = defaults;
    const width = Math.max(0, ...[...remotes.keys()].map((name) => name.length));
    for (const { name, url } of remotes.values()) {
      context.print(`${name.padEnd(width)}  ${url}${roleText(defaults, name)}`);
    }
    context.emit({ default: first ?? null, defaults, remotes: [...remotes.values()] });
  });
}

export async function remoteRemove(
  context: Context,
  words: readonly string[],
  options: { readonly local?: boolean },
): Promise<number> {
  const [name = ''] = words;
  return await withProject(context, async (project) => {
    remoteConfig(project, name);
    const file = settingsFile(options);
    await project.locks.exclusively(() => {
      project.workspace.writeFileAtomic(file, edited(removeRemoteText(textOf(project, file), file, name)));
    });
    context.emit({ removed: name });
    context.print(`Removed remote '${name}'.`);
  });
}

export async function remoteDefault(
  context: Context,
  words: readonly string[],
  options: { readonly unset?: boolean; readonly local?: boolean },
): Promise<number> {
  const names = options.unset === true ? [] : [...new Set(words)];
  return await withProject(context, async (project) => {
    if (words.length === 0 && options.unset !== true) {
      const { defaultRemotes: current } = project.pipeline.settings;
      context.emit({ default: current[0] ?? null, defaults: current });
      context.print(current.length === 0 ? 'No default remote is set.' : current.join('\n'));
      return;
    }
    for (const name of words) remoteConfig(project, name);
    const file = settingsFile(options);
    await project.locks.exclusively(() => {
      const text = edited(setDefaultRemoteText(textOf(project, file), file, names));
      project.workspace.writeFileAtomic(file, text);
    });
    context.emit({ default: names[0] ?? null, defaults: names });
    context.print(defaultsText(names));
  });
}

/** What a remote is among the default ones. */
function roleText(defaults: readonly string[], name: string): string {
  const at = defaults.indexOf(name);
  if (at === -1) return '';
  return at === 0 ? '  (default)' : `  (default ${at + 1}: asked after '${defaults[at - 1]}')`;
}

function defaultsText([first, ...others]: readonly string[]): string {
  if (first === undefined) return 'No remote is the default now.';
  const after = others.map((name) => `, then '${name}'`).join('');
  return after === '' ? `'${first}' is the default remote now.` : `The default remotes are '${first}'${after} now.`;
}

async function withProject(context: Context, work: (project: OpenProject) => Promise<void>): Promise<number> {
  const project = await openProject(context);
  try {
    await work(project);
    return EXIT.done;
  } finally {
    await project.close();
  }
}

function settingsFile({ local }: { readonly local?: boolean }): ProjectPath {
  return (local === true ? '.cache/local.yaml' : PIPELINE_FILE) as ProjectPath;
}

/** A folder that the user named from where they stand, as the settings have it: seen from the root. */
function fromRoot(project: OpenProject, context: Context, url: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url) || path.isAbsolute(url)) return url;
  const relative = path.relative(project.root, path.resolve(fs.realpathSync(context.cwd), url));
  return relative.split(path.sep).join('/') || '.';
}
