/*
 * The decoding process: it gives what a plain call gives for every test picture, and it stops
 * whatever a decoder that was taken over might try. This program is its own decoding process.
 */
#include "service/sandbox.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"
#include "base/str.h"
#include "check.h"

#define FOLDER ZT_FIXTURES "/media"
#define GOOD   FOLDER "/jpeg_444.jpg"

static const struct zt_image_limits tiny = { .min_side_px = 1, .max_aspect_times_1000 = 100000 };

static struct zt_buf read_file(const char *path)
{
    struct zt_buf buf;

    zt_buf_init(&buf, (size_t)16 << 20);
    CHECK_INT(path, zt_file_read(path, &buf, NULL), ZT_OK);
    return buf;
}

static bool same_pixels(const struct zt_image *a, const struct zt_image *b)
{
    if (a->width_px != b->width_px || a->height_px != b->height_px)
        return false;
    for (int y = 0; y < a->height_px; y++) {
        if (memcmp(a->pixels + (size_t)y * a->stride, b->pixels + (size_t)y * b->stride,
                   (size_t)a->width_px * 3) != 0)
            return false;
    }
    return true;
}

static void compare(const char *path)
{
    struct zt_buf buf = read_file(path);
    struct zt_image plain = { 0 }, boxed = { 0 };
    struct zt_err plain_err = { 0 }, boxed_err = { 0 };

    enum zt_code want = zt_image_decode(buf.data, buf.n, &tiny, &plain, &plain_err);
    enum zt_code got = zt_sandbox_decode(buf.data, buf.n, &tiny, NULL, &boxed, &boxed_err);
    CHECK_INT(path, got, want);
    CHECK_STR(path, boxed_err.msg, plain_err.msg);
    if (got == ZT_OK && want == ZT_OK)
        CHECK(path, same_pixels(&plain, &boxed));
    zt_image_clear(&plain);
    zt_image_clear(&boxed);
    zt_buf_clear(&buf);
}

static void decodes_like_a_plain_call(void)
{
    DIR *dir = opendir(FOLDER);
    int n = 0;

    CHECK("fixtures", dir != NULL);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[512];
        if (!zt_ends_with(e->d_name, ".jpg") && !zt_ends_with(e->d_name, ".png") &&
            !zt_ends_with(e->d_name, ".webp") && !zt_ends_with(e->d_name, ".gif"))
            continue;
        if (zt_format(path, sizeof(path), "%s/%s", FOLDER, e->d_name))
            compare(path);
        n++;
    }
    CHECK("many of them", n > 20);
    if (dir != NULL)
        closedir(dir);
}

static void refuses_what_is_not_a_picture(void)
{
    struct zt_image image = { 0 };
    struct zt_err err = { 0 };

    CHECK_INT("text", zt_sandbox_decode("hello", 5, NULL, NULL, &image, &err), ZT_E_UNSUPPORTED);
    CHECK_INT("nothing", zt_sandbox_decode("", 0, NULL, NULL, &image, &err) != ZT_OK, 1);
    const struct zt_image_limits few = { .max_bytes = 4 };
    CHECK_INT("too long", zt_sandbox_decode("hello", 5, &few, NULL, &image, &err), ZT_E_LIMIT);
    CHECK("no picture", image.pixels == NULL);
}

static void stops_at_once(void)
{
    struct zt_buf buf = read_file(GOOD);
    struct zt_image image = { 0 };
    struct zt_err err = { 0 };
    struct zt_stop *stop = zt_stop_new();

    zt_stop_ask(stop);
    enum zt_code rc = zt_sandbox_decode(buf.data, buf.n, &tiny, stop, &image, &err);
    CHECK("cancelled, or just done", rc == ZT_E_CANCELLED || rc == ZT_OK);
    zt_image_clear(&image);
    zt_stop_free(stop);
    zt_buf_clear(&buf);
}

#ifdef ZT_FAULTS
static void holds_whatever_it_tries(void)
{
    static const struct {
        const char *how;
        int64_t wall_us; /* long enough to be caught in another way, unless that is the point */
        enum zt_code code;
        const char *detail;
    } rows[] = {
        { "open", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "socket", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "fork", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "exec", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "kill", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "code", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal 31" },
        { "crash", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "signal" },
        { "flood", 60 * ZT_SECOND_US, ZT_E_CORRUPT, "" },
        { "spin", ZT_SECOND_US, ZT_E_CORRUPT, "" },
        { "lie", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "" },
        { "huge", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "" },
        { "short", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "" },
        { "silent", 20 * ZT_SECOND_US, ZT_E_CORRUPT, "" },
#ifndef ZT_SANITIZED /* whose shadow memory does not live with a limit on addresses */
        { "memory", 60 * ZT_SECOND_US, ZT_E_LIMIT, "" },
#endif
    };
    struct zt_buf buf = read_file(GOOD);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_image image = { 0 };
        struct zt_err err = { 0 };
        int64_t began_us = zt_now_mono_us();
        CHECK_INT(rows[i].how,
                  zt_sandbox_misbehave(rows[i].how, buf.data, buf.n, rows[i].wall_us, &image, &err),
                  rows[i].code);
        CHECK_HAS(rows[i].how, err.detail, rows[i].detail);
        CHECK(rows[i].how, image.pixels == NULL);
        CHECK_BELOW(rows[i].how, zt_now_mono_us() - began_us, rows[i].wall_us + 5 * ZT_SECOND_US);
    }
    zt_buf_clear(&buf);
}

/* The limit on processor time alone, which the wall time would otherwise hide. */
static void ends_a_spin_by_its_processor_time(void)
{
#ifndef ZT_SANITIZED /* ten seconds here, a minute there */
    struct zt_image image = { 0 };
    struct zt_err err = { 0 };

    CHECK_INT("spins", zt_sandbox_misbehave("spin", "x", 1, 120 * ZT_SECOND_US, &image, &err),
              ZT_E_CORRUPT);
    CHECK_HAS("SIGXCPU", err.detail, "signal 24");
#endif
}
#endif

struct thread {
    struct zt_buf *buf;
    int decoded;
};

static void *decode_some(void *arg)
{
    struct thread *t = arg;

    for (int i = 0; i < 3; i++) {
        struct zt_image image = { 0 };
        if (zt_sandbox_decode(t->buf->data, t->buf->n, &tiny, NULL, &image, NULL) == ZT_OK)
            t->decoded++;
        zt_image_clear(&image);
    }
    return NULL;
}

static void serves_threads_at_once(void)
{
    struct zt_buf buf = read_file(GOOD);
    struct thread thread[4];
    pthread_t id[ZT_COUNT(thread)];

    for (size_t i = 0; i < ZT_COUNT(thread); i++) {
        thread[i] = (struct thread){ .buf = &buf };
        CHECK_INT("starts", pthread_create(&id[i], NULL, decode_some, &thread[i]), 0);
    }
    for (size_t i = 0; i < ZT_COUNT(thread); i++) {
        pthread_join(id[i], NULL);
        CHECK_INT("decoded", thread[i].decoded, 3);
    }
    zt_buf_clear(&buf);
}

int main(int argc, char **argv)
{
    zt_sandbox_enter(argc, argv);
    RUN(decodes_like_a_plain_call);
    RUN(refuses_what_is_not_a_picture);
    RUN(stops_at_once);
#ifdef ZT_FAULTS
    RUN(holds_whatever_it_tries);
    RUN(ends_a_spin_by_its_processor_time);
#endif
    RUN(serves_threads_at_once);
    return check_done();
}
