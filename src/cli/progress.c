// SPDX-License-Identifier: MIT
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "core/json_write.h"

#define BAR_AFTER_S 2.0
#define BAR_EVERY_S 0.1
#define JSON_EVERY_S 0.5

double cli_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_progress_init(cli_progress *progress, const cli_args *args)
{
    *progress = (cli_progress){.mode = PROGRESS_OFF};
    if (cli_flag(args, OPT_QUIET))
        return;
    if (cli_choice_is(args, OPT_PROGRESS, "json"))
        progress->mode = PROGRESS_JSON;
    else if (isatty(STDERR_FILENO) == 1 && args->is_color)
        progress->mode = PROGRESS_BAR;
}

/* Seconds left at the speed so far; negative when that cannot be told. */
static double time_left_s(const cli_progress *progress, double now, uint64_t done, uint64_t total)
{
    if (done == 0 || done > total)
        return -1;
    return (now - progress->start_s) * (double)(total - done) / (double)done;
}

static void write_json(cli_progress *progress, double now, uint64_t done, uint64_t total)
{
    glm_str line = {0};
    glm_json_writer w = glm_json_writer_of(&line);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "what", progress->what);
    glm_json_put_u64(&w, "done", done);
    glm_json_put_u64(&w, "total", total);
    glm_json_put_double(&w, "elapsed_s", round(1e3 * (now - progress->start_s)) / 1e3);
    glm_json_write_key(&w, "left_s");
    double left = time_left_s(progress, now, done, total);
    glm_json_write_double(&w, left < 0 ? NAN : round(1e3 * left) / 1e3);
    glm_json_end_object(&w);
    if (!line.has_failed)
        fprintf(stderr, "%s\n", line.data);
    glm_str_deinit(&line);
}

/* "1:05" or "2:03:09" */
static void format_time(char *out, size_t size, double seconds)
{
    unsigned long s = (unsigned long)fmin(seconds + 0.5, 359999.0);
    if (s >= 3600)
        snprintf(out, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%lu:%02lu", s / 60, s % 60);
}

static void draw_bar(cli_progress *progress, double now, uint64_t done, uint64_t total)
{
    struct winsize window;
    size_t columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        columns = window.ws_col;
    char left[32] = "-:--";
    double left_s = time_left_s(progress, now, done, total);
    if (left_s >= 0)
        format_time(left, sizeof left, left_s);
    double share = total ? fmin((double)done / (double)total, 1.0) : 0;
    char tail[64];
    int tail_length = snprintf(tail, sizeof tail, "] %3.0f %%  %s left", 100 * share, left);
    size_t used = strlen(progress->what) + 2 + (size_t)tail_length + 1;
    size_t width = columns > used + 60 ? 60 : columns > used ? columns - used : 0;
    size_t filled = (size_t)(share * (double)width);
    fprintf(stderr, "\r%s [", progress->what);
    for (size_t i = 0; i < width; i++)
        fputc(i < filled ? '#' : '-', stderr);
    fprintf(stderr, "%s\033[K", tail);
    fflush(stderr);
    progress->has_bar = true;
}

bool cli_progress_report(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    cli_progress *progress = ctx;
    if (cli_is_interrupted())
        return false;
    if (progress->mode == PROGRESS_OFF)
        return true;
    double now = cli_now_s();
    bool is_new = strncmp(what, progress->what, sizeof progress->what - 1) != 0;
    if (is_new) {
        cli_progress_end(progress);
        snprintf(progress->what, sizeof progress->what, "%s", what);
        progress->start_s = now;
    }
    bool is_over = done >= total;
    double pause = now - progress->written_s;
    if (progress->mode == PROGRESS_JSON) {
        if (!is_new && !is_over && pause < JSON_EVERY_S)
            return true;
        write_json(progress, now, done, total);
    } else {
        if (is_over) {
            cli_progress_end(progress);
            return true;
        }
        if (now - progress->start_s < BAR_AFTER_S || pause < BAR_EVERY_S)
            return true;
        draw_bar(progress, now, done, total);
    }
    progress->written_s = now;
    if (is_over)
        progress->what[0] = '\0';
    return true;
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->has_bar) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->has_bar = false;
    progress->what[0] = '\0';
}
