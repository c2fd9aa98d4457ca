// Softmax regression by plain gradient descent, one picture at a time.
import { mkdirSync, writeFileSync } from 'node:fs';
import { classify, note, param, readSet } from './shared.mjs';

note('train');
const { pixels, labels } = readSet('train');
const rate = param('train', 'rate');
const epochs = param('train', 'epochs');
const weights = new Float64Array(10 * 785);
const log = [];
for (let epoch = 0; epoch < epochs; epoch++) {
  let loss = 0;
  for (let row = 0; row < labels.length; row++) {
    const chances = classify(weights, pixels, row);
    loss -= Math.log(chances[labels[row]]);
    for (let digit = 0; digit < 10; digit++) {
      const step = rate * (chances[digit] - (digit === labels[row] ? 1 : 0));
      for (let i = 0; i < 784; i++) weights[digit * 785 + i] -= (step * pixels[row * 784 + i]) / 255;
      weights[digit * 785 + 784] -= step;
    }
  }
  log.push({ epoch, loss: loss / labels.length });
}
mkdirSync('model', { recursive: true });
writeFileSync('model/weights.bin', new Uint8Array(weights.buffer));
writeFileSync('model/log.json', `${JSON.stringify(log)}\n`);
