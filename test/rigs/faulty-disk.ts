import { compilePreload } from './preload.ts';

// A library, compiled when it is needed and put before libc, that makes calls on some files fail as a broken disk does.
// EIO_CALL is read, write or fsync; EIO_PATH a part of the path of the files that are hit.
const SOURCE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static int hit(int fd, const char *call) {
  const char *wanted = getenv("EIO_CALL"), *part = getenv("EIO_PATH");
  char link[64], path[4096];
  if (!wanted || !part || strcmp(wanted, call)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  if (!strstr(path, part)) return 0;
  errno = EIO;
  return 1;
}
#define WRAP(call, result, name, params, args) \\
  result name params { \\
    static result (*real) params; \\
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \\
    return hit(fd, call) ? -1 : real args; \\
  }
WRAP("read", ssize_t, read, (int fd, void *b, size_t n), (fd, b, n))
WRAP("read", ssize_t, pread, (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
WRAP("read", ssize_t, pread64, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))
WRAP("read", ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP("read", ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o))
WRAP("read", ssize_t, preadv64, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o))
WRAP("write", ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
WRAP("write", ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
WRAP("write", ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
WRAP("write", ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP("write", ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o))
WRAP("write", ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o))
WRAP("fsync", int, fsync, (int fd), (fd))
WRAP("fsync", int, fdatasync, (int fd), (fd))
`;

/**
 * Compiles the library into a folder.
 * @returns the environment that makes a call on files fail; or why it can't be had here.
 */
export function faultyDisk(
  folder: string,
):
  | { readonly env: (call: 'read' | 'write' | 'fsync', part: string) => Record<string, string> }
  | { readonly why: string } {
  const made = compilePreload(folder, 'eio', SOURCE);
  if ('why' in made) return made;
  return { env: (call, part) => ({ LD_PRELOAD: made.library, EIO_CALL: call, EIO_PATH: part }) };
}
