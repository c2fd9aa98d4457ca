import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '@dag/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { explainIgnore, openWorkspace } from '../src/index.ts';
import { path } from './helpers.ts';

const name = fc.constantFrom('a', 'b', 'c.log', 'keep.log', 'sub');
const pattern = fc
  .tuple(
    fc.constantFrom('', '!', '/', '!/'),
    fc.constantFrom('a', 'b', '*.log', 'keep.log', 'sub', 'sub/a', 'sub/*', '**/b', 'sub/**', '?', '[ab]', '#a', ''),
    fc.constantFrom('', '', '/'),
  )
  .map((parts) => parts.join(''));
const paths = fc.array(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
  {
    minLength: 1,
    maxLength: 12,
  },
);

test('the line that decides is the one that git names, and ignored() says the same', () => {
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 6 }),
      fc.array(pattern, { maxLength: 3 }),
      paths,
      (top, inner, wanted) => {
        const root = mkdtempSync(join(tmpdir(), 'dag-ignore-'));
        try {
          execFileSync('git', ['init', '-q'], { cwd: root });
          mkdirSync(join(root, 'sub', 'sub'), { recursive: true });
          for (const [folder, lines] of [
            ['', top],
            ['sub', inner],
          ] as const) {
            for (const file of ['.gitignore', '.dagignore']) writeFileSync(join(root, folder, file), lines.join('\n'));
          }
          const told = spawnSync('git', ['check-ignore', '--no-index', '-v', '-n', '--stdin'], {
            cwd: root,
            input: `${wanted.join('\n')}\n`,
            env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: root },
            encoding: 'utf8',
          });
          const workspace = openWorkspace({ root, store: openStore({ dir: join(root, '.cache') }) });
          const ours = wanted.map((one) => {
            const rule = explainIgnore(root, path(one));
            expect(workspace.ignored(path(one))).toBe(rule?.ignores === true);
            return rule === undefined ? `::\t${one}` : `${rule.file}:${rule.line}:${rule.pattern}\t${one}`;
          });
          expect(ours).toEqual(told.stdout.trimEnd().replaceAll('.gitignore', '.dagignore').split('\n'));
        } finally {
          rmSync(root, { recursive: true });
        }
      },
    ),
    { numRuns: runs(60) },
  );
});
