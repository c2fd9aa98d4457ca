import { describe, expect, it } from 'vitest';
import { parseLock, renderDiagnostic } from '../../src/index.ts';
import { type Files, load, path, problems } from '../rig/memory.ts';

/** What a user reads for each mistake: the best description of it, by the code of its diagnostic. */

const lock = (text: string) => {
  const result = parseLock(text, path('pipeline.lock'));
  return result.ok ? 'sound' : result.error.map(renderDiagnostic).join('\n');
};

describe('unknown-key', () => {
  it('a misspelt key counts as the one that was meant', () => {
    expect(
      problems(`jbos: 2
stages:
  train: {cdm: python train.py, otus: [model]}
  eval: {command: python eval.py, deps: [{stage: train}], outs: [model/x]}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: unknown key 'jbos'
        jbos: 2
        ^^^^
        did you mean 'jobs'?
      pipeline.yaml:3:11: unknown key 'cdm' in stages.train
          train: {cdm: python train.py, otus: [model]}
                  ^^^
        did you mean 'cmd'?
      pipeline.yaml:3:33: unknown key 'otus' in stages.train
          train: {cdm: python train.py, otus: [model]}
                                        ^^^^
        did you mean 'outs'?
      pipeline.yaml:4:10: unknown key 'command' in stages.eval
          eval: {command: python eval.py, deps: [{stage: train}], outs: [model/x]}
                 ^^^^^^^
        did you mean 'cmd'?
      pipeline.yaml:4:66: 'model/x' (made by stage 'eval') lies inside 'model' (made by stage 'train', pipeline.yaml:3:40)
          eval: {command: python eval.py, deps: [{stage: train}], outs: [model/x]}
                                                                         ^^^^^^^
        keep them in folders of their own, or list only the folder"
    `);
  });

  it('keys that belong elsewhere', () => {
    expect(
      problems(`core: {remote: x}
stages:
  a:
    cmd: x
    cache: false
    remotes: {s: s3://b}
    outs_no_cache: [x]
    outs: [{m: {deps: [x]}}]
  b:
    foreach: [1]
    matrix: {x: [1]}
    desc: text
    do: {cmd: x}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: unknown key 'core'
        core: {remote: x}
        ^^^^
        write \`remote: NAME\` and \`cache:\` at the top of the file; 'dag remote add' writes remotes
      pipeline.yaml:5:5: unknown key 'cache' in stages.a
            cache: false
            ^^^^^
        it belongs to an out: \`outs: [{PATH: {cache: false}}]\`
      pipeline.yaml:6:5: unknown key 'remotes' in stages.a
            remotes: {s: s3://b}
            ^^^^^^^
        it belongs at the top of the file, beside \`stages:\`
      pipeline.yaml:7:5: unknown key 'outs_no_cache' in stages.a
            outs_no_cache: [x]
            ^^^^^^^^^^^^^
        write \`outs: [{PATH: {cache: false}}]\`
      pipeline.yaml:8:17: unknown key 'deps' in stages.a.outs.m
            outs: [{m: {deps: [x]}}]
                        ^^^^
        it belongs in the stage: indent it as far as \`outs:\`
      pipeline.yaml:11:5: unknown key 'matrix' in stages.b
            matrix: {x: [1]}
            ^^^^^^
        a stage has foreach or matrix, not both
      pipeline.yaml:12:5: unknown key 'desc' in stages.b
            desc: text
            ^^^^
        it belongs in the stage: indent it below \`do:\`"
    `);
  });

  it('a stage, or keys of one, at the top of the file', () => {
    expect(
      problems(`train: {cmd: x, outs: [m]}
stages:
  b: {cmd: y, deps: [{stage: train}]}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: the stage 'train' stands beside \`stages:\`, not below it
        train: {cmd: x, outs: [m]}
        ^^^^^
        indent it below \`stages:\`"
    `);
    expect(problems('cmd: python train.py\ndeps: [a]\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: cmd and deps stand outside of any stage
        cmd: python train.py
        ^^^
        write \`stages:\`, below it a name, \`train:\`, and indent them below that"
    `);
  });

  it('keys of a stage beside its name, or without one', () => {
    expect(problems('stages:\n  train:\n  cmd: x\n  deps:\n    - a\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:3:3: cmd and deps stand beside the stage 'train', not in it
          cmd: x
          ^^^
        indent them below \`train:\`"
    `);
    expect(problems('stages:\n  cmd: x\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:3: cmd stands where names of stages should
          cmd: x
          ^^^
        put a name above, \`train:\`, and indent it below it"
    `);
  });

  it('settings below the root, and secrets', () => {
    const sub = { 'sub/pipeline.yaml': 'remote: x\n' };
    expect(problems('remotes: {s: {url: s3://b, password: abc, regoin: x}}\n', sub)).toMatchInlineSnapshot(`
      "pipeline.yaml:1:28: 'password' in remotes.s: a secret can't stand in a file
        credentials belong in the environment or in a profile of the AWS configuration
      pipeline.yaml:1:43: unknown key 'regoin' in remotes.s
        did you mean 'region'?
      sub/pipeline.yaml:1:1: 'remote' is a setting of the project and counts in its root pipeline.yaml only
        remote: x
        ^^^^^^
        move it there, or write \`root: true\` here to make this folder a project of its own"
    `);
  });
});

describe('wrong-type', () => {
  it('a string or a map where a list is wanted', () => {
    expect(
      problems(`stages:
  a:
    cmd: x
    deps: data.csv
    outs:
      model.bin: {cache: false}
    params: \${p}
    metrics: [1]
metrics: m.json
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:4:11: stages.a.deps must be a list, not the string 'data.csv'
            deps: data.csv
                  ^^^^^^^^
        write \`deps: [data.csv]\`
      pipeline.yaml:6:7: stages.a.outs must be a list, not a map
              model.bin: {cache: false}
              ^^^^^^^^^^^^^^^^^^^^^^^^^
        put \`- \` before each of its lines, or write \`outs: [{…}]\`
      pipeline.yaml:7:13: stages.a.params must be a list, not the string '\${p}'
            params: \${p}
                    ^^^^
        a template is one value: write \`params: [\${…}]\`, one for each
      pipeline.yaml:8:15: stages.a.metrics[0] must be a string or a map, not the number 1
            metrics: [1]
                      ^
        write it in quotes: \`'1'\`
      pipeline.yaml:9:10: metrics must be a list of strings, not the string 'm.json'
        metrics: m.json
                 ^^^^^^
        write \`metrics: [m.json]\`"
    `);
  });

  it('values of other types', () => {
    expect(
      problems(`stages:
  a: python train.py
  b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
  c: {cmd: 3, deps: [null]}
  d: {matrix: [1], cmd: x}
  e: {matrix: {x: 1}, cmd: x}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:6: stages.a must be a map, not the string 'python train.py'
          a: python train.py
             ^^^^^^^^^^^^^^^
        write \`a: {cmd: python train.py}\`
      pipeline.yaml:3:11: stages.b.cmd must be a string or a list of strings, not empty
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                  ^
        give it a value, or take the line out
      pipeline.yaml:3:22: stages.b.frozen must be true or false, not the string 'no'
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                             ^^^^
        write \`false\`
      pipeline.yaml:3:37: stages.b.retries must be a whole number from 0 up, not the string 'many'
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                                            ^^^^
      pipeline.yaml:3:49: stages.b.wdir must be a string, not a list
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                                                        ^^^
        take the brackets or the \`- \` out
      pipeline.yaml:3:71: stages.b.resources.cpu must be a number from 0 up, not the string '2'
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                                                                              ^^^
        write it without quotes: \`2\`
      pipeline.yaml:3:81: stages.b.resources.gpu must be a whole number from 0 up, not the number -1
          b: {cmd: , frozen: 'no', retries: many, wdir: [d], resources: {cpu: '2', gpu: -1}}
                                                                                        ^^
      pipeline.yaml:4:12: stages.c.cmd must be a string or a list of strings, not the number 3
          c: {cmd: 3, deps: [null]}
                   ^
        write it in quotes: \`'3'\`
      pipeline.yaml:4:22: stages.c.deps[0] must be a string or a map, not empty
          c: {cmd: 3, deps: [null]}
                             ^^^^
        give it a value, or take the line out
      pipeline.yaml:5:15: stages.d.matrix must be a map, not a list
          d: {matrix: [1], cmd: x}
                      ^^^
        write its lists by name: \`matrix: {x: [1, 2]}\`
      pipeline.yaml:6:19: stages.e.matrix.x must be a string or a list, not the number 1
          e: {matrix: {x: 1}, cmd: x}
                          ^
        write \`x: [1]\`"
    `);
    expect(problems('stages:\n  - name: a\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:3: stages must be a map, not a list
          - name: a
          ^^^^^^^^^
        write the name of each stage as a key: \`train:\`, and below it \`cmd:\`"
    `);
    expect(problems('- a\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:1:1: a pipeline file must be a map, not a list
        - a
        ^^^
        write \`stages:\`, and below it the stages by name"
    `);
  });

  it('what a stage is made of', () => {
    expect(
      problems(`stages:
  a: {deps: [x]}
  b: {cmd: x, worker: y.ts}
  c: {cmd: x, backend: cpu}
  d: {foreach: [1]}
  e: {foreach: [1, 2], cmd: 'x \${item}', outs: ['\${item}']}
  f: {do: {cmd: x}}
  g: {cmd: x, deps: [{}]}
  1: {cmd: x}
artifacts: {m: {}}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:6: stages.a has neither cmd nor worker
          a: {deps: [x]}
             ^^^^^^^^^^^
        give it a command: \`cmd: python train.py\`
      pipeline.yaml:3:23: stages.b has both cmd and worker
          b: {cmd: x, worker: y.ts}
                              ^^^^
        keep one of the two
      pipeline.yaml:4:24: stages.c.backend is for worker stages only
          c: {cmd: x, backend: cpu}
                               ^^^
        take it out
      pipeline.yaml:5:6: stages.d lacks the key 'do'
          d: {foreach: [1]}
             ^^^^^^^^^^^^^^
        write the stage below \`do:\`, with \`\${item}\` where the items differ
      pipeline.yaml:6:24: stages.e: cmd and outs stand beside foreach, and it has no \`do:\`
          e: {foreach: [1, 2], cmd: 'x \${item}', outs: ['\${item}']}
                               ^^^
        indent them below \`do:\`
      pipeline.yaml:6:49: stages.e.outs[0] must be a string or a map, not the number 1 (for e@1 and e@2)
          e: {foreach: [1, 2], cmd: 'x \${item}', outs: ['\${item}']}
                                                        ^^^^^^^^^
        the template drew this value: mend it where that is written
      pipeline.yaml:7:6: stages.f lacks the key 'foreach'
          f: {do: {cmd: x}}
             ^^^^^^^^^^^^^^
        write its items: \`foreach: [a, b]\`, or take \`do:\` out
      pipeline.yaml:8:22: stages.g.deps lacks the key 'stage'
          g: {cmd: x, deps: [{}]}
                             ^^
      pipeline.yaml:9:3: the name of a stage must be a string
          1: {cmd: x}
          ^
        write it in quotes: \`'1'\`
      pipeline.yaml:10:16: artifacts.m lacks the key 'path'
        artifacts: {m: {}}
                       ^^
        write which file it is: \`path: model.bin\`"
    `);
  });
});

describe('bad-value', () => {
  it('words, times, amounts and names', () => {
    expect(
      problems(`jobs: many
remote: stroe
remotes: {store: '', g: gs://b, h: https://u:p@h/x}
cache: {link: hardlnk}
stages:
  '': {cmd: x}
  a@b: {cmd: x}
  a:
    cmd: x
    timeout: soon
    resources: {memory: lots}
    env: [1X, A, A=2]
    deps: [{stage: trian}]
  b: {matrix: {}, cmd: x}
  c: {matrix: {x: [1]}, exclude: [{z: 1}], include: [{}], cmd: x}
  d: {exclude: [{x: 1}], cmd: x}
  e: {foreach: [x@y], do: {cmd: x}}
  train: {cmd: x}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:7: jobs must be auto or a whole number from 1 up, not 'many'
        jobs: many
              ^^^^
      pipeline.yaml:2:9: there is no remote 'stroe'
        remote: stroe
                ^^^^^
        add it under \`remotes:\`, or with 'dag remote add'
      pipeline.yaml:3:18: the remote 'store' has no URL
        write where it is: s3://bucket/prefix, or a folder
      pipeline.yaml:3:25: remotes of the kind gs:// are not known
        remotes are s3://bucket/prefix, https://host/path (only read), file:///folder or a folder
      pipeline.yaml:3:36: the URL of the remote 'h' holds credentials
        credentials belong in the environment: set DAG_TOKEN_ and the host's name, with _ for all but letters and digits, to user:password or to a token
      pipeline.yaml:4:15: cache.link must be one of reflink, hardlink, symlink, copy or a list, not 'hardlnk'
        cache: {link: hardlnk}
                      ^^^^^^^
        did you mean 'hardlink'?
      pipeline.yaml:6:3: a stage needs a name
          '': {cmd: x}
          ^^
        write one: \`train:\`
      pipeline.yaml:7:3: the name 'a@b' holds an @
          a@b: {cmd: x}
          ^^^
        foreach and matrix write the @ themselves
      pipeline.yaml:10:14: stages.a.timeout: 'soon' is no length of time
            timeout: soon
                     ^^^^
        write 90s, 30m or 2h
      pipeline.yaml:11:25: stages.a.resources.memory: 'lots' is no amount of memory
            resources: {memory: lots}
                                ^^^^
        write 8GB or 512MiB
      pipeline.yaml:12:11: stages.a.env: '1X' is no name of a variable
            env: [1X, A, A=2]
                  ^^
        write NAME or NAME=value
      pipeline.yaml:12:18: stages.a.env: the variable 'A' is declared twice
            env: [1X, A, A=2]
                         ^^^
        keep one of the two
      pipeline.yaml:13:20: stages.a.deps: there is no stage or group 'trian'
            deps: [{stage: trian}]
                           ^^^^^
        did you mean 'train'?
      pipeline.yaml:14:15: stages.b.matrix is empty
          b: {matrix: {}, cmd: x}
                      ^^
        give it a list, or take it out
      pipeline.yaml:15:35: stages.c.exclude: 'z' is no key of the matrix
          c: {matrix: {x: [1]}, exclude: [{z: 1}], include: [{}], cmd: x}
                                          ^^^^^^
        known here: x
      pipeline.yaml:15:54: stages.c.include: this combination lacks 'x'
          c: {matrix: {x: [1]}, exclude: [{z: 1}], include: [{}], cmd: x}
                                                             ^^
        an include names every key of the matrix
      pipeline.yaml:16:7: stages.d.exclude needs a matrix beside it
          d: {exclude: [{x: 1}], cmd: x}
              ^^^^^^^
        write \`matrix: {x: [1, 2]}\`, or take it out
      pipeline.yaml:17:16: the name 'e@x@y' holds a second @
          e: {foreach: [x@y], do: {cmd: x}}
                       ^^^^^
        name the items otherwise: a map of items has names of its own"
    `);
  });

  it('is told beside mistakes of shape in the same stage', () => {
    const text = 'stages:\n  a: {cmd: x, timeout: soon, dep: [x], env: [1X], resources: {memory: lots}}\n';
    expect(load({ 'pipeline.yaml': text }).diagnostics.map(({ span }) => span?.column)).toEqual([24, 30, 46, 71]);
  });
});

const PARAMS = { 'params.yaml': 'lr: 1\nm: {threshold: 2}\nl: [1, 2]\n' };

describe('template', () => {
  it('every one of a stage is told, with its field, and nothing else is blamed for it', () => {
    expect(
      problems(
        `stages:
  a:
    cmd: run \${lrr} \${m.thresh} \${m.threshold.x} \${l[5]}
    deps: ["\${l}", "\${m}"]
    outs: ["\${k}", made]
    timeout: soon
  b: {cmd: x, deps: [{stage: a}, {stage: c}, {stage: c@us}, made]}
  c: {foreach: "\${itms}", do: {cmd: x, outs: ["\${item}"]}}
  d: {foreach: "\${lr}", do: {cmd: x}}
  e: {cmd: "\${m}", desc: "\${a..b} \${} \${a[}"}
  f: {matrix: {x: "\${lr}"}, cmd: x}
metrics: ["\${nope}"]
`,
        PARAMS,
      ),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:3:14: stages.a.cmd: \${lrr}: there is no 'lrr'
            cmd: run \${lrr} \${m.thresh} \${m.threshold.x} \${l[5]}
                     ^^^^^^
        did you mean 'lr'?
      pipeline.yaml:3:21: stages.a.cmd: \${m.thresh}: there is no 'thresh' in 'm'
            cmd: run \${lrr} \${m.thresh} \${m.threshold.x} \${l[5]}
                            ^^^^^^^^^^^
        did you mean 'threshold'?
      pipeline.yaml:3:33: stages.a.cmd: \${m.threshold.x}: there is no 'x' in 'm.threshold'
            cmd: run \${lrr} \${m.thresh} \${m.threshold.x} \${l[5]}
                                        ^^^^^^^^^^^^^^^^
        it is a single value, with nothing inside
      pipeline.yaml:3:50: stages.a.cmd: \${l[5]}: there is no '5' in 'l'
            cmd: run \${lrr} \${m.thresh} \${m.threshold.x} \${l[5]}
                                                         ^^^^^^^
        it is a list of 2: count from 0
      pipeline.yaml:4:13: stages.a.deps: \${l} is a list, which can't stand here
            deps: ["\${l}", "\${m}"]
                    ^^^^
        name one of its items: \`\${l[0]}\`
      pipeline.yaml:4:21: stages.a.deps: \${m} is a map, which can't stand here
            deps: ["\${l}", "\${m}"]
                            ^^^^
        name one of its keys: \`\${m.threshold}\`; only \`cmd\` takes a whole map
      pipeline.yaml:5:13: stages.a.outs: \${k}: there is no 'k'
            outs: ["\${k}", made]
                    ^^^^
        known here: lr, m, l
      pipeline.yaml:6:14: stages.a.timeout: 'soon' is no length of time
            timeout: soon
                     ^^^^
        write 90s, 30m or 2h
      pipeline.yaml:8:17: stages.c.foreach: \${itms}: there is no 'itms'
          c: {foreach: "\${itms}", do: {cmd: x, outs: ["\${item}"]}}
                        ^^^^^^^
        known here: lr, m, l
      pipeline.yaml:9:16: stages.d.foreach must be a list or a map, not the number 1
          d: {foreach: "\${lr}", do: {cmd: x}}
                       ^^^^^^^
        name a list or a map, or write the items: \`foreach: [a, b]\`
      pipeline.yaml:10:13: stages.e.cmd: \${m}: a map alone is no command
          e: {cmd: "\${m}", desc: "\${a..b} \${} \${a[}"}
                    ^^^^
        write the command before it
      pipeline.yaml:10:27: stages.e.desc: \${a..b}: a name is missing before or after a dot
          e: {cmd: "\${m}", desc: "\${a..b} \${} \${a[}"}
                                  ^^^^^^^
      pipeline.yaml:10:35: stages.e.desc: \${}: nothing stands between the braces
          e: {cmd: "\${m}", desc: "\${a..b} \${} \${a[}"}
                                          ^^^
      pipeline.yaml:10:39: stages.e.desc: \${a[}: a ']' is missing
          e: {cmd: "\${m}", desc: "\${a..b} \${} \${a[}"}
                                              ^^^^^
      pipeline.yaml:11:19: stages.f.matrix.x must be a list
          f: {matrix: {x: "\${lr}"}, cmd: x}
                          ^^^^^^^
        write its values: \`x: [a, b]\`
      pipeline.yaml:12:12: metrics: \${nope}: there is no 'nope'
        metrics: ["\${nope}"]
                   ^^^^^^^
        known here: lr, m, l"
    `);
  });

  it('items that fail are named where not all do; the same mistake in many is one', () => {
    expect(
      problems(`stages:
  build:
    foreach:
      us: {threshold: 1, t: 1h}
      eu: {thresh: 2, t: soon}
      de: {threshold: 3, t: later}
      fr: {threshold: 4}
    do:
      cmd: x \${item.thresh} \${itme.x}
      timeout: \${item.t}
      wdir: ../\${key}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:9:14: stages.build.cmd: \${item.thresh}: there is no 'thresh' in 'item' (for build@us and 2 more)
              cmd: x \${item.thresh} \${itme.x}
                     ^^^^^^^^^^^^^^
        did you mean 'threshold'?
      pipeline.yaml:9:29: stages.build.cmd: \${itme.x}: there is no 'itme'
              cmd: x \${item.thresh} \${itme.x}
                                    ^^^^^^^^^
        did you mean 'item'?
      pipeline.yaml:10:16: stages.build.timeout: 'soon' is no length of time (for build@eu and build@de)
              timeout: \${item.t}
                       ^^^^^^^^^
        write 90s, 30m or 2h
      pipeline.yaml:10:16: stages.build.timeout: \${item.t}: there is no 't' in 'item' (for build@fr)
              timeout: \${item.t}
                       ^^^^^^^^^
        known here: threshold
      pipeline.yaml:11:13: stages.build.wdir: '../us' lies outside the project (for build@us and 3 more)
              wdir: ../\${key}
                    ^^^^^^^^^
        run the stage in the project, and let its command go there: \`cd ../there && …\`"
    `);
  });

  it('vars', () => {
    expect(
      problems(
        `vars: [{lr: 2}, {x: "\${lr}"}]
stages:
  a: {foreach: [1], do: {vars: [{item: 2}], cmd: x}}
`,
        PARAMS,
      ),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:8: vars sets 'lr', which params.yaml sets already
        vars: [{lr: 2}, {x: "\${lr}"}]
               ^^^^^^^
        only maps merge; give it one value
      pipeline.yaml:1:17: vars can't hold \${…}
        vars: [{lr: 2}, {x: "\${lr}"}]
                        ^^^^^^^^^^^^
        write the value itself
      pipeline.yaml:3:33: 'item' is the name of the current item here and can't be set by stages.a.vars
          a: {foreach: [1], do: {vars: [{item: 2}], cmd: x}}
                                        ^^^^^^^^^
        give the variable another name"
    `);
  });

  it('a map that has no flags', () => {
    expect(problems('vars: [{m: {a: [[1]]}}]\nstages: {s: {cmd: "x ${m}"}}\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:2:22: stages.s.cmd: \${m}: 'a' holds a list in a list, which has no flags
        stages: {s: {cmd: "x \${m}"}}
                             ^^^^"
    `);
  });
});

describe('param', () => {
  it('files of vars that are not there, or not as they should be', () => {
    const files: Files = { 'v.yaml': 'a: 1\n', 'l.json': '[1]', 'b.json': '{"a": }', ...PARAMS };
    const vars = 'vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]\n';
    expect(problems(`${vars}stages: {s: {cmd: "x \${zz}", timeout: soon}}\n`, files)).toMatchInlineSnapshot(`
      "b.json:1:7: not JSON: a value is missing
        {"a": }
              ^
      pipeline.yaml:1:8: vars: the file 'vv.yaml' does not exist
        vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]
               ^^^^^^^
        did you mean 'v.yaml'?
      pipeline.yaml:1:17: vars: there is no 'b' in v.yaml
        vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]
                        ^^^^^^^^
        known here: a
      pipeline.yaml:1:27: vars: l.json holds a list, not a map
        vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]
                                  ^^^^^^
      pipeline.yaml:1:43: vars: 'params.yaml:lr' can't be loaded in part: all of 'params.yaml' is loaded already
        vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]
                                                  ^^^^^^^^^^^^^^
        take this line out
      pipeline.yaml:1:59: vars: the file '../x.yaml' does not exist
        vars: [vv.yaml, v.yaml:b, l.json, b.json, params.yaml:lr, ../x.yaml]
                                                                  ^^^^^^^^^
        write that file, or take this line out
      pipeline.yaml:2:39: stages.s.timeout: 'soon' is no length of time
        stages: {s: {cmd: "x \${zz}", timeout: soon}}
                                              ^^^^
        write 90s, 30m or 2h"
    `);
  });

  it('a params.yaml that holds no map', () => {
    expect(problems('stages: {s: {cmd: "x ${a}"}}\n', { 'params.yaml': '- 1\n' })).toMatchInlineSnapshot(
      `"params.yaml:1:1: params.yaml holds a list, not a map"`,
    );
  });
});

describe('syntax and conflict', () => {
  it('in all files, by file and place', () => {
    const files = {
      'params.yaml': 'lr: [1\n',
      'sub/pipeline.yaml': '<<<<<<< HEAD\n',
      'z/pipeline.yaml': 'stages: {a: {cmd: x, dep: [y]}}\n',
    };
    expect(problems('a: 1\na: 2\nstages: {a: {cmd: "x ${lr}", timeout: z}}\n', files)).toMatchInlineSnapshot(`
      "params.yaml:1:5: this '[' is not closed
        lr: [1
            ^
        put a ']' behind its last entry
      pipeline.yaml:1:1: unknown key 'a'
        a: 1
        ^
        known keys: remote, remotes, cache, jobs, parsing, root, vars, salt, shell, strict_env, stages, data, params, metrics, plots, artifacts, datasets
      pipeline.yaml:2:1: the key 'a' stands here twice
        a: 2
        ^
        keep one of the two
      pipeline.yaml:3:39: stages.a.timeout: 'z' is no length of time
        stages: {a: {cmd: "x \${lr}", timeout: z}}
                                              ^
        write 90s, 30m or 2h
      sub/pipeline.yaml:1:1: a conflict marker of git
        <<<<<<< HEAD
        ^^^^^^^^^^^^
        settle the merge conflict and take the markers out
      z/pipeline.yaml:1:22: unknown key 'dep' in stages.a
        stages: {a: {cmd: x, dep: [y]}}
                             ^^^
        did you mean 'deps'?"
    `);
  });
});

describe('bad-path', () => {
  it('paths that lead out of the project, or into what is ours', () => {
    expect(
      problems(`stages:
  a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
data: [../z]
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:41: stages.a.deps: 's3://b/k' is a URL: stages read and make files
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
                                                ^^^^^^^^
        fetch it in a stage of its own
      pipeline.yaml:2:51: stages.a.deps: a path is empty
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
                                                          ^^
      pipeline.yaml:2:63: stages.a.outs: a path in .git can't be an out or tracked data
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
                                                                      ^^^^^^
      pipeline.yaml:2:71: stages.a.outs: a path in .cache can't be an out or tracked data
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
                                                                              ^^^^^^^^
      pipeline.yaml:2:81: stages.a.outs: the project itself can't be an out or tracked data
          a: {cmd: a, deps: [../x, /etc/passwd, s3://b/k, ''], outs: [.git/x, .cache/y, .]}
                                                                                        ^
      pipeline.yaml:3:8: data: '../z' lies outside the project, and tracked data must lie in it
        data: [../z]
               ^^^^
        name it in the deps of the stages that read it, or copy it into the project"
    `);
  });
});

describe('duplicate and overlap', () => {
  it('name both owners, with the place of the other', () => {
    expect(
      problems(`data: [raw, raw]
stages:
  a: {cmd: a, outs: [m, m/x, raw/y], metrics: [m]}
  b: {cmd: b, outs: [./m]}
  c: {foreach: [1, 2, 3], do: {cmd: x, outs: [o]}}
  d: {foreach: [1, 2, 3], do: {cmd: x, outs: ['o/\${item}']}}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:13: 'raw' is tracked under data: twice: at pipeline.yaml:1:8 too
        data: [raw, raw]
                    ^^^
        keep one of the two
      pipeline.yaml:3:25: 'm/x' (made by stage 'a') lies inside 'm' (made by stage 'a', pipeline.yaml:3:22)
          a: {cmd: a, outs: [m, m/x, raw/y], metrics: [m]}
                                ^^^
        keep them in folders of their own, or list only the folder
      pipeline.yaml:3:30: 'raw/y' (made by stage 'a') lies inside 'raw' (tracked under data:, pipeline.yaml:1:8)
          a: {cmd: a, outs: [m, m/x, raw/y], metrics: [m]}
                                     ^^^^^
        keep them in folders of their own, or list only the folder
      pipeline.yaml:3:48: 'm' is made by stage 'a' twice: at pipeline.yaml:3:22 too
          a: {cmd: a, outs: [m, m/x, raw/y], metrics: [m]}
                                                       ^
        keep one of the two
      pipeline.yaml:4:22: 'm' is made by stage 'b', and made by stage 'a' (pipeline.yaml:3:22) too
          b: {cmd: b, outs: [./m]}
                             ^^^
        let one of them make it, or give one another path
      pipeline.yaml:5:47: 'o' is made by stage 'c@1', and made by stage 'c@2' and 1 more too
          c: {foreach: [1, 2, 3], do: {cmd: x, outs: [o]}}
                                                      ^
        write \${item} or \${key} into its path, so that each makes its own
      pipeline.yaml:6:47: 'o/1' (made by stage 'd@1' and 2 more) lies inside 'o' (made by stage 'c@1', pipeline.yaml:5:47)
          d: {foreach: [1, 2, 3], do: {cmd: x, outs: ['o/\${item}']}}
                                                      ^^^^^^^^^^^
        keep them in folders of their own, or list only the folder"
    `);
  });

  it('a pipeline file inside of an out', () => {
    const files = { 'sub/pipeline.yaml': 'stages: {t: {cmd: x, wdir: .., outs: [sub]}}\n' };
    expect(problems('stages: {a: {cmd: a}}\n', files)).toMatchInlineSnapshot(`
      "sub/pipeline.yaml:1:39: 'sub' (made by stage 'sub/pipeline.yaml:t') holds 'sub/pipeline.yaml', a pipeline file
        stages: {t: {cmd: x, wdir: .., outs: [sub]}}
                                              ^^^
        move 'sub/pipeline.yaml' out of it"
    `);
  });
});

describe('cycle', () => {
  it('each is shown as a path, with what its stages hand on', () => {
    expect(
      problems(
        `stages:
  a: {cmd: a, deps: [b.txt], outs: [a.txt]}
  b: {cmd: b, deps: [a.txt], outs: [b.txt]}
  c: {cmd: c, deps: [a.txt, sub/t.txt], outs: [c.txt]}
  own: {cmd: d, deps: [./x], outs: [x]}
  inside: {cmd: e, deps: [y/z], outs: [y]}
`,
        { 'sub/pipeline.yaml': 'stages: {t: {cmd: t, deps: [../c.txt], outs: [t.txt]}}\n' },
      ),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:2:3: stages depend on each other in a circle: a → b → a
          a: {cmd: a, deps: [b.txt], outs: [a.txt]}
          ^
        a makes a.txt for b, b makes b.txt for a: take one of these deps out
      pipeline.yaml:4:3: stages depend on each other in a circle: c → sub/pipeline.yaml:t → c
          c: {cmd: c, deps: [a.txt, sub/t.txt], outs: [c.txt]}
          ^
        c makes c.txt for sub/pipeline.yaml:t, sub/pipeline.yaml:t makes sub/t.txt for c: take one of these deps out
      pipeline.yaml:5:24: stage 'own' both reads and makes 'x'
          own: {cmd: d, deps: [./x], outs: [x]}
                               ^^^
        a stage can't need what it makes: take it from deps or outs
      pipeline.yaml:6:27: stage 'inside' reads 'y/z' and makes 'y', which overlap
          inside: {cmd: e, deps: [y/z], outs: [y]}
                                  ^^^
        a stage can't need what it makes: take it from deps or outs"
    `);
  });
});

describe('bad-lock', () => {
  it('every wrong entry, each once', () => {
    expect(
      lock(`schema: 1
data:
  raw: {digest: 'md5', size: 3}
stages:
  a:
    cmd: 3
    deps:
      .git/x: {digest: 'blake3:${'ab'.repeat(32)}', size: -1}
      y: {size: 1}
    oust: {}
`),
    ).toMatchInlineSnapshot(`
      "pipeline.lock:3:17: 'md5' is no digest that is known here
          raw: {digest: 'md5', size: 3}
                        ^^^^^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew
      pipeline.lock:6:10: cmd must be text
            cmd: 3
                 ^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew
      pipeline.lock:8:7: the lock names a path that it must not: '.git/x'
              .git/x: {digest: 'blake3:abababababababababababababababababababababababababababababababab', si…
              ^^^^^^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew
      pipeline.lock:8:105: '-1' is no whole number
        …git/x: {digest: 'blake3:abababababababababababababababababababababababababababababababab', size: -1}
                                                                                                          ^^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew
      pipeline.lock:9:10: an artifact lacks its digest
              y: {size: 1}
                 ^^^^^^^^^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew
      pipeline.lock:10:5: unknown key 'oust' in the lock
            oust: {}
            ^^^^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew"
    `);
  });

  it('one that is damaged, cut short, of a later schema, or in conflict', () => {
    expect(lock('schema: 1\nstages: {a: \n')).toMatchInlineSnapshot(`
      "pipeline.lock:2:9: pipeline.lock is damaged: this '{' is not closed
        stages: {a: 
                ^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew"
    `);
    expect(lock('schema: 1\nstages: {}')).toMatchInlineSnapshot(`
      "pipeline.lock:2:10: pipeline.lock is cut short: its last line has no end
        stages: {}
                 ^
        take it back with 'git checkout', or remove it: 'dag repro' restores from the cache and writes it anew"
    `);
    expect(lock('schema: 2\n')).toMatchInlineSnapshot(`
      "pipeline.lock:1:9: the lock has a schema that is not known here
        schema: 2
                ^
        a newer dag wrote it: update"
    `);
    expect(lock('schema: 1\n<<<<<<< HEAD\nstages: {}\n')).toMatchInlineSnapshot(`
      "pipeline.lock:2:1: pipeline.lock holds a conflict marker of git
        <<<<<<< HEAD
        ^^^^^^^^^^^^
        'dag lock resolve' merges it entry by entry"
    `);
  });
});

describe('the line that is shown', () => {
  it('is cut around the place where it is long', () => {
    const long = `stages: {a: {cmd: x, desc: '${'long '.repeat(40)}', timeout: soon, meta: '${'y'.repeat(200)}'}}\n`;
    expect(problems(long)).toMatchInlineSnapshot(`
      "pipeline.yaml:1:241: stages.a.timeout: 'soon' is no length of time
        … long long long long long long long ', timeout: soon, meta: 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
                                                         ^^^^
        write 90s, 30m or 2h"
    `);
  });

  it('keeps the caret under tabs, wide characters, combining marks and after a BOM', () => {
    expect(
      problems('\ufeffstages: {a: {cmd: x, desc: "数据 e\u0301 🎉 \t.", timeout: soon}}\r\n'),
    ).toMatchInlineSnapshot(`
      "pipeline.yaml:1:51: stages.a.timeout: 'soon' is no length of time
        stages: {a: {cmd: x, desc: "数据 é 🎉   .", timeout: soon}}
                                                             ^^^^
        write 90s, 30m or 2h"
    `);
  });

  it('does not act on a terminal', () => {
    expect(problems('remote: "a\\e[31m"\n')).toMatchInlineSnapshot(`
      "pipeline.yaml:1:9: there is no remote 'a\\u001b[31m'
        remote: "a\\e[31m"
                ^^^^^^^^^
        add it under \`remotes:\`, or with 'dag remote add'"
    `);
  });
});
