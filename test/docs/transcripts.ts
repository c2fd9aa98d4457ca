// Records the transcripts of all pages anew, in place: `node test/docs/transcripts.ts [--slow] [PAGE…]`.
import fs from 'node:fs';
import path from 'node:path';
import { listPages } from './pages.ts';
import { recordPage } from './record.ts';

const args = process.argv.slice(2);
const slow = args.includes('--slow');
const named = args.filter((arg) => !arg.startsWith('--')).map((arg) => path.resolve(arg));

for (const file of named.length > 0 ? named : listPages()) {
  const before = fs.readFileSync(file, 'utf8');
  const after = await recordPage(before, { slow });
  if (after !== before) fs.writeFileSync(file, after);
  console.error(`${after === before ? 'the same ' : 'recorded '} ${path.relative('.', file)}`);
}
