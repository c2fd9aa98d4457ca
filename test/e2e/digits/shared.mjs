import { appendFileSync, readFileSync } from 'node:fs';

/** A number of params.yaml. */
export function param(section, key) {
  const body = readFileSync('params.yaml', 'utf8')
    .split(/^(?=\w)/m)
    .find((text) => text.startsWith(`${section}:`));
  return Number(new RegExp(`^  ${key}: ([0-9.]+)`, 'm').exec(body)[1]);
}

/** Leaves a line that the test can count: which stages really ran. */
export function note(stage) {
  if (process.env.RUN_LOG) appendFileSync(process.env.RUN_LOG, `${stage}\n`);
}

export function readSet(name) {
  return { pixels: readFileSync(`data/digits/${name}.bin`), labels: readFileSync(`data/digits/${name}.labels`) };
}

/** Probabilities of the ten digits for one picture. */
export function classify(weights, pixels, row) {
  const scores = new Float64Array(10);
  for (let digit = 0; digit < 10; digit++) {
    let sum = weights[digit * 785 + 784];
    for (let i = 0; i < 784; i++) sum += (weights[digit * 785 + i] * pixels[row * 784 + i]) / 255;
    scores[digit] = sum;
  }
  const highest = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return scores.map((score) => Math.exp(score - highest) / total);
}
