/*
 * A disk that fails on demand, for a process under test. Loaded with LD_PRELOAD; not part of the product.
 *
 *     cc -shared -fPIC -O1 -o faults.so faults.c
 *     LD_PRELOAD=./faults.so FAULTS_FOLDER=/data FAULTS_CONTROL=/tmp/control trunk-server --database /data/t.db …
 *
 * It intercepts write, pwrite, fsync, fdatasync and ftruncate on files directly in FAULTS_FOLDER (an absolute path
 * without links). Other files and sockets are not affected. send and writev are only observed, for `trace`.
 *
 *     FAULTS_FOLDER    the folder
 *     FAULTS_CONTROL   the file with the rules; read before each operation, and may be replaced while the process runs
 *                      (write another file and rename it). Without a file, or with an empty one, no operation fails
 *     FAULTS_LOG       optional: a file that receives one line for each fault, `fail sync t.db-wal`, and, with the line
 *                      `trace`, one for each operation before it is done, `trace sync t.db-wal`, and one for each
 *                      HTTP answer before its beginning is written to a socket, `trace answer 201`
 *     FAULTS_IMAGE     optional: an empty folder for the files as a power cut would leave them; required by `cut`
 *
 * Lines of FAULTS_CONTROL. The operations are `write`, `sync` and `truncate`, several joined by commas, or `any`.
 * FIRST and LAST are numbers, from 1, of the operations that the line matches since the text was last changed; LAST
 * 0 means no end. SUFFIX is the end of the file's name (`-wal`); without it all files in the folder match. The first
 * matching line applies.
 *
 *     fail  OPERATIONS FIRST LAST ERRNO [SUFFIX]   not done, and reported: EIO, ENOSPC, EDQUOT, EFBIG or a number
 *     half  OPERATIONS FIRST LAST ERRNO [SUFFIX]   half of a write is done, and an error reported; others as `fail`
 *     late  OPERATIONS FIRST LAST ERRNO [SUFFIX]   done, but reported as failed
 *     lie   OPERATIONS FIRST LAST [SUFFIX]         not done, but reported as done
 *     cut   N SEED                                 a power cut instead of the N-th operation
 *     trace                                        logs all operations and answers
 *
 * A power cut: the image contains all synced data. Each unsynced write is in it, is not, or is in it with some of
 * its 512-byte sectors, as the seed decides; each change of a length is in it or not. The process then exits with
 * code 99. A failed sync decides the same about earlier writes, at once and permanently, as on Linux: no later sync
 * restores the data that it dropped. File names are treated as durable at once. `-shm` files, which no start reads,
 * are not in the image.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, MOST_RULES = 16, MOST_FILES = 32, TEXT = 4096, NAME = 256 };
enum kind { WRITE = 1, SYNC = 2, TRUNCATE = 4, ANSWER = 8 };
enum act { PASS, FAIL, HALF, LATE, LIE, CUT };

/* One operation that has not been synced. */
struct pending {
    struct pending *next;
    enum kind kind;
    off_t at;
    size_t length;
    char bytes[];
};

/* The durable contents of a file, and its pending operations. */
struct file {
    char name[NAME];
    int image;
    struct pending *first, **last;
};

struct rule {
    enum act act;
    int kinds;
    unsigned long first, last, seen;
    int error;
    char suffix[32];
};

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *control, *log_path, *image;
static char text[TEXT];
static struct rule rules[MOST_RULES];
static int rule_count, tracing;
static struct file files[MOST_FILES];
static int file_count;
static uint64_t dice = 88172645463325252ull;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_writev)(int, const struct iovec *, int);

__attribute__((constructor)) static void begin(void) {
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    *(void **)&real_send = dlsym(RTLD_NEXT, "send");
    *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
    folder = getenv("FAULTS_FOLDER");
    control = getenv("FAULTS_CONTROL");
    log_path = getenv("FAULTS_LOG");
    image = getenv("FAULTS_IMAGE");
}

static uint64_t roll(uint64_t sides) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (dice >> 11) % sides;
}

static void note(const char *what, enum kind kind, const char *name) {
    if (!log_path) return;
    int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    char line[NAME + 64];
    const char *kinds = kind == WRITE ? "write" : kind == SYNC ? "sync" : kind == ANSWER ? "answer" : "truncate";
    int length = snprintf(line, sizeof line, "%s %s %s\n", what, kinds, name);
    if (length > 0) (void)!real_write(fd, line, (size_t)length);
    close(fd);
}

static int error_number(const char *name) {
    if (!strcmp(name, "EIO")) return EIO;
    if (!strcmp(name, "ENOSPC")) return ENOSPC;
    if (!strcmp(name, "EDQUOT")) return EDQUOT;
    if (!strcmp(name, "EFBIG")) return EFBIG;
    int number = atoi(name);
    return number ? number : EIO;
}

static int kinds_of(char *list) {
    int kinds = 0;
    for (char *rest, *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (!strcmp(word, "any")) kinds |= WRITE | SYNC | TRUNCATE;
        else if (!strcmp(word, "write")) kinds |= WRITE;
        else if (!strcmp(word, "sync")) kinds |= SYNC;
        else if (!strcmp(word, "truncate")) kinds |= TRUNCATE;
    }
    return kinds;
}

static void read_rule(const char *line) {
    char act[16] = "", list[64] = "", third[16] = "", fourth[16] = "", fifth[32] = "", sixth[32] = "";
    int words = sscanf(line, "%15s %63s %15s %15s %31s %31s", act, list, third, fourth, fifth, sixth);
    if (words < 1 || rule_count == MOST_RULES) return;
    struct rule *rule = &rules[rule_count];
    memset(rule, 0, sizeof *rule);
    if (!strcmp(act, "trace")) {
        tracing = 1;
        return;
    }
    if (!strcmp(act, "cut") && words >= 3) {
        rule->act = CUT;
        rule->kinds = WRITE | SYNC | TRUNCATE;
        rule->first = rule->last = strtoul(list, NULL, 10);
        dice = strtoull(third, NULL, 10) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
        if (!dice) dice = 1;
        rule_count++;
        return;
    }
    rule->act = !strcmp(act, "fail") ? FAIL : !strcmp(act, "half") ? HALF : !strcmp(act, "late") ? LATE
        : !strcmp(act, "lie") ? LIE : PASS;
    if (rule->act == PASS || words < 4) return;
    rule->kinds = kinds_of(list);
    rule->first = strtoul(third, NULL, 10);
    rule->last = strtoul(fourth, NULL, 10);
    const char *suffix = rule->act == LIE ? fifth : sixth;
    rule->error = rule->act == LIE ? 0 : error_number(fifth);
    snprintf(rule->suffix, sizeof rule->suffix, "%s", suffix);
    rule_count++;
}

/* Reads the rules. If the text is unchanged, the rules keep their counts. */
static void read_control(void) {
    char now[TEXT] = "";
    int fd = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        ssize_t length = read(fd, now, sizeof now - 1);
        now[length > 0 ? length : 0] = 0;
        close(fd);
    }
    if (!strcmp(now, text)) return;
    memcpy(text, now, sizeof text);
    rule_count = tracing = 0;
    for (char *rest, *line = strtok_r(now, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) read_rule(line);
}

static int ends_with(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);
    return length >= end && !strcmp(name + length - end, suffix);
}

/* Returns 1 and the name for a file in the folder; 0 for every other file. */
static int named(int fd, char name[NAME]) {
    if (!folder) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t above = strlen(folder);
    if (strncmp(path, folder, above) || path[above] != '/' || strchr(path + above + 1, '/')) return 0;
    char *deleted = strstr(path, " (deleted)");
    if (deleted) *deleted = 0;
    snprintf(name, NAME, "%s", path + above + 1);
    return 1;
}

/* Returns the rule that applies to an operation, or NULL. */
static struct rule *ruled(enum kind kind, const char *name) {
    read_control();
    struct rule *held = NULL;
    for (int i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (!(rule->kinds & kind) || !ends_with(name, rule->suffix)) continue;
        if (rule->act == CUT && ends_with(name, "-shm")) continue;
        rule->seen++;
        if (!held && rule->seen >= rule->first && (!rule->last || rule->seen <= rule->last)) held = rule;
    }
    if (tracing) note("trace", kind, name);
    return held;
}

static void copy(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char bytes[65536];
    for (ssize_t length; in >= 0 && out >= 0 && (length = read(in, bytes, sizeof bytes)) > 0;)
        (void)!real_write(out, bytes, (size_t)length);
    if (in >= 0) close(in);
    if (out >= 0) close(out);
}

static void in_folder(char path[4096], const char *above, const char *name) {
    snprintf(path, 4096, "%s/%s", above, name);
}

/* Returns the record of a file. The first call for a file copies its contents to the image. */
static struct file *recorded(const char *name) {
    if (!image || ends_with(name, "-shm")) return NULL;
    for (int i = 0; i < file_count; i++)
        if (!strcmp(files[i].name, name)) return &files[i];
    if (file_count == MOST_FILES) return NULL;
    struct file *file = &files[file_count++];
    char from[4096], to[4096];
    in_folder(from, folder, name);
    in_folder(to, image, name);
    copy(from, to);
    snprintf(file->name, NAME, "%s", name);
    file->image = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    file->first = NULL;
    file->last = &file->first;
    return file;
}

static void remember(struct file *file, enum kind kind, const void *bytes, size_t length, off_t at) {
    if (!file) return;
    struct pending *pending = malloc(sizeof *pending + (bytes ? length : 0));
    if (!pending) abort();
    pending->next = NULL;
    pending->kind = kind;
    pending->at = at;
    pending->length = length;
    if (bytes) memcpy(pending->bytes, bytes, length);
    *file->last = pending;
    file->last = &pending->next;
}

static void apply(struct file *file, const struct pending *pending) {
    if (pending->kind == TRUNCATE) (void)!real_ftruncate(file->image, pending->at);
    else (void)!real_pwrite(file->image, pending->bytes, pending->length, pending->at);
}

/* Applies all, nothing, or some sectors of an operation. */
static void apply_some(struct file *file, const struct pending *pending) {
    uint64_t fate = roll(3);
    if (fate == 0) return;
    if (fate == 1 || pending->kind == TRUNCATE) {
        apply(file, pending);
        return;
    }
    for (size_t done = 0; done < pending->length;) {
        size_t to_border = SECTOR - (size_t)((pending->at + (off_t)done) % SECTOR);
        size_t length = pending->length - done < to_border ? pending->length - done : to_border;
        if (roll(2)) (void)!real_pwrite(file->image, pending->bytes + done, length, pending->at + (off_t)done);
        done += length;
    }
}

/* Makes all or some pending operations durable, and drops the rest. keep_lengths: changes of length stay pending. */
static void settle(struct file *file, int all, int keep_lengths) {
    struct pending *pending = file->first;
    file->first = NULL;
    file->last = &file->first;
    uint64_t fate = roll(4);
    while (pending) {
        struct pending *next = pending->next;
        if (keep_lengths && pending->kind == TRUNCATE) {
            pending->next = NULL;
            *file->last = pending;
            file->last = &pending->next;
        } else {
            if (all || fate == 0) apply(file, pending);
            else if (fate != 1) apply_some(file, pending);
            free(pending);
        }
        pending = next;
    }
}

/* Completes the image as a power cut would leave it, and exits. */
static void cut(void) {
    for (int i = 0; i < file_count; i++) settle(&files[i], 0, 0);
    DIR *all = opendir(folder);
    for (struct dirent *entry; all && (entry = readdir(all));) {
        int known = entry->d_type != DT_REG || ends_with(entry->d_name, "-shm");
        for (int i = 0; i < file_count; i++) known |= !strcmp(files[i].name, entry->d_name);
        if (known) continue;
        char from[4096], to[4096];
        in_folder(from, folder, entry->d_name);
        in_folder(to, image, entry->d_name);
        copy(from, to);
    }
    _exit(99);
}

/* Decides about an operation. Returns 1 if it is to be performed; otherwise its result is in `result`. */
static int decide(enum kind kind, const char *name, struct file *file, struct rule **rule, ssize_t *result) {
    static const char *const words[] = {"pass", "fail", "half", "late", "lie", "cut"};
    *rule = ruled(kind, name);
    if (!*rule) return 1;
    note(words[(*rule)->act], kind, name);
    if ((*rule)->act == CUT && image) cut();
    if ((*rule)->act == LATE || (*rule)->act == HALF || (*rule)->act == CUT) return 1;
    if (kind == SYNC && (*rule)->act == FAIL && file) settle(file, 0, 1);
    errno = (*rule)->error;
    *result = (*rule)->act == LIE ? 0 : -1;
    return 0;
}

static ssize_t reported(struct rule *rule, ssize_t result) {
    if (!rule || (rule->act != LATE && rule->act != HALF)) return result;
    errno = rule->error;
    return -1;
}

static ssize_t put(int fd, const void *bytes, size_t length, off_t at, int positioned) {
    char name[NAME];
    if (!named(fd, name)) return positioned ? real_pwrite(fd, bytes, length, at) : real_write(fd, bytes, length);
    pthread_mutex_lock(&one);
    struct file *file = recorded(name);
    struct rule *rule;
    ssize_t result = -1;
    if (decide(WRITE, name, file, &rule, &result)) {
        size_t most = rule && rule->act == HALF ? length / 2 : length;
        off_t where = positioned ? at : lseek(fd, 0, SEEK_CUR);
        result = positioned ? real_pwrite(fd, bytes, most, at) : real_write(fd, bytes, most);
        if (result > 0) remember(file, WRITE, bytes, (size_t)result, where);
        result = reported(rule, result);
    } else if (rule->act == LIE) {
        result = (ssize_t)length;
        if (!positioned) lseek(fd, (off_t)length, SEEK_CUR);
    }
    pthread_mutex_unlock(&one);
    return result;
}

static int flush(int fd, int (*real)(int)) {
    char name[NAME];
    if (!named(fd, name)) return real(fd);
    pthread_mutex_lock(&one);
    struct file *file = recorded(name);
    struct rule *rule;
    ssize_t result = -1;
    if (decide(SYNC, name, file, &rule, &result)) {
        result = real(fd);
        if (!result && file) settle(file, 1, 0);
        result = rule && rule->act == HALF ? (errno = rule->error, -1) : reported(rule, result);
    }
    pthread_mutex_unlock(&one);
    return (int)result;
}

static int shorten(int fd, off_t length) {
    char name[NAME];
    if (!named(fd, name)) return real_ftruncate(fd, length);
    pthread_mutex_lock(&one);
    struct file *file = recorded(name);
    struct rule *rule;
    ssize_t result = -1;
    if (decide(TRUNCATE, name, file, &rule, &result)) {
        result = real_ftruncate(fd, length);
        if (!result) remember(file, TRUNCATE, NULL, 0, length);
        result = reported(rule, result);
    }
    pthread_mutex_unlock(&one);
    return (int)result;
}

ssize_t write(int fd, const void *bytes, size_t length) { return put(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return put(fd, bytes, length, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return put(fd, bytes, length, at, 1); }
int fsync(int fd) { return flush(fd, real_fsync); }
int fdatasync(int fd) { return flush(fd, real_fdatasync); }
int ftruncate(int fd, off_t length) { return shorten(fd, length); }
int ftruncate64(int fd, off64_t length) { return shorten(fd, length); }

/* Logs the status of an HTTP answer that begins with these bytes. Without the lock: an answer that is written during a
 * sync must be logged during it, not after it. */
static void trace_answer(const char *bytes, size_t length) {
    if (!__atomic_load_n(&tracing, __ATOMIC_RELAXED) || length < 12 || memcmp(bytes, "HTTP/1.1 ", 9)) return;
    char status[4] = {bytes[9], bytes[10], bytes[11], 0};
    note("trace", ANSWER, status);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    trace_answer(bytes, length);
    return real_send(fd, bytes, length, flags);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (count > 0) trace_answer(parts[0].iov_base, parts[0].iov_len);
    return real_writev(fd, parts, count);
}
