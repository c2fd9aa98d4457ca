import { compilePreload } from './preload.ts';

// A library that kills Node right before the DEATH_AT-th of its calls that change files below DEATH_PATH. Commands of stages
// inherit it, and are let be.
const SOURCE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
static long count;
static void step(const char *path) {
  const char *at = getenv("DEATH_AT"), *below = getenv("DEATH_PATH");
  if (!at || !below || !path || strncmp(path, below, strlen(below))) return;
  if (strcmp(program_invocation_short_name, "node")) return;
  if (__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST) == atol(at)) kill(getpid(), SIGKILL);
}
static void step_fd(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return;
  path[n] = 0;
  step(path);
}
#define REAL(result, name, params) \\
  static result (*real) params; \\
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);
#define BY_PATH(name, params, args, path) \\
  int name params { REAL(int, name, params) step(path); return real args; }
#define BY_FD(result, name, params, args) \\
  result name params { REAL(result, name, params) step_fd(fd); return real args; }
BY_PATH(rename, (const char *a, const char *b), (a, b), b)
BY_PATH(link, (const char *a, const char *b), (a, b), b)
BY_PATH(unlink, (const char *a), (a), a)
BY_PATH(rmdir, (const char *a), (a), a)
BY_PATH(mkdir, (const char *a, mode_t m), (a, m), a)
BY_PATH(chmod, (const char *a, mode_t m), (a, m), a)
BY_FD(int, fsync, (int fd), (fd))
BY_FD(int, fdatasync, (int fd), (fd))
BY_FD(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
BY_FD(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
BY_FD(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
BY_FD(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
BY_FD(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o))
BY_FD(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o))
#define OPEN(name) \\
  int name(const char *a, int flags, ...) { \\
    REAL(int, name, (const char *, int, ...)) \\
    va_list list; \\
    va_start(list, flags); \\
    mode_t mode = va_arg(list, mode_t); \\
    va_end(list); \\
    if (flags & O_CREAT) step(a); \\
    return real(a, flags, mode); \\
  }
OPEN(open)
OPEN(open64)
`;

/**
 * Compiles the library into a folder.
 * @returns the environment that makes a Node die before its call of this number on files below a path; or why it can't be
 * had here.
 */
export function deathAtCall(
  folder: string,
): { readonly env: (call: number, below: string) => Record<string, string> } | { readonly why: string } {
  const made = compilePreload(folder, 'death', SOURCE);
  if ('why' in made) return made;
  return { env: (call, below) => ({ LD_PRELOAD: made.library, DEATH_AT: String(call), DEATH_PATH: below }) };
}
