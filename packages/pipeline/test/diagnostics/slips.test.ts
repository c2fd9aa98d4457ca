import { describe, expect, it } from 'vitest';
import { problems } from '../rig/memory.ts';

const PARAMS = { 'params.yaml': 'lr: 0.1\nsize: 3\n' };

/** A stage `s` with these lines, as the user sees what is wrong with it. */
function told(...lines: readonly string[]): string {
  return problems(`stages:\n  s:\n${lines.map((line) => `    ${line}\n`).join('')}`, PARAMS);
}

describe('a slip of the pen is told as what it is', () => {
  it('a dash without a space', () => {
    const hint = 'write a space behind each dash: `- a.py`';
    expect(told('cmd: x', 'deps:', '  -a.py', '  -b.py')).toContain(hint);
    expect(problems('data:\n  -a.py\n')).toContain(hint);
    expect(told('cmd: x', 'deps:', '  - a.py', '  -b c')).toBe(
      'pipeline.yaml:6:7: a space is missing behind the dash\n        -b c\n        ^\n  write `- b c`',
    );
  });

  it('what the shell is to read', () => {
    const inCmd = (expression: string): string => told(`cmd: echo ${expression}`);
    for (const one of ['${HOME}', '${HOME:-x}', '${1}', '${@}', '${#a}', '${f%.txt}', '${a[@]}', '${CUDA_DEVICE}']) {
      expect(inCmd(one)).toContain(`where the shell is to read it, write \`\\${one}\``);
      expect(inCmd(`\\${one}`)).toBe('');
    }
    expect(inCmd('${sizes}')).toContain("did you mean 'size'?");
    expect(inCmd('${LR}')).toContain("did you mean 'lr'?");
    expect(told('cmd: x', "deps: ['${HOME}']")).not.toContain('shell');
  });

  it('a matrix with do', () => {
    expect(told('matrix: {m: [1, 2]}', 'do:', '  cmd: x ${item.m}')).toBe(
      [
        'pipeline.yaml:4:5: stages.s: a matrix takes no `do:`',
        '      do:',
        '      ^^',
        '  indent what stands below `do:` as far as `matrix:`, and take `do:` out',
      ].join('\n'),
    );
  });

  it('flags beside the out that they are about', () => {
    expect(told('cmd: x', 'outs:', '- o:', '  cache: false', '  persist: true')).toBe(
      [
        "pipeline.yaml:6:7: stages.s.outs: 'cache' stands beside 'o', not in it",
        '        cache: false',
        '        ^^^^^',
        '  indent it deeper than `o:`',
      ].join('\n'),
    );
  });

  it('a character that has to be quoted, in a list with quoted text before it', () => {
    expect(told('cmd: x', 'outs: ["a", @b]')).toContain("a value can't begin with '@'");
  });
});
