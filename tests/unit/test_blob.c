/* Blobs in a folder: names, whole or not at all, and nothing outside. */
#include "blob/blob.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"
#include "check.h"

static struct zt_err err;
static char folder[64];
static struct zt_blobs *blobs;

static void set_up(void)
{
    zt_format(folder, sizeof(folder), "/tmp/zt-blob-XXXXXX");
    if (mkdtemp(folder) == NULL || zt_blobs_open(folder, &blobs, &err) != ZT_OK)
        abort();
}

static void tear_down(void)
{
    zt_blobs_close(blobs);
    zt_remove_tree(folder, NULL);
}

/* Lives until the call after the next. */
static const char *path_of(const char *name)
{
    static char paths[2][256];
    static int turn;

    turn = !turn;
    zt_format(paths[turn], sizeof(paths[turn]), "%s/%s", folder, name);
    return paths[turn];
}

static bool count(void *user, const char *name, const struct zt_blob_info *info)
{
    (void)name;
    (void)info;
    ++*(int *)user;
    return true;
}

static int count_in(const char *part)
{
    int n = 0;

    CHECK_INT(part, zt_blobs_each(blobs, part, count, &n, &err), ZT_OK);
    return n;
}

static void judges_names(void)
{
    static const struct {
        const char *name;
        bool ok;
    } rows[] = {
        { "media/x.mp4", true },
        { "input/0a1b", true },
        { "tmp/x", true },
        { "version", true },
        { "media/a..b", true },
        { "media/-_.", true },
        { "", false },
        { "media/", false },
        { "/x", false },
        { "media/.x", false },
        { "media/..", false },
        { "..", false },
        { "../x", false },
        { ".", false },
        { ".hidden", false },
        { "media/x/y", false },
        { "media//x", false },
        { "other/x", false },
        { "media/X.mp4", false },
        { "media/x y", false },
        { "media/x\n", false },
        { "media/caf\xC3\xA9", false },
        { "Media/x", false },
        { "media/a\\b", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_INT(rows[i].name, zt_blob_name_ok(rows[i].name), rows[i].ok);
    char name[130];
    memset(name, 'a', sizeof(name));
    name[128] = '\0';
    CHECK("128 bytes", zt_blob_name_ok(name));
    name[128] = 'a';
    name[129] = '\0';
    CHECK("129 bytes", !zt_blob_name_ok(name));
}

/* A bad name is our own mistake: it ends the process before any file is touched. */
static void asserts_names(void)
{
    set_up();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        dup2(quiet, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        zt_blobs_put(blobs, "media/../../escaped", "x", 1, NULL);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK("died", !WIFEXITED(status) || WEXITSTATUS(status) != 0);
    CHECK("nothing written", access(path_of("../escaped"), F_OK) != 0);
    tear_down();
}

static void puts_and_gets(void)
{
    struct zt_buf buf;
    struct zt_blob_info info = { 0 };
    int fd = -1;

    set_up();
    zt_buf_init(&buf, 10);
    CHECK_INT("none", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_E_NOT_FOUND);
    CHECK_INT("none", zt_blobs_open_fd(blobs, "media/a", &fd, &info, &err), ZT_E_NOT_FOUND);
    CHECK_INT("put", zt_blobs_put(blobs, "media/a", "hello", 5, &err), ZT_OK);
    CHECK_INT("get", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_OK);
    CHECK_STR("get", buf.data, "hello");
    CHECK_INT("appends", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_OK);
    CHECK_STR("appends", buf.data, "hellohello");
    CHECK_INT("limit", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_E_LIMIT);
    zt_buf_clear(&buf);
    CHECK_INT("replace", zt_blobs_put(blobs, "media/a", "by", 2, &err), ZT_OK);
    CHECK_INT("get", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_OK);
    CHECK_STR("get", buf.data, "by");
    CHECK_INT("empty", zt_blobs_put(blobs, "input/e", "", 0, &err), ZT_OK);
    CHECK_INT("open", zt_blobs_open_fd(blobs, "media/a", &fd, &info, &err), ZT_OK);
    CHECK_INT("bytes", info.bytes, 2);
    CHECK("modified", info.modified_us > 0);
    CHECK_INT("remove", zt_blobs_remove(blobs, "media/a", &err), ZT_OK);
    char text[4];
    CHECK_INT("an open one lives on", read(fd, text, sizeof(text)), 2);
    close(fd);
    CHECK_INT("again", zt_blobs_remove(blobs, "media/a", &err), ZT_OK);
    CHECK_INT("gone", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_E_NOT_FOUND);
    CHECK_INT("no rests", count_in("tmp"), 0);
    zt_buf_clear(&buf);
    tear_down();
}

static void publishes(void)
{
    char path[256], other[256], tiny[8];
    struct zt_buf buf;
    struct stat st;

    set_up();
    zt_buf_init(&buf, 100);
    CHECK_INT("tmp", zt_blobs_tmp(blobs, ".mp4", path, sizeof(path), &err), ZT_OK);
    CHECK_INT("tmp", zt_blobs_tmp(blobs, ".mp4", other, sizeof(other), &err), ZT_OK);
    CHECK("unique", strcmp(path, other) != 0);
    CHECK("suffix", zt_ends_with(path, ".mp4"));
    CHECK_INT("no room", zt_blobs_tmp(blobs, "", tiny, sizeof(tiny), &err), ZT_E_LIMIT);
    CHECK_INT("not written", zt_blobs_publish(blobs, path, "media/v.mp4", &err), ZT_E_NOT_FOUND);
    FILE *f = fopen(path, "w");
    fputs("video", f);
    fclose(f);
    CHECK_INT("publish", zt_blobs_publish(blobs, path, "media/v.mp4", &err), ZT_OK);
    CHECK("moved", access(path, F_OK) != 0);
    CHECK_INT("get", zt_blobs_get(blobs, "media/v.mp4", &buf, &err), ZT_OK);
    CHECK_STR("get", buf.data, "video");
    CHECK_INT("put", zt_blobs_put(blobs, "media/p", "x", 1, &err), ZT_OK);
    CHECK_INT("mode", stat(path_of("media/p"), &st), 0);
    CHECK_INT("mode", st.st_mode & 0777, 0600 & st.st_mode);
    CHECK_INT("folder", stat(path_of("media"), &st), 0);
    CHECK_INT("folder", st.st_mode & 077, 0);
    zt_buf_clear(&buf);
    tear_down();
}

static void follows_no_link(void)
{
    struct zt_buf buf;
    int fd = -1;

    set_up();
    zt_buf_init(&buf, 10000);
    CHECK_INT("link", symlink("/etc/passwd", path_of("media/link")), 0);
    CHECK_INT("pipe", mkfifo(path_of("media/pipe"), 0600), 0);
    CHECK_INT("folder", mkdir(path_of("media/sub"), 0700), 0);
    CHECK_INT("link", zt_blobs_get(blobs, "media/link", &buf, &err), ZT_E_CORRUPT);
    CHECK_INT("pipe", zt_blobs_open_fd(blobs, "media/pipe", &fd, NULL, &err), ZT_E_CORRUPT);
    CHECK_INT("folder", zt_blobs_open_fd(blobs, "media/sub", &fd, NULL, &err), ZT_E_CORRUPT);
    CHECK_INT("nothing read", buf.n, 0);
    CHECK_INT("not listed", count_in("media"), 0);
    CHECK_INT("put over a link", zt_blobs_put(blobs, "media/link", "own", 3, &err), ZT_OK);
    CHECK_INT("put over a link", zt_blobs_get(blobs, "media/link", &buf, &err), ZT_OK);
    CHECK_STR("replaced the link itself", buf.data, "own");
    CHECK_INT("the folder moves", rename(path_of("media"), path_of("elsewhere")), 0);
    CHECK_INT("a link in its place", symlink("/etc", path_of("media")), 0);
    CHECK_INT("the folder stays open", zt_blobs_put(blobs, "media/zt-test", "x", 1, &err), ZT_OK);
    CHECK("not through the link", access("/etc/zt-test", F_OK) != 0);
    zt_blobs_close(blobs);
    blobs = NULL;
    CHECK("a linked part is refused", zt_blobs_open(folder, &blobs, &err) != ZT_OK);
    zt_buf_clear(&buf);
    tear_down();
}

struct seen {
    int n, stop_after;
    int64_t bytes;
    bool prefixed;
};

static bool see(void *user, const char *name, const struct zt_blob_info *info)
{
    struct seen *s = user;

    s->n++;
    s->bytes += info->bytes;
    s->prefixed = s->prefixed && zt_starts_with(name, "media/") && zt_blob_name_ok(name);
    return s->n != s->stop_after;
}

static void lists(void)
{
    struct seen all = { .prefixed = true };
    struct seen two = { .prefixed = true, .stop_after = 2 };
    char name[32];

    set_up();
    for (int i = 1; i <= 5; i++) {
        zt_format(name, sizeof(name), "media/f%d", i);
        zt_blobs_put(blobs, name, "12345", (size_t)i, &err);
    }
    FILE *f = fopen(path_of("media/NOT OURS"), "w");
    fclose(f);
    CHECK_INT("each", zt_blobs_each(blobs, "media", see, &all, &err), ZT_OK);
    CHECK_INT("n", all.n, 5);
    CHECK_INT("bytes", all.bytes, 15);
    CHECK("names", all.prefixed);
    CHECK_INT("stop", zt_blobs_each(blobs, "media", see, &two, &err), ZT_OK);
    CHECK_INT("stop", two.n, 2);
    CHECK_INT("other part", count_in("input"), 0);
    tear_down();
}

static void empties_tmp_of_old_files(void)
{
    struct timeval old[2] = { { .tv_sec = 1600000000 }, { .tv_sec = 1600000000 } };

    set_up();
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(path_of(i ? "tmp/old" : "tmp/new"), "w");
        fclose(f);
    }
    CHECK_INT("age", utimes(path_of("tmp/old"), old), 0);
    zt_blobs_put(blobs, "media/old", "x", 1, &err);
    CHECK_INT("age", utimes(path_of("media/old"), old), 0);
    zt_blobs_close(blobs);
    CHECK_INT("reopen", zt_blobs_open(folder, &blobs, &err), ZT_OK);
    CHECK("old", access(path_of("tmp/old"), F_OK) != 0);
    CHECK("new", access(path_of("tmp/new"), F_OK) == 0);
    CHECK("other parts are left", access(path_of("media/old"), F_OK) == 0);
    tear_down();
}

static void says_why_it_cannot_open(void)
{
    struct zt_blobs *none = NULL;
    FILE *f;

    set_up();
    f = fopen(path_of("file"), "w");
    fclose(f);
    CHECK("a file", zt_blobs_open(path_of("file"), &none, &err) != ZT_OK);
    CHECK_HAS("a file", err.msg, "folder");
    CHECK("nothing given", none == NULL);
    CHECK_INT("deeper", zt_blobs_open(path_of("new/deeper"), &none, &err), ZT_OK);
    zt_blobs_close(none);
    zt_blobs_close(NULL);
    tear_down();
}

#ifdef ZT_FAULTS
static void is_whole_or_not_at_all(void)
{
    static const struct {
        const char *fault;
        enum zt_code code;
    } faults[] = { { "blob_write:1:28", ZT_E_FULL }, { "blob_sync:2", ZT_E_IO } };
    struct zt_buf buf;

    set_up();
    zt_buf_init(&buf, 100);
    CHECK_INT("put", zt_blobs_put(blobs, "media/a", "old", 3, &err), ZT_OK);
    for (size_t i = 0; i < ZT_COUNT(faults); i++) {
        setenv("ZOETROPE_FAULT", faults[i].fault, 1);
        CHECK_INT(faults[i].fault, zt_blobs_put(blobs, "media/a", "new", 3, &err), faults[i].code);
        unsetenv("ZOETROPE_FAULT");
        CHECK_INT("no rests", count_in("tmp"), 0);
    }
    CHECK_INT("get", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_OK);
    CHECK_STR("the old one", buf.data, "old");
    zt_buf_clear(&buf);
    tear_down();
}

static void a_crash_leaves_the_old_or_the_new(void)
{
    static const struct {
        const char *point, *want;
    } rows[] = { { "blob.synced:1", "old" }, { "blob.renamed:1", "new" } };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_buf buf;
        int status = 0;
        set_up();
        zt_buf_init(&buf, 100);
        zt_blobs_put(blobs, "media/a", "old", 3, &err);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("ZOETROPE_CRASH", rows[i].point, 1);
            zt_blobs_put(blobs, "media/a", "new", 3, &err);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        CHECK_INT(rows[i].point, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 137);
        CHECK_INT("get", zt_blobs_get(blobs, "media/a", &buf, &err), ZT_OK);
        CHECK_STR(rows[i].point, buf.data, rows[i].want);
        zt_buf_clear(&buf);
        tear_down();
    }
}
#endif

int main(void)
{
    RUN(judges_names);
    RUN(asserts_names);
    RUN(puts_and_gets);
    RUN(publishes);
    RUN(follows_no_link);
    RUN(lists);
    RUN(empties_tmp_of_old_files);
    RUN(says_why_it_cannot_open);
#ifdef ZT_FAULTS
    RUN(is_whole_or_not_at_all);
    RUN(a_crash_leaves_the_old_or_the_new);
#endif
    return check_done();
}
