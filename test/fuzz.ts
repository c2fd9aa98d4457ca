import fc from 'fast-check';

/**
 * Random tests draw the same cases in every run, so that a failure is about the change at hand: the seed is `DAG_SEED`, or
 * this one. `npm run fuzz` draws others, and `DAG_FUZZ` times as many.
 */
export const SEED = Number(process.env['DAG_SEED'] ?? 20_260_101);

const TIMES = Number(process.env['DAG_FUZZ'] ?? 1);

/** How many cases to draw where an ordinary run draws `usual`. */
export function runs(usual: number): number {
  return Math.ceil(usual * TIMES);
}

// As the setup file of every test: fast-check prints the seed where a property fails.
fc.configureGlobal({ seed: SEED, numRuns: runs(100) });
