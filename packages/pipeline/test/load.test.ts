import { describe, expect, it } from 'vitest';
import { load, path, problems, sound, words } from './rig/memory.ts';

describe('loadPipeline', () => {
  it('reads every field of a stage', () => {
    const pipeline = sound({
      'sub/pipeline.yaml': `stages:
  train:
    cmd: [python a.py, python b.py]
    wdir: work
    deps: [../in, a.py]
    params: [lr, {../other.json: [a.b]}, {all.toml: }]
    env: [LANG, MODE=fast]
    strict_env: true
    resources: {gpu: 1, cpu: 0.5, memory: 8GB}
    mutex: db
    retries: 2
    timeout: 1h30m
    outs: [{model: {persist: true, remote: store, push: false, desc: it}}]
    metrics: [{m.json: {cache: false}}]
    plots: [{p.csv: {x: step}}]
    frozen: true
    always_changed: true
    desc: text
    meta: {a: [1]}
`,
    });
    const [stage] = pipeline.stages.values();
    expect(stage).toEqual({
      address: 'sub/pipeline.yaml:train',
      name: 'train',
      file: 'sub/pipeline.yaml',
      wdir: 'sub/work',
      action: { kind: 'command', cmd: ['python a.py', 'python b.py'] },
      deps: [{ path: 'sub/in' }, { path: 'sub/work/a.py' }],
      params: [
        { file: 'sub/work/params.yaml', keys: ['lr'] },
        { file: 'sub/other.json', keys: ['a.b'] },
        { file: 'sub/work/all.toml', keys: 'all' },
      ],
      env: [{ name: 'LANG' }, { name: 'MODE', value: 'fast' }],
      strictEnv: true,
      resources: { gpu: 1, cpu: 0.5, memory: 8e9 },
      mutex: ['db'],
      retries: 2,
      timeout: 5_400_000,
      outs: [
        { path: 'sub/work/model', kind: 'out', cache: true, persist: true, push: false, remote: 'store', desc: 'it' },
        { path: 'sub/work/m.json', kind: 'metric', cache: false, persist: false, push: true },
        { path: 'sub/work/p.csv', kind: 'plot', cache: true, persist: false, push: true },
      ],
      frozen: true,
      alwaysChanged: true,
      desc: 'text',
      meta: { a: [1] },
      line: 2,
    });
  });

  it('connects stages by path: the same, inside, around, and a params file that is made', () => {
    const pipeline = sound({
      'pipeline.yaml': `stages:
  use: {cmd: c, deps: [dir/file, other]}
  make: {cmd: a, outs: [dir]}
  parts: {cmd: b, outs: [other/x, other/y]}
  params: {cmd: d, outs: [made.json]}
  last: {cmd: e, params: [{made.json: [a]}]}
`,
    });
    expect(pipeline.edges).toEqual([
      ['make', 'use'],
      ['params', 'last'],
      ['parts', 'use'],
    ]);
    expect(pipeline.order).toEqual(['make', 'parts', 'use', 'params', 'last']);
    expect(pipeline.upstream('use' as never)).toEqual(['make', 'parts']);
  });

  it('does not look into ignored, made or tracked folders', () => {
    const inner = 'stages: {x: {cmd: x}}\n';
    const pipeline = sound({
      'pipeline.yaml': 'data: [raw]\nstages: {make: {cmd: m, outs: [made]}}\n',
      '.gitignore': 'ignored/\n',
      '.dagignore': '/own\n',
      'ignored/pipeline.yaml': inner,
      'own/pipeline.yaml': inner,
      'raw/pipeline.yaml': inner,
      'made/pipeline.yaml': inner,
      'node_modules/pipeline.yaml': inner,
      'seen/deep/pipeline.yaml': inner,
    });
    expect(pipeline.files).toEqual(['pipeline.yaml', 'seen/deep/pipeline.yaml']);
  });

  it('lets .cache/local.yaml win, key by key', () => {
    const { settings } = sound(
      { 'pipeline.yaml': 'remote: a\nremotes: {a: s3://one, b: ../two}\ncache: {dir: x, link: copy}\njobs: auto\n' },
      {
        localSettings:
          'remote: b\nremotes: {a: {url: s3://mine, endpoint: http://host, path_style: true}}\ncache: {dir: y}\n',
      },
    );
    expect(settings).toEqual({
      defaultRemotes: ['b'],
      remotes: new Map([
        ['a', { name: 'a', url: 's3://mine', endpoint: 'http://host', pathStyle: true }],
        ['b', { name: 'b', url: '../two' }],
      ]),
      cache: { dir: 'y', link: ['copy'] },
      jobs: 'auto',
      parsing: { bool: 'store_true', list: 'nargs' },
    });
  });

  it("takes the user's own settings where nothing else says more", () => {
    const userSettings = {
      file: '~/.config/dag/config.yaml',
      text: 'jobs: 3\nremotes: {a: s3://user, c: s3://mine}\ncache: {dir: z}\n',
    };
    const { settings } = sound(
      { 'pipeline.yaml': 'remote: c\nremotes: {a: s3://one}\ncache: {link: copy}\n' },
      { userSettings, localSettings: 'cache: {dir: y}\n' },
    );
    expect([...settings.remotes.values()].map(({ url }) => url)).toEqual(['s3://one', 's3://mine']);
    expect(settings).toMatchObject({ defaultRemotes: ['c'], jobs: 3, cache: { dir: 'y', link: ['copy'] } });
    const { pipeline, diagnostics } = load(
      { 'pipeline.yaml': '' },
      { userSettings: { ...userSettings, text: 'job: 3\n' } },
    );
    expect(pipeline).toBeUndefined();
    expect(words(diagnostics)).toBe(
      `~/.config/dag/config.yaml:1:1: unknown key 'job'\n  job: 3\n  ^^^\n  did you mean 'jobs'?`,
    );
  });

  it('finds a params.yaml that can not be read, though nothing draws on it', () => {
    expect(problems('stages: {a: {cmd: a}}\n', { 'params.yaml': 'a: [\n' })).toContain('params.yaml:1:4');
  });

  it('expands patterns to files and outs, a name that exists wins, and groups stand for their outs', () => {
    const pipeline = sound({
      'pipeline.yaml': `stages:
  each:
    foreach: [a, b]
    do: {cmd: "make \${item}", outs: ["data/\${item}.csv"]}
  join: {cmd: join, deps: ["data/*.csv", "[x]", {stage: each}]}
  all: {cmd: all, deps: [{stage: each}]}
`,
      'data/c.csv': '',
      'data/.hidden.csv': '',
      '[x]': '',
    });
    expect(pipeline.stages.get('join' as never)?.deps).toEqual([
      { path: 'data/c.csv', pattern: 'data/*.csv' },
      { path: 'data/a.csv', pattern: 'data/*.csv' },
      { path: 'data/b.csv', pattern: 'data/*.csv' },
      { path: '[x]' },
    ]);
    expect(pipeline.upstream('all' as never)).toEqual(['each@a', 'each@b']);
    expect(pipeline.groups.get('each' as never)).toEqual(['each@a', 'each@b']);
  });

  it('with targets, goes on past a broken file that they do not need', () => {
    const files = {
      'pipeline.yaml': 'stages: {good: {cmd: x, deps: [sub/out]}}\n',
      'sub/pipeline.yaml': 'stages: {make: {cmd: y, outs: [out]}}\n',
      'bad/pipeline.yaml': 'stages: {oops: {cdm: z}}\n',
    };
    expect(load(files).pipeline).toBeUndefined();
    const some = load(files, { targets: ['good'] });
    expect(some.pipeline?.upstream('good' as never)).toEqual(['sub/pipeline.yaml:make']);
    expect(some.diagnostics.map((one) => one.file)).toEqual(['bad/pipeline.yaml']);
    expect(load(files, { targets: ['pipeline.yaml:oops'], cwd: path('bad') }).pipeline).toBeUndefined();
  });

  it('with targets, stops at a broken file that may make what they read', () => {
    const files = {
      'pipeline.yaml':
        'data: [bad/raw]\nstages: {a: {cmd: x, deps: [bad/out]}, b: {cmd: y, deps: [bad/raw/x, badly]}}\n',
      'bad/pipeline.yaml': 'stages: {make: {cdm: y, outs: [out]}}\n',
    };
    expect(load(files, { targets: ['a'] }).pipeline).toBeUndefined();
    expect(load(files, { targets: ['b'] }).pipeline).toBeDefined();
  });

  it('has an empty graph for an empty file, and for none', () => {
    expect(sound({ 'pipeline.yaml': '' }).stages.size).toBe(0);
    expect(sound({ 'pipeline.yaml': '# nothing\n' }).stages.size).toBe(0);
    expect(sound({}).files).toEqual([]);
  });
});

describe('problems', () => {
  it('names every one of a file, with its place and the nearest key', () => {
    expect(
      problems(`stages:
  train:
    cdm: python train.py
    deps: data
    outs:
      - model: {cach: false}
    frozen: 'yes'
  étape:
    cmd: x
    resources: {memory: lots}
jbos: 2
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:3:5: unknown key 'cdm' in stages.train
            cdm: python train.py
            ^^^
        did you mean 'cmd'?
      pipeline.yaml:4:11: stages.train.deps must be a list, not the string 'data'
            deps: data
                  ^^^^
        write \`deps: [data]\`
      pipeline.yaml:6:17: unknown key 'cach' in stages.train.outs.model
              - model: {cach: false}
                        ^^^^
        did you mean 'cache'?
      pipeline.yaml:7:13: stages.train.frozen must be true or false, not the string 'yes'
            frozen: 'yes'
                    ^^^^^
        write \`true\`
      pipeline.yaml:10:25: stages.étape.resources.memory: 'lots' is no amount of memory
            resources: {memory: lots}
                                ^^^^
        write 8GB or 512MiB
      pipeline.yaml:11:1: unknown key 'jbos'
        jbos: 2
        ^^^^
        did you mean 'jobs'?"
    `);
  });

  it('shows a cycle as a path, and what reads its own out', () => {
    expect(
      problems(`stages:
  a: {cmd: a, deps: [c.txt], outs: [a.txt]}
  b: {cmd: b, deps: [a.txt], outs: [b.txt]}
  c: {cmd: c, deps: [b.txt], outs: [c.txt]}
  own: {cmd: d, deps: [./x], outs: [x]}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:3: stages depend on each other in a circle: a → b → c → a
          a: {cmd: a, deps: [c.txt], outs: [a.txt]}
          ^
        a makes a.txt for b, b makes b.txt for c, c makes c.txt for a: take one of these deps out
      pipeline.yaml:5:24: stage 'own' both reads and makes 'x'
          own: {cmd: d, deps: [./x], outs: [x]}
                               ^^^
        a stage can't need what it makes: take it from deps or outs"
    `);
  });

  it('names both owners of a doubled or overlapping path', () => {
    expect(
      problems(`data: [raw]
stages:
  a: {cmd: a, outs: [m]}
  b: {cmd: b, outs: [./m, raw/x]}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:4:22: 'm' is made by stage 'b', and made by stage 'a' (pipeline.yaml:3:22) too
          b: {cmd: b, outs: [./m, raw/x]}
                             ^^^
        let one of them make it, or give one another path
      pipeline.yaml:4:27: 'raw/x' (made by stage 'b') lies inside 'raw' (tracked under data:, pipeline.yaml:1:8)
          b: {cmd: b, outs: [./m, raw/x]}
                                  ^^^^^
        keep them in folders of their own, or list only the folder"
    `);
  });

  it('refuses URLs, the folder of git, credentials, and unknown remotes', () => {
    expect(
      problems(`remote: stroe
remotes:
  store: {url: s3://b, secret_access_key: abc}
  other: https://user:pass@host/x
stages:
  a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k], outs: [.git/x]}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:9: there is no remote 'stroe'
        remote: stroe
                ^^^^^
        did you mean 'store'?
      pipeline.yaml:3:24: 'secret_access_key' in remotes.store: a secret can't stand in a file
        credentials belong in the environment or in a profile of the AWS configuration
      pipeline.yaml:4:10: the URL of the remote 'other' holds credentials
        credentials belong in the environment: set DAG_TOKEN_ and the host's name, with _ for all but letters and digits, to user:password or to a token
      pipeline.yaml:6:41: stages.a.deps: 's3://b/k' is a URL: stages read and make files
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k], outs: [.git/x]}
                                                ^^^^^^^^
        fetch it in a stage of its own
      pipeline.yaml:6:59: stages.a.outs: a path in .git can't be an out or tracked data
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k], outs: [.git/x]}
                                                                  ^^^^^^"
    `);
  });

  it('points into templates, and names the item', () => {
    expect(
      problems(
        `stages:
  a: {cmd: "run \${modle.lr} \${model}", deps: ["\${lst}"]}
  b:
    foreach: \${items}
    do: {cmd: "run \${item.x}"}
  c: {cmd: "run \${a..b} \${}"}
`,
        { 'params.yaml': 'model: {lr: 1}\nlst: [1]\nitems: {one: {x: 1}, two: {y: 2}}\n' },
      ),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:17: stages.a.cmd: \${modle.lr}: there is no 'modle'
          a: {cmd: "run \${modle.lr} \${model}", deps: ["\${lst}"]}
                        ^^^^^^^^^^^
        did you mean 'model'?
      pipeline.yaml:2:48: stages.a.deps: \${lst} is a list, which can't stand here
          a: {cmd: "run \${modle.lr} \${model}", deps: ["\${lst}"]}
                                                       ^^^^^^
        name one of its items: \`\${lst[0]}\`
      pipeline.yaml:5:20: stages.b.cmd: \${item.x}: there is no 'x' in 'item' (for b@two)
            do: {cmd: "run \${item.x}"}
                           ^^^^^^^^^
        known here: y
      pipeline.yaml:6:17: stages.c.cmd: \${a..b}: a name is missing before or after a dot
          c: {cmd: "run \${a..b} \${}"}
                        ^^^^^^^
      pipeline.yaml:6:25: stages.c.cmd: \${}: nothing stands between the braces
          c: {cmd: "run \${a..b} \${}"}
                                ^^^"
    `);
  });

  it('shows broken YAML and conflict markers where they stand', () => {
    expect(problems('stages:\n  a:\n    cmd: x: y\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:3:11: ': ' can not stand in a value without quotes
            cmd: x: y
                  ^
        put the whole value in quotes: \`"x: y"\`"
    `);
    expect(problems('stages:\n<<<<<<< HEAD\n  a: {cmd: x}\n=======\n>>>>>>> b\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:1: a conflict marker of git
        <<<<<<< HEAD
        ^^^^^^^^^^^^
        settle the merge conflict and take the markers out"
    `);
    expect(problems('a: 1\na: 2\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: unknown key 'a'
        a: 1
        ^
        known keys: remote, remotes, cache, jobs, parsing, root, vars, salt, shell, strict_env, stages, data, params, metrics, plots, artifacts, datasets
      pipeline.yaml:2:1: the key 'a' stands here twice
        a: 2
        ^
        keep one of the two"
    `);
  });
});
