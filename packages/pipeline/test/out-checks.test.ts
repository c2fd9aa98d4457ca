import { describe, expect, it } from 'vitest';
import { path, problems, sound } from './rig/memory.ts';

const stage = (verify: string): string => `stages:
  s:
    cmd: x
    wdir: w
    outs: [model, metrics.json]
    verify: ${verify}
`;

const checksOf = (verify: string) =>
  [...sound({ 'pipeline.yaml': stage(verify), 'w/x': '' }).stages.values()][0]?.verify;

describe('verify', () => {
  it('is read: forms, tolerances of all and by name, what is ignored', () => {
    expect(
      checksOf(
        '{model: {as: tfjs, tolerance: 1e-4}, metrics.json: {tolerance: {loss: 5%, acc: 0.01}}, model/log: {ignore: true}}',
      ),
    ).toEqual([
      { path: path('w/model'), as: 'tfjs', tolerance: { kind: 'absolute', most: 1e-4 } },
      {
        path: path('w/metrics.json'),
        tolerances: new Map([
          ['loss', { kind: 'relative', most: 0.05 }],
          ['acc', { kind: 'absolute', most: 0.01 }],
        ]),
      },
      { path: path('w/model/log'), ignore: true },
    ]);
    expect(checksOf('{}')).toBe(undefined);
  });

  it('what makes no sense is said, with its place', () => {
    expect(problems(stage('{modle: {ignore: true}}'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:14: stages.s.verify: 'modle' is no out of this stage, and lies in none
            verify: {modle: {ignore: true}}
                     ^^^^^
        did you mean 'model'?"
    `);
    expect(problems(stage('{model: {as: tjfs}}'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:26: stages.s.verify.model.as must be one of bytes, text, json, yaml, toml, csv, tfjs, npy, image, not 'tjfs'
            verify: {model: {as: tjfs}}
                                 ^^^^
        did you mean 'tfjs'?"
    `);
    expect(problems(stage('{model: {as: text, tolerance: 1}}'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:43: stages.s.verify: 'text' has no numbers to tolerate anything of
            verify: {model: {as: text, tolerance: 1}}
                                                  ^
        say what it is: \`as: json\`, csv, tfjs …"
    `);
    expect(
      problems(stage('{model: {tolerance: a bit}, metrics.json: {tolerance: {loss: -1}}}')),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:6:33: stages.s.verify: this is no tolerance
            verify: {model: {tolerance: a bit}, metrics.json: {tolerance: {loss: -1}}}
                                        ^^^^^
        write how far it may be off, 0.01, or which part of it, 5%
      pipeline.yaml:6:74: stages.s.verify.metrics.json.tolerance.loss must be a number from 0 up, not the number -1
            verify: {model: {tolerance: a bit}, metrics.json: {tolerance: {loss: -1}}}
                                                                                 ^^"
    `);
    expect(problems(stage('{model: {tolerence: 1}}'))).toMatchInlineSnapshot(`
      "pipeline.yaml:6:22: unknown key 'tolerence' in stages.s.verify.model
            verify: {model: {tolerence: 1}}
                             ^^^^^^^^^
        did you mean 'tolerance'?"
    `);
  });
});
