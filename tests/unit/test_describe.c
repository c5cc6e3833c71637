/* The OpenAPI document: it parses, its references lead somewhere, and it is in step with the tables
 * that check requests. */
#include <jansson.h>
#include <stdlib.h>

#include "api/kie.h"
#include "check.h"

static struct zt_arena arena;
static json_t *document;

static json_t *at(json_t *json, const char *const *path)
{
    for (; json != NULL && *path != NULL; path++)
        json = json_object_get(json, *path);
    return json;
}
#define AT(json, ...) at((json), (const char *const[]){ __VA_ARGS__, NULL })

static void parses(void)
{
    char *text = zt_api_describe(&arena, "https://video.example.org");

    document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CHECK("parses", document != NULL);
    CHECK_STR("version", json_string_value(AT(document, "openapi")), "3.1.0");
    CHECK_STR("server",
              json_string_value(json_object_get(json_array_get(AT(document, "servers"), 0), "url")),
              "https://video.example.org");
}

/* Follows "#/a/b"; the names used have no escapes. */
static json_t *resolve(const char *ref)
{
    char part[128];
    json_t *json = document;

    if (strncmp(ref, "#/", 2) != 0)
        return NULL;
    for (const char *p = ref + 1; json != NULL && *p == '/';) {
        size_t n = strcspn(++p, "/");
        snprintf(part, sizeof(part), "%.*s", (int)n, p);
        json = json_object_get(json, part);
        p += n;
    }
    return json;
}

static int check_refs(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;
    int n = 0;

    if (json_is_object(json)) {
        json_object_foreach(json, key, value)
        {
            if (strcmp(key, "$ref") == 0) {
                CHECK(json_string_value(value), resolve(json_string_value(value)) != NULL);
                n++;
            }
            n += check_refs(value);
        }
    }
    json_array_foreach(json, i, value)
    {
        n += check_refs(value);
    }
    return n;
}

static void refers_to_what_exists(void)
{
    CHECK("many", check_refs(document) > 15);
}

static void names_every_route(void)
{
    int n;
    const struct zt_route *routes = zt_api_routes(&n);

    for (int i = 0; i < n; i++) {
        const char *method = strcmp(routes[i].method, "GET") == 0 ? "get" : "post";
        json_t *operation = AT(document, "paths", routes[i].pattern, method);
        CHECK(routes[i].pattern, json_is_object(operation));
        CHECK(routes[i].pattern, json_is_object(json_object_get(operation, "responses")));
    }
    CHECK_INT("and no other", json_object_size(AT(document, "paths")), n);
}

static bool lists(json_t *array, const char *text)
{
    size_t i;
    json_t *value;

    json_array_foreach(array, i, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
            return true;
    }
    return false;
}

static void check_field(const struct zt_field *field, json_t *schema)
{
    const char *type = json_string_value(AT(schema, "type"));

    CHECK(field->name, schema != NULL);
    CHECK_STR(field->name, json_string_value(AT(schema, "description")), field->about);
    CHECK_INT(field->name, AT(schema, "default") != NULL, field->fallback != NULL);
    switch (field->kind) {
    case ZT_FIELD_TEXT:
        CHECK_STR(field->name, type, "string");
        CHECK_INT(field->name, json_integer_value(AT(schema, "minLength")), field->min);
        CHECK_INT(field->name, json_integer_value(AT(schema, "maxLength")), field->max);
        break;
    case ZT_FIELD_INT:
        CHECK_STR(field->name, type, "integer");
        CHECK_INT(field->name, json_integer_value(AT(schema, "minimum")), field->min);
        CHECK_INT(field->name, json_integer_value(AT(schema, "maximum")), field->max);
        CHECK_INT(field->name, json_integer_value(AT(schema, "default")),
                  strcmp(field->name, "seed") == 0 ? -1 : 0); /* frames has none */
        break;
    case ZT_FIELD_WORD:
        for (int i = 0; field->words[i] != NULL; i++)
            CHECK(field->words[i], lists(AT(schema, "enum"), field->words[i]));
        CHECK(field->name, lists(AT(schema, "enum"), field->fallback));
        CHECK_STR(field->name, json_string_value(AT(schema, "default")), field->fallback);
        break;
    case ZT_FIELD_SECONDS:
        for (int i = 0; field->words[i] != NULL; i++)
            CHECK(field->words[i],
                  lists(AT(json_array_get(AT(schema, "anyOf"), 0), "enum"), field->words[i]));
        break;
    case ZT_FIELD_BOOL:
        CHECK_STR(field->name, type, "boolean");
        CHECK(field->name, json_is_boolean(AT(schema, "default")));
        break;
    case ZT_FIELD_URL:
    case ZT_FIELD_IMAGE:
        CHECK_STR(field->name, json_string_value(AT(schema, "format")), "uri");
        break;
    case ZT_FIELD_OBJECT:
        CHECK_STR(field->name, type, "object");
        break;
    }
}

static void is_in_step_with_the_tables(void)
{
    const struct zt_kie_model *model;
    int n = 0;

    for (; (model = zt_kie_model(n)) != NULL; n++) {
        json_t *schema = AT(document, "components", "schemas", strrchr(model->name, '/') + 1);
        json_t *input = AT(schema, "properties", "input");
        CHECK(model->name, schema != NULL);
        CHECK_STR(model->name, json_string_value(AT(schema, "properties", "model", "const")),
                  model->name);
        CHECK(model->name, lists(AT(schema, "required"), "model"));
        CHECK(model->name, lists(AT(schema, "required"), "input"));
        CHECK(model->name, AT(schema, "properties", "callBackUrl") != NULL);
        CHECK_INT(model->name, json_object_size(AT(input, "properties")), model->fields_n);
        for (size_t i = 0; i < model->fields_n; i++) {
            const struct zt_field *field = &model->fields[i];
            check_field(field, AT(input, "properties", field->name));
            CHECK_INT(field->name, lists(AT(input, "required"), field->name), field->required);
        }
    }
    CHECK_INT("models", n, 3);
    CHECK_INT("all are offered",
              json_array_size(AT(document, "components", "schemas", "createTask", "oneOf")), n);
}

/* The documented answer of recordInfo and what a task really looks like: the same keys. */
static void describes_a_task_as_it_is_sent(void)
{
    const struct zt_task task = { .id = "t",
                                  .model = "m",
                                  .param = "{}",
                                  .stage = "",
                                  .fail_code = "",
                                  .fail_msg = "",
                                  .engine = "motion",
                                  .state = ZT_TASK_FAIL };
    json_t *body = json_loads(zt_api_callback_body(&arena, &task, "http://h"), 0, NULL);
    json_t *data = json_object_get(body, "data");
    json_t *properties = AT(document, "components", "schemas", "task", "properties");
    const char *key;
    json_t *value;

    CHECK("keys", json_object_size(properties) >= 18);
    json_object_foreach(properties, key, value)
    {
        CHECK(key, json_object_get(data, key) != NULL);
    }
    CHECK_INT("and two of the callback", json_object_size(data), json_object_size(properties) + 2);
    json_decref(body);
}

int main(void)
{
    RUN(parses);
    RUN(refers_to_what_exists);
    RUN(names_every_route);
    RUN(is_in_step_with_the_tables);
    RUN(describes_a_task_as_it_is_sent);
    json_decref(document);
    zt_arena_clear(&arena);
    return check_done();
}
