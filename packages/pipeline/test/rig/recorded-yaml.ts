/**
 * YAML texts with what DVC 3.67.1 (ruamel.yaml 0.19.1) makes of them, in the form of test/differential/read.py; undefined
 * where it refuses.
 */
export const YAML_RECORDED: readonly (readonly [text: string, value: unknown])[] = [
  [
    'a: "m\n n"\nb:\n  c: "m\nn"\n',
    {
      map: [
        ['a', 'm n'],
        ['b', { map: [['c', 'm n']] }],
      ],
    },
  ],
  [
    'a: &x 1\nb: "m\nn"\n',
    {
      map: [
        ['a', { int: '1' }],
        ['b', 'm n'],
      ],
    },
  ],
  ['a: [x,\ny]\n', { map: [['a', ['x', 'y']]] }],
  ['a:\n- x\n-\n  y\n', { map: [['a', ['x', 'y']]] }],
  ['a: =\n', undefined],
  ['=: 1\n', { map: [['=', { int: '1' }]] }],
  ['a: <<\n', undefined],
  ['a: "<<"\n', { map: [['a', '<<']] }],
  ['1: a\ntrue: b\n', undefined],
  ['1: a\n1.0: b\n', undefined],
  ['a: 1\n"a": 2\n', undefined],
  ['a: {b: 1, b: 2}\n', undefined],
  ['[?a]\n', [{ map: [['a', null]] }]],
  [
    '{a, b: }\n',
    {
      map: [
        ['a', null],
        ['b', null],
      ],
    },
  ],
  ['{a:1}\n', { map: [['a:1', null]] }],
  ['{"a":1}\n', { map: [['a', { int: '1' }]] }],
  ['[a: b]\n', [{ map: [['a', 'b']] }]],
  ['a: b\t# c\n', undefined],
  ['a:\tb\n', undefined],
  ['a: [b,\tc]\n', { map: [['a', ['b', 'c']]] }],
  ['"a"#c\n', 'a'],
  ['a: ! "12"\n', { map: [['a', { int: '12' }]] }],
  ['a: !!int "0x1f"\n', { map: [['a', { int: '31' }]] }],
  ['a: !!float 1\n', { map: [['a', { float: '1' }]] }],
  ['a: !!bool "Yes"\n', { map: [['a', true]] }],
  [
    'a: !!str 1\nb: !!str\n',
    {
      map: [
        ['a', '1'],
        ['b', ''],
      ],
    },
  ],
  ['a: !t 1\n', undefined],
  [
    'a: &x {b: 1}\nc: *x\n',
    {
      map: [
        ['a', { map: [['b', { int: '1' }]] }],
        ['c', { map: [['b', { int: '1' }]] }],
      ],
    },
  ],
  ['a: *x\n', undefined],
  [
    'x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  d: 4\n  <<: [*x, *y]\n  c: 3\n',
    {
      map: [
        [
          'x',
          {
            map: [
              ['a', { int: '1' }],
              ['b', { int: '1' }],
            ],
          },
        ],
        [
          'y',
          {
            map: [
              ['b', { int: '2' }],
              ['c', { int: '2' }],
            ],
          },
        ],
        [
          'z',
          {
            map: [
              ['b', { int: '1' }],
              ['c', { int: '3' }],
              ['a', { int: '1' }],
              ['d', { int: '4' }],
            ],
          },
        ],
      ],
    },
  ],
  ['a: {<<: {b: 1}, <<: {c: 2}}\n', undefined],
  ['a: {<<: 1}\n', undefined],
  ['--- a\n...\n', 'a'],
  ['--- a\n--- b\n', undefined],
  ['a\n---\n', undefined],
  ['...\n', undefined],
  ['%YAML 1.2\n---\na\n', 'a'],
  ['%TAG !e! tag:yaml.org,2002:\n---\n!e!int "1"\n', { int: '1' }],
  ['|\n  a\n\n', 'a\n'],
  ['|\n  a', 'a'],
  ['|+\n  a\n\n', 'a\n\n'],
  ['>-\n  a\n  b\n\n  c\n    d\n  e\n', 'a b\nc\n  d\ne'],
  ['a: |2\n   b\n  c\n', { map: [['a', ' b\nc\n']] }],
  ['a: |\n \n   b\n', undefined],
  ['|\nx\ny\n', 'x\ny\n'],
  ['- - - a\n', [[['a']]]],
  [
    '? a\n: b\n? c\n',
    {
      map: [
        ['a', 'b'],
        ['c', null],
      ],
    },
  ],
  [': a\n', { map: [[null, 'a']] }],
  [
    'a: 1:30\nb: 017\nc: 1e3\ne: 08\n',
    {
      map: [
        ['a', '1:30'],
        ['b', { int: '17' }],
        ['c', { float: '1000' }],
        ['e', { int: '8' }],
      ],
    },
  ],
  ['\ufeffa: 1\n', { map: [['a', { int: '1' }]] }],
  [
    'a: 1\rb: 2\r',
    {
      map: [
        ['a', { int: '1' }],
        ['b', { int: '2' }],
      ],
    },
  ],
  ['a: "x\u0085y"\n', { map: [['a', 'x y']] }],
  ['a: "x\u2028y"\n', { map: [['a', 'x\u2028y']] }],
  ['a: \u0080\n', undefined],
  [`${'k'.repeat(1024)}: 1\n`, { map: [['k'.repeat(1024), { int: '1' }]] }],
  [`${'k'.repeat(1025)}: 1\n`, undefined],
  ['[]\n', { map: [] }],
  ['0\n', { map: [] }],
  ['', { map: [] }],
];
