import { type AnyPath, FailureError, joinPath, type ProjectPath, type Value } from '@dag/model';
import { nearest, readValues, type SourceReader, toValue } from '@dag/pipeline';
import { hasAnchor } from './anchors.ts';
import { isMap } from './rows.ts';
import { TEMPLATES } from './templates.ts';

/** Where DVC keeps the templates of a project, which may be named without folder and extension. */
const FOLDER = '.dvc/plots' as ProjectPath;

/** The template for plots that name none. */
const DEFAULT = 'linear';

/**
 * A template by its name, or by the path of its file.
 * @param resolve what a path means, as written.
 * @throws FailureError `usage` where there is none such, or it is no template.
 */
export function templateNamed(
  name: string = DEFAULT,
  reader: SourceReader,
  resolve: (written: string) => AnyPath | undefined,
): Value {
  const file = [joinPath(FOLDER, name), joinPath(FOLDER, `${name}.json`), resolve(name)].find(
    (path) => path !== undefined && reader.read(path) !== undefined,
  );
  if (file === undefined) return builtIn(name);
  const read = readValues(reader.read(file) ?? new Uint8Array(), `${file}` as AnyPath);
  const content = 'root' in read && read.root !== undefined ? toValue(read.root) : undefined;
  if (content !== undefined && isMap(content) && hasAnchor(content, 'data')) return content;
  throw new FailureError({
    code: 'usage',
    message: `${file} is no template`,
    hint: 'a template is JSON of Vega-Lite with "<DVC_METRIC_DATA>" where the data goes; \'dag plots templates linear\' shows one',
  });
}

/** A template that comes with the program. */
export function builtIn(name: string): Value {
  const template = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined;
  if (template !== undefined) return template;
  const known = Object.keys(TEMPLATES);
  const meant = nearest(name, known);
  throw new FailureError({
    code: 'usage',
    message: `there is no template '${name}', neither a file nor one of ${known.join(', ')}`,
    ...(meant === undefined ? {} : { hint: `did you mean '${meant}'?` }),
  });
}
