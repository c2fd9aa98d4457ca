import fs from 'node:fs';
import path from 'node:path';

const REPO = path.resolve(import.meta.dirname, '../..');

/** Absolute paths of all pages that hold transcripts. */
export function listPages(): string[] {
  const docs = path.join(REPO, 'docs');
  const names = fs.readdirSync(docs).filter((name) => name.endsWith('.md'));
  const examples = fs
    .readdirSync(path.join(REPO, 'examples'))
    .map((name) => path.join(REPO, 'examples', name, 'README.md'));
  return [
    path.join(REPO, 'README.md'),
    ...names.sort().map((name) => path.join(docs, name)),
    ...examples.filter((file) => fs.existsSync(file)).sort(),
  ];
}
