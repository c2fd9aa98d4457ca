import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ReproSummary, repro } from '@dag/engine';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openProject } from '../../packages/cli/src/project/open.ts';
import type { Context } from '../../packages/cli/src/verb.ts';
import { runs } from '../fuzz.ts';

/** A stage of a random pipeline: it reads a source and some earlier stages, and writes what its function makes of them. */
interface Shape {
  readonly source: number;
  /** How far back in the list the stages are that it reads. */
  readonly back: readonly number[];
  /** `copy` passes every change on; `lines` only that of the number of lines. */
  readonly kind: 'copy' | 'lines';
}

type Edit =
  | { readonly edit: 'source'; readonly which: number; readonly text: string }
  | { readonly edit: 'command'; readonly which: number; readonly version: number }
  | { readonly edit: 'delete-out' | 'damage-out'; readonly which: number }
  | { readonly edit: 'delete-lock' };

const SOURCES = 3;
const shape = fc.record<Shape>({
  source: fc.nat({ max: SOURCES - 1 }),
  back: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  kind: fc.constantFrom('copy', 'lines'),
});
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({
    edit: fc.constant('source' as const),
    which: fc.nat({ max: SOURCES - 1 }),
    text: fc.constantFrom('a\n', 'b\n', 'a\nb\n', ''),
  }),
  fc.record({ edit: fc.constant('command' as const), which: fc.nat({ max: 9 }), version: fc.nat({ max: 2 }) }),
  fc.record({ edit: fc.constantFrom('delete-out' as const, 'damage-out' as const), which: fc.nat({ max: 9 }) }),
  fc.constant({ edit: 'delete-lock' as const }),
);

/** The pipeline as it stands, and a naive picture of what must happen: every key and every result that ever was. */
class World {
  readonly shapes: readonly Shape[];
  readonly sources = Array.from({ length: SOURCES }, () => 'a\n');
  readonly versions: number[];
  /** What each stage made of which inputs, by key. */
  readonly results = new Map<string, string>();
  /** The key of the last result of each stage; undefined without a lock. */
  locked: (string | undefined)[];
  /** Whether the out in the workspace is what the lock says. */
  intact: boolean[];

  constructor(shapes: readonly Shape[]) {
    this.shapes = shapes;
    this.versions = shapes.map(() => 0);
    this.locked = shapes.map(() => undefined);
    this.intact = shapes.map(() => false);
  }

  inputs(index: number): string[] {
    const { source, back } = this.shapes[index] as Shape;
    const stages = back.map((steps) => index - steps).filter((at) => at >= 0);
    return [`s${source}`, ...stages.sort((a, b) => a - b).map((at) => `o${at}`)];
  }

  command(index: number): string {
    const from = this.inputs(index).join(' ');
    const make = this.shapes[index]?.kind === 'copy' ? `cat ${from}` : `cat ${from} | wc -l`;
    return `${make} > o${index} && true ${this.versions[index]}`;
  }

  yaml(): string {
    const stages = this.shapes.map(
      (_, index) =>
        `  t${index}:\n    cmd: ${this.command(index)}\n    deps: [${this.inputs(index).join(', ')}]\n    outs: [o${index}]\n`,
    );
    return `stages:\n${stages.join('')}`;
  }

  /** What a repro must do now, and the contents that it must leave. */
  expected(): { readonly ran: string[]; readonly restored: string[]; readonly skipped: string[]; contents: string[] } {
    const [ran, restored, skipped]: [string[], string[], string[]] = [[], [], []];
    const contents: string[] = [];
    for (const index of this.shapes.keys()) {
      const texts = this.inputs(index).map((name) =>
        name.startsWith('s') ? (this.sources[Number(name.slice(1))] ?? '') : (contents[Number(name.slice(1))] ?? ''),
      );
      const all = texts.join('');
      const made = this.shapes[index]?.kind === 'copy' ? all : `${all.split('\n').length - 1}\n`;
      const key = JSON.stringify([index, this.command(index), texts]);
      const name = `t${index}`;
      if (this.locked[index] === key && this.intact[index]) skipped.push(name);
      else if (this.results.has(key)) restored.push(name);
      else ran.push(name);
      this.results.set(key, made);
      this.locked[index] = key;
      this.intact[index] = true;
      contents.push(made);
    }
    return { ran, restored, skipped, contents };
  }
}

test('a run does what a naive picture of it says, and the next one nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(shape, { minLength: 1, maxLength: 7 }),
      fc.array(fc.array(edit, { maxLength: 3 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(1, 4),
      async (shapes, rounds, jobs) => {
        const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-random-')));
        try {
          const world = new World(shapes);
          write(root, world);
          for (const edits of [[], ...rounds]) {
            for (const one of edits) apply(root, world, one);
            write(root, world);
            const expected = world.expected();
            const summary = await run(root, jobs);
            expect({ ran: summary.ran, restored: summary.restored, skipped: summary.skipped }).toEqual({
              ran: expected.ran,
              restored: expected.restored,
              skipped: expected.skipped,
            });
            const contents = shapes.map((_, index) => fs.readFileSync(path.join(root, `o${index}`), 'utf8'));
            expect(contents).toEqual(expected.contents);
          }
          expect((await run(root, jobs)).skipped).toHaveLength(shapes.length);
        } finally {
          fs.rmSync(root, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: runs(40) },
  );
});

function write(root: string, world: World): void {
  fs.writeFileSync(path.join(root, 'pipeline.yaml'), world.yaml());
  for (const [index, text] of world.sources.entries()) fs.writeFileSync(path.join(root, `s${index}`), text);
}

function apply(root: string, world: World, one: Edit): void {
  switch (one.edit) {
    case 'source':
      world.sources[one.which] = one.text;
      return;
    case 'command':
      if (one.which < world.versions.length) world.versions[one.which] = one.version;
      return;
    case 'delete-out':
    case 'damage-out': {
      const out = path.join(root, `o${one.which}`);
      if (!fs.existsSync(out)) return;
      world.intact[one.which] = false;
      fs.rmSync(out);
      if (one.edit === 'damage-out') fs.writeFileSync(out, 'by hand');
      return;
    }
    case 'delete-lock':
      fs.rmSync(path.join(root, 'pipeline.lock'), { force: true });
      world.locked = world.locked.map(() => undefined);
      return;
  }
}

async function run(root: string, jobs: number): Promise<ReproSummary> {
  const context = {
    cwd: root,
    root,
    io: { env: { PATH: process.env['PATH'] }, colour: { out: false, err: false } },
    json: false,
    say: () => {},
  } as unknown as Context;
  const project = await openProject(context, { mutates: true });
  try {
    const { stop, kill } = { stop: new AbortController().signal, kill: new AbortController().signal };
    return await repro(project, project.pipeline.order, { jobs }, { stop, kill }, () => {});
  } finally {
    await project.close();
  }
}
