import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DAG, NODE, scrubbedEnv } from '../rigs/dag.ts';
import { makeProject } from '../rigs/project.ts';

/** A person's shell in a project of its own: what one command does to it, the next one sees. */
export interface PageShell {
  /** Runs a command. @returns what a terminal would show. @throws Error where it ends the shell itself. */
  run(script: string): Promise<string>;
  write(file: string, text: string): void;
  close(): void;
}

/** Where the readers of a page are told that they are. */
const SHOWN = '/home/ada';

/** The repository; set-up lines find it as $DOCS_REPO. */
const REPO = path.resolve(import.meta.dirname, '../..');

/** Starts a shell in a new project, with `dag` on its PATH; with `npm`, npm finds the registry that the caller's does. */
export function openPageShell(options: { readonly npm: boolean }): PageShell {
  const project = makeProject();
  const base = path.dirname(project.root);
  const bin = path.join(base, 'bin');
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, 'dag'), `#!/bin/sh\nexec '${NODE}' '${DAG}' "$@"\n`, { mode: 0o755 });
  const child = spawn('sh', [], {
    cwd: project.root,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...scrubbedEnv(project.home),
      PATH: [bin, path.dirname(NODE), process.env['PATH'] ?? '/usr/bin:/bin'].join(':'),
      TZ: 'UTC',
      GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
      GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
      DOCS_REPO: REPO,
      ...(options.npm ? npmSettings() : {}),
    },
  });
  child.stdin.write('exec 2>&1\n');
  return {
    run: async (script) => (await ask(child, script)).replaceAll(base, SHOWN),
    write: (file, text) => project.write(file, text),
    close: () => {
      child.stdin.end();
      project.remove();
    },
  };
}

function npmSettings(): Record<string, string> {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return { npm_config_registry: registry.trim(), npm_config_update_notifier: 'false' };
}

/** Hands a command to the shell and reads up to the mark that it prints behind it. `$?` outlives the mark. */
function ask(shell: ChildProcess, script: string): Promise<string> {
  const { stdin, stdout } = shell;
  if (stdin === null || stdout === null) throw new Error('the shell has no pipes');
  const mark = `mark-${randomUUID()}`;
  return new Promise((resolve, reject) => {
    let text = '';
    const ended = (): void => reject(new Error(`the shell ended in: ${script}\n${text}`));
    const read = (chunk: string): void => {
      text += chunk;
      const found = text.indexOf(mark);
      if (found < 0 || !text.endsWith('\n')) return;
      stdout.off('data', read);
      shell.off('close', ended);
      const output = text.slice(0, found);
      resolve(output === '' || output.endsWith('\n') ? output : `${output}\n`);
    };
    stdout.setEncoding('utf8').on('data', read);
    shell.once('close', ended);
    stdin.write(`{\n${script}\n} </dev/null\n__status=$?; echo ${mark}; (exit "$__status")\n`);
  });
}
