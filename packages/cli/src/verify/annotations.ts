import type { Verdict } from './verdict.ts';

/**
 * Verdicts to be looked at as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.
 * @param prefix the project's folder in the repository, empty or with a slash at its end: paths there are the repository's.
 */
export function annotations(verdicts: readonly Verdict[], prefix: string): string[] {
  return verdicts.flatMap((verdict) => {
    if (verdict.ok && verdict.warning !== true) return [];
    const { place, name, reasons } = verdict;
    const properties = [
      ...(place === undefined ? [] : [`file=${property(prefix + place.file)}`]),
      ...(place?.span === undefined ? [] : [`line=${place.span.line}`]),
      `title=${property(`dag verify: ${name}: ${verdict.verdict}`)}`,
    ];
    return [
      `::${verdict.ok ? 'warning' : 'error'} ${properties.join(',')}::${data(reasons.join('\n') || verdict.verdict)}`,
    ];
  });
}

/** As the runner reads them back: what would end a command, or one of its properties, is escaped. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
