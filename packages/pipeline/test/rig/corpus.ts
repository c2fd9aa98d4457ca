import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { byCodeUnit, type ProjectPath } from '@dag/model';
import type { SourceEntry, SourceReader } from '../../src/index.ts';

/** Where the public DVC projects lie that the conformance test reads; undefined when they are not there. */
export function corpusFolder(): string | undefined {
  const folder = resolve(process.env['DAG_CORPUS'] ?? join(import.meta.dirname, '../../../../../shared/corpus'));
  return existsSync(join(folder, 'README.md')) ? folder : undefined;
}

export function corpusCases(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'expected.json')))
    .sort(byCodeUnit);
}

const OURS: readonly (readonly [string, string])[] = [
  ['dvc.yaml', 'pipeline.yaml'],
  ['dvc.lock', 'pipeline.lock'],
  ['.dvcignore', '.dagignore'],
];

/** A DVC project in place, its files under the names that they have here. */
export function corpusReader(root: string): SourceReader {
  const theirs = (path: string) => path.replace(/[^/]*$/, (name) => OURS.find(([, our]) => our === name)?.[0] ?? name);
  return {
    read(path) {
      const file = join(root, theirs(path));
      if (!existsSync(file) || !statSync(file).isFile()) return undefined;
      const bytes = readFileSync(file);
      if (!path.endsWith('.gitignore')) return bytes;
      return new TextEncoder().encode(
        bytes.toString().replaceAll('dvc.lock', 'pipeline.lock').replaceAll('dvc.yaml', 'pipeline.yaml'),
      );
    },
    list(folder: ProjectPath): SourceEntry[] {
      const at = join(root, folder);
      if (!existsSync(at)) return [];
      return readdirSync(at, { withFileTypes: true }).map((entry) => ({
        name: OURS.find(([their]) => their === entry.name)?.[1] ?? entry.name,
        kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other',
      }));
    },
  };
}
