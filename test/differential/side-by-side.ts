import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { expect } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';
import type { DvcCommands } from './dvc.ts';

/** The same history in a project of ours and in one of DVC's: what each says of it can be compared. */
export interface SideBySide {
  readonly ours: TestProject;
  readonly theirs: TestProject;
  remove(): void;
}

/** States of a project, one after the other: files that change; null takes one away. */
export type History = readonly { readonly [file: string]: string | null }[];

/**
 * Makes both projects. After each state all stages are run and `tracked` is added; the first is committed, tagged `v1`, and
 * has a branch `old`.
 */
export async function sideBySide(
  dvc: DvcCommands,
  history: History,
  tracked: readonly string[] = [],
): Promise<SideBySide> {
  const [ours, theirs] = [makeProject(), makeProject()];
  const git = ({ root }: TestProject, ...args: string[]) => execFileSync('git', args, { cwd: root, env: GIT });
  await dvc.run(theirs.root, ['init', '-q']);
  for (const [step, files] of history.entries()) {
    for (const [file, text] of Object.entries(files)) {
      put(ours, file, text);
      put(theirs, file.replace('pipeline.yaml', 'dvc.yaml'), text);
    }
    const run = await ours.dag(['repro', '-P', '-q', '-k']);
    expect(run.status, run.stderr).toBe(0);
    expect((await dvc.run(theirs.root, ['repro', '-P', '-q', '-k'])).status).toBe(0);
    if (tracked.length > 0) {
      await ours.dag(['add', '-q', ...tracked]);
      await dvc.run(theirs.root, ['add', '-q', ...tracked]);
    }
    if (step > 0) continue;
    for (const project of [ours, theirs]) {
      git(project, 'add', '-A');
      git(project, 'commit', '-qm', 'one');
      git(project, 'tag', 'v1');
      git(project, 'branch', 'old');
    }
  }
  return {
    ours,
    theirs,
    remove: () => {
      ours.remove();
      theirs.remove();
    },
  };
}

const GIT = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

function put(project: TestProject, file: string, text: string | null): void {
  if (text === null) fs.rmSync(project.path(file));
  else project.write(file, text);
}
