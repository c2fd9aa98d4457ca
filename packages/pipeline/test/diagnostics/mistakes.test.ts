import type { Diagnostic } from '@dag/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../../test/fuzz.ts';
import { renderDiagnostic } from '../../src/index.ts';
import { type Files, load } from '../rig/memory.ts';

/** A valid stage of a generated pipeline, as the lines below its name. */
interface Plan {
  readonly kind: 'plain' | 'foreach' | 'matrix';
  readonly extras: readonly string[];
  readonly upstream: number | undefined;
}

const EXTRAS = ['timeout: 2h', 'retries: 2', 'frozen: true', 'env: [LANG]', 'desc: text', 'params: [lr]'];

const plan: fc.Arbitrary<Plan> = fc.record({
  kind: fc.constantFrom('plain', 'plain', 'foreach', 'matrix'),
  extras: fc.subarray(EXTRAS),
  upstream: fc.option(fc.nat(8), { nil: undefined }),
});

/** The lines of stage `s<i>`; each stage makes a folder of its own, and may read that of an earlier one. */
function linesOf({ kind, extras, upstream }: Plan, i: number): string[] {
  const item = kind === 'foreach' ? '${item}' : '${item.x}';
  const from = upstream === undefined || upstream >= i ? 'source' : `out/s${upstream}`;
  const part = kind === 'plain' ? '' : `/${item}`;
  const body = [`cmd: run \${lr} s${i}`, `deps: [${from}]`, `outs: ['out/s${i}${part}']`, ...extras];
  const indented = body.map((line) => `  ${line}`);
  if (kind === 'foreach') return ['foreach: [a, b]', 'do:', ...indented];
  return kind === 'matrix' ? ['matrix: {x: [1, 2]}', ...body] : body;
}

const PARAMS = 'lr: 0.1\n';

function write(stages: readonly (readonly string[])[]): string {
  const named = stages.map((lines, i) => `  s${i}:\n${lines.map((line) => `    ${line}\n`).join('')}`);
  return `stages:\n${named.join('')}`;
}

/** Mistakes that one makes in a stage; each is one problem of that stage, wherever in it. */
const MISTAKES: readonly ((lines: readonly string[]) => string[])[] = [
  (lines) => lines.map((line) => line.replace('cmd:', 'cdm:')),
  (lines) => lines.map((line) => line.replace('${lr}', '${lrr}')),
  (lines) => lines.map((line) => line.replace(/deps: \[(.*)\]/, 'deps: $1')),
  (lines) => lines.map((line) => line.replace(/cmd: .*/, 'cmd: {a: b}')),
  (lines) => lines.map((line) => line.replace(/deps: \[/, 'deps: [.., ')),
  (lines) => lines.map((line) => line.replace(/outs: \[(.*)\]/, 'outs: [{$1: {cach: true}}]')),
  (lines) => [...lines, `${indentOf(lines)}resources: {memory: lots}`],
  (lines) => [...lines, `${indentOf(lines)}mutx: [db]`],
];

function indentOf(lines: readonly string[]): string {
  return /^ */.exec(lines.at(-1) ?? '')?.[0] ?? '';
}

const pipelines = fc.array(plan, { minLength: 2, maxLength: 9 });

/** The stage that a line of the text belongs to. */
function stageAt(text: string, line: number): number {
  const names = text
    .split('\n')
    .slice(0, line)
    .filter((one) => /^ {2}s\d+:$/.test(one));
  return Number(/\d+/.exec(names.at(-1) ?? '')?.[0] ?? -1);
}

function expectInside(diagnostics: readonly Diagnostic[], files: Files): void {
  for (const diagnostic of diagnostics) {
    const { file, span } = diagnostic;
    const lines = (files[file] ?? '').replace(/^\ufeff/, '').split(/\r?\n/);
    const line = [...(lines[(span?.line ?? 0) - 1] ?? '')];
    const shown = renderDiagnostic(diagnostic);
    expect(span?.line, shown).toBeLessThanOrEqual(lines.length);
    expect((span?.column ?? 0) + (span?.length ?? 0), shown).toBeLessThanOrEqual(line.length + 2);
    expect(diagnostic.message, shown).not.toMatch(/undefined|NaN|\[object|\n/);
    expect(diagnostic.hint ?? '', shown).not.toMatch(/undefined|NaN|\[object/);
  }
}

describe('mistakes', () => {
  it('none in what is generated', () => {
    fc.assert(
      fc.property(pipelines, (plans) => {
        const files = { 'pipeline.yaml': write(plans.map(linesOf)), 'params.yaml': PARAMS };
        expect(load(files).diagnostics.map(renderDiagnostic)).toEqual([]);
      }),
      { numRuns: runs(60) },
    );
  });

  it('one in each of some stages: each is reported there, and no other stage is blamed', () => {
    const planted = fc.array(fc.nat(MISTAKES.length), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(pipelines, planted, (plans, mistakes) => {
        const wrong = new Set<number>();
        const stages = plans.map((one, i) => {
          const lines = linesOf(one, i);
          const mistake = MISTAKES[mistakes[i] ?? MISTAKES.length];
          if (mistake) wrong.add(i);
          return mistake ? mistake(lines) : lines;
        });
        const text = write(stages);
        const files = { 'pipeline.yaml': text, 'params.yaml': PARAMS };
        const { diagnostics, pipeline } = load(files);
        const shown = `${text}\n${diagnostics.map(renderDiagnostic).join('\n')}`;
        expect(pipeline === undefined, shown).toBe(wrong.size > 0);
        expect(new Set(diagnostics.map(({ span }) => stageAt(text, span?.line ?? 0))), shown).toEqual(wrong);
        expect(diagnostics.length, shown).toBe(wrong.size);
        expectInside(diagnostics, files);
      }),
      { numRuns: runs(200) },
    );
  });

  it('of any kind: at least one problem or none at all, each inside its file, and nothing is thrown', () => {
    const junk = fc.constantFrom(
      '- ',
      ': ',
      '}',
      '{',
      '[',
      '${',
      '${x}',
      '@',
      '\t',
      '"',
      "'",
      '&a ',
      '*a',
      '0',
      '数',
      '../',
      '\r\n',
    );
    const change = fc.oneof(
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(2000), count: fc.nat(20) }),
      fc.record({ kind: fc.constant('end' as const), at: fc.nat(2000) }),
      fc.record({ kind: fc.constant('put' as const), at: fc.nat(2000), text: junk }),
      fc.record({ kind: fc.constant('swap' as const), at: fc.nat(60), to: fc.nat(60) }),
      fc.record({ kind: fc.constant('drop' as const), at: fc.nat(60) }),
      fc.record({ kind: fc.constant('indent' as const), at: fc.nat(60), by: fc.constantFrom(-2, -1, 1, 2) }),
    );
    fc.assert(
      fc.property(pipelines, fc.array(change, { minLength: 1, maxLength: 3 }), (plans, changes) => {
        let text = write(plans.map(linesOf));
        for (const one of changes) {
          const at = one.at % (text.length + 1);
          const lines = text.split('\n');
          const line = one.at % lines.length;
          if (one.kind === 'cut') text = text.slice(0, at) + text.slice(at + one.count);
          else if (one.kind === 'end') text = text.slice(0, at);
          else if (one.kind === 'put') text = text.slice(0, at) + one.text + text.slice(at);
          else if (one.kind === 'drop') text = lines.toSpliced(line, 1).join('\n');
          else if (one.kind === 'swap') {
            const to = one.to % lines.length;
            text = lines
              .with(line, lines[to] ?? '')
              .with(to, lines[line] ?? '')
              .join('\n');
          } else {
            const old = lines[line] ?? '';
            text = lines.with(line, one.by > 0 ? ' '.repeat(one.by) + old : old.slice(-one.by)).join('\n');
          }
        }
        const files = { 'pipeline.yaml': text, 'params.yaml': PARAMS };
        const { pipeline, diagnostics } = load(files);
        expect(pipeline === undefined).toBe(diagnostics.length > 0);
        expectInside(diagnostics, files);
      }),
      { numRuns: runs(300) },
    );
  });

  it('in params.yaml and vars files: told there, and the stages that draw on them are not blamed', () => {
    const damage = fc.constantFrom(
      'lr: [1\n',
      'lr: "x\n',
      '- 1\n',
      'lr: 1\n  x: 2\n',
      '<<<<<<< HEAD\nlr: 1\n',
      'just text\n',
    );
    fc.assert(
      fc.property(pipelines, damage, fc.boolean(), (plans, broken, inVars) => {
        const text = write(plans.map(linesOf));
        const files: Files = inVars
          ? { 'pipeline.yaml': `vars: [v.yaml]\n${text}`, 'v.yaml': broken }
          : { 'pipeline.yaml': text, 'params.yaml': broken };
        const { diagnostics } = load(files);
        expect(diagnostics.length).toBeGreaterThan(0);
        // A file that is no map is told where it is named.
        for (const { file, message } of diagnostics) {
          if (file === 'pipeline.yaml') expect(message).toMatch(/^vars: /);
          else expect(file).toBe(inVars ? 'v.yaml' : 'params.yaml');
        }
        expectInside(diagnostics, files);
      }),
      { numRuns: runs(60) },
    );
  });
});
