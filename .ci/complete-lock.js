// Adds to package-lock.json the optional packages of other platforms that the registry in reach did not have when the lock
// was made: npm leaves them out then, and `npm ci` refuses a lock without them. Run it after an `npm install`.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));
const OS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'windows',
];
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64', '64'];
const OTHER_NAMES = { windows: 'win32', 64: 'x64' };

let added = 0;
for (const [at, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (lock.packages[`${at}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue;
    lock.packages[`node_modules/${name}`] = entry(name, version, dev);
    added++;
  }
}
const byName = ([a], [b]) => (a === '' ? -1 : b === '' ? 1 : a.localeCompare(b, 'en'));
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(byName));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} added`);

/** What npm would write of a package that this machine can't use: its platform, as its name tells. */
function entry(name, version, dev) {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-');
  const platform = (known) =>
    words
      .filter((word) => known.includes(word))
      .map((word) => OTHER_NAMES[word] ?? word)
      .at(-1);
  const [os, cpu] = [platform(OS), platform(CPU)];
  if (!/^\d/.test(version) || (os ?? cpu) === undefined) throw new Error(`${name}@${version} names no platform`);
  return {
    version,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(dev === undefined ? {} : { dev }),
    ...(words.some((word) => word.startsWith('musl')) ? { libc: ['musl'] } : {}),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}
