/*
 * describe.c - the OpenAPI 3.1 document of the HTTP API. What a request may hold comes from the
 * tables that check requests, so the two cannot disagree; what an answer holds is written out here.
 */
#include <stdlib.h>
#include <string.h>

#include "api/errors.h"
#include "api/inside.h"
#include "api/kie.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

/* ---- from the tables ----------------------------------------------------------------------- */

static json_t *words_as_enum(const char *const *words)
{
    json_t *list = json_array();

    for (int i = 0; words[i] != NULL; i++)
        json_array_append_new(list, json_string(words[i]));
    return list;
}

/* A duration is documented as text; the number is taken as well. */
static json_t *seconds_schema(const struct zt_field *field, const struct zt_field_rules *rules)
{
    json_t *numbers = json_array();
    json_t *texts = json_array();
    char text[24];
    int64_t value;

    for (int64_t s = field->min; s <= field->max; s++) {
        bool offered = rules->extended_durations;
        for (int i = 0; !offered && field->words[i] != NULL; i++)
            offered = zt_parse_int(field->words[i], s, s, &value);
        if (!offered)
            continue;
        zt_format(text, sizeof(text), "%d", (int)s);
        json_array_append_new(texts, json_string(text));
        json_array_append_new(numbers, json_integer(s));
    }
    return json_pack("{s:[{s:s, s:o}, {s:s, s:o}]}", "anyOf", "type", "string", "enum", texts,
                     "type", "integer", "enum", numbers);
}

static json_t *kind_schema(const struct zt_field *field, const struct zt_field_rules *rules)
{
    switch (field->kind) {
    case ZT_FIELD_TEXT:
        return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength", (json_int_t)field->min,
                         "maxLength", (json_int_t)field->max);
    case ZT_FIELD_URL:
        return json_pack("{s:s, s:s, s:I}", "type", "string", "format", "uri", "maxLength",
                         (json_int_t)field->max);
    case ZT_FIELD_IMAGE: /* no maxLength: a data: URL may be as long as its picture */
        return json_pack("{s:s, s:s}", "type", "string", "format", "uri");
    case ZT_FIELD_WORD:
        return json_pack("{s:s, s:o}", "type", "string", "enum", words_as_enum(field->words));
    case ZT_FIELD_SECONDS:
        return seconds_schema(field, rules);
    case ZT_FIELD_INT:
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)field->min,
                         "maximum", (json_int_t)field->max);
    case ZT_FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case ZT_FIELD_OBJECT:
        return json_pack("{s:s}", "type", "object");
    }
    return json_object();
}

static json_t *fallback_value(const struct zt_field *field)
{
    int64_t number = 0;

    if (field->kind == ZT_FIELD_BOOL)
        return json_boolean(strcmp(field->fallback, "true") == 0);
    if (field->kind == ZT_FIELD_INT && zt_parse_int(field->fallback, INT64_MIN, INT64_MAX, &number))
        return json_integer(number);
    return json_string(field->fallback);
}

static json_t *field_schema(const struct zt_field *field, const struct zt_field_rules *rules)
{
    json_t *schema = kind_schema(field, rules);

    json_object_set_new(schema, "description", json_string(field->about));
    if (field->fallback != NULL)
        json_object_set_new(schema, "default", fallback_value(field));
    return schema;
}

static json_t *fields_schema(const struct zt_field *fields, size_t fields_n,
                             const struct zt_field_rules *rules)
{
    json_t *properties = json_object();
    json_t *required = json_array();

    for (size_t i = 0; i < fields_n; i++) {
        json_object_set_new(properties, fields[i].name, field_schema(&fields[i], rules));
        if (fields[i].required)
            json_array_append_new(required, json_string(fields[i].name));
    }
    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
                     required);
}

/* The whole body of a createTask for one model. */
static json_t *request_schema(const struct zt_kie_model *model, const struct zt_field_rules *rules)
{
    size_t n;
    const struct zt_field *root = zt_kie_root_fields(&n);
    json_t *schema = fields_schema(root, n, rules);
    json_t *properties = json_object_get(schema, "properties");

    json_object_set_new(schema, "description", json_string(model->about));
    json_object_set_new(properties, "model",
                        json_pack("{s:s, s:s, s:s}", "type", "string", "const", model->name,
                                  "description", root[0].about));
    json_object_set_new(properties, "input", fields_schema(model->fields, model->fields_n, rules));
    return schema;
}

/* "bytedance/v1-lite-image-to-video" -> "v1-lite-image-to-video" */
static const char *schema_name(const struct zt_kie_model *model)
{
    const char *slash = strrchr(model->name, '/');

    return slash ? slash + 1 : model->name;
}

static void add_models(json_t *schemas, json_t *one_of, const struct zt_field_rules *rules)
{
    const struct zt_kie_model *model;

    for (int i = 0; (model = zt_kie_model(i)) != NULL; i++) {
        json_object_set_new(schemas, schema_name(model), request_schema(model, rules));
        json_array_append_new(
            one_of, json_pack("{s:o}", "$ref",
                              json_sprintf("#/components/schemas/%s", schema_name(model))));
    }
}

/* ---- written out --------------------------------------------------------------------------- */

/* What is the same for every model. %s never appears: the document is parsed, not formatted. */
static const char skeleton[] =
    "{\"openapi\":\"3.1.0\","
    "\"info\":{\"title\":\"zoetrope\",\"version\":\"" ZT_VERSION "\",\"description\":"
    "\"Turns a still image and a prompt into a video. Every answer is an envelope of code, msg and "
    "data; code is the HTTP status too, unless the operator chose the compatible mode, where the "
    "HTTP status is 200.\"},"
    "\"security\":[{\"key\":[]}],"
    "\"paths\":{},"
    "\"components\":{"
    "\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
    "\"responses\":{},"
    "\"schemas\":{"
    "\"createTask\":{\"oneOf\":[]},"
    "\"error\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],\"properties\":{"
    "\"code\":{\"type\":\"integer\"},\"msg\":{\"type\":\"string\"},\"data\":{\"type\":\"null\"}}},"
    "\"created\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],\"properties\":{"
    "\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},\"data\":{\"type\":\"object\","
    "\"required\":[\"taskId\",\"recordId\"],\"properties\":{\"taskId\":{\"type\":\"string\"},"
    "\"recordId\":{\"type\":\"string\"},"
    "\"plan\":{\"type\":\"object\",\"description\":\"what will be made, and why\",\"required\":"
    "[\"seconds\",\"frames\",\"fps\",\"width\",\"height\",\"why\"],\"properties\":{"
    "\"seconds\":{\"type\":\"integer\"},\"frames\":{\"type\":\"integer\"},\"fps\":{\"type\":"
    "\"integer\"},\"width\":{\"type\":[\"integer\",\"null\"],\"description\":"
    "\"null: not known before the picture is fetched; sizes has those there are, by "
    "ratio\"},\"height\":{\"type\":"
    "[\"integer\",\"null\"]},\"sizes\":{\"type\":\"object\",\"additionalProperties\":{\"type\":"
    "\"string\"}},\"why\":{\"type\":\"string\"}}}}}}},"
    "\"recordInfo\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],"
    "\"properties\":{\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"$ref\":\"#/components/schemas/task\"}}},"
    "\"callback\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"taskId\",\"data\"],"
    "\"properties\":{\"code\":{\"enum\":[200,501]},\"msg\":{\"type\":\"string\"},"
    "\"taskId\":{\"type\":\"string\"},\"data\":{\"$ref\":\"#/components/schemas/task\"}}},"
    "\"task\":{\"type\":\"object\",\"properties\":{}}}}}";

/* What every way of uploading can answer. */
#define UPLOAD_RESPONSES                                                                           \
    "\"responses\":{"                                                                              \
    "\"200\":{\"description\":\"stored\",\"content\":{\"application/json\":{\"schema\":"           \
    "{\"$ref\":\"#/components/schemas/uploaded\"}}}},"                                             \
    "\"default\":{\"description\":\"refused: 400 a parameter or the file is wrong, 401 no key, "   \
    "408 the download took too long, 413 too large or the key's room is used up, 415 the type of " \
    "the body, 429 too many at once, 500 our fault, 503 try again later\","                        \
    "\"content\":{\"application/json\":{\"schema\":"                                               \
    "{\"$ref\":\"#/components/schemas/uploadError\"}}}}}"

/* The paths, an object each, for compilers promise no more than 4095 characters of a string. */
static const char *const paths[] = {
    "{\"/api/v1/jobs/createTask\":{\"post\":{\"operationId\":\"createTask\","
    "\"summary\":\"Accepts a task; it is on disk when the answer says so\","
    "\"parameters\":[{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":false,"
    "\"description\":\"for 24 hours the same request with the same key gets the first answer "
    "again, with the header Idempotent-Replayed: true, and makes no task\","
    "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}],"
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/createTask\"}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"accepted\",\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/created\"}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"402\":{\"$ref\":\"#/components/responses/unpaid\"},"
    "\"409\":{\"$ref\":\"#/components/responses/conflict\"},"
    "\"413\":{\"$ref\":\"#/components/responses/large\"},"
    "\"415\":{\"$ref\":\"#/components/responses/type\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"429\":{\"$ref\":\"#/components/responses/often\"},"
    "\"433\":{\"$ref\":\"#/components/responses/capped\"},"
    "\"503\":{\"$ref\":\"#/components/responses/full\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}},"
    "\"callbacks\":{\"finished\":{\"{$request.body#/callBackUrl}\":{\"post\":{"
    "\"summary\":\"Sent once the task succeeded or failed, until a 2xx answers it\","
    "\"requestBody\":{\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/callback\"}}}},"
    "\"responses\":{\"200\":{\"description\":\"received\"}}}}}}}}}",
    "{\"/api/v1/jobs/recordInfo\":{\"get\":{\"operationId\":\"recordInfo\","
    "\"summary\":\"How a task of this key is doing\","
    "\"parameters\":[{\"name\":\"taskId\",\"in\":\"query\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"the task\",\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/recordInfo\"}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"422\":{\"$ref\":\"#/components/responses/unknown\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/jobs/listTasks\":{\"get\":{\"operationId\":\"listTasks\","
    "\"summary\":\"The tasks of this key, newest first\","
    "\"parameters\":["
    "{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,"
    "\"maximum\":100,\"default\":20},\"description\":\"at most so many\"},"
    "{\"name\":\"cursor\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":"
    "\"nextCursor of the page before\"},"
    "{\"name\":\"state\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"enum\":[\"waiting\","
    "\"queuing\",\"generating\",\"success\",\"fail\"]},\"description\":\"only these\"},"
    "{\"name\":\"model\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":\"only "
    "these\"},"
    "{\"name\":\"from\",\"in\":\"query\",\"schema\":{\"type\":\"integer\"},\"description\":"
    "\"createTime at least, unix milliseconds\"},"
    "{\"name\":\"to\",\"in\":\"query\",\"schema\":{\"type\":\"integer\"},\"description\":"
    "\"createTime at most\"}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"a page\",\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],\"properties\":{"
    "\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},\"data\":{\"type\":\"object\","
    "\"required\":[\"tasks\",\"nextCursor\"],\"properties\":{\"tasks\":{\"type\":\"array\","
    "\"items\":{\"$ref\":\"#/components/schemas/task\"}},\"nextCursor\":{\"type\":\"string\","
    "\"description\":\"empty: there are no more\"}}}}}}}},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/jobs/cancelTask\":{\"post\":{\"operationId\":\"cancelTask\","
    "\"summary\":\"Ends a task that waits or runs: state fail, failCode 499\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"taskId\"],\"properties\":{\"taskId\":"
    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":256}}}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"cancelled\",\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],\"properties\":{"
    "\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},\"data\":{\"type\":\"object\","
    "\"required\":[\"taskId\",\"state\"],\"properties\":{\"taskId\":{\"type\":\"string\"},"
    "\"state\":{\"const\":\"fail\"}}}}}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"409\":{\"$ref\":\"#/components/responses/conflict\"},"
    "\"413\":{\"$ref\":\"#/components/responses/large\"},"
    "\"415\":{\"$ref\":\"#/components/responses/type\"},"
    "\"422\":{\"$ref\":\"#/components/responses/unknown\"},"
    "\"429\":{\"$ref\":\"#/components/responses/often\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/jobs/events\":{\"get\":{\"operationId\":\"events\","
    "\"summary\":\"What happens to a task, or to all of the key, as server-sent events\","
    "\"parameters\":[{\"name\":\"taskId\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
    "{\"name\":\"lastEventId\",\"in\":\"query\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"schema\":{\"type\":\"integer\",\"minimum\":0}}"
    "],"
    "\"responses\":{"
    "\"200\":{\"description\":\"events state, progress and end; data is as of recordInfo\","
    "\"content\":{\"text/event-stream\":{}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"422\":{\"$ref\":\"#/components/responses/unknown\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"},"
    "\"503\":{\"description\":\"too many connections are held open\"}}}}}",
    "{\"/api/v1/jobs/runTask\":{\"post\":{\"operationId\":\"runTask\","
    "\"summary\":\"createTask that answers when the task has ended; hanging up cancels it\","
    "\"parameters\":[{\"name\":\"wait\",\"in\":\"query\",\"description\":"
    "\"seconds, after which the answer is the state so far and the task goes on\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400}}],"
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/createTask\"}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"the task as it "
    "ended\",\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/recordInfo\"}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"409\":{\"$ref\":\"#/components/responses/conflict\"},"
    "\"413\":{\"$ref\":\"#/components/responses/large\"},"
    "\"415\":{\"$ref\":\"#/components/responses/type\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"429\":{\"$ref\":\"#/components/responses/often\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/prompt/explain\":{\"post\":{\"operationId\":\"explainPrompt\","
    "\"summary\":\"What the motion engine reads out of a prompt\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/explainPrompt\"}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"shots with their moves and frames, and the words nobody read\"},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"413\":{\"$ref\":\"#/components/responses/large\"},"
    "\"415\":{\"$ref\":\"#/components/responses/type\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/\":{\"get\":{\"operationId\":\"page\",\"summary\":\"A page for people\","
    "\"security\":[],\"responses\":{\"200\":{\"description\":\"HTML; its files are under /page/\"},"
    "\"304\":{\"description\":\"as it was\"}}}}}",
    "{\"/page/{name}\":{\"get\":{\"operationId\":\"pageFile\",\"summary\":\"A file of the page\","
    "\"security\":[],\"parameters\":[{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{\"200\":{\"description\":\"the file\"},\"304\":{\"description\":\"as it was\"},"
    "\"404\":{\"description\":\"no such file\"}}}}}",
    "{\"/api/v1/jobs/callbacks\":{\"get\":{\"operationId\":\"callbacks\","
    "\"summary\":\"What became of a task's callback, or of this key's recent ones\","
    "\"parameters\":[{\"name\":\"taskId\",\"in\":\"query\",\"description\":\"the log of this "
    "task's "
    "callback, with every try; without it: a page of all\",\"schema\":{\"type\":\"string\"}},"
    "{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,"
    "\"maximum\":100,\"default\":20}},"
    "{\"name\":\"cursor\",\"in\":\"query\",\"description\":\"the nextCursor of the page before\","
    "\"schema\":{\"type\":\"string\"}},"
    "{\"name\":\"state\",\"in\":\"query\",\"schema\":{\"enum\":[\"pending\",\"done\","
    "\"given_up\"]}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"with taskId data is a delivery, or null when nothing was sent yet; "
    "without it a page\",\"content\":{\"application/json\":{\"schema\":{\"anyOf\":["
    "{\"$ref\":\"#/components/schemas/deliveryOfTask\"},"
    "{\"$ref\":\"#/components/schemas/deliveries\"}]}}}},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/jobs/redeliver\":{\"post\":{\"operationId\":\"redeliver\","
    "\"summary\":\"Sends a task's callback again, with all its tries, under the same webhook-id\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"taskId\"],\"properties\":{\"taskId\":"
    "{\"type\":\"string\"}}}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"it is due now\",\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/redelivered\"}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"409\":{\"$ref\":\"#/components/responses/conflict\"},"
    "\"413\":{\"$ref\":\"#/components/responses/large\"},"
    "\"415\":{\"$ref\":\"#/components/responses/type\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"429\":{\"$ref\":\"#/components/responses/often\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/api/v1/chat/credit\":{\"get\":{\"operationId\":\"credit\","
    "\"summary\":\"What the user of the key may still spend\","
    "\"responses\":{"
    "\"200\":{\"description\":\"the balance; 1000000000 where there is none to run out\","
    "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"required\":[\"code\","
    "\"msg\",\"data\"],\"properties\":{\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"type\":\"number\"}}}}}},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/files/{token}/{name}\":{\"get\":{\"operationId\":\"file\","
    "\"summary\":\"A file of a result; ranges, ETag, HEAD; gone once it expired\","
    "\"security\":[],"
    "\"parameters\":[{\"name\":\"token\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}},{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"the file\",\"content\":{\"video/mp4\":{},\"image/jpeg\":{}}},"
    "\"206\":{\"description\":\"a part of it\"},\"304\":{\"description\":\"as it was\"},"
    "\"404\":{\"description\":\"no such file, or expired\"},"
    "\"416\":{\"description\":\"nothing of the range is inside the file\"}}}}}",
    "{\"/previews/{token}/{name}\":{\"get\":{\"operationId\":\"preview\","
    "\"summary\":\"What can be watched of a task before it has ended; ranges, ETag, HEAD\","
    "\"security\":[],"
    "\"parameters\":[{\"name\":\"token\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}},{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"what there is now\",\"content\":{\"video/mp4\":{}}},"
    "\"206\":{\"description\":\"a part of it\"},\"304\":{\"description\":\"as it was\"},"
    "\"404\":{\"description\":\"nothing yet, or the task has ended\"},"
    "\"416\":{\"description\":\"nothing of the range is inside the file\"}}}}}",
    "{\"/api/file-base64-upload\":{\"post\":{\"operationId\":\"uploadBase64\","
    "\"summary\":\"Stores a picture that is sent in base64; its URL can be used as image_url\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"base64Data\",\"uploadPath\"],\"properties\":{"
    "\"base64Data\":{\"type\":\"string\",\"description\":\"base64, with or without "
    "data:<type>;base64, before it\"},"
    "\"uploadPath\":{\"$ref\":\"#/components/schemas/uploadPath\"},"
    "\"fileName\":{\"$ref\":\"#/components/schemas/fileName\"}}}}}}," UPLOAD_RESPONSES "}}}",
    "{\"/api/file-stream-upload\":{\"post\":{\"operationId\":\"uploadStream\","
    "\"summary\":\"Stores a picture that is sent in a form\","
    "\"requestBody\":{\"required\":true,\"content\":{\"multipart/form-data\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"file\",\"uploadPath\"],\"properties\":{"
    "\"file\":{\"type\":\"string\",\"contentMediaType\":\"application/octet-stream\"},"
    "\"uploadPath\":{\"$ref\":\"#/components/schemas/uploadPath\"},"
    "\"fileName\":{\"$ref\":\"#/components/schemas/fileName\"}}}}}}," UPLOAD_RESPONSES "}}}",
    "{\"/api/file-url-upload\":{\"post\":{\"operationId\":\"uploadUrl\","
    "\"summary\":\"Downloads a picture and stores it\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"fileUrl\",\"uploadPath\"],\"properties\":{"
    "\"fileUrl\":{\"type\":\"string\",\"format\":\"uri\",\"description\":\"http or https\"},"
    "\"uploadPath\":{\"$ref\":\"#/components/schemas/uploadPath\"},"
    "\"fileName\":{\"$ref\":\"#/components/schemas/fileName\"}}}}}},"
    "" UPLOAD_RESPONSES "}}}",
    "{\"/uploads/{token}/{name}\":{\"get\":{\"operationId\":\"upload\","
    "\"summary\":\"A file that was uploaded; ranges, ETag, HEAD; gone once it expired\","
    "\"security\":[],"
    "\"parameters\":[{\"name\":\"token\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}},{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"the file\",\"content\":{\"image/jpeg\":{},\"image/png\":{},"
    "\"image/webp\":{}}},"
    "\"206\":{\"description\":\"a part of it\"},\"304\":{\"description\":\"as it was\"},"
    "\"404\":{\"description\":\"no such file, or expired\"},"
    "\"416\":{\"description\":\"nothing of the range is inside the file\"}}}}}",
    "{\"/api/v1/common/download-url\":{\"post\":{\"operationId\":\"downloadUrl\","
    "\"summary\":\"Another URL of a result's file, for 20 minutes\","
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"url\"],\"properties\":{"
    "\"url\":{\"type\":\"string\",\"format\":\"uri\",\"description\":"
    "\"of a file of one of this key's results\"}}}}}},"
    "\"responses\":{"
    "\"200\":{\"description\":\"the URL\",\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],\"properties\":{"
    "\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"type\":\"string\",\"format\":\"uri\"}}}}}},"
    "\"400\":{\"$ref\":\"#/components/responses/malformed\"},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"},"
    "\"422\":{\"$ref\":\"#/components/responses/invalid\"},"
    "\"500\":{\"$ref\":\"#/components/responses/fault\"}}}}}",
    "{\"/downloads/{task}/{ticket}/{name}\":{\"get\":{\"operationId\":\"download\","
    "\"summary\":\"A file of a result by a URL of downloadUrl; as file, until it expires\","
    "\"security\":[],"
    "\"parameters\":[{\"name\":\"task\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}},{\"name\":\"ticket\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}},{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{"
    "\"200\":{\"description\":\"the file\",\"content\":{\"video/mp4\":{},\"image/jpeg\":{}}},"
    "\"206\":{\"description\":\"a part of it\"},\"304\":{\"description\":\"as it was\"},"
    "\"404\":{\"description\":\"no such file, or expired\"},"
    "\"416\":{\"description\":\"nothing of the range is inside the file\"}}}}}",
    "{\"/healthz\":{\"get\":{\"operationId\":\"healthz\",\"summary\":\"The process answers\","
    "\"security\":[],\"responses\":{\"200\":{\"description\":\"it does\"}}}}}",
    "{\"/readyz\":{\"get\":{\"operationId\":\"readyz\",\"summary\":\"New work is taken\","
    "\"security\":[],\"responses\":{\"200\":{\"description\":\"it is\"},"
    "\"503\":{\"description\":\"it is not; msg has every reason, data.checks each by name\"}}}}}",
    "{\"/metrics\":{\"get\":{\"operationId\":\"metrics\",\"summary\":\"Figures for Prometheus: for "
    "this machine, and for others with the operator's token\",\"security\":[],\"responses\":{"
    "\"200\":{\"description\":\"text format 0.0.4\",\"content\":{\"text/plain\":{}}},"
    "\"401\":{\"$ref\":\"#/components/responses/denied\"}}}}}",
    "{\"/openapi.json\":{\"get\":{\"operationId\":\"openapi\",\"summary\":\"This document\","
    "\"security\":[],\"responses\":{\"200\":{\"description\":\"OpenAPI 3.1\"}}}}}",
};

/* Further schemas, an object each, for the same reason. */
static const char *const more_schemas[] = {
    "{\"uploadPath\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":500,\"description\":"
    "\"names separated by slashes, none at either end\"},"
    "\"fileName\":{\"type\":\"string\",\"maxLength\":200,\"description\":"
    "\"one is made up when it is not given; the same path and name again replaces the file\"},"
    "\"uploadError\":{\"type\":\"object\",\"required\":[\"success\",\"code\",\"msg\"],"
    "\"properties\":{\"success\":{\"const\":false},\"code\":{\"type\":\"integer\"},"
    "\"msg\":{\"type\":\"string\"}}},"
    "\"uploaded\":{\"type\":\"object\",\"required\":[\"success\",\"code\",\"msg\",\"data\"],"
    "\"properties\":{\"success\":{\"const\":true},\"code\":{\"const\":200},"
    "\"msg\":{\"type\":\"string\"},\"data\":{\"type\":\"object\",\"required\":[\"success\","
    "\"fileName\",\"filePath\",\"downloadUrl\",\"fileSize\",\"mimeType\",\"uploadedAt\"],"
    "\"properties\":{\"success\":{\"const\":true},\"fileName\":{\"type\":\"string\"},"
    "\"filePath\":{\"type\":\"string\"},"
    "\"downloadUrl\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"fileSize\":{\"type\":\"integer\"},"
    "\"mimeType\":{\"enum\":[\"image/jpeg\",\"image/png\",\"image/webp\"]},"
    "\"uploadedAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}}}}",
};

/* The data of recordInfo, in its order. `type` is JSON. */
static const struct {
    const char *name, *type, *about;
} task_keys[] = {
    { "taskId", "\"string\"", "as createTask gave it" },
    { "model", "\"string\"", "as asked for" },
    { "state", "\"string\"", "waiting, queuing, generating, success or fail" },
    { "param", "\"string\"", "JSON text of the request" },
    { "resultJson", "\"string\"",
      "empty before success, then JSON text: resultUrls, posterUrl, lastFrameUrl, engine, seed, "
      "width, height, frames, fps" },
    { "failCode", "\"string\"", "empty unless failed" },
    { "failMsg", "\"string\"", "empty unless failed" },
    { "costTime", "[\"integer\",\"null\"]", "milliseconds from creation to end; null before" },
    { "completeTime", "[\"integer\",\"null\"]", "unix milliseconds; null before the end" },
    { "createTime", "\"integer\"", "unix milliseconds" },
    { "updateTime", "\"integer\"", "unix milliseconds" },
    { "progress", "\"integer\"", "0 to 100" },
    { "stage", "\"string\"", "what the engine is doing; empty before it starts" },
    { "step", "\"integer\"", "of the stage, done" },
    { "steps", "\"integer\"", "of the stage; 0: it is not divided" },
    { "queuePosition", "[\"integer\",\"null\"]",
      "tasks that will be started before this one; null once it is started" },
    { "etaMs", "[\"integer\",\"null\"]", "milliseconds to the end, estimated; null: unknown" },
    { "etaLowMs", "[\"integer\",\"null\"]", "the end mostly comes after this" },
    { "etaHighMs", "[\"integer\",\"null\"]", "and before this; both are null with etaMs" },
    { "previewUrl", "[\"string\",\"null\"]",
      "an MP4 of what there is so far, while an engine with weights works; null: nothing" },
    { "previewVersion", "\"integer\"", "grows when previewUrl has something new; 0 without it" },
    { "creditsConsumed", "\"number\"", "what it has cost; 0 once it failed and was given back" },
    { "engine", "\"string\"", "which engine works, or worked, on it" },
    { "recordId", "\"string\"", "equal to taskId" },
};

static void add_all(json_t *all, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *some = json_loads(texts[i], JSON_REJECT_DUPLICATES, NULL);
        zt_assert(some != NULL); /* our own text */
        json_object_update(all, some);
        json_decref(some);
    }
}

/* What is in components/schemas beside what the tables make. */
static const char delivery_schemas[] =
    "{\"deliveryOfTask\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],"
    "\"properties\":{\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/delivery\"},{\"type\":\"null\"}]}}},"
    "\"deliveries\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],"
    "\"properties\":{\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"type\":\"object\",\"required\":[\"callbacks\",\"nextCursor\"],\"properties\":{"
    "\"callbacks\":{\"type\":\"array\",\"description\":\"newest first, each with its last try\","
    "\"items\":{\"$ref\":\"#/components/schemas/delivery\"}},"
    "\"nextCursor\":{\"type\":\"string\",\"description\":\"empty on the last page\"}}}}},"
    "\"redelivered\":{\"type\":\"object\",\"required\":[\"code\",\"msg\",\"data\"],"
    "\"properties\":{\"code\":{\"const\":200},\"msg\":{\"const\":\"success\"},"
    "\"data\":{\"type\":\"object\",\"required\":[\"taskId\",\"state\"],\"properties\":{"
    "\"taskId\":{\"type\":\"string\"},\"state\":{\"const\":\"pending\"}}}}},"
    "\"delivery\":{\"type\":\"object\",\"required\":[\"taskId\",\"webhookId\",\"url\",\"host\","
    "\"state\",\"sending\",\"round\",\"attempts\",\"attemptsInRound\",\"createTime\",\"nextTime\","
    "\"hostState\",\"hostOpenUntil\",\"tries\"],\"properties\":{\"taskId\":{\"type\":\"string\"},"
    "\"webhookId\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"},"
    "\"host\":{\"type\":\"string\"},\"state\":{\"enum\":[\"pending\",\"done\",\"given_up\"]},"
    "\"sending\":{\"type\":\"boolean\"},\"round\":{\"type\":\"integer\"},"
    "\"attempts\":{\"type\":\"integer\"},\"attemptsInRound\":{\"type\":\"integer\"},"
    "\"createTime\":{\"type\":\"integer\"},\"nextTime\":{\"type\":[\"integer\",\"null\"]},"
    "\"hostState\":{\"enum\":[\"closed\",\"open\",\"half_open\"]},"
    "\"hostOpenUntil\":{\"type\":[\"integer\",\"null\"]},\"tries\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"object\",\"required\":[\"attempt\",\"round\",\"time\",\"durationMs\",\"outcome\","
    "\"status\",\"note\",\"family\",\"answer\"],\"properties\":{"
    "\"attempt\":{\"type\":\"integer\"},\"round\":{\"type\":\"integer\"},"
    "\"time\":{\"type\":\"integer\"},\"durationMs\":{\"type\":\"integer\"},"
    "\"outcome\":{\"enum\":[\"done\",\"retry\",\"given_up\"]},"
    "\"status\":{\"type\":[\"integer\",\"null\"]},\"note\":{\"type\":\"string\"},"
    "\"family\":{\"enum\":[\"IPv4\",\"IPv6\",null]},\"answer\":{\"type\":\"string\"}}}}}}}";

static void add_schemas(json_t *schemas, const char *text)
{
    json_t *more = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    zt_assert(more != NULL); /* our own text */
    json_object_update(schemas, more);
    json_decref(more);
}

static void add_refusal(json_t *responses, const char *name, const struct zt_api_error *e)
{
    json_object_set_new(responses, name,
                        json_pack("{s:s, s:i, s:s, s:{s:{s:{s:s}}}}", "description", e->meaning,
                                  "x-code", e->code, "x-remedy", e->remedy, "content",
                                  "application/json", "schema", "$ref",
                                  "#/components/schemas/error"));
}

/* The closed list of errors.h: as responses, and as the codes that an answer can have. */
static void add_refusals(json_t *responses, json_t *error)
{
    json_t *code = json_object_get(json_object_get(error, "properties"), "code");
    json_t *codes = json_array();
    const struct zt_api_error *e;

    for (size_t i = 0; (e = zt_api_error_at(i)) != NULL; i++) {
        if (e->name != NULL)
            add_refusal(responses, e->name, e);
        if (e->code == 422) /* as it is called where the request names a task */
            add_refusal(responses, "unknown", e);
        if (e->answers)
            json_array_append_new(codes, json_integer(e->code));
    }
    zt_assert(code != NULL);
    json_object_set_new(code, "enum", codes);
}

static void add_task_keys(json_t *task)
{
    json_t *properties = json_object_get(task, "properties");
    json_t *required = json_array();

    for (size_t i = 0; i < ZT_COUNT(task_keys); i++) {
        json_t *type = json_loads(task_keys[i].type, JSON_DECODE_ANY, NULL);
        json_object_set_new(
            properties, task_keys[i].name,
            json_pack("{s:o, s:s}", "type", type, "description", task_keys[i].about));
        json_array_append_new(required, json_string(task_keys[i].name));
    }
    json_object_set_new(task, "required", required);
}

static char *describe(struct zt_arena *arena, const char *public_url,
                      const struct zt_field_rules *rules)
{
    json_t *root = json_loads(skeleton, JSON_REJECT_DUPLICATES, NULL);

    zt_assert(root != NULL); /* our own text */
    add_all(json_object_get(root, "paths"), paths, ZT_COUNT(paths));
    json_t *components = json_object_get(root, "components");
    json_t *schemas = json_object_get(components, "schemas");
    add_all(schemas, more_schemas, ZT_COUNT(more_schemas));
    add_refusals(json_object_get(components, "responses"), json_object_get(schemas, "error"));
    add_task_keys(json_object_get(schemas, "task"));
    add_schemas(schemas, delivery_schemas);
    add_models(schemas, json_object_get(json_object_get(schemas, "createTask"), "oneOf"), rules);
    const struct zt_field prompt[] = { *zt_api_explain_field(0), *zt_api_explain_field(1) };
    json_object_set_new(schemas, "explainPrompt", fields_schema(prompt, ZT_COUNT(prompt), rules));
    if (public_url != NULL && public_url[0] != '\0')
        json_object_set_new(root, "servers", json_pack("[{s:s}]", "url", public_url));
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    char *copy = zt_arena_strdup(arena, text);
    free(text);
    return copy;
}

char *zt_api_describe(struct zt_arena *arena, const char *public_url)
{
    return describe(arena, public_url, &(struct zt_field_rules){ 0 });
}

void zt_api_openapi(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    const struct zt_field_rules rules = { .extended_durations =
                                              zt_api_rules(api).extended_durations };

    const char *text = describe(zt_http_arena(req), api->public_url, &rules);
    if (text == NULL) {
        zt_api_reply(api, req, 500, ZT_API_EXCEPTION, NULL);
        return;
    }
    zt_http_reply(req, 200, ZT_API_JSON, text, strlen(text));
}
