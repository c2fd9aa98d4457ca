import { readFileSync, writeFileSync } from 'node:fs';
import { classify, note, readSet } from './shared.mjs';

note('evaluate');
const { pixels, labels } = readSet('test');
const bytes = readFileSync('model/weights.bin');
const weights = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
let right = 0;
for (let row = 0; row < labels.length; row++) {
  const chances = classify(weights, pixels, row);
  if (chances.indexOf(Math.max(...chances)) === labels[row]) right++;
}
writeFileSync('metrics.json', `${JSON.stringify({ accuracy: right / labels.length })}\n`);
