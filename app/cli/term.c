/* term.c - see term.h. Colour is left out when NO_COLOR is set (no-color.org). */
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_CELLS     30
#define REDRAW_US     (100 * ZT_MS_US)
#define LINE_US       ZT_SECOND_US
#define GUESS_PERCENT 3 /* before this much is done, a guess would jump about */

void zt_term_init(struct zt_term *term)
{
    const char *kind = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");

    *term = (struct zt_term){ .began_us = zt_now_mono_us() };
    term->is_terminal = isatty(STDERR_FILENO) && (kind == NULL || strcmp(kind, "dumb") != 0);
    term->has_colour = term->is_terminal && (no_colour == NULL || *no_colour == '\0');
}

static void draw_bar(struct zt_term *term, const struct zt_progress *progress, double left_s)
{
    int full = progress->percent * BAR_CELLS / 100;

    fprintf(stderr, "\r%s", term->has_colour ? "\033[36m" : "");
    for (int i = 0; i < BAR_CELLS; i++)
        fputs(i < full ? "\u2588" : "\u2591", stderr);
    fprintf(stderr, "%s %3d %%  %s", term->has_colour ? "\033[0m" : "", progress->percent,
            progress->stage ? progress->stage : "");
    if (left_s >= 0)
        fprintf(stderr, "  %.0f s left", left_s);
    fputs("\033[K", stderr);
    fflush(stderr);
    term->drawn = true;
}

void zt_term_progress_left(struct zt_term *term, const struct zt_progress *progress, double left_s)
{
    int64_t now_us = zt_now_mono_us();

    if (term->shown_us != 0 && now_us - term->shown_us < (term->is_terminal ? REDRAW_US : LINE_US))
        return;
    if (term->is_terminal)
        draw_bar(term, progress, left_s);
    else if (term->shown_us != 0) /* the first line waits a second: short work needs none */
        fprintf(stderr, "%d %% %s\n", progress->percent, progress->stage ? progress->stage : "");
    term->shown_us = now_us;
    term->percent = progress->percent;
}

void zt_term_progress(struct zt_term *term, const struct zt_progress *progress)
{
    double left_s = -1;

    if (progress->percent >= GUESS_PERCENT)
        left_s = (double)(zt_now_mono_us() - term->began_us) / (double)ZT_SECOND_US *
                 (100 - progress->percent) / progress->percent;
    zt_term_progress_left(term, progress, left_s);
}

void zt_term_clear(struct zt_term *term)
{
    if (term->drawn)
        fputs("\r\033[K", stderr);
    term->drawn = false;
}
