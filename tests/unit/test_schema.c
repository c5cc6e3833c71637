/*
 * Databases of every earlier version: the newest program makes of each what it makes of none, and
 * nothing in it is lost. A version is made by the steps that led to it, with rows from the first.
 */
#include <sqlite3.h>

#include "store/backup.h"
#include "store/deliveries.h"
#include "store/queue.h"
#include "store_world.h"

/* What there was before the first upgrade: work in each state, and what it owes. */
static const char old_rows[] =
    "INSERT INTO api_key (id, name, hash, hint, webhook_secret, created_us)"
    " VALUES (7, 'k', x'0102', 'zt_a', 's', 1);"
    "INSERT INTO task (id, key_id, model, param, input, created_us, updated_us, callback_url) "
    "VALUES"
    " ('waits', 7, 'm', '{}', '{}', 1, 1, ''), ('runs', 7, 'm', '{}', '{}', 2, 2, ''),"
    " ('made', 7, 'm', '{}', '{}', 3, 3, 'http://A.org/x'),"
    " ('failed', 7, 'm', '{}', '{}', 4, 4, 'https://b.org');"
    "UPDATE task SET state='generating', worker='w', attempt=1, lease_us=9, lease_len_us=8"
    " WHERE id='runs';"
    "UPDATE task SET state='success', result='{}', file_token='t', files_expire_us=99, "
    "file_bytes=5,"
    " completed_us=5 WHERE id='made';"
    "UPDATE task SET state='fail', fail_code='501', fail_msg='x', completed_us=5 WHERE id='failed';"
    "UPDATE delivery SET state='done', attempt=1 WHERE task_id='failed'";

static void make(const char *path, int version)
{
    char pragma[96];
    sqlite3 *db = NULL;

    CHECK_INT("open", sqlite3_open(path, &db), SQLITE_OK);
    for (int v = 0; v < version; v++) {
        CHECK_INT("step", sqlite3_exec(db, zt_sqlite_schema[v], NULL, NULL, NULL), SQLITE_OK);
        if (v == 0)
            CHECK_INT("rows", sqlite3_exec(db, old_rows, NULL, NULL, NULL), SQLITE_OK);
    }
    zt_format(pragma, sizeof(pragma), "PRAGMA application_id=1515144532; PRAGMA user_version=%d",
              version);
    CHECK_INT("version", sqlite3_exec(db, pragma, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A short mark of every table, index and trigger as it is written in the file. */
static void layout_of(struct world *w, char *dst, size_t size)
{
    zt_format(dst, size, "%s",
              ask(w, "SELECT count(*) || ' ' || sum(length(sql)) || ' ' ||"
                     " group_concat(name || length(sql), ' ')"
                     " FROM (SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
                     " ORDER BY name)"));
}

static void goes_on(struct world *w)
{
    static const struct zt_delivery_rules rules = { .lease_us = LEASE_US };
    struct zt_delivery *d = NULL;
    int requeued = 0, failed = 0;

    CHECK_STR("states", ask(w, "SELECT group_concat(id || '=' || state) FROM task"),
              "waits=waiting,runs=generating,made=success,failed=fail");
    CHECK_STR("counted", ask(w, "SELECT group_concat(state || n) FROM task_count WHERE n>0"),
              "fail1,generating1,success1,waiting1");
    CHECK_STR("pending", ask(w, "SELECT pending FROM api_key WHERE id=7"), "2");
    CHECK_STR("its user", ask(w, "SELECT u.name FROM api_key k JOIN user u ON u.id=k.user_id"),
              "default");
    CHECK_INT("reap", zt_store_reap(w->store, &requeued, &failed, &err), ZT_OK);
    CHECK_INT("the one that ran", requeued, 1);
    claim(w, "w", "waits");
    claim(w, "w", "runs");
    CHECK_INT("callback", zt_store_delivery_claim(w->store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_STR("callback", d ? d->task_id : "", "made");
    CHECK_STR("whole", ask(w, "PRAGMA integrity_check"), "ok");
    CHECK_STR("whole", ask(w, "PRAGMA foreign_key_check"), "");
}

static void upgrades_every_version(void)
{
    static char fresh[4000];
    static char upgraded[4000];
    char kept[200], version[16];
    struct world w;

    world_init(&w);
    layout_of(&w, fresh, sizeof(fresh));
    world_clear(&w);
    CHECK("some", zt_sqlite_schema_version > 1 && strlen(fresh) > 100);
    for (int v = 1; v < zt_sqlite_schema_version; v++) {
        world_init(&w);
        zt_store_close(w.store);
        w.store = NULL;
        CHECK_INT("anew", unlink(w.path), 0);
        make(w.path, v);
        zt_format(version, sizeof(version), "version %d", v);
        CHECK_INT(version, world_open(&w, false, &w.store), ZT_OK);
        if (w.store == NULL) {
            printf("%s (%s)\n", err.msg, err.detail);
            continue;
        }
        layout_of(&w, upgraded, sizeof(upgraded));
        CHECK_STR(version, upgraded, fresh);
        CHECK("the old one is kept",
              zt_store_old_name(w.path, v, kept, sizeof(kept)) && access(kept, R_OK) == 0);
        goes_on(&w);
        world_clear(&w);
    }
}

int main(void)
{
    RUN(upgrades_every_version);
    return check_done();
}
