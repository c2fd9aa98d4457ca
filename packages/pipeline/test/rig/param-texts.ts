import fc from 'fast-check';

/** A sound text with a few small changes, or none. */
function changed(sound: fc.Arbitrary<string>, tokens: readonly string[]): fc.Arbitrary<string> {
  const change = fc.tuple(fc.nat(400), fc.nat(3), fc.constantFrom('', '', ...tokens));
  return fc.tuple(sound, fc.array(change, { maxLength: 2 })).map(([text, changes]) => {
    let result = text;
    for (const [at, cut, put] of changes) {
      const place = at % (result.length + 1);
      result = result.slice(0, place) + put + result.slice(place + cut);
    }
    return result.toWellFormed();
  });
}

const JSON_TOKENS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\n',
    ' ',
    '\t',
    '1',
    '-',
    '.',
    'e5',
    'E+',
    '0',
    'NaN',
    'Infinity',
    'null',
    'true',
  ],
  ...[
    '"a"',
    '"\\u00e9"',
    '"\\ud83d\\ude00"',
    '//',
    '1.0',
    '-0',
    '1e999',
    '12345678901234567890',
    '\u00a0',
    '\ufeff',
    "'",
    '\u2028',
  ],
] as const;

/** JSON, or nearly. */
export const jsonTexts = changed(
  fc.oneof(
    fc
      .tuple(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(0, 2))
      .map(([value, indent]) => JSON.stringify(value, null, indent)),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', 'é', ''), fc.constantFrom(...JSON_TOKENS)), { maxLength: 4 })
      .map((pairs) => `{${pairs.map(([key, value]) => `"${key}": ${value}`).join(', ')}}`),
  ),
  JSON_TOKENS,
);

const TOML_VALUES = [
  ...[
    '1',
    '+1',
    '-0',
    '0x1F',
    '0o17',
    '0b11',
    '1_000',
    '01',
    '1_',
    '1.5',
    '1.',
    '.5',
    '1e5',
    '1E-5',
    '-0.0',
    'inf',
    '-inf',
    'nan',
  ],
  ...[
    '9223372036854775808',
    'true',
    'false',
    'True',
    '"a"',
    "'a'",
    '"\\u00e9\\t"',
    '"\\q"',
    "'\\q'",
    '"""\na\nb"""',
    "'''a'b'''",
  ],
  ...[
    '[1, "x", [2]]',
    '[1,\n2,\n]',
    '[]',
    '{b = 1, c.d = 2}',
    '{}',
    '{b = 1,}',
    '[{a = 1}, {a = 2}]',
    '2020-01-01',
    '10:00:00',
    '"',
    '',
  ],
];
const TOML_KEYS = ['a', 'b', 'c', 'a.b', 'b.c', '"q"', "'s'", '1', '"a.b"', 'é', 'a-b', ''];
const TOML_LINES = ['[a]', '[b]', '[a.b]', '[[c]]', '[[b.d]]', '# c', '', '[ b . e ]', '["q"]'];

/** TOML, or nearly. */
export const tomlTexts = changed(
  fc
    .array(
      fc.oneof(
        {
          weight: 3,
          arbitrary: fc
            .tuple(fc.constantFrom(...TOML_KEYS), fc.constantFrom(...TOML_VALUES))
            .map(([k, v]) => `${k} = ${v}`),
        },
        { weight: 1, arbitrary: fc.constantFrom(...TOML_LINES) },
      ),
      { maxLength: 6 },
    )
    .map((lines) => lines.join('\n')),
  ['[', ']', '=', '"', "'", '\n', ',', '{', '}', '.', '#', '1', ' ', '_'],
);

const PYTHON_VALUES = [
  ...[
    '1',
    '-1',
    '+2',
    '0',
    '00',
    '1_000',
    '0x1F',
    '0o17',
    '0b11',
    '1.5',
    '.5',
    '5.',
    '1e5',
    '-0.0',
    '1e400',
    '12345678901234567890',
  ],
  ...[
    '"a"',
    "'it\\'s'",
    '"a" "b"',
    '"""a\n  b"""',
    'r"\\n"',
    'u"x"',
    '"\\x41\\u00e9\\101"',
    'f"{x}"',
    '"a" f"b"',
    '""',
    "'\\\n'",
  ],
  ...[
    'None',
    'True',
    'False',
    '()',
    '(1)',
    '(1,)',
    '(1, "x")',
    '[1, [2, (3,)]]',
    '[\n1,\n  2,\n]',
    '{}',
    '{"a": 1, 2: {"b": None}}',
  ],
  ...[
    '{1: 1, True: 2}',
    '{1, 2, 2}',
    'set()',
    '[-1, +1.5]',
    'x',
    'f()',
    '[f()]',
    '{"a": f()}',
    '{**x}',
    '[*x]',
    '1 + 2',
    '-x',
    'not 1',
  ],
  ...[
    'lambda: 1',
    '1 if x else 2',
    '[i for i in x]',
    '"a" + "b"',
    'x.y',
    'x[0]',
    '1, 2',
    '1,',
    '{"x": 1, "x": 2}',
    '"a".b',
    '[1][0]',
    '- -1',
  ],
];
const PYTHON_TARGETS = [
  ...[
    'a',
    'b',
    'A',
    'self.c',
    'self.a',
    'x.y',
    'a[0]',
    'a, b',
    'a = b',
    'a: int',
    'b: Dict[str, int]',
    'a: {1: 2}',
    '(a)',
    'π',
    'match',
  ],
];
const PYTHON_LINES = [
  ...[
    '"""doc"""',
    'import os',
    'pass',
    '# c',
    '',
    'a: int',
    'a += 1',
    'f(x, y=1)',
    'print("x"); c = 3',
    'if x: d = 1',
    'x: int; y = 1',
    '@dec',
  ],
];
const PYTHON_HEADS = [
  ...[
    'class A:',
    'class B(A, metaclass=M):',
    'def f(a, b=[1, 2]) -> x[1:2]:',
    'def __init__(self):',
    'async def __init__(self):',
    'if x:',
  ],
  ...['for i in y:', 'while True:', 'with open("x") as f:', 'class A: # c', 'try:'],
];

const assignment = fc
  .tuple(
    fc.constantFrom(...PYTHON_TARGETS),
    fc.constantFrom(...PYTHON_VALUES),
    fc.constantFrom('', '', '', ' # c', '; z = 1'),
  )
  .map(([target, value, after]) => `${target} = ${value}${after}`);

const python = fc.letrec<{ lines: readonly string[]; item: readonly string[] }>((tie) => ({
  lines: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => items.flat()),
  item: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 6, arbitrary: assignment.map((one) => [one]) },
    { weight: 2, arbitrary: fc.constantFrom(...PYTHON_LINES).map((one) => [one]) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...PYTHON_HEADS), tie('lines'), fc.constantFrom('  ', '    ', '\t'))
        .map(([head, body, by]) => [
          head,
          ...[...body, 'pass'].flatMap((text) => text.split('\n').map((line, i) => (i === 0 ? by + line : line))),
          ...(head === 'try:' ? ['finally: pass'] : []),
        ]),
    },
  ),
})).lines;

/** Python, or nearly. */
export const pythonTexts = fc
  .tuple(python, fc.constantFrom('\n', '\n', '\r\n'))
  .chain(([lines, end]) =>
    changed(fc.constant(`${lines.join(end)}${end}`), [
      '(',
      ')',
      ':',
      '"',
      '\n',
      ' ',
      ',',
      '=',
      '1',
      '\\',
      '#',
      ';',
      '.',
      'x',
    ]),
  );
