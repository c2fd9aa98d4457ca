import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { scrubbedEnv } from './dag.ts';
import { makeProject, type Ran, type RunOptions, type TestProject } from './project.ts';

/** Git as a person runs it in a folder of a project: however it ends, with all that it and its hooks say. */
export function gitIn(project: TestProject, folder = '.', env: Readonly<Record<string, string>> = {}) {
  return (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('git', args, {
      cwd: path.resolve(project.root, folder),
      env: scrubbedEnv(project.home, { GIT_EDITOR: 'true', ...env }),
      encoding: 'utf8',
    });
    return { status, output: stdout + stderr };
  };
}

/** `dag` that must succeed. */
export async function dagOk(project: TestProject, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ended = await project.dag(args, options);
  if (ended.status !== 0) throw new Error(`dag ${args.join(' ')}: ${ended.status}\n${ended.stdout}${ended.stderr}`);
  return ended;
}

const PIPELINE = (store: string): string => `remote: store
remotes: {store: ${store}}
stages:
  list: {cmd: ls data > names, deps: [data], outs: [names]}
`;

/** A project with the tracked folder `data` of one file `a`, a stage that lists it, and a remote, all pushed and committed on `main`. */
export async function listingProject(): Promise<TestProject> {
  const project = makeProject();
  await dagOk(project, ['init', '-q']);
  project.write('data/a', 'one\n');
  project.write('pipeline.yaml', PIPELINE(path.join(project.home, 'store')));
  await dagOk(project, ['add', '-q', 'data']);
  await commitAll(project, 'first');
  await dagOk(project, ['push', '-q', '--run-cache']);
  return project;
}

/** A clone of it, with hooks and data. */
export async function clonedListing(from: TestProject): Promise<TestProject> {
  const clone = makeProject({ clone: from });
  await dagOk(clone, ['install']);
  await dagOk(clone, ['pull', '-q']);
  return clone;
}

/** Writes files, runs what they change, and commits all. */
export async function commitAll(project: TestProject, message: string, files: Readonly<Record<string, string>> = {}) {
  for (const [file, text] of Object.entries(files)) project.write(file, text);
  await dagOk(project, ['repro', '-q']);
  project.git('add', '-A');
  project.git('commit', '-qm', message);
}
