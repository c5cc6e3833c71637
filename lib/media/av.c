/* av.c - see av.h. */
#include "media/av.h"

#include <pthread.h>

static void silence(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

void zt_av_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, silence);
}

enum zt_code zt_fail_av(struct zt_err *err, enum zt_code code, int av_error, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(av_error, text, sizeof(text));
    if (av_error == AVERROR(ENOMEM))
        code = ZT_E_NOMEM;
    if (av_error == AVERROR(ENOSPC))
        code = ZT_E_FULL;
    code = zt_fail(err, code, "%s", what);
    zt_err_detail(err, "%s", text);
    return code;
}
