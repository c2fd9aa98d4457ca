import fc from 'fast-check';

/** Draws one of these: what a generator of texts asks at every turn. */
type Draw = <T>(...options: readonly T[]) => T;

/** How one file is written throughout. */
interface Style {
  readonly draw: Draw;
  readonly step: string;
  readonly dash: string;
  note(indent: string): string;
  tail(): string;
}

/** Texts of pipeline.yaml as people, editors and programs leave them: any indent, style, comments, anchors, line ends. */
export const oddText: fc.Arbitrary<string> = fc.gen().map((g) => {
  const draw: Draw = (...options) => g(fc.constantFrom, ...options) as never;
  let notes = 0;
  const step = draw('  ', ' ', '    ', '        ');
  const style: Style = {
    draw,
    step,
    dash: draw('', step),
    note: (indent) =>
      draw('', '', '', `${indent}# note ${notes++}\n`, '\n', `# left ${notes++}\n`, `\n${indent}# note ${notes++}\n\n`),
    tail: () => draw('', '', '', ` # tail ${notes++}`, '  '),
  };
  const parts = [
    vars(style),
    stages(style),
    data(style),
    remotes(style),
    draw('', `remote: ${draw('one', '"one"')}${style.tail()}\n`),
    draw('', 'jobs: 2\n'),
  ];
  const order = draw([0, 1, 2, 3, 4, 5], [0, 5, 4, 3, 2, 1], [0, 3, 1, 4, 2, 5]);
  const text = style.note('') + order.map((i) => parts[i] + style.note('')).join('');
  const ended = draw(text, text, text.replace(/\n$/, ''), `---\n${text}`, `${text}...\n`);
  return draw('', '', '\ufeff') + (draw(true, false, false) ? ended.replaceAll('\n', '\r\n') : ended);
});

function vars({ draw, step, dash, tail }: Style): string {
  return draw(
    `vars: [&file raw, &list [raw, p], &map {one: s3://b/one, two: ../two}, &stage {cmd: base, deps: [z]}]\n`,
    `vars:\n${dash}- x: &scalar 1${tail()}\n${dash}  file: &file raw\n${dash}  list: &list [p, q]\n${dash}  map: &map {one: s3://b/one, two: ../two}\n${dash}  stage: &stage\n${dash}  ${step}cmd: base\n${dash}  ${step}deps: [z]\n`,
  );
}

function stages(style: Style): string {
  const { draw, note, tail, step } = style;
  const key = draw('stages', 'stages', '"stages"');
  const empty = draw(true, false, false, false, false, false);
  if (empty)
    return draw(
      '',
      `${key}:\n`,
      `${key}: {}\n`,
      `${key}: null${tail()}\n`,
      `${key}: ~\n`,
      `${key}:${tail()}\n${note(step)}`,
    );
  const names = draw(['a'], ['a', 'b'], ['a', 'b', 'c']);
  if (draw(true, false, false, false, false)) {
    const flows = names.map((name) => `${draw(name, `"${name}"`)}: ${flowStage(style)}`);
    return `${key}: ${draw(`{${flows.join(', ')}}`, `{ ${flows.join(',  ')} }`, `{\n  ${flows.join(',\n  ')}\n}`, `{\n  ${flows.join(',\n  ')},\n}`)}${tail()}\n`;
  }
  const bodies = names.map(
    (name) => `${note(step)}${step}${draw(name, `'${name}'`, `${name} `)}:${stage(style, step + step)}`,
  );
  return `${key}:${tail()}\n${bodies.join('')}${note(step)}`;
}

function flowStage({ draw }: Style): string {
  return draw(
    '{cmd: run}',
    '{cmd: run, deps: [d]}',
    '{cmd: run, frozen: true}',
    '{ "cmd": "run" , frozen: false }',
    '{frozen: true, cmd: run,}',
    '{frozen: true}',
    '{}',
    '{wdir: ., cmd: run, always_changed: false, frozen: true}',
    '{<<: *stage, frozen: true}',
    '{cmd: x, <<: *stage, frozen: false, desc: d}',
    '{\n          cmd: x, # of cmd, it\n          frozen: true # of frozen\n          }',
    '*stage',
    '{cmd: &cmd run, deps: &deps [d]}',
  );
}

function stage(style: Style, indent: string): string {
  const { draw, note, tail, step, dash } = style;
  if (draw(true, false, false, false, false)) return ` ${flowStage(style)}${tail()}\n`;
  const merge = draw('', '', '', `${indent}<<: *stage\n`);
  const more = (text: string): string => draw('', text);
  const list = (key: string, ...items: string[]): string =>
    draw(
      `${indent}${key}:${tail()}\n${items.map((item) => `${note(indent + dash)}${indent}${dash}-${draw(' ', '   ')}${item}${tail()}\n`).join('')}`,
      `${indent}${key}: [${items.join(', ')}]${tail()}\n`,
      `${indent}${key}: [\n${items.map((item) => `${indent}  ${item},${tail()}\n`).join('')}${indent}]\n`,
    );
  const cmd = draw(
    'cmd: run it',
    `cmd: "run  'it'"`,
    `cmd: |\n${indent}${step}first # not a note\n\n${indent}${step}second`,
    `cmd: >-\n${indent}${step}first\n${indent}${step}second\n`,
    `cmd: run\n${indent}${step}more words`,
    `"cmd"  :   run`,
    `? cmd\n${indent}: run`,
  );
  const parts = [
    `${indent}${cmd}\n`,
    more(list('deps', 'one', '"two"')),
    more(`${indent}frozen: ${draw('true', 'false', '  true')}${tail()}\n`),
    more(list('outs', 'o1', 'o2')),
    more(`${indent}desc: 'it''s'${tail()}\n`),
    more(`${indent}meta:${tail()}\n${indent}${step}k:\n${indent}${step}${dash}- 1\n`),
    more(`${indent}frozen_by: me\n`).replace('frozen_by', 'always_changed').replace('me', 'false'),
  ];
  const order = draw([0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [2, 0, 5, 6, 1, 3, 4]);
  return `${draw('', '', ' &anchor', ' !!map')}${tail()}\n${merge}${order.map((i) => (parts[i] === '' ? '' : note(indent) + parts[i])).join('')}${note(indent)}`;
}

function data(style: Style): string {
  const { draw, note, tail, dash } = style;
  const items = draw(
    ['raw'],
    ['raw', 'big dir/x'],
    ['&a-b raw', 'last'],
    ['*file', 'last'],
    ['raw', '{path: more, desc: it}'],
    ['"raw"', '{path: more}', 'last'],
  );
  return draw(
    '',
    `data:${tail()}\n`,
    `data: []${tail()}\n`,
    'data: *list\n',
    `data: [${items.join(', ')}]${tail()}\n`,
    `data: [\n  ${items.join(',\n  ')},\n]\n`,
    `data:${tail()}\n${items.map((item) => `${note(dash)}${dash}- ${item}${tail()}\n`).join('')}${note(dash)}`,
    `data:\n${dash}-   path: raw${tail()}\n${dash}    desc: text\n${note(`${dash}    `)}${dash}- # a - dash\n${dash}  path: more\n`,
  );
}

function remotes(style: Style): string {
  const { draw, note, tail, step } = style;
  return draw(
    '',
    `remotes:${tail()}\n`,
    `remotes: {}\n`,
    'remotes: *map\n',
    `remotes: {<<: *map, one: x}\n`,
    `remotes:\n${step}<<: *map\n${step}one: x${tail()}\n`,
    `remotes: {one: s3://b/p}${tail()}\n`,
    `remotes: {one: s3://b/p, two: {url: ../x}}\n`,
    `remotes:${tail()}\n${note(step)}${step}one: s3://b/p${tail()}\n${note(step)}${step}two:\n${step}${step}url: ../x\n${note(step + step)}${step}${step}region: eu\n${note(step)}`,
  );
}
