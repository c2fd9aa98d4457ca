import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Who may import whom; the same table stands in packages/README.md. A name with a slash is a part of a package. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  pipeline: ['model'],
  store: ['model'],
  workspace: ['store', 'model'],
  remote: ['store', 'model'],
  worker: ['model'],
  engine: ['pipeline', 'store', 'workspace', 'worker/protocol', 'model'],
  git: ['pipeline', 'model'],
  cli: ['engine', 'git', 'pipeline', 'store', 'workspace', 'remote', 'worker', 'model'],
  digits: [],
};

const packages = fs
  .readdirSync(path.join(root, 'packages'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

describe('packages', () => {
  test('are those of the table', () => {
    expect(packages.sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test.each(packages)('%s declares and imports only what it may', (name) => {
    const allowed = MAY_IMPORT[name] ?? [];
    const manifest = JSON.parse(fs.readFileSync(path.join(root, 'packages', name, 'package.json'), 'utf8'));
    const declared = Object.keys(manifest.dependencies ?? {}).filter((dep) => dep.startsWith('@dag/'));
    const parts = new Set(allowed.map((dep) => `@dag/${dep.split('/')[0]}`));
    expect(declared.filter((dep) => !parts.has(dep))).toEqual([]);

    const wrong: string[] = [];
    for (const file of sources(path.join(root, 'packages', name, 'src'))) {
      for (const imported of importsOf(fs.readFileSync(file, 'utf8'))) {
        const where = `${path.relative(root, file)} imports ${imported}`;
        if (imported.startsWith('@dag/') && !isAllowed(imported, allowed)) wrong.push(where);
        if (imported.startsWith('@dag/') && !declared.includes(packageOf(imported))) wrong.push(`${where}, undeclared`);
        if (imported.startsWith('.') && !path.resolve(path.dirname(file), imported).includes(`/packages/${name}/`)) {
          wrong.push(`${where}, past the package's border`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('have no cycle of imports inside', () => {
    const cycles: string[] = [];
    for (const name of packages) cycles.push(...cyclesIn(path.join(root, 'packages', name, 'src')));
    expect(cycles).toEqual([]);
  });
});

test('only the cli prints', () => {
  const printing: string[] = [];
  for (const name of packages.filter((known) => known !== 'cli' && known !== 'digits')) {
    for (const file of sources(path.join(root, 'packages', name, 'src'))) {
      const text = fs.readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      if (/\bconsole\.(log|error|warn|info)\(|process\.std(out|err)\.write\(/.test(text)) {
        printing.push(path.relative(root, file));
      }
    }
  }
  expect(printing).toEqual([]);
});

test('package-lock.json names every optional package, or npm ci would refuse it', () => {
  const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
  };
  const missing = Object.entries(lock.packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`${at}/node_modules/${name}` in lock.packages) && !(`node_modules/${name}` in lock.packages),
    ),
  );
  expect(missing, 'node .ci/complete-lock.js adds them').toEqual([]);
  const hosts = Object.values(lock.packages).filter(({ resolved = '' }) => resolved.startsWith('http'));
  expect(hosts).toEqual([]);
});

function isAllowed(imported: string, allowed: readonly string[]): boolean {
  return allowed.some((name) =>
    name.includes('/')
      ? imported === `@dag/${name}`
      : imported === `@dag/${name}` || imported.startsWith(`@dag/${name}/`),
  );
}

function packageOf(imported: string): string {
  return imported.split('/').slice(0, 2).join('/');
}

function* sources(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(file);
    else if (entry.name.endsWith('.ts')) yield file;
  }
}

function importsOf(text: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import '([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** Cycles of imports that are needed at run time; those of types alone vanish. */
function cyclesIn(folder: string): string[] {
  const edges = new Map<string, string[]>();
  for (const file of sources(folder)) {
    const text = fs.readFileSync(file, 'utf8').replaceAll(/\bimport type [^;]*;/g, '');
    const targets = importsOf(text).filter((imported) => imported.startsWith('.'));
    edges.set(
      file,
      targets.map((imported) => path.resolve(path.dirname(file), imported)),
    );
  }
  const cycles: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const loop = [...trail.slice(trail.indexOf(file)), file];
      cycles.push(loop.map((part) => path.relative(root, part)).join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of edges.get(file) ?? []) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}
