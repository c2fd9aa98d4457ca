import fc from 'fast-check';

/** Pieces that readers of YAML stumble over, to be strung together. */
const TOKENS = [
  ...[
    'a',
    'b c',
    'key: ',
    'x:',
    'a: ',
    'b:',
    '- ',
    '-',
    ' ',
    '  ',
    '    ',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
    '\r\n',
    '\r',
  ],
  ...[
    '"q"',
    "'s'",
    '"a\\n"',
    "'it''s'",
    '"',
    "'",
    '"m\n n"',
    "'m\n\n  n'",
    '# c',
    ' # c',
    '#',
    '\\',
    '"\\\n  x"',
    '"\\x41"',
  ],
  ...[
    '[',
    ']',
    '{',
    '}',
    ', ',
    ',',
    ':',
    ': ',
    '? ',
    '?',
    '|',
    '>',
    '|-\n  ',
    '>+\n   ',
    '|2\n   ',
    '>-\n  x\n\n  y\n',
    '|\n',
  ],
  ...[
    '1',
    '1.5',
    '0o17',
    '017',
    '1_000',
    '1e3',
    '.inf',
    'null',
    '~',
    'true',
    'no',
    '2020-01-01',
    '=',
    '<<',
    '<<: ',
    '1:30',
  ],
  ...[
    '\t',
    '&a ',
    '*a',
    '&b ',
    '*b ',
    '! ',
    '!t ',
    '!!str ',
    '!!int ',
    '!!map ',
    '---',
    '...',
    '--- ',
    '\n---\n',
    '\n...\n',
    '%',
  ],
  ...[
    '%YAML 1.2\n',
    '%TAG ! x\n',
    '${x}',
    '@',
    '`',
    'é',
    '😀',
    '\ufeff',
    '\u0085',
    '\u2028',
    '\u00a0',
    '*',
    '&',
    '!',
    '$',
    '0',
  ],
] as const;

const soup = fc.array(fc.constantFrom(...TOKENS), { maxLength: 16 }).map((tokens) => tokens.join(''));

const PLAIN = [
  ...[
    'a',
    'b',
    'c',
    'two words',
    'x.y',
    'a/b.csv',
    'é日本',
    '😀',
    'a#b',
    'a:b',
    "it's",
    'say "x"',
    'http://h/x',
    '${item.x}',
  ],
  ...[
    '0',
    '1',
    '-3',
    '+4',
    '017',
    '0o17',
    '0o8',
    '0x1F',
    '0b11',
    '1_000',
    '_1',
    '1__0',
    '12345678901234567890',
    '08',
    '00',
    '-0',
  ],
  ...[
    '0.1',
    '1.0',
    '1.',
    '.5',
    '-.5',
    '+.5',
    '1e5',
    '1e-5',
    '1.5e-7',
    '1e400',
    '1.e3',
    '1E3',
    '.5e3',
    '.5e+3',
    '._',
    '1_0.5_0',
  ],
  ...[
    '.inf',
    '-.inf',
    '+.INF',
    '.nan',
    '.NaN',
    '-.nan',
    'inf',
    'nan',
    'true',
    'False',
    'TRUE',
    'tRUE',
    'yes',
    'off',
    'y',
    'N',
  ],
  ...[
    'null',
    'Null',
    'NULL',
    '~',
    'nULL',
    '',
    '12:30:45',
    '1:30',
    '2020-01-01',
    '2001-12-14t21:59:43.10-05:00',
    '2020-1-1',
  ],
  ...[
    '=',
    '<<',
    '-',
    '-a',
    '--x',
    '---',
    '...',
    '?a',
    ':a',
    'a: b',
    'a #b',
    '@x',
    '`x`',
    '%x',
    '*x',
    '&x',
    '!x',
    '|x',
    '>x',
    'a,b',
  ],
  ...[
    '[x',
    '{x',
    'x]',
    'x}',
    '"x',
    "'x",
    '#x',
    '- a',
    'a\tb',
    '1e',
    '0x',
    '0b',
    '-_',
    '+',
    '1.2.3',
    '1,000',
    '$',
    '\\n',
    '\u00a0',
  ],
];

const QUOTED = [
  ...[
    '""',
    "''",
    '"a"',
    "'a'",
    '"a\\tb"',
    '"\\u00e9"',
    '"\\U0001F600"',
    "'it''s'",
    '"say \\"x\\""',
    '"a\\/b"',
    '"\\e"',
    '"\\q"',
  ],
  ...[
    '"a\n   b"',
    "'a\n\n    b'",
    '"a\\\n    b"',
    '"a  \n  b"',
    '" a "',
    "'a: b'",
    '"# x"',
    '"1"',
    "'null'",
    '"a\nb"',
    '"\\\tx"',
  ],
];

const BLOCK_BODIES = [
  ['x'],
  ['x', 'y'],
  ['x', '', 'y'],
  ['', 'x'],
  ['x', '  more', 'y'],
  ['  first', 'x'],
  ['x', '', ''],
  ['# x'],
  ['x', '# y'],
  ['\tx'],
  ['x', '\ty', 'z'],
  ['- x'],
  [],
  [''],
  ['', ' ', 'x'],
];

/** A value as the lines that follow its key; the first stands on the key's line. */
type Lines = readonly string[];

const indent = (lines: Lines, by: string): Lines => lines.map((line) => (line === '' ? '' : by + line));

const block = fc
  .record({
    style: fc.constantFrom('|', '>'),
    chomp: fc.constantFrom('', '-', '+'),
    number: fc.constantFrom('', '', '', '1', '2', '4'),
    comment: fc.constantFrom('', '', '', ' # c', '  ', ' x'),
    body: fc.constantFrom(...BLOCK_BODIES),
    by: fc.constantFrom('  ', '    ', ' ', ''),
  })
  .map(
    ({ style, chomp, number, comment, body, by }): Lines => [
      `${style}${number}${chomp}${comment}`,
      ...indent(body, by),
    ],
  );

const plain = fc.constantFrom(...PLAIN).map((text): Lines => [text]);
const quoted = fc.constantFrom(...QUOTED).map((text): Lines => text.split('\n'));
const folded = fc
  .tuple(
    fc.constantFrom(...PLAIN),
    fc.constantFrom('', '# c', ' '),
    fc.constantFrom(...PLAIN),
    fc.constantFrom('  ', ' ', ''),
  )
  .map(([a, between, b, by]): Lines => [a, ...(between === '' ? [] : [between]), by + b]);
const alias = fc.constantFrom(['*a'], ['*b'], ['*c']).map((one): Lines => one);
const scalar: fc.Arbitrary<Lines> = fc.oneof(
  { weight: 8, arbitrary: plain },
  { weight: 4, arbitrary: quoted },
  { weight: 3, arbitrary: block },
  { weight: 2, arbitrary: folded },
  { weight: 1, arbitrary: alias },
);

const KEYS = [
  'a',
  'b',
  'c',
  'cmd',
  'deps',
  '"q"',
  "'s'",
  '1',
  '1.0',
  'true',
  'null',
  '2020-01-01',
  'two words',
  '<<',
  '<<',
  '=',
  '*a',
  'é',
];
const key = fc.constantFrom(...KEYS);
const property = fc.constantFrom(
  '',
  '',
  '',
  '',
  '',
  '',
  '&a ',
  '&b ',
  '&c ',
  '!!str ',
  '!!int ',
  '!!float ',
  '!!map ',
  '!!seq ',
  '! ',
  '!t ',
);
const comment = fc.constantFrom('', '', '', '', '', ' # c', '  ', '#c', '\t');
const gap = fc.constantFrom<Lines>([], [], [], [], [], [''], ['# c'], ['  # c'], ['   '], ['\t'], ['', '']);

const value: fc.Arbitrary<Lines> = fc.letrec<{ value: Lines; flow: string; map: Lines; list: Lines }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    tie('map'),
    tie('list'),
    tie('flow').map((text): Lines => text.split('\n')),
  ),
  map: fc
    .tuple(
      fc.array(fc.tuple(gap, fc.constantFrom('', '', '', '', '', '', '? '), key, property, comment, tie('value')), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.constantFrom('  ', '  ', '    ', ' ', ''),
    )
    .map(
      ([entries, by]): Lines => [
        '',
        ...entries.flatMap(([above, mark, name, before, after, [first = '', ...more]]) => [
          ...above,
          ...(mark === '' ? [] : [`? ${name}`]),
          `${mark === '' ? name : ''}: ${before}${first}${after}`.trimEnd(),
          ...indent(more, by),
        ]),
      ],
    ),
  list: fc
    .tuple(fc.array(fc.tuple(gap, property, comment, tie('value')), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(
      ([items, hang]): Lines => [
        '',
        ...items.flatMap(([above, before, after, lines]) => {
          const [first = '', ...more] = lines[0] === '' && hang ? lines.slice(1) : lines;
          return [...above, `- ${before}${first}${after}`.trimEnd(), ...indent(more, '  ')];
        }),
      ],
    ),
  flow: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      ...PLAIN,
      ...QUOTED,
      '*a',
      '*b',
      '&a x',
      '!!str 1',
      '? a',
      '? a : b',
      'a: b',
      '"a":b',
      'a:',
      ':b',
      ': b',
    ),
    fc
      .tuple(
        fc.array(fc.tuple(tie('flow'), fc.constantFrom(', ', ',', ',\n  ', ' ,', ', # c\n ', ',\t')), { maxLength: 3 }),
        fc.constantFrom('', ',', ' ', '\n'),
      )
      .map(
        ([items, end]) =>
          `[${items.map(([item, comma], i) => item + (i < items.length - 1 ? comma : '')).join('')}${end}]`,
      ),
    fc
      .tuple(
        fc.array(
          fc.tuple(
            key,
            fc.constantFrom(': ', ': ', ': ', ':', ' : ', ':\n  '),
            tie('flow'),
            fc.constantFrom(', ', ',', ',\n'),
          ),
          { maxLength: 3 },
        ),
        fc.constantFrom('', ',', ' ', '\n'),
      )
      .map(
        ([items, end]) =>
          `{${items.map(([name, colon, item, comma], i) => name + colon + item + (i < items.length - 1 ? comma : '')).join('')}${end}}`,
      ),
  ),
})).value;

const START = [
  '',
  '',
  '',
  '',
  '',
  '',
  '---\n',
  '--- ',
  '# c\n',
  '\n',
  '\ufeff',
  '%YAML 1.2\n---\n',
  '%TAG ! tag:yaml.org,2002:\n---\n',
  '%X y\n---\n',
  ' ',
  '--- # c\n',
];
const END = [
  '\n',
  '\n',
  '\n',
  '\n',
  '',
  '',
  '\n\n',
  '\n...\n',
  '\n---\n',
  '\n# c',
  '\n  ',
  '\n...\n# c\n',
  ' # c',
  '\n... x\n',
  '\n---\na: 1\n',
];

const tree = fc
  .tuple(fc.constantFrom(...START), value, fc.constantFrom(...END))
  .map(([start, lines, end]) => start + (lines[0] === '' ? lines.slice(1) : lines).join('\n') + end);

const REAL = [
  'stages:\n  train:\n    cmd: python train.py --lr ${lr}\n    deps:\n      - data/raw\n      - src/train.py\n    params: [lr, epochs]\n    outs:\n      - model.bin:\n          cache: false\n',
  'vars:\n- lr: 0.1\n- conf.yaml:a,b\nstages:\n  a:\n    foreach: [x, y]\n    do:\n      cmd: >-\n        run\n        ${item}\n\n      outs: ["out/${item}"]\n',
  'base: &base\n  lr: 0.1 # rate\n  deep: {a: 1, b: [1, 2]}\nmine:\n  <<: *base\n  lr: 0.2\nboth:\n  <<: [*base, {x: 1, lr: 3}]\n',
  'desc: "two\n  lines"\ntext: |\n  # no comment\n  x\n\n    y\nlast: >+\n  a\n  b\n\n',
  "data:\n- {path: a, desc: 'it''s'}\n- path: b\n  push: false\nremotes:\n  s: s3://b/p\n? long key\n: - 1\n  - 2\n",
];

/** A sound text with one or two small changes. */
const changed = fc
  .tuple(
    fc.oneof(fc.constantFrom(...REAL), tree),
    fc.array(fc.tuple(fc.nat(400), fc.nat(3), fc.constantFrom('', '', '', ...TOKENS)), { minLength: 1, maxLength: 2 }),
  )
  .map(([text, changes]) => {
    let result = text;
    for (const [at, cut, put] of changes) {
      const place = result.length === 0 ? 0 : at % (result.length + 1);
      result = result.slice(0, place) + put + result.slice(place + cut);
    }
    return result;
  });

/** Texts that are YAML, or nearly. */
export const yamlTexts: fc.Arbitrary<string> = fc
  .oneof(soup, { weight: 2, arbitrary: tree }, { weight: 2, arbitrary: changed })
  .chain((text) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(text) },
      { weight: 1, arbitrary: fc.constant(text.replaceAll('\n', '\r\n')) },
    ),
  )
  .map((text) => text.toWellFormed());
