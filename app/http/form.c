/* form.c - see form.h. */
#include "http/form.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/request.h"

#define BUFFER_BYTES ((size_t)8 << 10) /* the most a part's header may take */

struct zt_form {
    struct MHD_PostProcessor *reader;
    zt_form_fn *fn;
    void *user;
    bool stopped;
};

static enum MHD_Result on_piece(void *user, enum MHD_ValueKind kind, const char *key,
                                const char *file_name, const char *type, const char *encoding,
                                const char *data, uint64_t offset, size_t n)
{
    struct zt_form *form = user;
    const struct zt_form_piece piece = {
        .name = key,
        .file_name = file_name,
        .type = type,
        .offset = offset,
        .bytes = data,
        .n = n,
    };

    (void)kind;
    (void)encoding;
    if (!form->stopped)
        form->stopped = !form->fn(form->user, &piece);
    return form->stopped ? MHD_NO : MHD_YES;
}

/* The reader would take a form in a URL's notation, too. */
static bool is_multipart(const char *type)
{
    static const char multipart[] = MHD_HTTP_POST_ENCODING_MULTIPART_FORMDATA;

    return type != NULL && strncasecmp(type, multipart, sizeof(multipart) - 1) == 0 &&
           strchr("; \t", type[sizeof(multipart) - 1]) != NULL;
}

struct zt_form *zt_form_open(struct zt_http_req *req, zt_form_fn *fn, void *user)
{
    if (!is_multipart(zt_http_header(req, MHD_HTTP_HEADER_CONTENT_TYPE)))
        return NULL;
    struct zt_form *form = zt_new(struct zt_form);
    form->fn = fn;
    form->user = user;
    form->reader = MHD_create_post_processor(req->conn, BUFFER_BYTES, on_piece, form);
    if (form->reader == NULL) {
        free(form);
        return NULL;
    }
    return form;
}

void zt_form_close(struct zt_form *form)
{
    if (form == NULL)
        return;
    form->stopped = true; /* what is left over is not reported */
    MHD_destroy_post_processor(form->reader);
    free(form);
}

bool zt_form_feed(struct zt_form *form, const void *bytes, size_t n)
{
    if (!form->stopped && MHD_post_process(form->reader, bytes, n) != MHD_YES)
        form->stopped = true;
    return !form->stopped;
}

bool zt_form_finish(struct zt_form *form)
{
    bool whole = !form->stopped;

    form->stopped = true;
    whole = MHD_destroy_post_processor(form->reader) == MHD_YES && whole;
    free(form);
    return whole;
}
