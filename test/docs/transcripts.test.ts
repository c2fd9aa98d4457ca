import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { normalise, parsePage } from './page.ts';
import { listPages } from './pages.ts';
import { recordPage } from './record.ts';

describe.concurrent('what the documentation shows is what happens', () => {
  for (const file of listPages()) {
    test(path.basename(file), async () => {
      const text = fs.readFileSync(file, 'utf8');
      expect(normalise(await recordPage(text, { slow: false }))).toBe(normalise(text));
    });
  }
});

test('links between pages lead somewhere', () => {
  for (const file of listPages()) {
    for (const [, target = ''] of fs.readFileSync(file, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      expect(fs.existsSync(path.join(path.dirname(file), target)), `${file}: ${target}`).toBe(true);
    }
  }
});

test('a transcript that says something else is recorded anew, one that took another time is not', async () => {
  const page = (output: string) => `text\n\n\`\`\`console\n$ echo 'took 1.5 s'\n${output}\n\`\`\`\n`;
  expect(await recordPage(page('took 9.9 s'), { slow: false })).toBe(page('took 9.9 s'));
  expect(await recordPage(page('nothing'), { slow: false })).toBe(page('took 1.5 s'));
});

test('commands see what those before them did, their exit status too', async () => {
  const page = '```console\n$ mkdir a; cd a\n$ cat > b <<EOF\n> one\n> EOF\n$ cat b; false\none\n$ echo $?\n1\n```\n';
  expect(await recordPage(page, { slow: false })).toBe(page);
});

test('slow blocks are left alone', async () => {
  const page = '```console slow\n$ exit 1\nwhatever\n```\n';
  expect(await recordPage(page, { slow: false })).toBe(page);
});

test('a fence without an end is told', () => {
  expect(() => parsePage('```console\n$ x\n')).toThrow('has no end');
});
