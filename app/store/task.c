/* task.c - the state machine of a task. See task.h. */
#include "store/task.h"

#include <string.h>

static const char *const state_names[] = {
    [ZT_TASK_WAITING] = "waiting",
    [ZT_TASK_QUEUING] = "queuing",
    [ZT_TASK_GENERATING] = "generating",
    [ZT_TASK_SUCCESS] = "success",
    [ZT_TASK_FAIL] = "fail",
};
_Static_assert(ZT_COUNT(state_names) == ZT_TASK_STATES, "one name for each state");

#define TO(s) (1u << ZT_TASK_##s)
static const unsigned next_states[] = {
    [ZT_TASK_WAITING] = TO(QUEUING) | TO(FAIL),
    [ZT_TASK_QUEUING] = TO(GENERATING) | TO(WAITING) | TO(FAIL),
    [ZT_TASK_GENERATING] = TO(SUCCESS) | TO(WAITING) | TO(FAIL),
    [ZT_TASK_SUCCESS] = 0, /* final */
    [ZT_TASK_FAIL] = 0,
};
_Static_assert(ZT_COUNT(next_states) == ZT_TASK_STATES, "one row for each state");

const char *zt_task_state_name(enum zt_task_state state)
{
    zt_assert((unsigned)state < ZT_TASK_STATES);
    return state_names[state];
}

bool zt_task_state_parse(const char *name, enum zt_task_state *ret)
{
    for (size_t i = 0; i < ZT_COUNT(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret = (enum zt_task_state)i;
            return true;
        }
    }
    return false;
}

bool zt_task_may_become(enum zt_task_state from, enum zt_task_state to)
{
    zt_assert((unsigned)from < ZT_TASK_STATES && (unsigned)to < ZT_TASK_STATES);
    return (next_states[from] & 1u << to) != 0;
}

bool zt_task_id_names_file(const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

    return *id != '\0' && strlen(id) <= ZT_TASK_ID_MAX && strspn(id, allowed) == strlen(id);
}

bool zt_task_is_final(enum zt_task_state state)
{
    zt_assert((unsigned)state < ZT_TASK_STATES);
    return next_states[state] == 0;
}
