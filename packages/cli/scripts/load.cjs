// How the program's own files are loaded; the build puts this in front of the entry. A script that was compiled before is
// not compiled again: the build left beside each file what V8 made of it (scripts/code-cache.js). V8 itself refuses what
// another version, other flags or another text gave, and then the file is compiled as ever.
/* global require, __dirname */
'use strict';

/**
 * @param native the entry's own `require`, for all that is no file of the program.
 * @param folder where the program lies.
 * @param made called with each script that was loaded.
 * @returns a `require` for the entry and all files that it loads.
 */
module.exports = (native, folder, made) => {
  const modules = new Map();
  let reader;
  const open = () => {
    // Node 20 optimizes functions so early that a third of a verb's time goes there; later versions count otherwise.
    if (process.versions.v8.startsWith('11.')) native('node:v8').setFlagsFromString('--interrupt-budget=540672');
    const fs = native('node:fs');
    return { fs, Script: native('node:vm').Script, code: module.exports.codeFolder(folder, fs) };
  };
  const load = (name) => {
    const known = modules.get(name);
    if (known !== undefined) return known.exports;
    reader ??= open();
    const filename = `${folder}/${name}`;
    const text = reader.fs.readFileSync(filename, 'utf8');
    const source = `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
    const script = new reader.Script(source, { filename, cachedData: codeOf(name) });
    made?.(name, script);
    const loaded = { exports: {} };
    modules.set(name, loaded);
    script.runInThisContext().call(loaded.exports, loaded.exports, find, loaded, filename, folder);
    return loaded.exports;
  };
  const codeOf = (name) => {
    try {
      return reader.fs.readFileSync(`${reader.code}/${name}`);
    } catch {
      return undefined;
    }
  };
  const find = (name) => (name.startsWith('./') ? load(name.slice(2)) : native(name));
  return find;
};

/**
 * Where compiled scripts lie for this Node: their form is another in each. V8 can't tell all builds of one version apart,
 * the size of the program file does.
 */
module.exports.codeFolder = (folder, fs) => {
  const size = fs.statSync(process.execPath, { throwIfNoEntry: false })?.size;
  return `${folder}/code/${process.version}-${process.platform}-${process.arch}-${size}`;
};
