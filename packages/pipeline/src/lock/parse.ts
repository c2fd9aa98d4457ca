import {
  type AnyPath,
  type Artifact,
  type BackendPins,
  type Diagnostic,
  type Digest,
  err,
  isExternal,
  type Lock,
  type LockedStage,
  type LockedWorker,
  ok,
  type ProjectPath,
  parentPath,
  parseDigest,
  type Result,
  readPins,
  resolveAnyPath,
  resolvePath,
  type Value,
} from '@dag/model';
import { keyText, toValue } from '../data/value.ts';
import { quote } from '../diagnostic/quote.ts';
import { newReport, type Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import { findValue, type MapNode, type Node, type Range, textOf } from '../yaml/node.ts';
import { parseYaml } from '../yaml/parse.ts';
import { readWritten } from './quick.ts';

const WAY_OUT =
  "take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew";

/**
 * Reads a pipeline.lock, trusting nothing: types, digests and sizes are checked, paths can't enter .git or .cache, and
 * only deps, params files and outs can lie outside the project. Paths in the text are relative to the folder of `file`; in the lock they are project paths.
 */
export function parseLock(text: string, file: ProjectPath): Result<Lock, Diagnostic[]> {
  const written = readWritten(text, parentPath(file));
  return written === undefined ? parseAnyLock(text, file) : ok(written);
}

/** As `parseLock`, in whatever form the text is; says what is wrong with it. */
export function parseAnyLock(text: string, file: ProjectPath): Result<Lock, Diagnostic[]> {
  const source = { file, text };
  const report = newReport();
  const reader = { source, report, folder: parentPath(file) };
  const { root, problems } = parseYaml(text);
  const problem = problems.find((one) => one.conflict) ?? problems[0];
  if (problem?.conflict) {
    const hint = "'dag lock resolve' merges it entry by entry";
    report.add(source, problem.at, 'conflict', `${file} holds a conflict marker of git`, hint);
  } else if (problem) report.add(source, problem.at, 'bad-lock', `${file} is damaged: ${problem.message}`, WAY_OUT);
  else if (text !== '' && !text.endsWith('\n')) {
    bad(reader, { start: text.length - 1, end: text.length }, `${file} is cut short: its last line has no end`);
  }
  const lock = report.count > 0 ? undefined : readLock(root, reader);
  const diagnostics = report.sorted();
  return lock === undefined || diagnostics.length > 0 ? err(diagnostics) : ok(lock);
}

interface Reader {
  readonly source: Source;
  readonly report: Report;
  readonly folder: ProjectPath;
}

function bad(reader: Reader, at: Range, message: string, hint = WAY_OUT): void {
  reader.report.add(reader.source, at, 'bad-lock', message, hint);
}

function readLock(root: Node | undefined, reader: Reader): Lock | undefined {
  if (root?.kind !== 'map') {
    bad(reader, root ?? { start: 0, end: 0 }, root === undefined ? 'the lock is empty' : 'the lock is no map');
    return undefined;
  }
  const schema = findValue(root, 'schema');
  if (schema?.kind !== 'scalar' || schema.value !== 1) {
    const newer = schema?.kind === 'scalar' && typeof schema.value === 'number' && schema.value > 1;
    const message =
      schema === undefined ? 'the lock has no schema number' : 'the lock has a schema that is not known here';
    bad(reader, schema ?? { start: 0, end: 0 }, message, newer ? 'a newer dag wrote it: update' : WAY_OUT);
    return undefined;
  }
  let data: ReadonlyMap<ProjectPath, Artifact> = new Map();
  const stages = new Map<string, LockedStage>();
  for (const { key, value } of root.entries) {
    if (key.value === 'data') data = readArtifacts(value, reader, pathOf);
    else if (key.value === 'stages') {
      for (const entry of mapOf(value, reader, 'stages')) {
        stages.set(keyText(entry.key.value), readStage(entry.value, reader));
      }
    } else if (key.value !== 'schema') unknown(key, reader);
  }
  return { stages, data };
}

function unknown(key: Node & { kind: 'scalar' }, reader: Reader): void {
  bad(reader, key, `unknown key ${quote(key.value)} in the lock`);
}

/** Entries of a map; an empty value has none. */
function mapOf(node: Node, reader: Reader, what: string): MapNode['entries'] {
  if (node.kind === 'map') return node.entries;
  bad(reader, node, node.kind === 'scalar' && node.value === null ? `${what} is cut short` : `${what} must be a map`);
  return [];
}

const EMPTY: LockedStage = { deps: new Map(), params: new Map(), env: new Map(), outs: new Map() };

function readStage(node: Node, reader: Reader): LockedStage {
  let stage = EMPTY;
  for (const { key, value } of mapOf(node, reader, 'a stage')) {
    switch (key.value) {
      case 'cmd': {
        const cmd = value.kind === 'seq' ? value.items.map(textOf) : textOf(value);
        if (cmd === undefined || (Array.isArray(cmd) && cmd.includes(undefined)))
          bad(reader, value, 'cmd must be text');
        else stage = { ...stage, cmd: cmd as string | string[] };
        break;
      }
      case 'worker': {
        const worker = readWorker(value, reader);
        if (worker) stage = { ...stage, worker };
        break;
      }
      case 'wdir': {
        const wdir = folderOf(value, reader);
        if (wdir !== undefined) stage = { ...stage, wdir };
        break;
      }
      case 'shell': {
        const shell = value.kind === 'seq' ? value.items.map(textOf) : [undefined];
        if (shell.includes(undefined)) bad(reader, value, 'shell must be a list of words');
        else stage = { ...stage, shell: shell as string[] };
        break;
      }
      case 'salt': {
        const salt = textOf(value);
        if (salt === undefined) bad(reader, value, 'salt must be text');
        else stage = { ...stage, salt };
        break;
      }
      case 'deps':
        stage = { ...stage, deps: readArtifacts(value, reader, anyPathOf) };
        break;
      case 'outs':
        stage = { ...stage, outs: readArtifacts(value, reader, anyPathOf) };
        break;
      case 'params':
        stage = { ...stage, params: readParams(value, reader) };
        break;
      case 'env':
        stage = { ...stage, env: readEnv(value, reader) };
        break;
      default:
        unknown(key, reader);
    }
  }
  return stage;
}

function readArtifacts<P extends AnyPath>(
  node: Node,
  reader: Reader,
  readPath: (key: Node & { kind: 'scalar' }, reader: Reader) => P | undefined,
): Map<P, Artifact> {
  const found = new Map<P, Artifact>();
  for (const { key, value } of mapOf(node, reader, 'a list of artifacts')) {
    const path = readPath(key, reader);
    const artifact = readArtifact(value, reader);
    if (path !== undefined && artifact !== undefined) found.set(path, artifact);
  }
  return found;
}

function readArtifact(node: Node, reader: Reader): Artifact | undefined {
  let digest: Digest | undefined;
  let size: number | undefined;
  let files: number | undefined;
  let executable = false;
  for (const { key, value } of mapOf(node, reader, 'an artifact')) {
    if (key.value === 'digest') digest = digestOf(value, reader);
    else if (key.value === 'size') size = countOf(value, reader);
    else if (key.value === 'files') files = countOf(value, reader);
    else if (key.value === 'executable' && value.kind === 'scalar' && typeof value.value === 'boolean')
      executable = value.value;
    else unknown(key, reader);
  }
  if (node.kind !== 'map') return undefined;
  const lacking = ['digest', 'size'].filter((key) => findValue(node, key) === undefined);
  if (lacking.length > 0) bad(reader, node, `an artifact lacks its ${lacking.join(' and ')}`);
  if (digest === undefined || size === undefined) return undefined;
  return files === undefined ? { kind: 'file', digest, size, executable } : { kind: 'folder', digest, size, files };
}

function digestOf(node: Node, reader: Reader): Digest | undefined {
  const digest = parseDigest(textOf(node) ?? '');
  const said = node.kind === 'scalar' ? `${quote(node.value)} is` : 'this is';
  if (digest === undefined) bad(reader, node, `${said} no digest that is known here`);
  return digest;
}

function countOf(node: Node, reader: Reader): number | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'number' && Number.isSafeInteger(node.value) && node.value >= 0) {
    return node.value;
  }
  bad(reader, node, `${node.kind === 'scalar' ? `${quote(node.value)} is` : 'this is'} no whole number`);
  return undefined;
}

/** A path that must be in the project, outside .git and .cache. */
function pathOf(node: Node & { kind: 'scalar' }, reader: Reader): ProjectPath | undefined {
  const path = anyPathOf(node, reader);
  if (path === undefined || !isExternal(path)) return path;
  bad(reader, node, `the lock names a path that it must not: ${keyText(node.value)}`);
  return undefined;
}

/** As `pathOf`, for what a stage reads, or makes and keeps out of the cache, which may lie outside the project. */
function anyPathOf(node: Node & { kind: 'scalar' }, reader: Reader): AnyPath | undefined {
  const path = resolveAnyPath(reader.folder, keyText(node.value));
  const first = path?.split('/', 1)[0];
  if (path !== undefined && path !== '' && first !== '.git' && first !== '.cache') return path;
  bad(reader, node, `the lock names a path that it must not: ${quote(keyText(node.value))}`);
  return undefined;
}

/** A folder of the project; the root is one too. */
function folderOf(node: Node, reader: Reader): ProjectPath | undefined {
  const path = resolvePath(reader.folder, textOf(node) ?? '/');
  if (path === undefined) bad(reader, node, 'wdir must be a folder of the project');
  return path;
}

function readParams(node: Node, reader: Reader): Map<AnyPath, ReadonlyMap<string, Value>> {
  const found = new Map<AnyPath, ReadonlyMap<string, Value>>();
  for (const { key, value } of mapOf(node, reader, 'params')) {
    const path = anyPathOf(key, reader);
    const values = mapOf(value, reader, 'params of a file');
    if (path !== undefined)
      found.set(path, new Map(values.map((entry) => [keyText(entry.key.value), toValue(entry.value)])));
  }
  return found;
}

function readEnv(node: Node, reader: Reader): Map<string, string | null> {
  const found = new Map<string, string | null>();
  for (const { key, value } of mapOf(node, reader, 'env')) {
    const text = value.kind === 'scalar' ? value.value : undefined;
    if (text === null || typeof text === 'string') found.set(keyText(key.value), text);
    else bad(reader, value, 'a variable must be text or null');
  }
  return found;
}

function readWorker(node: Node, reader: Reader): LockedWorker | undefined {
  let module: ProjectPath | undefined;
  let backend: BackendPins | undefined;
  const files = new Map<ProjectPath, Digest>();
  for (const { key, value } of mapOf(node, reader, 'worker')) {
    if (key.value === 'module' && value.kind === 'scalar') module = pathOf(value, reader);
    else if (key.value === 'backend') backend = readPins(toValue(value));
    else if (key.value === 'files') {
      for (const entry of mapOf(value, reader, 'files')) {
        const path = pathOf(entry.key, reader);
        const digest = digestOf(entry.value, reader);
        if (path !== undefined && digest !== undefined) files.set(path, digest);
      }
    } else unknown(key, reader);
  }
  if (module === undefined) {
    bad(reader, node, 'a worker needs its module');
    return undefined;
  }
  return { module, files, ...(backend === undefined ? {} : { backend }) };
}
