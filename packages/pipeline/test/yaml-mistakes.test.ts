import { describe, expect, it } from 'vitest';
import { problems } from './rig/memory.ts';

/** A stage with these lines in it, and a sound one behind it. */
function stage(...lines: string[]): string {
  return ['stages:', '  train:', ...lines.map((line) => `    ${line}`), '  other:', '    cmd: x', ''].join('\n');
}

describe('the mistakes that people make in YAML', () => {
  it('a quote that is not closed', () => {
    expect(problems(stage('cmd: "python train.py', 'deps: [a]', 'desc: "it runs"'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: this " is not closed
            cmd: "python train.py
                 ^
        put a closing " behind the text"
    `);
    expect(problems(stage("cmd: 'python train.py", 'deps: [a]'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: this ' is not closed
            cmd: 'python train.py
                 ^
        put a closing ' behind the text"
    `);
  });

  it('a colon that is missing', () => {
    expect(problems('stages:\n  train\n    cmd: x\n    deps: [a]\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:3: a colon is missing behind 'train'
          train
          ^^^^^
        a key ends with a colon: \`key: value\`"
    `);
    expect(problems(stage('cmd: x', 'deps', '  - a'))).toMatchInlineSnapshot(`
      "pipeline.yaml:4:5: a colon is missing behind 'deps'
            deps
            ^^^^
        a key ends with a colon: \`key: value\`"
    `);
  });

  it('a tab', () => {
    expect(problems('stages:\n\ttrain:\n\t\tcmd: x\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:1: a tab can not indent in YAML
          train:
        ^^
        indent with spaces"
    `);
    expect(problems(stage('cmd:\tx'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:9: a tab can not stand here
            cmd:  x
                ^^
        use spaces, or put the value in quotes"
    `);
  });

  it('an indent that fits nothing', () => {
    expect(problems(stage('cmd: x', 'deps:', '  - a', ' - b'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:6: this '-' is not lined up with the lines above
             - b
             ^
        the items of a list begin at the same column"
    `);
    expect(problems(stage('cmd: x', '  deps: [a]'))).toMatchInlineSnapshot(`
      "pipeline.yaml:4:7: this line is indented deeper than the key above it, which has a value on its line
              deps: [a]
              ^^^^
        give both lines the same indent"
    `);
    expect(problems(stage('cmd: x', 'deps:', '- a', 'outs', '- b'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:5: a colon is missing behind 'outs'
            outs
            ^^^^
        a key ends with a colon: \`key: value\`"
    `);
  });

  it('a bracket that is not closed', () => {
    expect(problems(stage('deps: [a, b', 'cmd: x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:11: this '[' is not closed
            deps: [a, b
                  ^
        put a ']' behind its last entry"
    `);
    expect(problems(stage('outs: [{a: {cache: false}]', 'cmd: x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:30: a ',' or '}' is missing before this
            outs: [{a: {cache: false}]
                                     ^
        entries in brackets are parted by commas; one that holds brackets, commas or quotes has to be quoted"
    `);
  });

  it('a colon without a space', () => {
    expect(problems(stage('cmd:python x', 'deps: [a]'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:8: a space is missing behind the colon
            cmd:python x
               ^
        write \`cmd: python x\`"
    `);
    expect(problems(stage('deps: [a]', 'cmd:python x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:4:8: a space is missing behind the colon
            cmd:python x
               ^
        write \`cmd: python x\`"
    `);
  });

  it('a colon and a space in a command', () => {
    expect(problems(stage('cmd: echo done: yes'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:19: ': ' can not stand in a value without quotes
            cmd: echo done: yes
                          ^
        put the whole value in quotes: \`"echo done: yes"\`"
    `);
  });

  it('a sign that begins no value', () => {
    expect(problems(stage('cmd: @run x', 'deps: [%a, b]'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: a value can't begin with '@'
            cmd: @run x
                 ^
        put it in quotes: \`"@run x"\`
      pipeline.yaml:4:12: a value can't begin with '%'
            deps: [%a, b]
                   ^
        put it in quotes: \`"%a"\`"
    `);
    expect(problems(stage('cmd: *run x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: a value that begins with '*' has to be quoted
            cmd: *run x
                 ^
        put it in quotes: \`"*run x"\`"
    `);
    expect(problems(stage('cmd: x', 'deps: [*.csv]'))).toMatchInlineSnapshot(`
      "pipeline.yaml:4:12: a value that begins with '*' has to be quoted
            deps: [*.csv]
                   ^^^^^
        put it in quotes: \`"*.csv"\`"
    `);
    expect(problems(stage('cmd: {python} x.py'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:19: text stands behind the closing bracket
            cmd: {python} x.py
                          ^^^^
        a value that begins with a bracket has to be quoted"
    `);
    expect(problems(stage('cmd: [ -f x ] && rm x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:19: text stands behind the closing bracket
            cmd: [ -f x ] && rm x
                          ^^^^^^^
        a value that begins with a bracket has to be quoted"
    `);
    expect(problems(stage('cmd: > x'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: nothing else may stand on the line of '>'
            cmd: > x
                 ^
        its text begins on the next line; a value that begins with this sign has to be quoted"
    `);
  });

  it('a key that stands twice', () => {
    expect(problems(stage('cmd: x', 'deps: [a]', 'cmd: y'))).toMatchInlineSnapshot(`
      "pipeline.yaml:5:5: the key 'cmd' stands here twice
            cmd: y
            ^^^
        keep one of the two"
    `);
  });

  it('text behind a closing quote', () => {
    expect(problems(stage('cmd: "python" train.py'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:19: text stands behind the closing quote
            cmd: "python" train.py
                          ^^^^^^^^
        put the whole value in quotes: \`'"python" train.py'\`"
    `);
    expect(problems(stage("cmd: 'echo it's done'"))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:19: text stands behind the closing quote
            cmd: 'echo it's done'
                          ^^^^^^^
        write \`''\` for a quote inside the text"
    `);
  });

  it('an escape that is none', () => {
    expect(problems(stage('cmd: "grep \\d x"'))).toMatchInlineSnapshot(`
      "pipeline.yaml:3:16: '\\d' means nothing in double quotes
            cmd: "grep \\d x"
                       ^^
        write \`\\\\d\` for a backslash, or use single quotes"
    `);
  });

  it('several of them, each named once', () => {
    expect(
      problems(stage('cmd: "python train.py', 'deps: - a', 'outs: [b', 'desc: a: b').replace('cmd: x', 'cmd:x')),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:3:10: this " is not closed
            cmd: "python train.py
                 ^
        put a closing " behind the text
      pipeline.yaml:4:11: a list can't begin on the line of its key
            deps: - a
                  ^
        put each \`- \` on a line of its own, or write \`[a, b]\`; a value that begins with a dash and a space has to be quoted
      pipeline.yaml:5:11: this '[' is not closed
            outs: [b
                  ^
        put a ']' behind its last entry
      pipeline.yaml:6:12: ': ' can not stand in a value without quotes
            desc: a: b
                   ^
        put the whole value in quotes: \`"a: b"\`"
    `);
  });
});
