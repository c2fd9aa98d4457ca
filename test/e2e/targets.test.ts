import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(async () => {
  project = makeProject();
  await project.dag(['init']);
  for (const name of ['a', 'b', 'c']) {
    project.write(`${name}/in`, name);
    project.write(
      `${name}/pipeline.yaml`,
      `stages:\n  s:\n    cmd: cp in o\n    deps: [in]\n    params: [lr]\n    outs: [o]\n`,
    );
    project.write(`${name}/params.yaml`, 'lr: 1\n');
  }
  expect((await project.dag(['repro', '-P'])).status).toBe(0);
  project.write('b/pipeline.lock', 'schema: 1\nstages:\n  s: {digest');
});
afterEach(() => project.remove());

test('status of a target reads no lock but those of what it names; graph reads none', async () => {
  // A lock that is read and damaged ends a verb.
  expect((await project.dag(['status'])).status).toBe(2);
  expect((await project.dag(['status', 'b/pipeline.yaml:s'])).status).toBe(2);
  const status = await project.dag(['status', '--json', 'a/pipeline.yaml:s']);
  expect({ status: status.status, found: JSON.parse(status.stdout) }).toEqual({
    status: 0,
    found: { stages: {}, data: {} },
  });
  expect((await project.dag(['status', 'c/o'])).status).toBe(0);
  expect((await project.dag(['graph', '--json'])).status).toBe(0);
});
