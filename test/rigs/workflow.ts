import { spawn } from 'node:child_process';
import fs from 'node:fs';
import type { Node } from '../../packages/pipeline/src/yaml/node.ts';
import { parseYaml } from '../../packages/pipeline/src/yaml/parse.ts';

/** Values of a YAML text. Texts stay as they are written, as GitHub and GitLab read them. */
type Value = null | boolean | number | bigint | string | Value[] | { [key: string]: Value };

/** One script of a CI job: a step of GitHub's, or all that a job of GitLab's runs. */
export interface Step {
  readonly name: string;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
}

/** How a step ended. */
export interface StepEnd {
  readonly name: string;
  readonly status: number | null;
  readonly output: string;
}

export function readWorkflow(file: string): { [key: string]: Value } {
  const { root, problems } = parseYaml(fs.readFileSync(file, 'utf8'));
  if (root === undefined || problems.length > 0) throw new Error(`${file}: ${problems[0]?.message}`);
  return mapOf(plainOf(root), file);
}

function plainOf(node: Node): Value {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'seq') return node.items.map(plainOf);
  return Object.fromEntries(node.entries.map(({ key, value }) => [String(key.value), plainOf(value)]));
}

export function mapOf(value: Value | undefined, what: string): { [key: string]: Value } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new Error(`${what} is no map`);
}

export function listOf(value: Value | undefined, what: string): Value[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${what} is no list`);
}

/**
 * The steps of a job of GitHub Actions that run a script, none where the job does not run. Actions are the caller's to stand in for.
 * @param values what `${{ … }}` and `if:` may name; another name is an error, so that no step runs with less than it has there.
 */
export function githubSteps(
  workflow: { [key: string]: Value },
  job: string,
  values: Readonly<Record<string, string>>,
  onAction: (action: string, inputs: { [key: string]: Value }) => void,
): Step[] {
  const { if: condition, steps, env } = mapOf(mapOf(workflow['jobs'], 'jobs')[job], job);
  if (condition !== undefined && !holds(String(condition), values)) return [];
  const filled = (value: Value): string =>
    String(value).replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, name: string) => named(values, name));
  const envOf = (map: Value | undefined) =>
    Object.fromEntries(Object.entries(mapOf(map ?? {}, 'env')).map(([name, value]) => [name, filled(value)]));
  return listOf(steps, 'steps').flatMap((one): Step[] => {
    const step = mapOf(one, 'a step');
    if (step['if'] !== undefined && !holds(String(step['if']), values)) return [];
    if (step['uses'] !== undefined) {
      onAction(String(step['uses']), mapOf(step['with'] ?? {}, 'with'));
      return [];
    }
    return [
      {
        name: String(step['name'] ?? step['run']),
        script: filled(step['run'] ?? ''),
        env: { ...envOf(env), ...envOf(step['env']) },
      },
    ];
  });
}

/** The job of GitLab CI as one script, as its runner makes it; undefined where its rules leave it out. */
export function gitlabJob(
  workflow: { [key: string]: Value },
  name: string,
  values: Readonly<Record<string, string>>,
): Step | undefined {
  const job = mapOf(workflow[name], name);
  const rules = job['rules'] === undefined ? [] : listOf(job['rules'], 'rules');
  const isIn = (rule: Value): boolean => holds(String(mapOf(rule, 'a rule')['if']).replaceAll('$', ''), values);
  if (rules.length > 0 && !rules.some(isIn)) return undefined;
  const variables = Object.entries(mapOf(workflow['variables'] ?? {}, 'variables'));
  const script = listOf(job['script'], 'script').map(String).join('\n');
  return { name, script, env: Object.fromEntries(variables.map(([key, value]) => [key, String(value)])) };
}

/** `NAME == 'text'` and `!=`: all that the examples say. */
function holds(condition: string, values: Readonly<Record<string, string>>): boolean {
  const match = /^([\w.]+) ([=!])= (['"])(.*)\3$/.exec(condition);
  if (match === null) throw new Error(`a condition that is not understood: ${condition}`);
  return (named(values, match[1] ?? '') === match[4]) === (match[2] === '=');
}

function named(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`'${name}' is named, and nothing is known of it`);
  return value;
}

/** Runs steps in order, as the runners do, with their shell and its flags; the first that fails is the last. */
export async function runSteps(
  steps: readonly Step[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<StepEnd[]> {
  const ended: StepEnd[] = [];
  for (const step of steps) {
    const end = await runScript(step, cwd, { ...env, ...step.env });
    ended.push(end);
    if (end.status !== 0) break;
  }
  return ended;
}

function runScript({ name, script }: Step, cwd: string, env: Record<string, string>): Promise<StepEnd> {
  return new Promise((resolve, reject) => {
    const args = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script];
    const child = spawn('bash', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve({ name, status, output }));
  });
}
