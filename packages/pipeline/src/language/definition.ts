import { BACKENDS, INSTRUCTION_SETS, OUT_FORMS } from '@dag/model';
import {
  anything,
  either,
  type Fields,
  field,
  flag,
  integer,
  list,
  map,
  noKeys,
  nothing,
  number,
  oneOf,
  type Shape,
  table,
  text,
  words,
} from './shape.ts';

const texts = list(text);
const shell = either(text, texts);
const wordList = list(words);

const annotations: Fields = {
  desc: field('What it is, for people.', words),
  type: field('A type, for people and tools.', words),
  labels: field('Labels, for people and tools.', wordList),
  meta: field('Anything; kept, not read.', anything),
};

const outFields: Fields = {
  ...annotations,
  cache: field('Whether the content is kept in the cache (default true); false leaves it to git.', flag),
  persist: field('Whether it stays in place while the stage runs (default false).', flag),
  remote: field('The one remote that it belongs to.', text),
  push: field('Whether push sends it (default true).', flag),
  checkpoint: field('Accepted for old files, not read.', flag),
};

const plotLooks: Fields = {
  template: field('Plot template.', words),
  x: field('Field on the x axis.', words),
  y: field('Field on the y axis.', words),
  x_label: field('Label of the x axis.', words),
  y_label: field('Label of the y axis.', words),
  title: field('Title.', words),
  header: field('Whether a CSV file has a header line.', flag),
};

const out = either(text, table(map(outFields), 'a path'));
const plotFlags = map({ ...outFields, ...plotLooks });
const plot = either(text, table(either(plotFlags, list(plotFlags)), 'a path'));
const vars = list(either(text, table(anything, 'a name')));

const bound = either(number, text);

const verify = table(
  map({
    as: field(
      'What is compared: bytes unless said, or with a tolerance what its name says that it is.',
      oneOf(...OUT_FORMS),
    ),
    tolerance: field(
      'How far numbers may differ: 0.01, or 5% of what they were; or each by its key, column or tensor.',
      either(number, text, table(bound, 'a key, column or tensor')),
    ),
    ignore: field('Whether it may come out as it likes.', flag),
  }),
  'an out, or a path inside one',
);

/** Keys of a stage, and of the `do:` of a foreach. */
export const STAGE_FIELDS: Fields = {
  cmd: field('Command to run, or a list of commands that run in order.', either(text, texts)),
  worker: field('A module that a native worker process runs, instead of a command.', text),
  backend: field(
    'What the worker must compute on: a TensorFlow backend, or a map that pins more.',
    either(
      oneOf(...BACKENDS),
      map({
        name: field('The backend: gpu, node, webgpu, wasm or cpu.', oneOf(...BACKENDS)),
        version: field('Version of the package that provides it.', text),
        tensorflow: field("Version of TensorFlow's C library.", text),
        threads: field('Threads that one operation is divided among.', integer(1)),
        onednn: field("Whether oneDNN's kernels are used.", flag),
        isa: field('The most that may be used of the processor.', oneOf(...INSTRUCTION_SETS)),
        deterministic: field('Whether only operations that always give the same bits may run.', flag),
      }),
    ),
  ),
  wdir: field('Folder in which it runs and which its paths are relative to.', text),
  deps: field(
    'Files and folders that it reads: paths, patterns (`data/*.csv`), or `{stage: NAME}` for all outs of a stage or group.',
    list(either(text, map({ stage: field('Name of a stage or group.', text) }, 'stage'))),
  ),
  params: field(
    'Keys of params.yaml, or a file with a list of its keys; without keys the whole file.',
    list(either(text, table(either(wordList, noKeys), 'a params file'))),
  ),
  vars: field('Values for `${…}`: files, or maps.', vars),
  env: field('Variables that count: NAME, or NAME=value to set it as well.', texts),
  strict_env: field('Whether variables that are not declared are hidden from it.', flag),
  shell: field('What its commands are handed to: a shell, or a list of its words (default: /bin/sh -e -c).', shell),
  resources: field(
    'What it needs for as long as it runs.',
    map({
      cpu: field('Processor cores.', number),
      gpu: field('GPUs.', integer(0)),
      gpu_memory: field(
        'Memory of each of its GPUs (default for `gpu`: 1); with it they are shared with stages that say so too.',
        either(text, number),
      ),
      memory: field('Memory: bytes, or with a unit (8GB, 512MiB).', either(text, number)),
    }),
  ),
  salt: field('Any text: with another one, earlier results are not taken any more.', either(text, number)),
  mutex: field('Stages that share a name here never run at once.', either(text, texts)),
  retries: field('How often it is tried again after a failure.', integer(0)),
  timeout: field('Time after which it is stopped: seconds, or with a unit (90s, 30m, 2h).', either(text, number)),
  checkpoints: field(
    'How it is taken up again after it was ended early.',
    map({
      keep: field('How many checkpoints of a worker module stay (default 2).', integer(1)),
      grace: field('Time to save once more when it is told to end (default 10s).', either(text, number)),
      push: field('Whether they are sent to the remote too, so that another machine can go on (default false).', flag),
    }),
  ),
  stall: field(
    'Time without output, metric or CPU time after which it has failed: seconds, or with a unit (90s, 30m, 2h).',
    either(text, number),
  ),
  outs: field('Files and folders that it makes.', list(out)),
  metrics: field('Metrics files that it makes.', list(out)),
  plots: field('Plot data that it makes.', list(plot)),
  verify: field('How `dag verify --run` compares what it makes, by path; no reason to run.', verify),
  frozen: field('Whether it is kept as it is, whatever changes.', flag),
  always_changed: field('Whether it runs every time.', flag),
  desc: field('What it does, for people.', words),
  meta: field('Anything; kept, not read.', anything),
};

const cells = list(table(anything, 'a matrix key'));

/** A stage that stands for itself or, with `matrix`, for one per combination. */
export const STAGE: Shape = map({
  ...STAGE_FIELDS,
  matrix: field('One stage for each combination of these lists.', table(either(text, list(anything)), 'a name')),
  exclude: field('Combinations of the matrix to leave out.', cells),
  include: field('Combinations to add to the matrix.', cells),
});

/** The template of a foreach. */
export const DO: Shape = map(STAGE_FIELDS);

/** A stage that stands for one per item. */
export const FOREACH: Shape = map(
  {
    foreach: field(
      'Items: a list, a map, or `${…}` that gives one.',
      either(text, list(anything), table(anything, 'a name')),
    ),
    do: field('The stage, with `${item}` and `${key}`.', DO),
  },
  'foreach',
  'do',
);

export const REMOTE_FIELDS: Fields = {
  url: field('s3://bucket/prefix, https://host/path (only read), file:///folder or a folder.', text),
  endpoint: field('URL of an S3-compatible server.', text),
  region: field('Region of the bucket.', text),
  profile: field('Profile of the AWS configuration to take credentials from.', text),
  path_style: field('Whether the bucket stands in the path instead of the host name.', flag),
  jobs: field('Objects moved at once.', integer(1)),
  timeout: field('Seconds without a byte after which a request is tried again.', number),
  retries: field('How often a request is tried again.', integer(0)),
  verify: field('Content is always verified; accepted for old files.', flag),
};

/** Settings: what the root pipeline.yaml and .cache/local.yaml may say about the project. */
export const SETTINGS_FIELDS: Fields = {
  remote: field(
    'The default remote; or several, looked in by this order. What is pushed goes to the first that can be written.',
    either(text, texts),
  ),
  remotes: field(
    'Where objects are pushed to and fetched from.',
    table(either(text, map(REMOTE_FIELDS, 'url')), 'a name'),
  ),
  cache: field(
    'The local cache.',
    map({
      dir: field('Folder of the cache (default .cache).', text),
      link: field(
        'How files get into the workspace, tried in this order.',
        either(oneOf('reflink', 'hardlink', 'symlink', 'copy'), list(oneOf('reflink', 'hardlink', 'symlink', 'copy'))),
      ),
      keep_runs: field('Days for which gc keeps run records and their objects (default 30).', integer(0)),
    }),
  ),
  jobs: field('Stages that run at once: a number, or auto for the cores.', either(oneOf('auto'), integer(1))),
  parsing: field(
    'How a map unpacks in a command.',
    map({
      bool: field('store_true: `--x`; boolean_optional: `--x` or `--no-x`.', oneOf('store_true', 'boolean_optional')),
      list: field('nargs: `--x 1 2`; append: `--x 1 --x 2`.', oneOf('nargs', 'append')),
    }),
  ),
  root: field('Whether this folder is the root of its project, whatever stands above.', flag),
};

const axis = either(text, table(either(text, texts), 'a file'));

/** All of a pipeline.yaml. Stages have their own shape, by the keys that they have. */
export const PIPELINE_FIELDS: Fields = {
  ...SETTINGS_FIELDS,
  vars: field('Values for `${…}`: files, or maps.', vars),
  salt: field('A salt for all stages of this file, beside their own.', either(text, number)),
  shell: field('The shell of all stages of this file that name none.', shell),
  strict_env: field('Whether undeclared variables are hidden from all stages of this file that say nothing.', flag),
  stages: field('The stages, by name.', table(anything, 'a stage name')),
  data: field(
    'Files and folders tracked by `dag add`.',
    list(
      either(
        text,
        map(
          {
            path: field('Path, relative to this file.', text),
            desc: field('What it is, for people.', text),
            remote: field('The one remote that it belongs to.', text),
            push: field('Whether push sends it (default true).', flag),
          },
          'path',
        ),
      ),
    ),
  ),
  params: field('Params files to show beside those of stages.', texts),
  metrics: field('Metrics files to show beside those of stages.', texts),
  plots: field(
    'Plots to show.',
    list(
      either(
        text,
        table(
          either(
            map({
              x: field('Field on the x axis, or one by file.', either(text, table(text, 'a file'))),
              y: field('Fields on the y axis, or some by file.', either(text, texts, axis)),
              x_label: field('Label of the x axis.', text),
              y_label: field('Label of the y axis.', text),
              title: field('Title.', text),
              template: field('Plot template.', text),
            }),
            nothing,
          ),
          'a plot',
        ),
      ),
    ),
  ),
  artifacts: field(
    'Named artifacts.',
    table(map({ path: field('Its path.', text), ...annotations }, 'path'), 'a name'),
  ),
  datasets: field('Accepted for old files, not read.', anything),
};

/** The file as a whole; stages are checked one by one, each by its own shape. */
export const PIPELINE: Shape = map(PIPELINE_FIELDS);

/** Keys of earlier tools that are refused, and what to write instead. */
export const FORMER_KEYS: { readonly [key: string]: string } = {
  live: 'DVC 1 and 2 only: list what it writes under `metrics:` and `plots:`',
  outs_persist: 'write `outs: [{PATH: {persist: true}}]`',
  outs_no_cache: 'write `outs: [{PATH: {cache: false}}]`',
  metrics_no_cache: 'write `metrics: [{PATH: {cache: false}}]`',
  plots_no_cache: 'write `plots: [{PATH: {cache: false}}]`',
  locked: 'write `frozen: true`',
  core: "write `remote: NAME` and `cache:` at the top of the file; 'dag remote add' writes remotes",
};

/** Other words for keys, as they stand in other tools. */
export const OTHER_WORDS: { readonly [word: string]: string } = {
  command: 'cmd',
  commands: 'cmd',
  run: 'cmd',
  script: 'cmd',
  module: 'worker',
  cwd: 'wdir',
  workdir: 'wdir',
  working_dir: 'wdir',
  dependencies: 'deps',
  depends: 'deps',
  depends_on: 'deps',
  inputs: 'deps',
  input: 'deps',
  outputs: 'outs',
  output: 'outs',
  parameters: 'params',
  environment: 'env',
  description: 'desc',
  items: 'foreach',
  gpus: 'gpu',
  num_gpus: 'gpu',
  vram: 'gpu_memory',
  mem: 'memory',
  cpus: 'cpu',
  num_cpus: 'cpu',
};

/** Keys that would hold a secret. */
export const SECRET_KEYS: readonly string[] = [
  'access_key_id',
  'secret_access_key',
  'session_token',
  'password',
  'token',
  'connection_string',
  'account_key',
];
