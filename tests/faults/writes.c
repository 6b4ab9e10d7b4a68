/* Kills its process in the middle of what it writes: the n-th call that changes a file is done by half, and then SIGKILL.

   gcc -shared -fPIC -O2 writes.c -o writes.so -ldl; LD_PRELOAD=writes.so. Nothing happens before arm(n), and only in the
   process that called it. Counted are calls on regular files other than standard output and error. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pid_t armed;
static long last, calls;

void arm(long n) { armed = getpid(); last = n; calls = 0; }
long counted(void) { return calls; }

static int is_the_last(void) { return armed && armed == getpid() && __sync_add_and_fetch(&calls, 1) == last; }

static int is_file(int fd) {
    struct stat found;
    return armed && fd > 2 && !fstat(fd, &found) && S_ISREG(found.st_mode);
}

static void die(void) { for (;;) { kill(getpid(), SIGKILL); pause(); } }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    if (is_file(fd) && is_the_last()) { REAL(write)(fd, data, size / 2); die(); }
    return REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    if (is_file(fd) && is_the_last()) { REAL(pwrite)(fd, data, size / 2, at); die(); }
    return REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    if (is_file(fd) && is_the_last()) { REAL(pwrite64)(fd, data, size / 2, at); die(); }
    return REAL(pwrite64)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int num) {
    if (is_file(fd) && is_the_last()) { REAL(writev)(fd, parts, num / 2); die(); }
    return REAL(writev)(fd, parts, num);
}

int ftruncate(int fd, off_t size) { if (is_file(fd) && is_the_last()) die(); return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { if (is_file(fd) && is_the_last()) die(); return REAL(ftruncate64)(fd, size); }
int fsync(int fd) { if (armed && is_the_last()) die(); return REAL(fsync)(fd); }
int fdatasync(int fd) { if (armed && is_the_last()) die(); return REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) { if (is_the_last()) die(); return REAL(rename)(from, to); }
int unlink(const char *name) { if (is_the_last()) die(); return REAL(unlink)(name); }
int unlinkat(int at, const char *name, int flags) { if (is_the_last()) die(); return REAL(unlinkat)(at, name, flags); }
int rmdir(const char *name) { if (is_the_last()) die(); return REAL(rmdir)(name); }
int mkdir(const char *name, mode_t mode) { if (is_the_last()) die(); return REAL(mkdir)(name, mode); }
int symlink(const char *to, const char *name) { if (is_the_last()) die(); return REAL(symlink)(to, name); }
