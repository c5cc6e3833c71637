/* The body of createTask, from arbitrary bytes. What is accepted must survive being written down
 * and read back, as the service does with it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/kie.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_and_read_back(struct zt_kie_request *request, struct zt_arena *arena)
{
    const struct zt_json_limits limits = { (size_t)1 << 20, 40 };
    struct zt_i2v in;
    json_t *param = NULL;

    if (request->input.seed < 0)
        request->input.seed = 1;
    const char *text = zt_kie_param(request, arena);
    must(text != NULL && zt_json_parse(text, strlen(text), &limits, &param, NULL) == ZT_OK);
    must(json_is_object(json_object_get(param, "input")));
    json_decref(param);
    text = zt_kie_input(request, arena);
    must(text != NULL && zt_i2v_from_input(text, arena, &in, NULL) == ZT_OK);
    must(strcmp(in.prompt, request->input.prompt) == 0);
    must(in.seed == request->input.seed && in.duration_s == request->input.duration_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int extended = 0; extended <= 1; extended++) {
        const struct zt_kie_rules rules = { .fields = { .extended_durations = extended != 0 },
                                            .allow_unfiltered = extended != 0 };
        struct zt_arena arena = { 0 };
        struct zt_kie_request request = { 0 };
        struct zt_problems problems = { .arena = &arena };

        enum zt_code rc = zt_kie_read((const char *)data, size, &rules, &request, &problems);
        must((rc == ZT_OK) == (problems.n == 0));
        if (rc == ZT_OK)
            write_and_read_back(&request, &arena);
        zt_kie_request_clear(&request);
        zt_arena_clear(&arena);
    }
    return 0;
}
