/* worker.c - zoetrope worker. */
#include "service/worker.h"

#include "cli/command.h"

static int run(struct zt_args *args)
{
    struct zt_err err = { 0 };

    if (zt_worker_run(&args->config, &err) == ZT_OK)
        return ZT_EXIT_OK;
    zt_command_failed("worker", &err);
    return err.code == ZT_E_INVALID ? ZT_EXIT_USAGE : ZT_EXIT_FAILED;
}

const struct zt_command zt_command_worker = {
    .name = "worker",
    .words = "",
    .summary = "run tasks from a data folder, one at a time",
    .about =
        "zoetrope serve starts workers by itself; more can be started by hand on the same data\n"
        "folder, at any time. SIGTERM ends one when its task is finished, or after --drain.\n"
        "\nExample:\n"
        "  zoetrope worker --data=/var/lib/zoetrope --threads=2\n",
    .bit = ZT_FOR_WORKER,
    .run = run,
};
