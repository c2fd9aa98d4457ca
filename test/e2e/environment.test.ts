import { expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

test('a shell can be named, for a stage or a file, and another one is a change', async () => {
  const yaml = (top: string, stage: string) =>
    `${top}stages:\n  s:\n    cmd: false | echo "$0" > out\n    outs: [out]\n    deps: [in]\n${stage}`;
  project.write('in', '');
  project.write('pipeline.yaml', yaml('', ''));
  expect(await project.repro()).toMatchObject({ ran: ['s'] });
  expect(project.read('out')).toBe('/bin/sh\n');
  project.write('pipeline.yaml', yaml('shell: /bin/bash\n', ''));
  expect(await project.dag(['status', '--json'])).toMatchObject({
    stdout: `${JSON.stringify({
      stages: { s: [{ changed: 'definition', path: 'shell', how: 'modified', before: '', after: '/bin/bash -e -c' }] },
      data: {},
    })}\n`,
  });
  expect(await project.repro()).toMatchObject({ ran: ['s'] });
  expect(project.read('out')).toBe('/bin/bash\n');
  expect(project.read('pipeline.lock')).toContain('    shell:\n      - /bin/bash\n      - -e\n      - -c\n');
  expect(await project.repro()).toMatchObject({ skipped: ['s'] });
  project.write('pipeline.yaml', yaml('shell: /bin/bash\n', '    shell: [/bin/bash, -eo, pipefail, -c]\n'));
  expect(await project.repro()).toMatchObject({ failed: ['s'], status: 1 });
  expect(project.read('out')).toBe('/bin/bash\n');
  project.write('pipeline.yaml', yaml('', ''));
  expect(await project.repro()).toMatchObject({ restored: ['s'] });
});

test('a shell without a name, and one for a module, are mistakes', async () => {
  project.write('pipeline.yaml', 'shell: []\nstages:\n  a: {cmd: x}\n  b: {worker: b.ts, shell: bash}\n');
  expect(await project.dag(['status'])).toMatchObject({ status: 2 });
  expect((await project.dag(['status'])).stderr).toMatchInlineSnapshot(`
    "error: pipeline.yaml:1:8: shell: a shell needs a name
      shell: []
             ^^
      write \`shell: bash\`, or all its words: \`shell: [bash, -euo, pipefail, -c]\`

    error: pipeline.yaml:4:28: stages.b.shell is for commands only
        b: {worker: b.ts, shell: bash}
                                 ^^^^
      take it out
    "
  `);
});

test('strict_env hides what is not declared, from a stage or from all of a file', async () => {
  const env = { SECRET: 'x', SHOWN: 'y' };
  const stage = (name: string, more: string) =>
    `  ${name}: {cmd: 'echo "$SECRET,$SHOWN,$SET" > ${name}', outs: [${name}], env: [SHOWN, SET=z]${more}}\n`;
  project.write('pipeline.yaml', `stages:\n${stage('a', '')}${stage('b', ', strict_env: true')}`);
  expect(await project.repro([], { env })).toMatchObject({ ran: ['a', 'b'] });
  expect([project.read('a'), project.read('b')]).toEqual(['x,y,z\n', ',y,z\n']);
  project.write('pipeline.yaml', `strict_env: true\nstages:\n${stage('a', '')}${stage('b', ', strict_env: false')}`);
  expect(await project.repro(['-f'], { env })).toMatchObject({ ran: ['a', 'b'] });
  expect([project.read('a'), project.read('b')]).toEqual([',y,z\n', 'x,y,z\n']);
});
