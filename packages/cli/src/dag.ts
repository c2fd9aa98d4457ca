// The program's entry. What needs nothing of the rest is answered before the rest is loaded.

/** Version of the package that this was built into. */
declare const DAG_VERSION: string;

const [, , first, ...more] = process.argv;
if ((first === '--version' || first === '-V') && more.length === 0) {
  process.stdout.write(`${DAG_VERSION}\n`);
} else {
  void import('./main.ts').then(({ main }) => main(DAG_VERSION));
}
