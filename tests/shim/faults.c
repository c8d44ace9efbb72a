// Storage that fails, for the tests: preloaded into the real binary, it stands between SQLite and the files *.db and *.db-wal.
//
// MOTIA_SHIM_CONTROL names a file of 8 bytes that the test changes while the engine runs: which fault, and how many writes or
// syncs still succeed before it. MOTIA_SHIM_UNDO names a log of what every write since the last sync of its file replaced: after the
// process is killed, the test puts it back, as a power cut would.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, FULL, BROKEN, SHORT, NO_SYNC };

struct control {
    volatile int32_t fault;
    volatile int32_t left;
};

// A record of the log: what it is, then the file's number, an offset, a length, the file's size before, and the old bytes.
enum { FILE_NAME = 1, WRITE = 2, SYNC_BEGAN = 3, SYNCED = 4, CUT = 5 };

struct record {
    uint32_t kind;
    uint32_t file;
    uint64_t offset;
    uint64_t length;
    uint64_t size;
};

#define FILES 64
static struct control *control;
static int undo = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *names[FILES];

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *path = getenv("MOTIA_SHIM_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = at == MAP_FAILED ? NULL : at;
        close(fd);
    }
    path = getenv("MOTIA_SHIM_UNDO");
    if (path) undo = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), most = strlen(end);
    return length >= most && strcmp(text + length - most, end) == 0;
}

static void put(struct record *record, const void *bytes, size_t length) {
    struct iovec parts[2] = {{record, sizeof *record}, {(void *)bytes, length}};
    // Past our own functions, and in one piece.
    if (syscall(SYS_writev, undo, parts, 2) < 0) abort();
}

// The number of the database file behind a descriptor, from 1; 0 for any other. Under the lock.
static uint32_t file_of(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!ends_with(path, ".db") && !ends_with(path, ".db-wal")) return 0;
    for (uint32_t at = 0; at < FILES; at++) {
        if (names[at] && strcmp(names[at], path) == 0) return at + 1;
        if (!names[at]) {
            names[at] = strdup(path);
            struct record record = {FILE_NAME, at + 1, 0, (uint64_t)length, 0};
            if (undo >= 0) put(&record, path, (size_t)length);
            return at + 1;
        }
    }
    abort();
}

// Whether a fault is due now.
static int is_due(int fault) {
    if (!control || control->fault != fault) return 0;
    if (control->left > 0) {
        control->left--;
        return 0;
    }
    return 1;
}

// Notes what a range held before it is written. Under the lock.
static void note(uint32_t kind, uint32_t file, int fd, uint64_t offset, uint64_t length) {
    if (undo < 0) return;
    struct stat stat;
    if (fstat(fd, &stat) != 0) abort();
    uint64_t size = (uint64_t)stat.st_size, old = offset >= size ? 0 : size - offset < length ? size - offset : length;
    char *bytes = malloc(old ? old : 1), *at = bytes;
    for (uint64_t left = old; left > 0;) {
        // Descriptors that only write cannot be read: their file can.
        ssize_t got = pread(fd, at, left, (off_t)(offset + old - left));
        if (got <= 0) abort();
        left -= (uint64_t)got;
        at += got;
    }
    struct record record = {kind, file, offset, old, size};
    put(&record, bytes, old);
    free(bytes);
}

static ssize_t store(int fd, const void *bytes, size_t length, off_t offset, int positioned) {
    pthread_mutex_lock(&lock);
    uint32_t file = file_of(fd);
    ssize_t stored;
    if (file && is_due(FULL)) {
        errno = ENOSPC;
        stored = -1;
    } else if (file && is_due(BROKEN)) {
        errno = EIO;
        stored = -1;
    } else {
        if (file && length > 1 && is_due(SHORT)) length /= 2;
        if (file) note(WRITE, file, fd, (uint64_t)(positioned ? offset : lseek(fd, 0, SEEK_CUR)), length);
        stored = positioned ? real_pwrite(fd, bytes, length, offset) : real_write(fd, bytes, length);
    }
    int problem = errno;
    pthread_mutex_unlock(&lock);
    errno = problem;
    return stored;
}

static int sync_with(int fd, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    uint32_t file = file_of(fd);
    int fails = file && is_due(NO_SYNC);
    struct record began = {SYNC_BEGAN, file, 0, 0, 0};
    if (file && undo >= 0 && !fails) put(&began, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (fails) {
        errno = EIO;
        return -1;
    }
    int done = real(fd);
    if (done == 0 && file && undo >= 0) {
        pthread_mutex_lock(&lock);
        struct record synced = {SYNCED, file, 0, 0, 0};
        put(&synced, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    // Nearly all writes are of sockets and pipes: they must not wait for the lock.
    struct stat stat;
    if (fd <= 2 || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return real_write(fd, bytes, length);
    return store(fd, bytes, length, 0, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return store(fd, bytes, length, offset, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return store(fd, bytes, length, offset, 1); }

static int cut(int fd, off_t size) {
    pthread_mutex_lock(&lock);
    uint32_t file = file_of(fd);
    if (file) note(CUT, file, fd, (uint64_t)size, UINT64_MAX / 2);
    int done = real_ftruncate(fd, size);
    int problem = errno;
    pthread_mutex_unlock(&lock);
    errno = problem;
    return done;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }
int fsync(int fd) { return sync_with(fd, real_fsync); }
int fdatasync(int fd) { return sync_with(fd, real_fdatasync); }
