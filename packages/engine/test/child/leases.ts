import fs from 'node:fs';
import path from 'node:path';
import { leaseDevices } from '../../src/gpu/queue.ts';

// leases.js FOLDER WITNESS DEVICES ROUNDS: leases one or two of the devices again and again, and fails when another
// process is found on one of them. With ROUNDS = 0 it takes all, says so, and keeps them until it is killed.
const [folder = '', witness = '', list = '', rounds = '0'] = process.argv.slice(2);
const among = list.split(',');
const request = { among, within: [], purpose: 'test' };

if (rounds === '0') {
  await leaseDevices(folder, { ...request, count: among.length }, { wait: true });
  console.log('holding');
  setInterval(() => {}, 1000);
}

for (let round = 0; round < Number(rounds); round++) {
  const count = 1 + Math.floor(Math.random() * Math.min(2, among.length));
  const lease = await leaseDevices(folder, { ...request, count }, { wait: true });
  if (lease.devices.length !== count) throw new Error(`got ${lease.devices.length} of ${count}`);
  for (const device of lease.devices) fs.mkdirSync(path.join(witness, device));
  await new Promise((resolve) => setImmediate(resolve));
  for (const device of lease.devices) fs.rmdirSync(path.join(witness, device));
  lease.release();
}
