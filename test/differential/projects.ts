import fc from 'fast-check';

/** A project as texts by path. */
export type Files = { readonly [path: string]: string };

/** A value as it will be written: a plain scalar stands as it is, all else is flow style. */
type Written =
  | { readonly plain: string }
  | { readonly text: string }
  | readonly Written[]
  | { readonly map: readonly (readonly [string, Written])[] };

const NAMES = ['a', 'b', 'c', 'lr', 'list', 'deep', 'models'] as const;

/** Plain scalars that readers of YAML differ about. */
const SCALARS = [
  '0',
  '1',
  '-3',
  '+4',
  '017',
  '0o17',
  '0x1F',
  '0b11',
  '1_000',
  '12345678901234567890',
  '0.1',
  '1.0',
  '1.',
  '.5',
  '1e5',
  '1e-5',
  '1.5e-7',
  '1e400',
  '1.0e+16',
  '123456789.25',
  '-0.0',
  '.inf',
  '-.inf',
  '.nan',
  'true',
  'False',
  'yes',
  'off',
  'null',
  '~',
  '12:30:45',
  'word',
  'two words',
  'é',
  '日本',
  'a.b',
  'x=1',
  '1.2.3',
  '1e',
] as const;

const TEXTS = ['', ' ', 'word', "it's", 'say "x"', 'a\\b', '$HOME', '1', 'true', 'null', '#no', '- x', 'a: b', '\\n'];

const plain = fc.constantFrom(...SCALARS).map((one) => ({ plain: one }));
const text = fc.constantFrom(...TEXTS).map((value) => ({ text: value }));
const scalar: fc.Arbitrary<Written> = fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: text });
const simple: fc.Arbitrary<Written> = fc
  .constantFrom('1', '2', '0.5', 'x', 'y', 'true', '1e-5')
  .map((one) => ({ plain: one }));

/** Values of params files: maps of few names, so that templates hit them and vars meet them again. */
const value: fc.Arbitrary<Written> = fc.letrec<{ value: Written; map: Written; list: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 5, arbitrary: scalar },
    { weight: 2, arbitrary: tie('map') },
    { weight: 2, arbitrary: tie('list') },
  ),
  map: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), tie('value')), { maxLength: 3, selector: ([key]) => key })
    .map((map) => ({ map })),
  list: fc.array(tie('value'), { maxLength: 3 }),
})).value;

/** The values that most templates draw on: `a`, `b`, `c` and `lr` are scalars, `list` a list, `deep` and `models` maps. */
const frame = fc
  .record({
    a: simple,
    b: scalar,
    c: scalar,
    lr: plain,
    list: fc.array(scalar, { minLength: 1, maxLength: 3 }),
    deep: fc.tuple(scalar, value).map(([a, b]) => ({ map: [['a', a] as const, ['b', b] as const] })),
    models: fc.tuple(scalar, scalar).map(([a, b]) => ({
      map: [
        ['b', { map: [['a', a] as const] }] as const,
        ['c', { map: [['a', b] as const, ['lr', a] as const] }] as const,
      ],
    })),
  })
  .map((fields): Written => ({ map: Object.entries(fields) }));

function write(written: Written): string {
  if (isList(written)) return `[${written.map(write).join(', ')}]`;
  if ('plain' in written) return written.plain;
  if ('text' in written) return JSON.stringify(written.text);
  return `{${written.map.map(([key, item]) => `${/^\w+$/.test(key) ? key : JSON.stringify(key)}: ${write(item)}`).join(', ')}}`;
}

function isList(written: Written): written is readonly Written[] {
  return Array.isArray(written);
}

/** Key of a stage and its value as YAML. */
type Line = readonly [key: string, value: string];

/** What the templates of a stage can name beside the file's values, and what sets the outs of its items apart. */
interface Flavour {
  readonly names: readonly string[];
  readonly suffix: string;
}

const PLAIN: Flavour = { names: [], suffix: '' };
const EACH_SCALAR: Flavour = { names: ['item'], suffix: '-${item}' };
const EACH_MAP: Flavour = { names: ['item.p', 'item.q'], suffix: '-${item.p}' };
const EACH_KEY: Flavour = { names: ['key', 'item.p'], suffix: '-${key}' };
const MATRIX: Flavour = { names: ['key', 'item.x', 'item[y]'], suffix: '-${key}' };

/** One of `odd` now and then, so that most projects hold none or one. */
function mostly<T>(usual: fc.Arbitrary<T>, ...odd: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 60, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...odd) });
}

const SCALAR_PATHS = [
  'a',
  'b',
  'c',
  'lr',
  'deep.a',
  'models.b.a',
  'models[c][lr]',
  'list[0]',
  'list[-1]',
  'list.0',
  ' a ',
];
const ODD_PATHS = [
  '',
  'a.',
  '.a',
  'a[',
  'a[0',
  'a b',
  'a-b',
  'a..b',
  'a[]',
  'b{',
  'models',
  'list',
  'a[x',
  'item',
  'list[7]',
];

/** Text in quotes that keep it as it is. */
function quoted(item: string): string {
  return `'${item.replaceAll("'", "''")}'`;
}

function list(items: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> {
  return fc.array(items, { maxLength }).map((all) => `[${all.join(', ')}]`);
}

function line(key: string, item: fc.Arbitrary<string>): fc.Arbitrary<Line> {
  return item.map((one) => [key, one]);
}

const varsItem = mostly(
  fc.oneof(
    fc.constantFrom('more.yaml', "'more.yaml:x1'", "'more.yaml:x1,x2'", 'conf.json', 'params.yaml', '../params.yaml'),
    fc.constantFrom('{y1: 1}', '{y2: {z: 1}}', '{y3: [1, x]}', '{deep: {lr: 2}}', '{models: {a: {a: 1}}}', "{y4: '1'}"),
  ),
  'conf.toml',
  'conf.py',
  "'params.yaml:a'",
  'gone.yaml',
  "'more.yaml:gone'",
  "'params.yaml:'",
  '{item: 1}',
  '{a: {b: 1}}',
  "{y5: '${a}'}",
  '{deep: {a: 2}}',
  '{}',
  '1',
);

const vars = fc.uniqueArray(varsItem, { minLength: 1, maxLength: 2 }).map((items) => `[${items.join(', ')}]`);

function stageBody(flavour: Flavour): fc.Arbitrary<readonly Line[]> {
  const expression = mostly(fc.constantFrom(...flavour.names, ...flavour.names, ...SCALAR_PATHS), ...ODD_PATHS);
  const piece = fc.oneof(
    { weight: 4, arbitrary: expression.map((inner) => `\${${inner}}`) },
    { weight: 4, arbitrary: fc.constantFrom('run', 'x', '/', '-', ' ', '.', '$a', '}', '$', "'") },
    { weight: 1, arbitrary: fc.constantFrom('\\${a}', '\\', '${', ' ${models} ', ' ${models.c}') },
  );
  const command = fc
    .tuple(fc.constantFrom('run ', 'python x.py '), fc.array(piece, { minLength: 1, maxLength: 4 }))
    .map(([first, rest]) => quoted(first + rest.join('')));
  const index = fc.integer({ min: 0, max: 60 });
  const made = mostly(
    index.map((i) => `${['o', 'sub/o', './o', 'dir/o'][i % 4]}${i}${flavour.suffix}`),
    'o1/inside',
    'o.tmp',
    'x/dvc.yaml',
    'o.dvc',
    'é',
    'a b',
    'dir',
    'o1',
    'o-${a}',
    'o-${models}',
    '',
  );
  const dep = mostly(
    fc.oneof(
      index.map((i) => `${['o', 'sub/o', 'o', 'dir/o'][i % 4]}${i}`),
      index.map((i) => `o${i}${flavour.suffix}`),
      fc.constantFrom('src.py', 'data/raw', 'sub/in', './data', 'data/', 'dir', 'params.yaml', 'x-${a}', 'sub/../here'),
      fc.constantFrom('a b', 'é', 'e\u0301', '~/x', 'c:d', 'x=1', '#no', '.hidden', 'deep//er', '..data', '%'),
    ),
    'data.dvc',
    'dvc.yaml',
    'sub',
    '${list}',
    '.',
    '',
  );
  const flags = fc
    .uniqueArray(
      mostly<Line>(
        fc.constantFrom<Line>(
          ['cache', 'false'],
          ['cache', 'true'],
          ['persist', 'true'],
          ['push', 'false'],
          ['remote', 'store'],
          ['desc', 'words'],
          ['desc', "'${lr} words'"],
          ['desc', "'${b}'"],
          ['type', 'model'],
          ['labels', '[one, two]'],
          ['meta', "{deep: [1, '${a}']}"],
        ),
        ['cache', "'${b}'"],
        ['cache', '1'],
        ['persist', "'yes'"],
        ['labels', 'one'],
        ['other', '1'],
      ),
      { selector: ([key]) => key, maxLength: 3 },
    )
    .map((lines) => `{${lines.map(([key, item]) => `${key}: ${item}`).join(', ')}}`);
  const out = fc.oneof(
    made.map(quoted),
    fc.tuple(made, flags).map(([name, said]) => `{${quoted(name)}: ${said}}`),
  );
  const plot = fc.oneof(
    out,
    made.map((name) => `{${quoted(name)}: {x: a, y: b, title: T, header: false, template: t}}`),
    made.map((name) => `{${quoted(name)}: [{x: a}, {x: b, y: '\${lr}x'}]}`),
  );
  const param = mostly(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom<string>(
          ...NAMES,
          'deep.a',
          'list.0',
          'models.b.c',
          'models.c',
          "'p${lr}'",
          "'${lr}'",
        ),
      },
      fc.constantFrom(
        '{more.yaml: [x1, x2.y]}',
        '{more.yaml: }',
        '{conf.json: []}',
        '{conf.toml: [a]}',
        '{conf.py: [lr]}',
      ),
      fc.constantFrom('{params.yaml: {}}', '{more.yaml: false}', '{./params.yaml: [a]}', '{./more.yaml: }', '{}'),
      fc.constantFrom('{params.yaml: [a, deep]}', '{sub/params.yaml: [b]}', "{'x${lr}.yaml': [a]}", '{gone.yaml: [a]}'),
    ),
    '1',
    '{more.yaml: x1}',
    "'${list}'",
  );
  const cmd = line(
    'cmd',
    mostly(
      fc.oneof(command, command, command, list(command, 2), fc.constant("'${lr}'")),
      '1',
      '',
      '{a: b}',
      "'${models}'",
    ),
  );
  const others = fc.uniqueArray(
    fc.oneof(
      { weight: 6, arbitrary: line('deps', list(dep.map(quoted), 3)) },
      { weight: 6, arbitrary: line('outs', list(out, 2)) },
      { weight: 2, arbitrary: line('metrics', list(out, 2)) },
      { weight: 2, arbitrary: line('plots', list(plot, 2)) },
      { weight: 4, arbitrary: line('params', list(param, 3)) },
      { weight: 1, arbitrary: line('vars', vars) },
      {
        weight: 2,
        arbitrary: line(
          'wdir',
          mostly(fc.constantFrom('sub', '.', './sub/', "'w${lr}'", 'sub/deeper'), "'${list}'", '1', "''"),
        ),
      },
      { weight: 1, arbitrary: line('frozen', mostly(fc.constantFrom('true', 'false'), "'${b}'", '1', "'true'")) },
      { weight: 1, arbitrary: line('always_changed', fc.constantFrom('true', 'false')) },
      {
        weight: 1,
        arbitrary: line(
          'desc',
          mostly(fc.constantFrom('words', "'${a} words'", "'${lr}'", 'two words'), '1', "'${models}'"),
        ),
      },
      {
        weight: 1,
        arbitrary: line('meta', fc.constantFrom('{a: 1}', "'x${a}'", "{a: '${a}', b: ['${b}']}", 'x', '[1]')),
      },
    ),
    { selector: ([key]) => key, maxLength: 4 },
  );
  return fc.tuple(cmd, others).map(([first, rest]) => [first, ...rest]);
}

const scalars = fc.array(scalar, { minLength: 1, maxLength: 4 });
const record = fc.tuple(scalar, value).map(
  ([p, q]): Written => ({
    map: [
      ['p', p],
      ['q', q],
    ],
  }),
);
const keyed = fc
  .uniqueArray(fc.tuple(fc.constantFrom('k1', 'k2', 'k 3', '4', 'true'), record), {
    selector: ([key]) => key,
    minLength: 1,
    maxLength: 3,
  })
  .map((map): Written => ({ map }));
const eachScalar = mostly(
  fc.oneof(
    scalars.map(write),
    fc.constantFrom("['${list}', '${lr}']", "['${models.b}', 1]", "'${list}'", "['${a}', '${b}x', 3]", "['${c}']"),
  ),
  '[]',
  '{}',
  "['']",
  "[x, 'y@z']",
  "'${a}'",
  "'x${list}'",
  "'${list} '",
  '1',
);
const eachMap = fc.oneof(
  { weight: 3, arbitrary: fc.array(record, { minLength: 1, maxLength: 3 }).map(write) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "[{p: '${a}', q: '${list[0]}'}, {p: 'x${lr}', q: 2}]",
      "[{p: '${deep.a}', q: '${models.b}'}, {p: z, '${a}x': 1, q: '${list}'}]",
      "[{p: 1, q: [1, '${b}']}, [2], {p: 3, q: {r: '${c}'}}]",
    ),
  },
);
const axis = mostly(
  fc.oneof(
    scalars.map(write),
    fc.constantFrom(
      "'${list}'",
      "['${a}', '${b}x']",
      '[[1, 2], [3]]',
      '[{p: 1}, 2]',
      "[{p: '${a}'}, ['${lr}'], '${list}']",
      "['', x]",
    ),
  ),
  "'${models}'",
  '[]',
  '1',
  '{m: 1, n: 2}',
);
const axes = mostly(
  fc.oneof(
    fc.tuple(axis, axis).map(([x, y]) => `{x: ${x}, y: ${y}}`),
    fc.tuple(axis, axis, axis).map(([x, y, z]) => `{y: ${y}, z: ${z}, x: ${x}}`),
    fc.tuple(axis, axis).map(([x, y]) => `{x: ${x}, y: ${y}, 'n\${lr}': [1, 2]}`),
  ),
  '{}',
  "'${models}'",
  '[x, y]',
);

function foreach(items: fc.Arbitrary<string>, flavour: Flavour): fc.Arbitrary<readonly string[]> {
  return fc
    .tuple(items, stageBody(flavour))
    .map(([each, lines]) => [`foreach: ${each}`, 'do:', ...indented(block(lines))]);
}

const stage: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 6, arbitrary: stageBody(PLAIN).map(block) },
  { weight: 2, arbitrary: foreach(eachScalar, EACH_SCALAR) },
  { weight: 1, arbitrary: foreach(eachMap, EACH_MAP) },
  { weight: 1, arbitrary: foreach(keyed.map(write), EACH_KEY) },
  { weight: 1, arbitrary: foreach(fc.constantFrom("'${models}'", "'${deep}'"), { names: ['key'], suffix: '-${key}' }) },
  {
    weight: 2,
    arbitrary: fc.tuple(axes, stageBody(MATRIX)).map(([matrix, lines]) => [`matrix: ${matrix}`, ...block(lines)]),
  },
);

function block(lines: readonly Line[]): string[] {
  return lines.map(([key, item]) => `${key}: ${item}`);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((one) => `  ${one}`);
}

const pipeline = fc
  .record({
    vars: fc.option(vars, { nil: undefined, freq: 3 }),
    stages: fc.uniqueArray(
      fc.tuple(
        mostly(
          fc.constantFrom('one', 'two', 'three', 'f-o_u.r', 'a b', 'é', 'a:b', '1x'),
          "'1'",
          '1',
          'a@b',
          "''",
          "'${a}'",
        ),
        stage,
      ),
      {
        selector: ([name]) => name,
        minLength: 1,
        maxLength: 3,
      },
    ),
    shown: fc.option(
      mostly(
        fc.constantFrom(
          'params: [more.yaml]',
          'metrics: [m1]',
          "metrics: ['${a}.json', 'x/${lr}']",
          "plots: ['${a}.csv', p.csv: {x: '${b}', y: [q, 'r${c}']}, '${lr}x': , i: {y: {'${a}.csv': z}}]",
          "params: ['${a}.yaml']",
          'artifacts: {n: {path: m1, type: t}}',
          "artifacts: {'n${a}': {path: 'p${lr}', desc: '${a} x', labels: ['l${a}'], meta: {a: '${lr}', l: ['${b}']}}}",
        ),
        "metrics: ['${gone}']",
        'metrics: [1]',
        'plots: {a: {x: b}}',
        'artifacts: {n: {type: t}}',
        'params: null',
      ),
      { nil: undefined, freq: 3 },
    ),
  })
  .map((file) =>
    [
      ...(file.vars === undefined ? [] : [`vars: ${file.vars}`]),
      'stages:',
      ...file.stages.flatMap(([name, lines]) => [`  ${name}:`, ...indented(indented(lines))]),
      ...(file.shown === undefined ? [] : [file.shown]),
      '',
    ].join('\n'),
  );

const yaml = frame.map((written) => `${write(written)}\n`);
const more = fc.tuple(scalar, value).map(
  ([x1, x2]) =>
    `${write({
      map: [
        ['x1', x1],
        ['x2', x2],
      ],
    })}\n`,
);

/** The same few values in each of the other formats. */
const few = fc.uniqueArray(
  fc.tuple(fc.constantFrom('f1', 'f2', 'lr'), fc.constantFrom('1', '0.5', '"x"', 'true', '1e-5')),
  {
    maxLength: 3,
    selector: ([key]) => key,
  },
);
const json = few.map((map) => `{${map.map(([key, one]) => `"${key}": ${one}`).join(', ')}}\n`);
const toml = few.map((map) => map.map(([key, one]) => `${key} = ${one}\n`).join(''));
const python = few.map((map) => map.map(([key, one]) => `${key} = ${one === 'true' ? 'True' : one}\n`).join(''));

/** Settings as each of the two tools has them. */
const SETTINGS: readonly Files[] = [
  {},
  {},
  {
    '.dvc/config': '[core]\nno_scm = true\n[parsing]\nbool = boolean_optional\n',
    '.cache/local.yaml': 'parsing: {bool: boolean_optional}\n',
  },
  {
    '.dvc/config': '[core]\nno_scm = true\n[parsing]\nlist = append\n',
    '.cache/local.yaml': 'parsing: {list: append}\n',
  },
];

const ignored = fc.constantFrom(
  '*.tmp\n',
  'sub/\n',
  'dir/\n',
  'o[0-9]*\n!o1*\n',
  '/sub/deep\n',
  'sub/*\n',
  '# no\n\nx\n',
);

/** Projects of one to three pipeline files with their params files; many of them are sound, many are refused. */
export const projects: fc.Arbitrary<Files> = fc
  .record(
    {
      'pipeline.yaml': pipeline,
      'params.yaml': yaml,
      'sub/pipeline.yaml': pipeline,
      'sub/deep/pipeline.yaml': fc.option(pipeline, { nil: undefined, freq: 1 }),
      '.dagignore': fc.option(ignored, { nil: undefined, freq: 1 }),
      'sub/params.yaml': yaml,
      'more.yaml': more,
      'sub/more.yaml': more,
      'conf.json': json,
      'sub/conf.json': json,
      'conf.toml': toml,
      'conf.py': python,
    },
    {
      requiredKeys: [
        'pipeline.yaml',
        'params.yaml',
        'sub/params.yaml',
        'more.yaml',
        'sub/more.yaml',
        'conf.json',
        'sub/conf.json',
      ],
    },
  )
  .map((files) => Object.fromEntries(Object.entries(files).filter(([, one]) => one !== undefined)) as Files)
  .chain((files) => fc.constantFrom(...SETTINGS).map((settings): Files => ({ ...files, ...settings })));
