// Loaded into every Node process of a traced stage where nothing better than a language's own hooks can be had: notes each
// file that the process opens, once, as a line of JSON in DAG_TRACE_LOG.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const Module = require('node:module');
const childProcess = require('node:child_process');
const { fileURLToPath, pathToFileURL } = require('node:url');
const { isMainThread } = require('node:worker_threads');

const log = process.env.DAG_TRACE_LOG;
if (log) {
  const append = fs.appendFileSync.bind(fs);
  const resolve = path.resolve.bind(path);
  const told = new Set();
  const program = path.basename(process.argv0 || 'node');
  const say = (record) => {
    const line = JSON.stringify(record);
    if (told.has(line)) return;
    told.add(line);
    try {
      append(log, `${line}\n`);
    } catch {}
  };
  const named = (file) => {
    if (typeof file === 'string') return resolve(file);
    if (file instanceof URL) return file.protocol === 'file:' ? fileURLToPath(file) : undefined;
    return Buffer.isBuffer(file) ? resolve(file.toString()) : undefined;
  };
  const tell = (kind, file, more) => {
    const name = named(file);
    if (name !== undefined) say({ kind, path: name, program, ...more });
  };
  const writes = (flags) =>
    typeof flags === 'number' ? (flags & 3) !== 0 : typeof flags === 'string' && /[wa+]/.test(flags);
  const opened = (file, flags) => tell(writes(flags) ? 'write' : 'read', file, writes(flags) ? { isNew: false } : {});
  const flagsOf = (options) =>
    typeof options === 'object' && options !== null ? (options.flags ?? options.flag) : undefined;

  const copied = (from, to) => {
    opened(from, 'r');
    opened(to, 'w');
  };

  /** What each function does with its arguments. */
  const CALLS = {
    open: (file, flags) => opened(file, typeof flags === 'function' ? 'r' : (flags ?? 'r')),
    readFile: (file, options) => opened(file, flagsOf(options) ?? 'r'),
    writeFile: (file) => opened(file, 'w'),
    appendFile: (file) => opened(file, 'a'),
    createReadStream: (file, options) => opened(file, flagsOf(options) ?? 'r'),
    createWriteStream: (file) => opened(file, 'w'),
    readdir: (file) => tell('list', file),
    opendir: (file) => tell('list', file),
    truncate: (file) => opened(file, 'r+'),
    unlink: (file) => tell('delete', file),
    rename: (from, to) => tell('move', to, { from: named(from) }),
    copyFile: copied,
    link: copied,
    symlink: (_target, file) => opened(file, 'w'),
    // What these do below a folder can't be seen from here.
    cp: (from, to) => say({ kind: 'problem', text: `fs.cp of '${from}' to '${to}'` }),
    openAsBlob: (file) => opened(file, 'r'),
  };
  for (const [name, note] of Object.entries(CALLS)) {
    for (const [holder, key] of [
      [fs, name],
      [fs, `${name}Sync`],
      [fs.promises, name],
    ]) {
      const original = holder[key];
      if (typeof original !== 'function') continue;
      holder[key] = Object.assign(function (...args) {
        try {
          note(...args);
        } catch {}
        return original.apply(this, args);
      }, original);
    }
  }
  const resolveFile = Module._resolveFilename;
  Module._resolveFilename = function (...args) {
    const file = resolveFile.apply(this, args);
    if (path.isAbsolute(file)) tell('read', file);
    return file;
  };
  const dlopen = process.dlopen;
  process.dlopen = function (...args) {
    say({ kind: 'native', text: String(args[1]) });
    return dlopen.apply(this, args);
  };
  for (const name of ['spawn', 'spawnSync', 'execFile', 'execFileSync', 'exec', 'execSync', 'fork']) {
    const original = childProcess[name];
    childProcess[name] = Object.assign(function (...args) {
      say({ kind: 'spawn', text: String(args[0]), pid: process.pid, at: process.hrtime.bigint().toString() });
      return original.apply(this, args);
    }, original);
  }
  // Modules in the other format are loaded by a thread of Node's own.
  const loader = `import { appendFileSync } from 'node:fs';
    const told = new Set();
    export async function load(url, context, next) {
      if (url.startsWith('file:') && !told.has(url)) {
        told.add(url);
        try { appendFileSync(${JSON.stringify(log)}, JSON.stringify({ kind: 'url', path: url, program: ${JSON.stringify(program)} }) + '\\n'); } catch {}
      }
      return next(url, context);
    }`;
  if (isMainThread && typeof Module.register === 'function') {
    Module.register(`data:text/javascript,${encodeURIComponent(loader)}`, pathToFileURL(__filename));
  }
  Module.syncBuiltinESMExports();
  if (isMainThread) say({ kind: 'began', text: program, pid: process.pid });
}
