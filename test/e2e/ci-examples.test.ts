import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DAG, NODE, scrubbedEnv } from '../rigs/dag.ts';
import { dagOk } from '../rigs/git.ts';
import { s3PerGroup } from '../rigs/per-group.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';
import { needS3, ownerEnv } from '../rigs/s3.ts';
import { githubSteps, gitlabJob, readWorkflow, runSteps, type StepEnd } from '../rigs/workflow.ts';

const EXAMPLES = path.join(import.meta.dirname, '../../examples/ci');
const github = readWorkflow(path.join(EXAMPLES, 'github.yml'));
const gitlab = readWorkflow(path.join(EXAMPLES, 'gitlab.yml'));

const server = s3PerGroup();
let author: TestProject;
let hub: string;
beforeEach(() => {
  author = makeProject();
  hub = path.join(author.home, 'hub.git');
});
afterEach(() => author.remove());

const TRAIN = `stages:
  train:
    cmd: sh train.sh \${scale}
    deps: [data, train.sh]
    params: [scale]
    outs: [model.txt]
    metrics: [{metrics.json: {cache: false}}]
`;

/** Sums numbers, scaled. */
const SCRIPT = `awk -v scale="$1" '{ s += $1 * scale } END { print s }' data/numbers.txt > model.txt
printf '{"sum": %d}\\n' "$(cat model.txt)" > metrics.json
`;

/** A project on `main` and a change of it on `change`, results and all, in a repository that a CI clones from. */
async function project(remote: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  await dagOk(author, ['init', '-q']);
  author.write('params.yaml', 'scale: 2\n');
  author.write('data/numbers.txt', '1\n2\n3\n');
  author.write('train.sh', SCRIPT);
  author.write('pipeline.yaml', `remote: store\nremotes: {store: ${remote}}\n${TRAIN}`);
  // The program as a package that npm installs without a registry.
  author.write('package.json', '{"name":"mine","private":true,"devDependencies":{"dag":"file:vendor/dag"}}\n');
  author.write('vendor/dag/package.json', '{"name":"dag","version":"0.1.0","bin":{"dag":"run"}}\n');
  author.write('vendor/dag/run', `#!/bin/sh\nexec '${NODE}' '${DAG}' "$@"\n`);
  fs.chmodSync(author.path('vendor/dag/run'), 0o755);
  author.write('.gitignore', `${author.read('.gitignore')}node_modules/\n`);
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund'], {
    cwd: author.root,
    env: scrubbedEnv(author.home),
  });
  await dagOk(author, ['add', '-q', 'data']);
  await committed('first', env);
  author.git('checkout', '-qb', 'change');
  author.write('params.yaml', 'scale: 3\n');
  author.write('data/more.txt', '4\n');
  await committed('change', env);
  author.git('clone', '-q', '--bare', author.root, hub);
}

async function committed(message: string, env: Readonly<Record<string, string>>): Promise<void> {
  await dagOk(author, ['repro', '-q'], { env });
  author.git('add', '-A');
  author.git('commit', '-qm', message);
  await dagOk(author, ['push', '-q', '--run-cache'], { env });
}

/** A clone as a runner makes it: every branch as origin's, the commit by its id. */
function cloned(): string {
  const folder = path.join(author.home, 'work');
  fs.rmSync(folder, { recursive: true, force: true });
  author.git('clone', '-q', '--no-checkout', hub, folder);
  execFileSync('git', ['checkout', '-q', '--detach', 'origin/change'], { cwd: folder, env: scrubbedEnv(author.home) });
  return folder;
}

/** Runs the workflow of GitHub Actions on a pull request in a fresh clone. */
async function onGithub(secrets: Readonly<Record<string, string>>, env: Readonly<Record<string, string>>) {
  const actions: string[] = [];
  const values = {
    'github.event_name': 'pull_request',
    'github.token': 'a-token',
    'github.event.pull_request.number': '7',
    ...secrets,
  };
  const steps = githubSteps(github, 'results', values, (action, inputs) =>
    actions.push(`${action} ${JSON.stringify(inputs)}`),
  );
  expect(actions).toEqual(['actions/checkout@v4 {"fetch-depth":0}', 'actions/setup-node@v4 {"node-version":22}']);
  const folder = cloned();
  // GitHub's own program, which would post: it keeps what it was told.
  const bin = path.join(author.home, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  const told = path.join(author.home, 'told');
  fs.writeFileSync(
    path.join(bin, 'gh'),
    `#!/bin/sh\nset -e\nfor last; do :; done\n{ echo "$GH_TOKEN $*"; cat "$last"; } > '${told}'\n`,
    {
      mode: 0o755,
    },
  );
  const surroundings = scrubbedEnv(author.home, {
    GITHUB_ACTIONS: 'true',
    GITHUB_BASE_REF: 'main',
    GITHUB_STEP_SUMMARY: path.join(author.home, 'summary'),
    ...env,
  });
  const ends = await runSteps(steps, folder, { ...surroundings, PATH: `${bin}:${surroundings['PATH']}` });
  return { steps, ends, folder, told: () => fs.readFileSync(told, 'utf8') };
}

/** Nothing but what the remote's secrets are called: the rest is of the server that a test has. */
const NO_SECRETS = { 'secrets.AWS_ACCESS_KEY_ID': '', 'secrets.AWS_SECRET_ACCESS_KEY': '' };

const REPORT = ['| metrics.json | sum', '| 12 ', '| 18 ', '| params.yaml | scale', '| modified', 'model.txt', 'data/'];

function lastOf(ends: readonly StepEnd[]): StepEnd {
  return ends.at(-1) as StepEnd;
}

test('GitHub: every step of the workflow runs, with results in S3, and the comment says what changes', async (context) => {
  needS3(context);
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', ...rest } = ownerEnv(server.endpoint);
  await project(`s3://${server.bucket}/ci`, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...rest });
  const secrets = {
    'secrets.AWS_ACCESS_KEY_ID': AWS_ACCESS_KEY_ID,
    'secrets.AWS_SECRET_ACCESS_KEY': AWS_SECRET_ACCESS_KEY,
  };
  const { steps, ends, folder, told } = await onGithub(secrets, rest);
  expect(ends.map(({ name, status, output }) => [name, status === 0 ? 0 : output])).toEqual(
    steps.map(({ name }) => [name, 0]),
  );
  expect(ends.some(({ output }) => output.includes('Everything is up to date: 1 stage skipped.'))).toBe(true);
  const comment = told();
  expect(comment.split('\n', 2)).toEqual([
    'a-token pr comment 7 --edit-last --create-if-none --body-file report.md',
    '### Results against `main`',
  ]);
  for (const part of REPORT) expect(comment).toContain(part);
  expect(fs.readFileSync(path.join(author.home, 'summary'), 'utf8')).toContain('### Results against `main`');
  expect(fs.readFileSync(path.join(folder, 'model.txt'), 'utf8')).toBe('18\n');
  expect(fs.readFileSync(path.join(folder, 'verify.xml'), 'utf8')).toContain('failures="0"');
});

test('GitHub: a change whose results were not pushed, or not made, is stopped, with a mark at the line', async () => {
  await project(path.join(author.home, 'store'));
  const verdict = async (message: string): Promise<string> => {
    author.git('commit', '-qam', message);
    author.git('push', '-q', hub, 'change');
    const { ends } = await onGithub(NO_SECRETS, {});
    expect(lastOf(ends)).toMatchObject({ status: 1, name: expect.stringContaining('Verify') });
    return lastOf(ends).output;
  };
  author.write('params.yaml', 'scale: 4\n');
  await dagOk(author, ['repro', '-q']);
  expect(await verdict('forgot to push')).toMatch(/missing +model\.txt +in neither cache nor remote/);
  author.write('params.yaml', 'scale: 5\n');
  expect(await verdict('forgot to run')).toMatch(/::error file=pipeline\.yaml,line=\d+,.*train.*stale::/);
});

test('GitLab: every job runs, and the note that is posted says what changes', async () => {
  await project(path.join(author.home, 'store'));
  const posted: { method: string | undefined; url: string | undefined; token: unknown; body: string }[] = [];
  const api = createServer((request, answer) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      posted.push({ method: request.method, url: request.url, token: request.headers['private-token'], body });
      answer.writeHead(201).end('{}');
    });
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const base = author.git('rev-parse', 'main').trim();
  const variables = {
    CI_PIPELINE_SOURCE: 'merge_request_event',
    CI_MERGE_REQUEST_TARGET_BRANCH_NAME: 'main',
    CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
    CI_MERGE_REQUEST_IID: '7',
    CI_PROJECT_ID: '42',
    CI_API_V4_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}/api/v4`,
    GITLAB_TOKEN: 'a-token',
  };
  for (const name of ['verify', 'report']) {
    const job = gitlabJob(gitlab, name, variables);
    if (job === undefined) throw new Error(`${name} is left out`);
    expect(job.env['GIT_DEPTH']).toBe('0');
    const folder = cloned();
    const [end] = await runSteps([job], folder, scrubbedEnv(author.home, variables));
    expect([name, end?.status === 0 ? 0 : end?.output]).toEqual([name, 0]);
    if (name === 'verify') expect(fs.existsSync(path.join(folder, 'verify.xml'))).toBe(true);
  }
  api.close();
  expect(posted).toMatchObject([
    { method: 'POST', url: '/api/v4/projects/42/merge_requests/7/notes', token: 'a-token' },
  ]);
  for (const part of ['### Results against `main`', ...REPORT]) expect(posted[0]?.body).toContain(part);
  expect(gitlabJob(gitlab, 'report', { CI_PIPELINE_SOURCE: 'push' })).toBeUndefined();
});

test('at night a part of the results is made again, in a clone without history', async () => {
  const store = path.join(author.home, 'store');
  await project(store);
  const folder = path.join(author.home, 'shallow');
  const night = { 'github.event_name': 'schedule', ...NO_SECRETS };
  expect(githubSteps(github, 'results', night, () => {})).toEqual([]);
  const again = gitlabJob(gitlab, 'again', { CI_PIPELINE_SOURCE: 'schedule' });
  expect(gitlabJob(gitlab, 'verify', { CI_PIPELINE_SOURCE: 'schedule' })).toBeUndefined();
  for (const steps of [githubSteps(github, 'again', night, () => {}), again === undefined ? [] : [again]]) {
    expect(steps.at(-1)?.script).toContain('--sample 10%');
    const all = steps.map((step) => ({ ...step, script: step.script.replace('--sample 10%', '--sample 100%') }));
    author.git('clone', '-q', '--depth', '1', '-b', 'change', `file://${hub}`, folder);
    const env = scrubbedEnv(author.home, { GITHUB_RUN_ID: '1', CI_PIPELINE_ID: '1' });
    const ends = await runSteps(all, folder, env);
    expect(lastOf(ends)).toMatchObject({ status: 0, output: expect.stringMatching(/Verified 1 stage of commit/) });
    expect(fs.readFileSync(path.join(folder, 'verify.xml'), 'utf8')).toContain('failures="0"');
    fs.rmSync(folder, { recursive: true });
  }
});

test('the page shows the examples as they are', () => {
  const page = fs.readFileSync(path.join(EXAMPLES, '../../docs/ci.md'), 'utf8');
  for (const name of ['github.yml', 'gitlab.yml']) {
    expect(page).toContain(`\n${fs.readFileSync(path.join(EXAMPLES, name), 'utf8')}\`\`\`\n`);
  }
});
