import { describe, expect, it } from 'vitest';
import { type SelectOptions, selectStages } from '../src/index.ts';
import { path, sound } from './rig/memory.ts';

const pipeline = sound({
  'pipeline.yaml': `stages:
  a: {cmd: a, outs: [x]}
  b: {cmd: b, deps: [x], outs: [y/z]}
  c: {cmd: c, deps: [y], frozen: true}
  x: {cmd: n}
  each: {foreach: [1, 2], do: {cmd: "e \${item}", outs: ["e\${item}"]}}
data: []
`,
  'sub/pipeline.yaml': 'stages: {s: {cmd: s, deps: [../y/z], outs: [o]}}\n',
});

function select(targets: string[], options: SelectOptions = {}, cwd = ''): string[] | string {
  const result = selectStages(pipeline, targets, options, path(cwd));
  return result.ok ? result.value : 'message' in result.error ? result.error.message : '';
}

function hint(targets: string[], cwd = ''): string | undefined {
  const result = selectStages(pipeline, targets, {}, path(cwd));
  return !result.ok && 'hint' in result.error ? result.error.hint : undefined;
}

describe('selectStages', () => {
  it.each<[string[], SelectOptions, string, string[]]>([
    [[], {}, '', ['a', 'b', 'c', 'x', 'each@1', 'each@2']],
    [[], { allPipelines: true }, '', ['a', 'b', 'c', 'x', 'each@1', 'each@2', 'sub/pipeline.yaml:s']],
    [[], {}, 'sub', ['a', 'b', 'sub/pipeline.yaml:s']],
    [['b'], {}, '', ['a', 'b']],
    [[':b'], {}, '', ['a', 'b']],
    [['x'], {}, '', ['x']],
    [['./x'], {}, '', ['a']],
    [['y/z/deep'], {}, '', ['a', 'b']],
    [['each'], {}, '', ['each@1', 'each@2']],
    [['each@2'], {}, '', ['each@2']],
    [['e1'], {}, '', ['each@1']],
    [['sub/pipeline.yaml:s'], { single: true }, '', ['sub/pipeline.yaml:s']],
    [['../pipeline.yaml:b'], { single: true }, 'sub', ['b']],
    [['sub/pipeline.yaml'], { single: true }, '', ['sub/pipeline.yaml:s']],
    [['b', 'a'], { single: true }, '', ['b', 'a']],
    [['c'], {}, '', ['c']],
    [['a'], { downstream: true }, '', ['a', 'b', 'sub/pipeline.yaml:s']],
    [['b'], { pipeline: true }, '', ['a', 'b', 'sub/pipeline.yaml:s']],
    [['c'], { pipeline: true }, '', ['c']],
    [['e*'], { glob: true }, '', ['each@1', 'each@2']],
    [['[ab]'], { glob: true, single: true }, '', ['a', 'b']],
  ])('%j %j in "%s"', (targets, options, cwd, expected) => {
    expect(select(targets, options, cwd)).toEqual(expected);
  });

  it('says what it does not know', () => {
    expect(select(['eahc'])).toBe("'eahc' is no stage, out, tracked path or pipeline.yaml");
    expect(select(['../../x'])).toContain('is no stage');
    expect(hint(['eahc'])).toBe("did you mean 'each'?");
    expect(hint(['s'])).toBe("did you mean 'sub/pipeline.yaml:s'?");
    expect(hint([':quite'], 'sub')).toBe("'dag stage list' names the stages");
    expect(hint(['each'], 'sub')).toBe("did you mean '../pipeline.yaml:each'?");
    expect(hint(['../y/zz'], 'sub')).toBe("did you mean '../y/z'?");
  });
});
