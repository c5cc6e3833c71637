/* The states of a task: their names and which may follow which. */
#include "store/task.h"

#include "check.h"

static void names_the_states(void)
{
    static const struct {
        enum zt_task_state state;
        const char *name;
        bool final;
    } rows[] = {
        { ZT_TASK_WAITING, "waiting", false },
        { ZT_TASK_QUEUING, "queuing", false },
        { ZT_TASK_GENERATING, "generating", false },
        { ZT_TASK_SUCCESS, "success", true },
        { ZT_TASK_FAIL, "fail", true },
    };
    CHECK_INT("every state has a row", ZT_COUNT(rows), ZT_TASK_STATES);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        enum zt_task_state state = ZT_TASK_STATES;
        CHECK_STR(rows[i].name, zt_task_state_name(rows[i].state), rows[i].name);
        CHECK(rows[i].name, zt_task_state_parse(rows[i].name, &state));
        CHECK_INT(rows[i].name, state, rows[i].state);
        CHECK_INT(rows[i].name, zt_task_is_final(rows[i].state), rows[i].final);
    }
}

static void refuses_other_names(void)
{
    static const char *const names[] = { "", "Waiting", "waiting ", "done", "success\n", "fai" };

    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        enum zt_task_state state = ZT_TASK_SUCCESS;
        CHECK(names[i], !zt_task_state_parse(names[i], &state));
        CHECK_INT("left alone", state, ZT_TASK_SUCCESS);
    }
}

static void allows_only_the_moves_of_the_diagram(void)
{
    static const char allowed[ZT_TASK_STATES][ZT_TASK_STATES + 1] = {
        /*                 WQGSF */
        [ZT_TASK_WAITING] = ".x..x", [ZT_TASK_QUEUING] = "x.x.x", [ZT_TASK_GENERATING] = "x..xx",
        [ZT_TASK_SUCCESS] = ".....", [ZT_TASK_FAIL] = ".....",
    };
    for (int from = 0; from < ZT_TASK_STATES; from++) {
        for (int to = 0; to < ZT_TASK_STATES; to++) {
            char label[64];
            snprintf(label, sizeof(label), "%s to %s", zt_task_state_name((enum zt_task_state)from),
                     zt_task_state_name((enum zt_task_state)to));
            CHECK_INT(label, zt_task_may_become((enum zt_task_state)from, (enum zt_task_state)to),
                      allowed[from][to] == 'x');
        }
    }
}

int main(void)
{
    RUN(names_the_states);
    RUN(refuses_other_names);
    RUN(allows_only_the_moves_of_the_diagram);
    return check_done();
}
