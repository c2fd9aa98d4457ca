import type { AnyPath, Value } from '@dag/model';
import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { describe, expect, test } from 'vitest';
import { fill, hasAnchor } from '../src/plots/anchors.ts';
import type { Definition, Looks } from '../src/plots/definition.ts';
import { targetOf } from '../src/plots/definition.ts';
import { pageOf } from '../src/plots/page.ts';
import { rowsOf } from '../src/plots/rows.ts';
import { seriesOf } from '../src/plots/series.ts';
import { readSource } from '../src/plots/source.ts';
import { specOf } from '../src/plots/spec.ts';
import { TEMPLATES } from '../src/plots/templates.ts';

const FILE = 'a/m.json' as AnyPath;
const OTHER = 'a/b/n.json' as AnyPath;

function definition(looks: Looks, path: AnyPath | undefined = FILE): Definition {
  return { id: 'plot', from: '', path, looks };
}

/** Rows that all templates can draw: classes, and numbers under a name that Vega would take for a path. */
function rows(factor: number): Value {
  return Array.from({ length: 12 }, (_, i) => ({
    'epoch[0]': i,
    'loss.top': i * factor,
    acc: 1 - i * factor,
    actual: 'abc'[i % 3] ?? '',
    predicted: 'abc'[(i * factor) % 2] ?? '',
  }));
}

interface Drawn {
  readonly svg: string;
  readonly warnings: readonly string[];
}

/** Draws a specification as pages do, but into a text. */
async function draw(spec: Value): Promise<Drawn> {
  const warnings: string[] = [];
  const note = (...words: readonly unknown[]) => {
    const text = words.join(' ');
    // There is no window here, whose events zoom and pan.
    if (!text.includes('event source: window')) warnings.push(text);
    return logger;
  };
  const same = () => logger;
  const logger = { level: same, error: note, warn: note, info: same, debug: same } as unknown as vega.LoggerInterface;
  const compiled = compile(spec as unknown as TopLevelSpec, { logger }).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logger });
  await view.runAsync();
  return { svg: await view.toSVG(), warnings };
}

function specFor(template: string, looks: Looks, path: AnyPath | undefined = FILE): Value {
  const both = ['workspace', 'v1.0'].map((revision, i) =>
    seriesOf(
      definition(looks, path),
      new Map([
        [FILE, rows(i + 1)],
        [OTHER, rows(i + 2)],
      ]),
      revision,
    ),
  );
  const [first, second] = both;
  if (first === undefined || second === undefined) throw new Error('no rows');
  const all = [...first.rows, ...second.rows];
  return specOf(TEMPLATES[template] ?? {}, {
    ...first,
    rows: all,
    title: 'A title',
    revisions: ['workspace', 'v1.0'],
  });
}

const AXES: { readonly [template: string]: Looks } = {
  confusion: { x: 'actual', y: ['predicted'] },
  confusion_normalized: { x: 'actual', y: ['predicted'] },
  scatter_jitter: { x: 'actual', y: ['predicted'] },
  bar_horizontal: { x: 'acc', y: ['actual'] },
  bar_horizontal_sorted: { x: 'acc', y: ['actual'] },
};

describe('templates', () => {
  test.each(Object.keys(TEMPLATES))(
    '%s draws two revisions, one line each or several, without a warning',
    async (name) => {
      const one = AXES[name] ?? { x: 'epoch[0]', y: ['loss.top'] };
      const y = one.y as readonly string[];
      const files = new Map([
        [FILE, y],
        [OTHER, y],
      ]);
      const shapes = [
        specFor(name, one),
        specFor(name, { ...one, y: files }, undefined),
        specFor(name, { ...one, y: AXES[name] === undefined ? ['loss.top', 'acc'] : [...y, 'actual'] }),
      ];
      for (const spec of shapes) {
        expect(JSON.stringify(spec)).not.toContain('<DVC_METRIC');
        const { svg, warnings } = await draw(spec);
        expect(warnings).toEqual([]);
        expect(svg).toContain('A title');
        expect(svg).toContain('workspace');
        expect(svg).toContain('v1.0');
        // Something is drawn, of either colour where colours are revisions.
        if (!name.startsWith('confusion')) for (const colour of ['#945dd6', '#13adc7']) expect(svg).toContain(colour);
      }
    },
  );

  test("DVC's users' own: anchors at places and inside texts; what nobody fills is taken out", () => {
    const template = {
      data: { values: '<DVC_METRIC_DATA>' },
      title: 'of <DVC_METRIC_TITLE>',
      encoding: { x: { field: '<DVC_METRIC_X>' }, shape: '<DVC_METRIC_SHAPE>' },
      list: ['<DVC_METRIC_ROW>', 1, '<DVC_METRIC_Y>'],
    };
    expect(fill(template, { data: [{ a: 1 }], title: 'it', x: 'a', shape: undefined, row: undefined, y: 'b' })).toEqual(
      {
        data: { values: [{ a: 1 }] },
        title: 'of it',
        encoding: { x: { field: 'a' } },
        list: [1, 'b'],
      },
    );
    expect([hasAnchor(template, 'data'), hasAnchor(template, 'tooltip')]).toEqual([true, false]);
  });
});

describe('rows', () => {
  test('lists of maps at any depth, joined row by row; a list with other keys is none', () => {
    expect(rowsOf({ a: { train: [{ l: 1 }, { l: 2 }] }, val: [{ v: 3 }], odd: [{ o: 1 }, { p: 2 }], n: [1] })).toEqual([
      { l: 1, v: 3 },
      { l: 2 },
    ]);
  });

  test('separated values: quotes, a byte order mark, empty fields, numbers by column', () => {
    const read = (text: string, name: string, header = true) =>
      readSource(new TextEncoder().encode(text), name as AnyPath, header);
    expect(read('\ufeffa,b,c\n1,"x, ""y""\nz",\n\n2.5e3,7\n', 'a.csv')).toEqual({
      content: [
        { a: 1, b: 'x, "y"\nz', c: null },
        { a: 2500, b: '7', c: null },
      ],
    });
    expect(read('1\tx\n2\ty', 'a.tsv', false)).toEqual({
      content: [
        { '0': 1, '1': 'x' },
        { '0': 2, '1': 'y' },
      ],
    });
    expect(read('a,b\n"1,2', 'a.csv')).toMatchObject({ error: { type: 'invalid' } });
    expect(read('x', 'a.txt')).toMatchObject({ error: { type: 'invalid' } });
    expect(read('[{"a": 1,', 'a.json')).toMatchObject({ error: { msg: expect.stringMatching(/^a\.json:1:\d+: /) } });
  });
});

describe('series', () => {
  const content = new Map<AnyPath, Value>([[FILE, [{ a: 1, b: 2 }]]]);

  test('the last field by the number of the row, where nothing is said', () => {
    expect(seriesOf(definition({}), content, 'v1')).toEqual({
      rows: [{ a: 1, b: 2, step: 0, rev: 'v1', filename: FILE, field: 'b' }],
      x: 'step',
      y: 'b',
      xLabel: 'step',
      yLabel: 'b',
      drawn: [{ filename: FILE, field: 'b' }],
    });
  });

  test('a field that is not there, axes of other lengths: said by name', () => {
    const attempt =
      (looks: Looks, sources = content) =>
      () =>
        seriesOf(definition(looks), sources, 'v1');
    expect(attempt({ y: ['loss'] })).toThrow("a/m.json has no field 'loss', only a, b");
    expect(attempt({ x: 'nope' })).toThrow("no field 'nope'");
    const long = new Map<AnyPath, Value>([...content, [OTHER, [{ x: 1 }, { x: 2 }]]]);
    expect(attempt({ x: new Map([[OTHER, ['x']]]), y: ['a'] }, long)).toThrow("'x' of a/b/n.json has 2 rows, 'a' of");
    const two = new Map([[OTHER, ['x', 'x']]]);
    expect(attempt({ x: two, y: ['a'] }, long)).toThrow("2 fields on the x axis and 1 on the y axis don't go together");
  });
});

test('targets name plots by their beginning, or as a pattern', () => {
  const named = (target: string, id: string) => targetOf(target, undefined).names(id);
  expect([named('los', 'loss.csv'), named('.*csv$', 'loss.csv'), named('a(', 'a(b'), named('oss', 'loss.csv')]).toEqual(
    [true, true, true, false],
  );
});

test('a page of images holds them, and no name that ends a tag', () => {
  const page = pageOf([
    { kind: 'image', id: '<b>"&', images: [{ revision: '</script>', url: 'data:image/png;base64,AA==' }] },
  ]);
  expect(page).toContain('<h2>&#60;b&#62;&#34;&#38;</h2>');
  expect(page).toContain('<img src="data:image/png;base64,AA=="');
  expect(page).not.toContain('</script>');
  expect(pageOf([], 'x{plot_divs}y{scripts}z')).toBe('xyz');
  expect(() => pageOf([], 'no place')).toThrow('has no {plot_divs}');
});
