import { createRequire } from 'node:module';

/** Where the built program keeps the library, from any of its files; undefined in the sources. */
declare const DAG_YAML_LIBRARY: string | undefined;

export type YamlLibrary = typeof import('yaml');

let loaded: YamlLibrary | undefined;

/** The library that reads any YAML, loaded when the first text needs it: most runs never do, and it is large. */
export function yamlLibrary(): YamlLibrary {
  loaded ??= createRequire(import.meta.url)(typeof DAG_YAML_LIBRARY === 'undefined' ? 'yaml' : DAG_YAML_LIBRARY);
  return loaded as YamlLibrary;
}
