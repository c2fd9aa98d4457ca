import { suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { CacheSettings, LinkStrategy, ParsingSettings, RemoteConfig, Settings } from '../pipeline.ts';
import { findValue, isUnknown, type MapNode, type Node, textOf } from '../yaml/node.ts';

/** A file that holds settings, already checked against its shape. */
export interface SettingsFile {
  readonly source: Source;
  readonly root: MapNode;
}

export const DEFAULT_PARSING: ParsingSettings = { bool: 'store_true', list: 'nargs' };

/** Reads settings; files later in the list win, key by key and remote by remote. */
export function readSettings(files: readonly SettingsFile[], report: Report): Settings {
  const remotes = new Map<string, RemoteConfig>();
  /** Those that make no sense too: what is wrong with them is said once. */
  const declared = new Set<string>();
  let defaults: { name: string; file: SettingsFile; node: Node }[] = [];
  let cache: CacheSettings = {};
  let jobs: number | 'auto' | undefined;
  let parsing = DEFAULT_PARSING;
  for (const file of files) {
    for (const { key, value } of file.root.entries) {
      switch (key.value) {
        case 'remote':
          if (!isUnknown(value)) {
            const nodes = value.kind === 'seq' ? value.items.filter((item) => !isUnknown(item)) : [value];
            defaults = nodes.map((node) => ({ name: textOf(node) ?? '', file, node }));
          }
          break;
        case 'remotes':
          if (value.kind !== 'map') break;
          for (const entry of value.entries) {
            const config = readRemote(String(entry.key.value), entry.value, file.source, report);
            declared.add(String(entry.key.value));
            if (config) remotes.set(config.name, config);
          }
          break;
        case 'cache':
          cache = { ...cache, ...readCache(value) };
          break;
        case 'jobs':
          if (value.kind === 'scalar') jobs = value.value === 'auto' ? 'auto' : Number(value.value);
          break;
        case 'parsing':
          parsing = {
            bool:
              findValue(value, 'bool') === undefined
                ? parsing.bool
                : wordOf(value, 'bool', 'boolean_optional', 'store_true'),
            list: findValue(value, 'list') === undefined ? parsing.list : wordOf(value, 'list', 'append', 'nargs'),
          };
          break;
      }
    }
  }
  for (const { name, file, node } of defaults) {
    if (declared.has(name)) continue;
    const hint = suggestionOrAll(name, [...remotes.keys()]) ?? "add it under `remotes:`, or with 'dag remote add'";
    report.add(file.source, node, 'bad-value', `there is no remote ${quote(name)}`, hint);
  }
  return {
    remotes,
    defaultRemotes: [...new Set(defaults.map(({ name }) => name))],
    cache,
    parsing,
    ...(jobs === undefined ? {} : { jobs }),
  };
}

function wordOf<A extends string, B extends string>(map: Node, key: string, word: A, otherwise: B): A | B {
  return textOf(findValue(map, key)) === word ? word : otherwise;
}

function readCache(node: Node): CacheSettings {
  const dir = textOf(findValue(node, 'dir'));
  const link = findValue(node, 'link');
  const words = link === undefined ? undefined : link.kind === 'seq' ? link.items.map(textOf) : [textOf(link)];
  const keep = findValue(node, 'keep_runs');
  return {
    ...(dir === undefined ? {} : { dir }),
    ...(words === undefined ? {} : { link: words as LinkStrategy[] }),
    ...(keep?.kind === 'scalar' ? { keepRuns: Number(keep.value) } : {}),
  };
}

function readRemote(name: string, node: Node, source: Source, report: Report): RemoteConfig | undefined {
  const urlNode = node.kind === 'map' ? findValue(node, 'url') : node;
  const url = textOf(urlNode);
  if (url === undefined || urlNode === undefined) return undefined;
  if (url === '') {
    report.add(
      source,
      urlNode,
      'bad-value',
      `the remote ${quote(name)} has no URL`,
      'write where it is: s3://bucket/prefix, or a folder',
    );
    return undefined;
  }
  for (const at of [urlNode, findValue(node, 'endpoint')]) {
    if (at !== undefined && /^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(textOf(at) ?? '')) {
      const hint = /^https?:/i.test(textOf(at) ?? '') && at === urlNode ? TOKEN_HINT : undefined;
      report.addSecret(source, at, 'bad-value', `the URL of the remote ${quote(name)} holds credentials`, hint);
      return undefined;
    }
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && !['s3', 'file', 'http', 'https'].includes(scheme)) {
    const hint = 'remotes are s3://bucket/prefix, https://host/path (only read), file:///folder or a folder';
    report.add(source, urlNode, 'bad-value', `remotes of the kind ${scheme}:// are not known`, hint);
    return undefined;
  }
  const endpoint = textOf(findValue(node, 'endpoint'));
  const region = textOf(findValue(node, 'region'));
  const profile = textOf(findValue(node, 'profile'));
  const pathStyle = scalarOf(node, 'path_style');
  const jobs = scalarOf(node, 'jobs');
  const timeout = scalarOf(node, 'timeout');
  const retries = scalarOf(node, 'retries');
  return {
    name,
    url,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    ...(typeof pathStyle === 'boolean' ? { pathStyle } : {}),
    ...(typeof jobs === 'number' ? { jobs } : {}),
    ...(typeof timeout === 'number' ? { timeout: timeout * 1000 } : {}),
    ...(typeof retries === 'number' ? { retries } : {}),
  };
}

const TOKEN_HINT =
  "credentials belong in the environment: set DAG_TOKEN_ and the host's name, with _ for all but letters and digits, to user:password or to a token";

function scalarOf(map: Node, key: string): unknown {
  const node = findValue(map, key);
  return node?.kind === 'scalar' ? node.value : undefined;
}
