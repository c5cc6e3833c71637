/* errors.c - see errors.h. */
#include "api/errors.h"

#include "base/error.h"

/* clang-format off */
static const struct zt_api_error errors[] = {
    { 400, true, false, ZT_RETRY_NO, "malformed",
      "the request cannot be read: the body is no JSON object, is cut short, not UTF-8 or "
      "nested too deep, has a key twice; a parameter is missing; the path or `Idempotency-Key` "
      "is malformed",
      "correct what `msg` names" },
    { 401, true, false, ZT_RETRY_CHANGED, "denied",
      "no key, a wrong one, one that was revoked or has expired, or that may not be used from "
      "the address it came from",
      "send `Authorization: Bearer` and a key of `zoetrope keys create`" },
    { 402, true, false, ZT_RETRY_CHANGED, "unpaid",
      "the key's balance does not cover the task",
      "ask the operator for credits" },
    { 404, true, false, ZT_RETRY_NO, "missing",
      "there is nothing at this address, or the file has expired",
      "check the path; make the video again" },
    { 405, true, false, ZT_RETRY_NO, "method",
      "the path exists, the method does not",
      "use one that `Allow` names" },
    { 408, true, true, ZT_RETRY_YES, NULL,
      "the host that a picture is fetched from took too long: for an upload by URL, or several "
      "times for a task",
      "ask again once the host answers, or upload the picture itself" },
    { 409, true, false, ZT_RETRY_NO, "conflict",
      "it contradicts what was accepted or done before: `Idempotency-Key` came with another "
      "request, the task has ended and cannot be cancelled, its callback is being sent; `msg` "
      "says what",
      "use a new `Idempotency-Key`; look at the task" },
    { 413, true, false, ZT_RETRY_NO, "large",
      "the body is larger than the limit that `msg` names",
      "send a smaller picture, or upload it and send its URL; when the room for uploads is "
      "used up, wait until some have expired" },
    { 415, true, false, ZT_RETRY_NO, "type",
      "the body has another `Content-Type` than the path takes",
      "send what `msg` names, as a rule `application/json`" },
    { 416, true, false, ZT_RETRY_NO, "range",
      "nothing of the asked byte range is inside the file (a status, without a JSON body)",
      "ask for a range within `Content-Range`" },
    { 422, true, true, ZT_RETRY_NO, "invalid",
      "a field is missing or wrong, the model is unknown, the picture or the prompt can't be "
      "used; there is no such task, or it is another key's",
      "correct what `msg` or `failMsg` names" },
    { 429, true, false, ZT_RETRY_YES, "often",
      "too many requests, waiting tasks or uploads, of this key or of all",
      "wait as long as `Retry-After` says" },
    { 431, true, false, ZT_RETRY_NO, NULL,
      "request line and headers together are too large (a status, without a JSON body)",
      "send fewer and shorter headers" },
    { 433, true, false, ZT_RETRY_CHANGED, "capped",
      "the key would spend more credits than it may in an hour, a day or in all",
      "wait until the span that `msg` names is over, or have the cap raised" },
    { 499, false, true, ZT_RETRY_NO, NULL,
      "the task was cancelled by its client",
      "none needed" },
    { 500, true, true, ZT_RETRY_YES, "fault",
      "a fault of the server; an answer with it accepted nothing",
      "try again; the server's log has the cause under the answer's `X-Request-Id`" },
    { 501, true, true, ZT_RETRY_YES, "notdone",
      "the generation failed, or crashed three times; as an answer: a `Transfer-Encoding` "
      "other than `chunked`; also the `code` of the callback of any task that failed",
      "read `failMsg`; try another picture or prompt" },
    { 503, true, false, ZT_RETRY_YES, "full",
      "no new work is taken now: the disk is nearly full, too many large requests, event "
      "streams or runTasks at once; `/readyz`: not ready, and why",
      "wait as long as `Retry-After` says" },
};

static const char *const retries[] = {
    [ZT_RETRY_NO]      = "no",
    [ZT_RETRY_YES]     = "yes, later",
    [ZT_RETRY_CHANGED] = "once it was changed",
};
/* clang-format on */

const struct zt_api_error *zt_api_error_at(size_t i)
{
    return i < ZT_COUNT(errors) ? &errors[i] : NULL;
}

void zt_api_errors_markdown(FILE *out)
{
    fputs(
        "# Errors\n\n"
        "Every error there is: the list is closed. `code` is that of an answer, which is also its "
        "HTTP status\n(with `--http-status compat` the status is 200 for what a handler answers); "
        "`failCode` is that of a task in\nstate `fail`. `msg` and `failMsg` say in words what was "
        "wrong and what is allowed.\n\n"
        "This page is made by `zoetrope help errors` from the table in `app/api/errors.c`; "
        "`tests/api/test_errors.py`\nproduces each of them from outside.\n\n"
        "| code | as | meaning | does a retry help? | what to do |\n"
        "| --- | --- | --- | --- | --- |\n",
        out);
    for (size_t i = 0; i < ZT_COUNT(errors); i++) {
        const struct zt_api_error *e = &errors[i];
        fprintf(out, "| %d | %s%s%s | %s | %s | %s |\n", e->code, e->answers ? "`code`" : "",
                e->answers && e->fails ? ", " : "", e->fails ? "`failCode`" : "", e->meaning,
                retries[e->retry], e->remedy);
    }
}
