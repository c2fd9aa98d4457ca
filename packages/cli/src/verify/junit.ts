import type { Verdict } from './verdict.ts';

/** Verdicts as a JUnit report: a test case each, of the class that its file is, or its kind where it has none. */
export function junit(verdicts: readonly Verdict[], seconds: number): string {
  const failures = verdicts.filter(({ ok }) => !ok).length;
  const counts = `tests="${verdicts.length}" failures="${failures}" errors="0" time="${seconds.toFixed(3)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="dag verify" ${counts}>`,
    `  <testsuite name="dag verify" ${counts}>`,
    ...verdicts.flatMap(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({ name, kind, verdict, ok, reasons, notes, place, seconds = 0 }: Verdict): string[] {
  const file = place === undefined ? '' : ` file="${escaped(place.file)}"`;
  const line = place?.span === undefined ? '' : ` line="${place.span.line}"`;
  const about = `classname="${escaped(place?.file ?? kind)}" name="${escaped(`${kind} ${name}`)}"`;
  const open = `    <testcase ${about}${file}${line} time="${seconds.toFixed(3)}"`;
  const text = [...reasons, ...notes.map((note) => `note: ${note}`)].join('\n');
  if (!ok) {
    const message = escaped(`${verdict}${reasons[0] === undefined ? '' : `: ${reasons[0]}`}`);
    return [
      `${open}>`,
      `      <failure type="${escaped(verdict)}" message="${message}">${escaped(text)}</failure>`,
      '    </testcase>',
    ];
  }
  if (text === '') return [`${open}/>`];
  return [`${open}>`, `      <system-out>${escaped(`${verdict}\n${text}`)}</system-out>`, '    </testcase>'];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** What XML has no word for, as control characters, is left out. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
      .toWellFormed()
      .replace(/[&<>"\n]/g, (mark) => ENTITIES[mark] ?? mark)
  );
}
