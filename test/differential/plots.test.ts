import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DvcCommands, findDvcPython, startCommands, WITHOUT_DVC } from './dvc.ts';
import { type History, type SideBySide, sideBySide } from './side-by-side.ts';

const PIPELINE = `stages:
  draw:
    cmd: cp loss.csv made.csv
    deps: [loss.csv]
    plots:
      - made.csv: {x: step, y: acc, title: Made}
      - kept.tsv: {cache: false, template: scatter}
  keep:
    cmd: mkdir -p many && cp fig.svg many/1.svg && cp loss.csv many/t.csv && cp fig.svg many/2.svg
    deps: [fig.svg, loss.csv]
    plots: [many]
plots:
  - loss.csv: {x: step, y: [loss, acc], title: Curves, x_label: Step}
  - both:
      x: {train.json: epoch, val.yaml: epoch}
      y: {train.json: loss, val.yaml: [loss]}
  - one: {x: epoch, y: {val.yaml: [loss, acc]}, template: simple}
  - conf.json: {x: actual, y: predicted, template: confusion}
  - fig.svg
  - made.csv
  - broken.json
  - lost.csv
  - nofield: {y: {val.yaml: nope}}
`;

const SVG = (r: number) => `<svg xmlns="http://www.w3.org/2000/svg"><circle r="${r}"/></svg>`;
const table = (factor: number) => `step,loss,acc\n${[1, 2, 3].map((i) => `${i},${i * factor},${i}e-2`).join('\n')}\n`;
const HISTORY: History = [
  {
    'pipeline.yaml': PIPELINE.replace(
      'cp loss.csv made.csv',
      'cp loss.csv made.csv; tail -2 loss.csv | tr , "\\t" > kept.tsv',
    ),
    'loss.csv': table(0.5),
    'train.json': '{"train": [{"epoch": 0, "loss": 1}, {"epoch": 1, "loss": 0.5}], "n": 1}',
    'val.yaml': '- {epoch: 0, loss: 2, acc: 0.1}\n- {epoch: 1, loss: 1.5, acc: 0.2}\n',
    'conf.json': '[{"actual": "a", "predicted": "b"}, {"actual": "b", "predicted": "b"}]',
    'fig.svg': SVG(1),
    'broken.json': '[{"a": 1}]',
    'lost.csv': 'a,b\n1,2\n',
  },
  { 'loss.csv': table(0.25), 'fig.svg': SVG(2), 'broken.json': '[{"a": 1', 'lost.csv': null },
];

let dvc: DvcCommands | undefined;
let both: SideBySide | undefined;
beforeAll(async () => {
  const python = findDvcPython();
  if (python === undefined) return;
  dvc = await startCommands(python);
  both = await sideBySide(dvc, HISTORY);
}, 120_000);
afterAll(() => {
  dvc?.close();
  both?.remove();
});

interface Plots {
  readonly errors?: readonly { readonly name: string; readonly rev: string; readonly source?: string }[];
  readonly data?: {
    readonly [id: string]: readonly {
      readonly type: string;
      readonly revisions: readonly string[];
      readonly content?: {
        readonly data: { readonly values: readonly Row[] };
        readonly title: { readonly text: string };
      };
    }[];
  };
}

type Row = { readonly [field: string]: unknown };

/** What is compared: which plots there are, of what, at which revisions, with which rows; what is missing. */
function normal({ errors = [], data = {} }: Plots) {
  return {
    errors: errors.map(({ name, rev, source }) => `${ours(name)} ${rev} ${source ?? ''}`).sort(),
    data: Object.fromEntries(
      Object.entries(data).map(([id, parts]) => [
        ours(id),
        parts.map(({ type, revisions, content }) => ({
          type,
          revisions,
          title: ours(content?.title.text ?? ''),
          rows: content?.data.values.map(rowText),
        })),
      ]),
    ),
  };
}

/** Texts of CSV are numbers here. What tells lines apart is kept beside what is made of it. */
function rowText(row: Row): string {
  const fields = Object.entries(row).filter(([name]) => !['filename', 'field'].includes(name));
  return JSON.stringify(
    fields
      .map(([name, value]) => [
        name,
        typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value)) ? Number(value) : value,
      ])
      .sort(),
  );
}

function ours(id: string): string {
  return id.replace('dvc.yaml', 'pipeline.yaml');
}

const COMMANDS: readonly string[] = [
  'plots show --json',
  'plots show made.csv --json -x step -y loss -t simple --title T',
  'plots show many --json',
  'plots show train.json --json',
  'plots diff --json',
  'plots diff v1 --json',
  'plots diff v1 workspace --json --targets one many/1.svg',
];

describe('plots are those of DVC', () => {
  for (const command of COMMANDS) {
    test(command, { timeout: 60_000 }, async (context) => {
      if (both === undefined || dvc === undefined) {
        if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
        return context.skip(WITHOUT_DVC);
      }
      const args = command.split(' ');
      const our = await both.ours.dag(args);
      const their = await dvc.run(both.theirs.root, args);
      expect([our.status, their.status], our.stderr).toEqual([0, 0]);
      expect(normal(JSON.parse(our.stdout))).toEqual(normal(JSON.parse(their.stdout)));
    });
  }
});
