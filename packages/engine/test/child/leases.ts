import fs from 'node:fs';
import path from 'node:path';
import { leaseDevices } from '../../src/gpu/queue.ts';

// leases.js FOLDER WITNESS DEVICES ROUNDS [TOTAL]: leases one or two of the devices again and again, whole or, where TOTAL
// says how much memory each has, every other time a part. Each holder leaves a file that says how much it has of a device
// in a folder of that device, and fails when there is more than the device has; those of killed processes don't count. It
// prints a line now and then. With ROUNDS = 0 it takes all, or half of
// all, says so, and keeps them until it is killed.
const [folder = '', witness = '', list = '', rounds = '0', size = ''] = process.argv.slice(2);
const among = list.split(',');
const request = { among, within: [], purpose: 'test' };
const total = size === '' ? 1 : Number(size);
const rooms = new Map(size === '' ? [] : among.map((device) => [device, { total, others: 0 }]));
const options = { wait: true, rooms: () => Promise.resolve(rooms) };

if (rounds === '0') {
  await leaseDevices(
    folder,
    { ...request, count: among.length, ...(size === '' ? {} : { memory: total / 2 }) },
    options,
  );
  console.log('holding');
  setInterval(() => {}, 1000);
}

for (let round = 0; round < Number(rounds); round++) {
  const count = 1 + Math.floor(Math.random() * Math.min(2, among.length));
  const whole = size === '' || Math.random() < 0.3;
  const memory = whole ? total : 1 + Math.floor(Math.random() * total);
  const lease = await leaseDevices(folder, { ...request, count, ...(whole ? {} : { memory }) }, options);
  if (lease.devices.length !== count) throw new Error(`got ${lease.devices.length} of ${count}`);
  const marks = lease.devices.map((device) => path.join(witness, device, `${memory}-${process.pid}-${round}`));
  for (const mark of marks) {
    fs.mkdirSync(path.dirname(mark), { recursive: true });
    fs.writeFileSync(mark, '');
    const there = fs.readdirSync(path.dirname(mark)).filter(isAlive);
    const used = there.reduce((sum, name) => sum + Number.parseInt(name, 10), 0);
    if (used > total) throw new Error(`${used} of ${total} in use: ${there}`);
  }
  await new Promise((resolve) => setImmediate(resolve));
  for (const mark of marks) fs.unlinkSync(mark);
  lease.release();
  if (round % 10 === 0) console.log(round);
}

/** Whether the process that left a mark lives: as one that was killed is, its devices are free. */
function isAlive(mark: string): boolean {
  const pid = mark.split('-')[1] ?? '';
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
