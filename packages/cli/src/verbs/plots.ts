import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { FailureError, resolveAnyPath } from '@dag/model';
import { withIo } from '@dag/store';
import { WORKSPACE, workspaceSnapshot } from '../compare/open.ts';
import { openRevisions } from '../compare/revisions.ts';
import type { Snapshot } from '../compare/snapshot.ts';
import { EXIT } from '../failure.ts';
import { type Collected, collectPlots, type Plot, type PlotError } from '../plots/collect.ts';
import { type Looks, targetOf } from '../plots/definition.ts';
import { type Part, pageOf } from '../plots/page.ts';
import { specOf } from '../plots/spec.ts';
import { builtIn, templateNamed } from '../plots/template-file.ts';
import { TEMPLATES } from '../plots/templates.ts';
import { type OpenProject, type OpenProjectOptions, openProject } from '../project/open.ts';
import { toProjectPath } from '../project/root.ts';
import { plotsJson } from '../render/plots.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly x?: string;
  readonly y?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly title?: string;
  readonly template?: string;
  /** False for `--no-header`. */
  readonly header?: boolean;
  readonly out?: string;
  readonly htmlTemplate?: string;
  readonly showVega?: boolean;
  readonly open?: boolean;
}

/** `dag plots show`: the plots of the workspace as a page. */
export async function plotsShow(context: Context, targets: readonly string[], options: Options): Promise<number> {
  return await withProject(context, {}, async (project) => {
    return await show(context, project, [workspaceSnapshot(project)], targets, options);
  });
}

/** `dag plots diff`: the plots of several revisions over each other. */
export async function plotsDiff(
  context: Context,
  named: readonly string[],
  options: Options & { readonly targets?: readonly string[] },
): Promise<number> {
  const revisionsOnly = !compared(named).includes(WORKSPACE);
  return await withProject(context, { revisionsOnly }, async (project) => {
    const revisions = openRevisions(project);
    // Without commits there is nothing to compare with.
    const names = revisions === undefined ? [] : compared(named);
    const snapshots = names.map((name) => revisions?.snapshot(name)).filter((one) => one !== undefined);
    return await show(context, project, snapshots, options.targets ?? [], options);
  });
}

/** `dag plots templates`: their names, or one of them. */
export async function plotsTemplates(context: Context, [name]: readonly string[]): Promise<number> {
  if (name !== undefined) context.io.out(`${JSON.stringify(builtIn(name), null, 2)}\n`);
  else {
    context.emit(Object.keys(TEMPLATES));
    for (const one of Object.keys(TEMPLATES)) context.print(one);
  }
  return EXIT.done;
}

/** The workspace comes first, and is compared with where there is one revision only. */
function compared(named: readonly string[]): string[] {
  const others = named.filter((name) => name !== WORKSPACE);
  const isWanted = named.length < 2 || named.includes(WORKSPACE);
  return [...(isWanted ? [WORKSPACE] : []), ...(named.length === 0 ? ['HEAD'] : others)];
}

async function withProject(
  context: Context,
  options: Pick<OpenProjectOptions, 'revisionsOnly'>,
  work: (project: OpenProject) => Promise<number>,
): Promise<number> {
  const project = await openProject(context, options);
  try {
    return await work(project);
  } finally {
    await project.close();
  }
}

async function show(
  context: Context,
  project: OpenProject,
  snapshots: readonly Snapshot[],
  targets: readonly string[],
  options: Options,
): Promise<number> {
  if (options.showVega === true && (targets.length !== 1 || context.json)) {
    const message = context.json ? '--show-vega and --json exclude each other' : '--show-vega takes one target';
    throw new FailureError({ code: 'usage', message });
  }
  const at = path.join(project.root, project.cwd);
  const wanted = targets.map((target) => targetOf(target, toProjectPath(project.root, at, target)));
  const found = collectPlots(snapshots, wanted, { looks: looksOf(options), cwd: project.cwd });
  sayErrors(context, found);
  const parts = found.plots.flatMap((plot) => partsOf(project, plot));
  if (options.showVega === true) {
    const first = parts.find(({ kind }) => kind === 'vega');
    if (first?.kind === 'vega') context.io.out(`${JSON.stringify(first.spec, null, 2)}\n`);
    return EXIT.done;
  }
  context.emit(plotsJson(found, parts));
  if (context.json) return EXIT.done;
  if (parts.length === 0) {
    context.say("no plots: name their files as `plots:` of a stage or of pipeline.yaml, or on this command's line");
    return EXIT.done;
  }
  const file = writePage(context, parts, options);
  context.print(pathToFileURL(file).href);
  if (options.open === true) openInBrowser(file);
  return EXIT.done;
}

function looksOf({ x, y, xLabel, yLabel, title, template, header }: Options): Looks {
  const looks = { x, y: y === undefined ? undefined : [y], xLabel, yLabel, title, template };
  return {
    ...Object.fromEntries(Object.entries(looks).filter(([, value]) => value !== undefined)),
    ...(header === false ? { header } : {}),
  };
}

function partsOf(project: OpenProject, plot: Plot): Part[] {
  if (plot.kind === 'image') {
    const images = plot.images.map(({ revision, bytes }) => ({
      revision,
      url: `data:${plot.type};base64,${Buffer.from(bytes).toString('base64')}`,
    }));
    return images.length === 0 ? [] : [{ kind: 'image', id: plot.id, images }];
  }
  const { series, revisions, looks, id } = plot;
  if (series === undefined) return [];
  const template = templateNamed(looks.template, project.reader, (written) => resolveAnyPath(project.cwd, written));
  return [{ kind: 'vega', id, spec: specOf(template, { ...series, title: looks.title ?? id, revisions }) }];
}

function writePage(context: Context, parts: readonly Part[], { out = 'dag_plots', htmlTemplate }: Options): string {
  const template =
    htmlTemplate === undefined
      ? undefined
      : withIo('read', htmlTemplate, () => fs.readFileSync(path.resolve(context.cwd, htmlTemplate), 'utf8'));
  const folder = path.resolve(context.cwd, out);
  const file = path.join(folder, 'index.html');
  const page = pageOf(inOrder(parts), template);
  withIo('write', file, () => {
    // A page holds data: it is not to get into git by accident. A folder that is there already is the user's.
    const isNew = fs.mkdirSync(folder, { recursive: true }) !== undefined;
    if (isNew) fs.writeFileSync(path.join(folder, '.gitignore'), '*\n');
    fs.writeFileSync(file, page);
  });
  return file;
}

/** Images come last, by folder and by the number that they are named by. */
function inOrder(parts: readonly Part[]): Part[] {
  const key = (id: string): readonly [string, number, string] => {
    const { dir, name, base } = path.posix.parse(id);
    return [dir, /^\d+$/.test(name) ? Number(name) : -1, base];
  };
  const images = parts.filter(({ kind }) => kind === 'image');
  images.sort((a, b) => {
    const [left, right] = [key(a.id), key(b.id)];
    const text = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
    return text(left[0], right[0]) || left[1] - right[1] || text(left[2], right[2]);
  });
  return [...parts.filter(({ kind }) => kind === 'vega'), ...images];
}

function sayErrors(context: Context, { plots, errors }: Collected): void {
  for (const { rev, msg, hint } of [...errors, ...plots.flatMap((plot): readonly PlotError[] => plot.errors)]) {
    const where = rev === WORKSPACE ? '' : `${rev}: `;
    context.say(`warning: ${where}${msg}${hint === undefined ? '' : `\n  ${hint}`}`);
  }
}

function openInBrowser(file: string): void {
  const [command = '', ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command, [...args, file], { detached: true, stdio: 'ignore' });
  // A machine without a browser has the address on its screen.
  child.on('error', () => {});
  child.unref();
}
