import fc from 'fast-check';
import { BLOCK_BODIES, END, KEYS, PLAIN, QUOTED, REAL, START, TOKENS } from './yaml-words.ts';

const soup = fc.array(fc.constantFrom(...TOKENS), { maxLength: 16 }).map((tokens) => tokens.join(''));

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

const tree = fc
  .tuple(fc.constantFrom(...START), value, fc.constantFrom(...END))
  .map(([start, lines, end]) => start + (lines[0] === '' ? lines.slice(1) : lines).join('\n') + end);

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
