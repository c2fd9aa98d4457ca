import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Artifact, ProjectPath } from '@dag/model';
import { openStore, type Store } from '@dag/store';
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../src/index.ts';

export const path = (text: string): ProjectPath => text as ProjectPath;

export interface Project {
  readonly root: string;
  readonly store: Store;
  readonly ws: Workspace;
  /** The same project as another process would see it. */
  reopen(options?: Partial<WorkspaceOptions>): Workspace;
  write(file: string, content: string | Uint8Array, mode?: number): void;
  read(file: string): string;
  dispose(): Promise<void>;
}

export function newProject(options: Partial<WorkspaceOptions> = {}, parent = tmpdir()): Project {
  const root = mkdtempSync(join(parent, 'dag-ws-'));
  const store = openStore({ dir: join(root, '.cache') });
  const ws = openWorkspace({ root, store, ...options });
  const opened = [ws];
  return {
    root,
    store,
    ws,
    reopen(more) {
      const again = openWorkspace({ root, store: openStore({ dir: join(root, '.cache') }), ...options, ...more });
      opened.push(again);
      return again;
    },
    write(file, content, mode) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), content);
      if (mode !== undefined) chmodSync(join(root, file), mode);
    },
    read: (file) => readFileSync(join(root, file), 'utf8'),
    async dispose() {
      for (const one of opened) await one.close();
      store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** One thing commited, as an artifact. */
export async function commitOne(ws: Workspace, file: string): Promise<Artifact> {
  const artifact = (await ws.commit([path(file)])).get(path(file));
  if (artifact === undefined) throw new Error(`nothing commited at ${file}`);
  return artifact;
}

/** What stands in a folder, one line each, sorted: kind, executable, name, content or target. */
export function listing(folder: string): string[] {
  const lines: string[] = [];
  const visit = (abs: string, shown: string): void => {
    const stats = lstatSync(abs);
    if (stats.isSymbolicLink()) lines.push(`l ${JSON.stringify(shown)} -> ${readlinkSync(abs)}`);
    else if (stats.isDirectory()) {
      lines.push(`d ${JSON.stringify(shown)}`);
      for (const name of readdirSync(abs)) visit(join(abs, name), `${shown}/${name}`);
    } else {
      const bytes = readFileSync(abs);
      const content =
        bytes.length > 200 ? `${bytes.length} bytes ${bytes.subarray(0, 16).toString('hex')}` : bytes.toString('hex');
      lines.push(`${(stats.mode & 0o100) === 0 ? 'f' : 'x'} ${JSON.stringify(shown)} ${content}`);
    }
  };
  visit(folder, '');
  return lines.sort();
}

/** A tree of files to be made. */
export type Shape =
  | { readonly kind: 'file'; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'folder'; readonly inside: Readonly<Record<string, Shape>> };

export function make(abs: string, shape: Shape): void {
  if (shape.kind === 'file') writeFileSync(abs, shape.content, { mode: shape.executable ? 0o755 : 0o644 });
  else if (shape.kind === 'link') symlinkSync(shape.to, abs);
  else {
    mkdirSync(abs);
    for (const [name, inner] of Object.entries(shape.inside)) make(`${abs}/${name}`, inner);
  }
}
