import { compilePreload } from './preload.ts';

// A library that kills Node right before the CALL_AT-th of its calls that change files below CALL_PATH; or, with CALL_FULL,
// makes the disk be full from that call on. Commands of stages inherit it, and are let be.
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
/* Whether there is no room for what the call adds. */
static int step(const char *path, int adds) {
  const char *at = getenv("CALL_AT"), *below = getenv("CALL_PATH"), *full = getenv("CALL_FULL");
  if (!at || !below || !path || strncmp(path, below, strlen(below))) return 0;
  if (strcmp(program_invocation_short_name, "node") || (full && !adds)) return 0;
  long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  if (!full && number == atol(at)) kill(getpid(), SIGKILL);
  if (!full || number < atol(at)) return 0;
  errno = ENOSPC;
  return 1;
}
/* How many such calls there were, for who asks. */
__attribute__((destructor)) static void tell(void) {
  const char *file = getenv("CALL_TELL");
  FILE *out = file && !strcmp(program_invocation_short_name, "node") ? fopen(file, "w") : NULL;
  if (!out) return;
  fprintf(out, "%ld", count);
  fclose(out);
}
static int step_fd(int fd, int adds) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return step(path, adds);
}
#define REAL(result, name, params) \\
  static result (*real) params; \\
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);
#define BY_PATH(name, params, args, path, adds) \\
  int name params { REAL(int, name, params) return step(path, adds) ? -1 : real args; }
#define BY_FD(result, name, params, args, adds) \\
  result name params { REAL(result, name, params) return step_fd(fd, adds) ? -1 : real args; }
BY_PATH(rename, (const char *a, const char *b), (a, b), b, 0)
BY_PATH(link, (const char *a, const char *b), (a, b), b, 1)
BY_PATH(unlink, (const char *a), (a), a, 0)
BY_PATH(rmdir, (const char *a), (a), a, 0)
BY_PATH(mkdir, (const char *a, mode_t m), (a, m), a, access(a, F_OK) != 0)
BY_PATH(chmod, (const char *a, mode_t m), (a, m), a, 0)
BY_PATH(symlink, (const char *a, const char *b), (a, b), b, 1)
BY_PATH(unlinkat, (int at, const char *a, int f), (at, a, f), a, 0)
BY_PATH(utimensat, (int at, const char *a, const struct timespec t[2], int f), (at, a, t, f), a, 0)
BY_FD(int, fchmod, (int fd, mode_t m), (fd, m), 0)
BY_FD(int, futimens, (int fd, const struct timespec t[2]), (fd, t), 0)
BY_FD(int, ftruncate, (int fd, off_t n), (fd, n), 0)
BY_FD(int, ftruncate64, (int fd, off64_t n), (fd, n), 0)
BY_FD(int, fsync, (int fd), (fd), 0)
BY_FD(int, fdatasync, (int fd), (fd), 0)
BY_FD(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), 1)
BY_FD(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), 1)
BY_FD(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), 1)
BY_FD(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), 1)
BY_FD(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o), 1)
BY_FD(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o), 1)
#define OPEN(name) \\
  int name(const char *a, int flags, ...) { \\
    REAL(int, name, (const char *, int, ...)) \\
    va_list list; \\
    va_start(list, flags); \\
    mode_t mode = va_arg(list, mode_t); \\
    va_end(list); \\
    return (flags & O_CREAT) && step(a, access(a, F_OK) != 0) ? -1 : real(a, flags, mode); \\
  }
OPEN(open)
OPEN(open64)
`;

/** Environments for a Node to which something happens at its call of some number that changes files below a path. */
export interface AtCall {
  /** It is killed by SIGKILL, right before that call. */
  die(call: number, below: string): Record<string, string>;
  /** The disk is full: that call fails, of those that need room, and all after it. */
  full(call: number, below: string): Record<string, string>;
  /** Nothing happens; how many such calls there were is in `file` when it has ended. */
  count(file: string, below: string): Record<string, string>;
}

/** Compiles the library into a folder; or says why it can't be had here. */
export function atCall(folder: string): AtCall | { readonly why: string } {
  const made = compilePreload(folder, 'at-call', SOURCE);
  if ('why' in made) return made;
  const die = (call: number, below: string): Record<string, string> => ({
    LD_PRELOAD: made.library,
    CALL_AT: String(call),
    CALL_PATH: below,
  });
  return {
    die,
    full: (call, below) => ({ ...die(call, below), CALL_FULL: '1' }),
    count: (file, below) => ({ ...die(0, below), CALL_TELL: file }),
  };
}
