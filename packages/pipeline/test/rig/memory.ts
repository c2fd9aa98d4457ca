import { type AnyPath, type Diagnostic, isExternal, type ProjectPath } from '@dag/model';
import {
  type Loaded,
  type LoadOptions,
  loadPipeline,
  type Pipeline,
  renderDiagnostic,
  type SourceReader,
} from '../../src/index.ts';

/** A project as a map of paths and texts; paths outside it may stand there too. */
export type Files = { readonly [path: string]: string };

export function memoryReader(files: Files): SourceReader {
  const encoder = new TextEncoder();
  return {
    read: (path) => (Object.hasOwn(files, path) ? encoder.encode(files[path]) : undefined),
    list(folder) {
      const prefix = folder === '' || folder === '/' ? folder : `${folder}/`;
      const names = new Map<string, 'file' | 'folder'>();
      for (const path of Object.keys(files)) {
        if (!path.startsWith(prefix) || (folder === '' && isExternal(path as AnyPath))) continue;
        const [name = '', ...rest] = path.slice(prefix.length).split('/');
        names.set(name, rest.length > 0 ? 'folder' : 'file');
      }
      return [...names].map(([name, kind]) => ({ name, kind }));
    },
  };
}

export function load(files: Files, options: LoadOptions = {}, reader: SourceReader = memoryReader(files)): Loaded {
  return loadPipeline(reader, options);
}

/** A pipeline that must load. */
export function sound(files: Files, options: LoadOptions = {}): Pipeline {
  const { pipeline, diagnostics } = load(files, options);
  if (pipeline === undefined) throw new Error(`does not load:\n${words(diagnostics)}`);
  return pipeline;
}

export function words(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(renderDiagnostic).join('\n');
}

/** The problems of a single pipeline.yaml, as the user sees them. */
export function problems(text: string, more: Files = {}): string {
  return words(load({ 'pipeline.yaml': text, ...more }).diagnostics);
}

export const path = (text: string): ProjectPath => text as ProjectPath;
