// Runs one verb of a built program and keeps what V8 made of the files that it loaded, with what earlier runs left there:
// node record-code.cjs DIST ARGUMENT…
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const load = require('./load.cjs');

const [node, , dist, ...args] = process.argv;
const scripts = new Map();
process.on('exit', () => {
  const folder = load.codeFolder(dist, fs);
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, script] of scripts) fs.writeFileSync(`${folder}/${name}`, script.createCachedData());
});
process.argv = [node, `${dist}/dag.js`, ...args];
const main = fs.readdirSync(dist).find((name) => /^main-.*\.js$/.test(name));
const open = load(createRequire(`${dist}/dag.js`), dist, (name, script) => scripts.set(name, script));
open(`./${main}`).main('');
