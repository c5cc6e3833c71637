/* backup.c - zoetrope backup and zoetrope restore. */
#include "service/backup.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"

struct own {
    bool force;
};

static void put_report(const char *path, const struct zt_backup_report *r)
{
    printf("%s  %" PRId64 " tasks, %" PRId64 " files linked, %" PRId64 " copied (%" PRId64
           " bytes)\n",
           path, r->tasks, r->linked, r->copied, r->copied_bytes);
    if (r->missing > 0)
        fprintf(stderr,
                "zoetrope: the results of %" PRId64 " tasks were missing; they count as removed\n",
                r->missing);
}

static int backup(struct zt_args *args)
{
    struct zt_backup_report report = { 0 };
    struct zt_err err = { 0 };

    if (zt_backup_make(args->config.data, args->word[0], &report, &err) != ZT_OK)
        return zt_command_failed("backup", &err);
    put_report(args->word[0], &report);
    return ZT_EXIT_OK;
}

static int restore(struct zt_args *args)
{
    const struct own *own = args->own;
    struct zt_backup_report report = { 0 };
    struct zt_err err = { 0 };

    if (zt_backup_restore(args->word[0], args->config.data, own->force, &report, &err) != ZT_OK)
        return zt_command_failed("restore", &err);
    put_report(args->config.data, &report);
    return ZT_EXIT_OK;
}

static const struct zt_setting rows[] = {
    { .name = "force",
      .kind = ZT_KIND_BOOL,
      .at = offsetof(struct own, force),
      .fallback = "false",
      .help = "replace a database that is there; it is kept as zoetrope.db.before" },
};

const struct zt_command zt_command_backup = {
    .name = "backup",
    .words = "FOLDER",
    .summary = "copy the data folder, also of a running server",
    .about =
        "Makes the new folder FOLDER: the database as it is at one moment, and every file that it\n"
        "refers to. The server goes on meanwhile. The copy is checked, and appears whole or not\n"
        "at all. On the same file system files are hard links, which take no room; against the\n"
        "loss of a disk, name a folder on another one.\n"
        "\nExample:\n"
        "  zoetrope backup /backup/zoetrope-monday\n",
    .bit = ZT_FOR_STORE,
    .min_words = 1,
    .max_words = 1,
    .run = backup,
};

const struct zt_command zt_command_restore = {
    .name = "restore",
    .words = "FOLDER",
    .summary = "make the data folder from a backup",
    .about = "The server must not run. Refuses a data folder that has a database, unless --force\n"
             "is given. Interrupted, the same command finishes it.\n"
             "\nExample:\n"
             "  zoetrope restore /backup/zoetrope-monday --data=/var/lib/zoetrope\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 1,
    .run = restore,
};
