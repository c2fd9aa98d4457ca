import {
  type Action,
  type AnyPath,
  type BackendPins,
  type CheckpointSettings,
  type EnvVar,
  impossiblePin,
  type OutKind,
  type ProjectPath,
  type Resources,
  readPins,
  stageAddress,
} from '@dag/model';
import { toValue } from '../data/value.ts';
import { quote } from '../diagnostic/quote.ts';
import { named, type Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { SourceReader, UsedValues } from '../pipeline.ts';
import { formatScalar } from '../template/format.ts';
import { findValue, isUnknown, type MapNode, type Node, type Range } from '../yaml/node.ts';
import type { Draft, DraftDep } from './draft.ts';
import { readOutChecks } from './out-checks.ts';
import { type ReadOuts, readOuts } from './outs.ts';
import { readParamDeps } from './params.ts';
import { depPath, type PathsPlace, projectPath } from './paths.ts';
import { readBytes, readDuration } from './quantity.ts';

/** What a stage is made of, beside its definition. */
export interface StageOrigin {
  readonly name: string;
  /** What it is called in messages: `stages.train`. */
  readonly where: string;
  readonly group: string | undefined;
  readonly file: ProjectPath;
  /** The folder of that file. */
  readonly folder: ProjectPath;
  readonly source: Source;
  readonly report: Report;
  readonly reader: SourceReader;
  readonly at: Range;
  readonly line: number;
  /** A problem is reported already. */
  readonly broken: boolean;
  /** Holds the keys that stand for all stages of the file. */
  readonly defaults: MapNode;
  readonly used: UsedValues;
}

/**
 * Builds a stage from a definition that fits its shape, templates resolved. With problems, which are reported, it is broken,
 * and holds as much as is known.
 */
export function buildStage(definition: MapNode, origin: StageOrigin): Draft {
  const { report, source, file, name } = origin;
  const before = report.count;
  const folder = readWdir(findValue(definition, 'wdir'), origin);
  // Without its folder nobody knows what its paths are: none is read.
  const paths = folder === undefined ? undefined : definition;
  const wdir = folder ?? origin.folder;
  const place = (field: string): PathsPlace => placeOf(origin, field, wdir);
  const deps = readDeps(findValue(paths, 'deps'), place('deps'));
  const made: ReadOuts = { outs: [], places: [], plotProperties: [] };
  for (const { key, value } of paths?.entries ?? []) {
    const kind = typeof key.value === 'string' ? OUT_KINDS[key.value] : undefined;
    if (kind !== undefined) readOuts(value, kind, place(String(key.value)), made);
  }
  const paramsNode = findValue(paths, 'params');
  const params = paramsNode === undefined ? [] : readParamDeps(paramsNode, place('params'));
  const action = readAction(wdir, definition, origin);
  const env = readEnv(findValue(definition, 'env'), origin);
  const written = readResources(findValue(definition, 'resources'), origin);
  const resources = gpuOf(action, written, findValue(definition, 'backend'), origin);
  const timeout = readTime(findValue(definition, 'timeout'), 'timeout', origin);
  const checkpoints = readCheckpoints(findValue(definition, 'checkpoints'), origin);
  const stall = readTime(findValue(definition, 'stall'), 'stall', origin);
  const shell = action?.kind === 'worker' ? undefined : readShell(definition, origin);
  const checks = readOutChecks(findValue(paths, 'verify'), made.outs, place('verify'));
  const desc = findValue(definition, 'desc');
  const meta = findValue(definition, 'meta');
  const stage = {
    address: stageAddress(file, name),
    name,
    file,
    wdir,
    action: action ?? { kind: 'command' as const, cmd: '' },
    deps: deps.filter((dep) => dep.kind === 'path').map(({ dep }) => dep),
    outs: made.outs,
    params,
    env,
    strictEnv: isTrue(findValue(definition, 'strict_env') ?? findValue(origin.defaults, 'strict_env')),
    resources,
    ...readSalt([findValue(origin.defaults, 'salt'), findValue(definition, 'salt')]),
    ...(shell === undefined ? {} : { shell }),
    mutex: readTexts(findValue(definition, 'mutex')),
    retries: Number(scalarText(findValue(definition, 'retries')) || 0),
    ...(timeout === undefined ? {} : { timeout }),
    ...(checkpoints === undefined ? {} : { checkpoints }),
    ...(stall === undefined ? {} : { stall }),
    frozen: isTrue(findValue(definition, 'frozen')),
    ...(checks.length === 0 ? {} : { verify: checks }),
    alwaysChanged: isTrue(findValue(definition, 'always_changed')),
    ...(isNull(desc) ? {} : { desc: scalarText(desc) }),
    ...(meta === undefined ? {} : { meta: toValue(meta) }),
    line: origin.line,
  };
  const { group, used, at } = origin;
  const { places: outPlaces, plotProperties } = made;
  const broken = origin.broken || report.count > before || action === undefined;
  return { stage, source, at, group, deps, outPlaces, plotProperties, used, broken, definition };
}

const OUT_KINDS: { readonly [key: string]: OutKind } = { outs: 'out', metrics: 'metric', plots: 'plot' };

/** The folder of its paths; undefined where it can't be made out, which is reported. */
function readWdir(node: Node | undefined, origin: StageOrigin): ProjectPath | undefined {
  if (isUnknown(node)) return undefined;
  const written = scalarText(node);
  if (node === undefined || written === '') return origin.folder;
  return projectPath(written, node, placeOf(origin, 'wdir', origin.folder), WDIR_HINT);
}

/** The words that a command is handed to; of a shell that is only named, with those that make it stop at a failing line. */
function readShell(definition: MapNode, origin: StageOrigin): readonly string[] | undefined {
  const own = findValue(definition, 'shell');
  const node = own ?? findValue(origin.defaults, 'shell');
  if (node === undefined || isNull(node) || isUnknown(node)) return undefined;
  const words = readTexts(node);
  if (words.length > 0 && words.every((word) => word !== ''))
    return node.kind === 'seq' ? words : [...words, '-e', '-c'];
  const hint = 'write `shell: bash`, or all its words: `shell: [bash, -euo, pipefail, -c]`';
  const report = named(origin.report, own === undefined ? 'shell' : `${origin.where}.shell`);
  report.add(origin.source, node, 'bad-value', 'a shell needs a name', hint);
  return undefined;
}

/** One text of the salts that are set. */
function readSalt(nodes: readonly (Node | undefined)[]): { readonly salt?: string } {
  const salts = nodes.map(scalarText).filter((salt) => salt !== '');
  return salts.length === 0 ? {} : { salt: salts.join(', ') };
}

function placeOf(origin: StageOrigin, field: string, folder: ProjectPath): PathsPlace {
  const { source, report, reader, where } = origin;
  return { folder, source, reader, report: named(report, `${where}.${field}`) };
}

const WDIR_HINT = 'run the stage in the project, and let its command go there: `cd ../there && …`';

function scalarText(node: Node | undefined): string {
  return node?.kind === 'scalar' && node.value !== null ? formatScalar(node) : '';
}

/** Nothing: the key is not there, or a template drew null for it. */
function isNull(node: Node | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null);
}

function isTrue(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.value === true;
}

function readTexts(node: Node | undefined): string[] {
  if (node === undefined) return [];
  return node.kind === 'seq' ? node.items.map(scalarText) : [scalarText(node)];
}

function readAction(wdir: ProjectPath, definition: MapNode, origin: StageOrigin): Action | undefined {
  const { where, source, report } = origin;
  const cmd = findValue(definition, 'cmd');
  const worker = findValue(definition, 'worker');
  const backend = findValue(definition, 'backend');
  if (cmd !== undefined && worker !== undefined) {
    report.add(source, worker, 'wrong-type', `${where} has both cmd and worker`, 'keep one of the two');
    return undefined;
  }
  if (worker !== undefined) {
    if (isUnknown(worker)) return undefined;
    const shell = findValue(definition, 'shell');
    if (shell !== undefined) {
      report.add(source, shell, 'wrong-type', `${where}.shell is for commands only`, 'take it out');
      return undefined;
    }
    const module = projectPath(scalarText(worker), worker, placeOf(origin, 'worker', wdir));
    if (module === undefined) return undefined;
    const pins = readBackend(backend);
    if (backend !== undefined) checkPins(pins, backend, origin);
    return { kind: 'worker', module, ...(pins === undefined ? {} : { backend: pins }) };
  }
  if (cmd === undefined) {
    const hint = 'give it a command: `cmd: python train.py`';
    const at = definition.flow ? definition : origin.at;
    report.add(source, at, 'wrong-type', `${where} has neither cmd nor worker`, hint);
    return undefined;
  }
  if (backend !== undefined) {
    report.add(source, backend, 'wrong-type', `${where}.backend is for worker stages only`, 'take it out');
    return undefined;
  }
  return { kind: 'command', cmd: cmd.kind === 'seq' ? cmd.items.map(scalarText) : scalarText(cmd) };
}

/** Undefined where nothing is pinned. */
function readBackend(node: Node | undefined): BackendPins | undefined {
  if (node?.kind === 'scalar' && !isUnknown(node)) {
    return isNull(node) ? undefined : readPins(scalarText(node));
  }
  if (node?.kind !== 'map') return undefined;
  const entries = node.entries.filter(({ value }) => !isUnknown(value) && !isNull(value));
  if (entries.length === 0) return undefined;
  return readPins(Object.fromEntries(entries.map(({ key, value }) => [String(key.value), toValue(value)])));
}

/** A pin that the named backend keeps on no machine is a mistake; it need not wait for the stage to run. */
function checkPins(pins: BackendPins | undefined, at: Node, origin: StageOrigin): void {
  const impossible = pins?.name === undefined ? undefined : impossiblePin(pins.name, pins);
  if (impossible === undefined) return;
  const { pin, why } = impossible;
  const value = at.kind === 'map' ? findValue(at, pin) : undefined;
  problem(value ?? at, `the backend ${pins?.name} ${why}`, 'take it out', `backend.${pin}`, origin);
}

/** A backend on a GPU needs one: the stage holds one even where it does not say so. */
function gpuOf(action: Action | undefined, written: Resources, at: Node | undefined, origin: StageOrigin): Resources {
  if (action?.kind !== 'worker' || action.backend?.name !== 'gpu') return written;
  if (written.gpu !== 0) return { gpu: 1, ...written };
  if (at !== undefined) {
    const message = 'the backend gpu needs a GPU, and resources say gpu: 0';
    problem(at, message, 'write gpu: 1, or leave it out', 'backend', origin);
  }
  return written;
}

function readDeps(list: Node | undefined, place: PathsPlace): DraftDep[] {
  if (list?.kind !== 'seq') return [];
  const deps: DraftDep[] = [];
  const seen = list.items.length === 1 ? undefined : new Set<AnyPath>();
  for (const item of list.items) {
    if (item.kind === 'map') {
      const target = findValue(item, 'stage');
      if (target !== undefined && !isUnknown(target))
        deps.push({ kind: 'stage', name: scalarText(target), at: target });
      continue;
    }
    if (isUnknown(item)) continue;
    const written = scalarText(item);
    const path = depPath(written, item, place);
    if (path === undefined || seen?.has(path)) continue;
    seen?.add(path);
    const dep = { path };
    deps.push(
      /[*?[]/.test(written) ? { kind: 'pattern', dep, pattern: written, at: item } : { kind: 'path', dep, at: item },
    );
  }
  return deps;
}

function readEnv(list: Node | undefined, origin: StageOrigin): EnvVar[] {
  if (list?.kind !== 'seq') return [];
  const found = new Map<string, EnvVar>();
  for (const item of list.items) {
    if (isUnknown(item)) continue;
    const written = scalarText(item);
    const equals = written.indexOf('=');
    const name = equals === -1 ? written : written.slice(0, equals);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      problem(item, `${quote(name)} is no name of a variable`, 'write NAME or NAME=value', 'env', origin);
    } else if (found.has(name))
      problem(item, `the variable ${quote(name)} is declared twice`, 'keep one of the two', 'env', origin);
    else found.set(name, equals === -1 ? { name } : { name, value: written.slice(equals + 1) });
  }
  return [...found.values()];
}

function readResources(node: Node | undefined, origin: StageOrigin): Resources {
  if (node?.kind !== 'map') return {};
  let resources: Resources = {};
  for (const { key, value } of node.entries) {
    if (value.kind !== 'scalar' || isUnknown(value)) continue;
    const name = String(key.value);
    if (name !== 'memory' && name !== 'gpu_memory') {
      resources = { ...resources, [name === 'cpu' ? 'cpu' : 'gpu']: Number(value.value) };
      continue;
    }
    const memory = readBytes(value);
    if (memory === undefined || (name === 'gpu_memory' && memory <= 0)) {
      const message = `${quote(scalarText(value))} is no amount of memory`;
      problem(value, message, 'write 8GB or 512MiB', `resources.${name}`, origin);
    } else resources = { ...resources, [name === 'memory' ? 'memory' : 'gpuMemory']: memory };
  }
  if (resources.gpuMemory === undefined) return resources;
  if (resources.gpu === 0) {
    const hint = 'take one of the two out';
    problem(node, "'gpu_memory' is of GPUs, and 'gpu' is 0", hint, 'resources.gpu_memory', origin);
  }
  return { ...resources, gpu: resources.gpu ?? 1 };
}

function readCheckpoints(node: Node | undefined, origin: StageOrigin): CheckpointSettings | undefined {
  if (node === undefined || isUnknown(node)) return undefined;
  const keep = scalarText(findValue(node, 'keep'));
  const grace = readTime(findValue(node, 'grace'), 'checkpoints.grace', origin);
  return {
    ...(keep === '' ? {} : { keep: Number(keep) }),
    ...(grace === undefined ? {} : { grace }),
    push: isTrue(findValue(node, 'push')),
  };
}

function readTime(node: Node | undefined, field: string, origin: StageOrigin): number | undefined {
  if (node === undefined || isUnknown(node)) return undefined;
  const time = readDuration(node);
  if (time !== undefined && time > 0) return time;
  problem(node, `${quote(scalarText(node))} is no length of time`, 'write 90s, 30m or 2h', field, origin);
  return undefined;
}

function problem(at: Range, message: string, hint: string, field: string, origin: StageOrigin): void {
  origin.report.add(origin.source, at, 'bad-value', `${origin.where}.${field}: ${message}`, hint);
}
