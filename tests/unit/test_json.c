/* JSON from outside: limits, duplicates, encoding. Also the pool that parallel loops run on. */
#include "base/json.h"

#include <stdlib.h>

#include "base/thread.h"
#include "check.h"

static void refuses_what_is_not_plain_json(void)
{
    static const struct zt_json_limits limits = { .max_bytes = 64, .max_depth = 4 };
    static const struct {
        const char *label, *text;
        enum zt_code code;
    } rows[] = {
        { "object", "{\"a\":[1,{\"b\":null}]}", ZT_OK },
        { "brackets in strings do not nest", "{\"a\":\"[[[[[[\\\"[[\"}", ZT_OK },
        { "deep", "[[[[[1]]]]]", ZT_E_LIMIT },
        { "long", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
          ZT_E_LIMIT },
        { "duplicate key", "{\"a\":1,\"a\":2}", ZT_E_INVALID },
        { "not UTF-8", "{\"a\":\"\xFF\"}", ZT_E_INVALID },
        { "escaped NUL", "{\"a\":\"\\u0000\"}", ZT_E_INVALID },
        { "lone surrogate", "{\"a\":\"\\ud800\"}", ZT_E_INVALID },
        { "trailing text", "{} x", ZT_E_INVALID },
        { "empty", "", ZT_E_INVALID },
        { "NaN", "[NaN]", ZT_E_INVALID },
        { "number too large", "[1e999]", ZT_E_INVALID },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_err err = { 0 };
        json_t *json = NULL;
        enum zt_code rc = zt_json_parse(rows[i].text, strlen(rows[i].text), &limits, &json, &err);
        CHECK_INT(rows[i].label, rc, rows[i].code);
        CHECK_INT(rows[i].label, json != NULL, rc == ZT_OK);
        json_decref(json);
    }
}

struct visits {
    int count[1000];
};

static void visit(void *user, int first, int end)
{
    struct visits *v = user;

    for (int i = first; i < end; i++)
        v->count[i]++;
}

static void loops_visit_every_index_once(void)
{
    for (int threads = 0; threads <= 4; threads++) { /* 0: without a pool */
        struct zt_pool *pool = threads > 0 ? zt_pool_new(threads) : NULL;
        for (int round = 0; round < 50; round++) {
            struct visits v = { { 0 } };
            int n = round * 20;
            int wrong = 0;
            zt_pool_for(pool, n, 7, visit, &v);
            for (int i = 0; i < 1000; i++)
                wrong += v.count[i] != (i < n);
            CHECK_INT("wrong counts", wrong, 0);
        }
        zt_pool_free(pool);
    }
}

int main(void)
{
    RUN(refuses_what_is_not_plain_json);
    RUN(loops_visit_every_index_once);
    return check_done();
}
