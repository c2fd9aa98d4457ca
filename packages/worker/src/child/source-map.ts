import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Has stacks name the sources of a bundle with an inline source map, which is read when the first stack is asked for. Node's
 * own source maps would, whether anything is thrown or not, also read those of every package: megabytes of TensorFlow.js's.
 * Where the user has switched them on they are left to do it.
 */
export function nameSources(bundle: string): void {
  if (
    process.execArgv
      .concat(process.env['NODE_OPTIONS'] ?? '')
      .join(' ')
      .includes('--enable-source-maps')
  )
    return;
  const url = pathToFileURL(bundle).href;
  let map: SourceMap | undefined;
  Error.prepareStackTrace = (error, sites) => {
    const frames = sites.map((site) => {
      const frame = String(site);
      if (!frame.includes(url)) return frame;
      map ??= inlineMap(bundle);
      return inSources(frame, url, map);
    });
    return [headline(error), ...frames].join('\n    at ');
  };
}

/** A frame `name (URL:LINE:COLUMN)` with the place that it was compiled from. */
function inSources(frame: string, url: string, map: SourceMap): string {
  const at = frame.indexOf(url) + url.length;
  const [place = '', line = '', column = ''] = /^:(\d+):(\d+)/.exec(frame.slice(at)) ?? [];
  const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
  if (place === '' || !('originalSource' in entry)) return frame;
  const source = fileURLToPath(new URL(entry.originalSource, url));
  const original = `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return frame.slice(0, at - url.length) + original + frame.slice(at + place.length);
}

/** The map at the end of a file; an empty one where it can't be read, as an error is on its way that is worth more. */
function inlineMap(file: string): SourceMap {
  try {
    const text = readFileSync(file, 'latin1');
    const encoded = text.slice(text.lastIndexOf('base64,') + 'base64,'.length);
    return new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')));
  } catch {
    return new SourceMap({
      file,
      version: 3,
      sources: [],
      sourcesContent: [],
      names: [],
      mappings: '',
      sourceRoot: '',
    });
  }
}

/** What V8 begins a stack with. */
function headline(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}
