import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Access } from '../src/trace/access.ts';
import { parseCall, quotedText } from '../src/trace/call.ts';
import { Follow } from '../src/trace/follow.ts';

/** What comes of lines; the first process stands in /p. */
function follow(lines: readonly string[]) {
  const accesses: string[] = [];
  const text = (access: Access): string => {
    const where = 'path' in access ? access.path : access.to;
    return `${access.program || '?'} ${access.kind} ${'from' in access ? `${access.from} ` : ''}${where}`;
  };
  const follower = new Follow('/p', (access) => accesses.push(text(access)));
  for (const line of lines) follower.line(line);
  return { accesses, problems: follower.end() };
}

const RAN = '1 execve("/bin/sh", [...], 0x7ff /* 3 vars */) = 0';
const ENDED = '1 +++ exited with 0 +++';

describe('lines of strace', () => {
  test('calls by what they are to files', () => {
    const { accesses, problems } = follow([
      RAN,
      '1 openat(AT_FDCWD</p>, "a", O_RDONLY|O_CLOEXEC) = 3</p/a>',
      '1 open("b", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4',
      '1 openat(3</q>, "c", O_RDWR) = 5</q/c>',
      '1 openat2(AT_FDCWD</p>, "d", {flags=O_RDONLY, resolve=0}, 24) = 5',
      '1 creat("e", 0644) = 6',
      '1 openat(AT_FDCWD</p>, "f", O_RDONLY) = -1 ENOENT (No such file or directory)',
      '1 openat(AT_FDCWD</p>, "g", O_RDONLY) = -1 EACCES (Permission denied)',
      '1 openat(AT_FDCWD</p>, ".", O_RDONLY|O_DIRECTORY) = 7</p>',
      '1 openat(AT_FDCWD</p>, "h", O_RDONLY|O_PATH) = 7</p/h>',
      '1 openat(AT_FDCWD</p>, ".", O_WRONLY|O_TMPFILE, 0600) = 7</p/#12>(deleted)',
      '1 rename("i", "/q/j") = 0',
      '1 renameat2(4</q>, "k", AT_FDCWD</p>, "l", RENAME_EXCHANGE) = 0',
      '1 link("m", "n") = 0',
      '1 symlinkat("anything", 4</q>, "o") = 0',
      '1 unlinkat(AT_FDCWD</p>, "q", 0) = 0',
      '1 unlinkat(AT_FDCWD</p>, "r", AT_REMOVEDIR) = 0',
      '1 unlink("s") = -1 ENOENT (No such file or directory)',
      '1 truncate("t", 0) = 0',
      '1 connect(3<socket:[7]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 EINPROGRESS (Operation now in progress)',
      '1 connect(3<TCPv6:[8]>, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
      '1 connect(3<socket:[9]>, {sa_family=AF_UNIX, sun_path="/run/a b.sock"}, 17) = 0',
      '1 connect(3<socket:[9]>, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 ECONNREFUSED (Connection refused)',
      ENDED,
    ]);
    expect(problems).toEqual([]);
    expect(accesses).toMatchInlineSnapshot(`
      [
        "sh read /bin/sh",
        "sh read /p/a",
        "sh write /p/b",
        "sh write /q/c",
        "sh read /p/d",
        "sh write /p/e",
        "sh absent /p/f",
        "sh list /p/.",
        "sh move /p/i /q/j",
        "sh move /q/k /p/l",
        "sh write /q/k",
        "sh read /p/m",
        "sh write /p/n",
        "sh write /q/o",
        "sh delete /p/q",
        "sh write /p/t",
        "sh connect 1.2.3.4:443",
        "sh connect [::1]:80",
        "sh connect /run/a b.sock",
      ]
    `);
  });

  test('a child is in the folder that its parent was in, whichever of them is told first; threads share theirs', () => {
    const { accesses, problems } = follow([
      RAN,
      '1 chdir("a") = 0',
      '1 vfork( <unfinished ...>',
      '2 execve("/bin/cat", [...], 0x1 /* 1 var */ <unfinished ...>',
      '1 <... vfork resumed>) = 2',
      '2 <... execve resumed>) = 0',
      '2 open("x", O_RDONLY) = 3',
      '1 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>',
      '3 chdir("b") = 0',
      '3 open("y", O_RDONLY) = 3',
      '3 +++ exited with 0 +++',
      '1 <... clone resumed>, child_tidptr=0x7f) = 3',
      '1 open("z", O_RDONLY) = 3',
      '1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x1} => {parent_tid=[4]}, 88) = 4',
      '4 chdir("/t") = 0',
      '1 open("shared", O_RDONLY) = 3',
      '1 fchdir(5</q>) = 0',
      '4 open("again", O_RDONLY) = 3',
      '4 +++ exited with 0 +++',
      '2 +++ killed by SIGKILL (core dumped) +++',
      ENDED,
    ]);
    expect(problems).toEqual([]);
    expect(accesses).toEqual([
      'sh read /bin/sh',
      'cat read /bin/cat',
      'cat read /p/a/x',
      'sh read /p/a/b/y',
      'sh read /p/a/z',
      'sh read /t/shared',
      'sh read /q/again',
    ]);
  });

  test('a thread that runs a program goes on as the process', () => {
    const { accesses, problems } = follow([
      RAN,
      '1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x1} => {parent_tid=[5]}, 88) = 5',
      '5 execve("/bin/cat", [...], 0x7 /* 35 vars */ <pid changed to 1 ...>',
      '1 +++ superseded by execve in pid 5 +++',
      '1 <... execve resumed>) = -1 (errno 18446744073709551359)',
      '1 open("a", O_RDONLY) = 3',
      ENDED,
    ]);
    expect({ accesses, problems }).toEqual({
      accesses: ['sh read /bin/sh', 'cat read /bin/cat', 'cat read /p/a'],
      problems: [],
    });
  });

  test('what is not understood, not told or cut off is never taken for all', () => {
    expect(follow([]).problems).toEqual(['strace told of nothing']);
    expect(follow([RAN]).problems).toEqual(['strace ended before what it followed']);
    expect(follow([RAN, '1 what is this', ENDED]).problems[0]).toContain('could not be read: what is this');
    expect(follow([RAN, 'strace: something', ENDED]).problems[0]).toContain('strace said');
    expect(follow([RAN, '7 open("a", O_RDONLY) = 3', ENDED]).problems[0]).toContain('whose start was not seen');
    expect(follow([RAN, '1 rename(0x7f, "b") = 0', ENDED]).problems).toEqual(['a path was not told, or is not whole']);
    expect(follow([RAN, '1 openat(3, "b", O_RDONLY) = 4', ENDED]).problems).toHaveLength(1);
    expect(follow([RAN, '1 unshare(CLONE_NEWNS) = 0', ENDED]).problems[0]).toContain('file systems of their own');
    const many = Array.from({ length: 30_000 }, (_, i) => `${i + 7} open("a", O_RDONLY) = 3`);
    expect(follow([RAN, ...many, ENDED]).problems[0]).toContain('whose start was not seen');
  });

  test('a call that was cut off by the end of its process came to nothing', () => {
    const ended = follow([RAN, '1 openat(AT_FDCWD</p>, "a", O_RDONLY <unfinished ...>', '1 +++ killed by SIGKILL +++']);
    expect(ended).toEqual({ accesses: ['sh read /bin/sh'], problems: [] });
    expect(follow([RAN, '1 openat(AT_FDCWD</p>, "a", O_RDONLY) = ?', ENDED]).accesses).toHaveLength(1);
  });

  test('any bytes of a name come back from how they are printed, wherever the line is cut in two', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((some) => some.map((byte) => byte || 1));
    fc.assert(
      fc.property(bytes, fc.boolean(), (name, inFull) => {
        const printed = Array.from(name, (byte) => printedByte(byte, inFull)).join('');
        const expected = Buffer.from(name).toString('utf8');
        const call = `openat(3</q/${printed.replaceAll('<', '\\74').replaceAll('>', '\\76')}>, "${printed}", O_RDONLY) = 4</r>`;
        const parsed = parseCall(call);
        expect(parsed).toMatchObject({ name: 'openat', result: { value: 4, path: '/r' } });
        expect(quotedText(parsed?.args[1])).toBe(expected);
        if (expected.startsWith('/')) return;
        expect(follow([RAN, `1 ${call}`, ENDED]).accesses[1]).toBe(`sh read /q/${expected}/${expected}`);
      }),
    );
  });

  test('no text makes it fail', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '1 ',
        '2 ',
        'openat(',
        'AT_FDCWD</p>',
        '"a',
        '"',
        ', ',
        ')',
        ' = 0',
        '<... ',
        ' resumed>',
        '<',
        '>',
        '\\',
        '+++',
        ' <unfinished ...>',
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece).map((pieces) => pieces.join('').replaceAll('\n', ''))), (lines) => {
        follow([RAN, ...lines]);
      }),
    );
  });
});

/** A byte as strace prints it; in full, so that no digit can follow it by chance. */
function printedByte(byte: number, inFull: boolean): string {
  const char = String.fromCharCode(byte);
  if (char === '"' || char === '\\') return `\\${char}`;
  if (!inFull && byte === 10) return '\\n';
  return byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, '0')}` : char;
}
