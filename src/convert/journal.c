// SPDX-License-Identifier: MIT
#include "convert/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

#define JOURNAL_BYTES_MAX ((size_t)256 << 20)
#define HEAD "glm-quantize-resume 1 "
#define LINE_BYTES 160

static glm_status fail_errno(glm_error *err, const char *path, const char *doing)
{
    char buffer[128];
    const char *text = strerror_r(errno, buffer, sizeof buffer);
    return glm_fail(err, GLM_EIO, "%s: %s: %s", path, doing, text);
}

/* One entry; false when the line is none. */
static bool read_line(const char *line, glm_journal_entry *entries, uint32_t n)
{
    uint32_t index;
    glm_stream_result r;
    int end = -1;
    if (sscanf(line, "%" SCNu32 " %" SCNx64 " %la %la end%n", &index, &r.digest, &r.error, &r.norm,
               &end) != 4 ||
        end < 0 || line[end] != '\0' || index >= n)
        return false;
    entries[index] = (glm_journal_entry){true, r};
    return true;
}

/* Enter what the text lists; returns how many of its bytes are whole lines of this run. */
static size_t read_entries(char *text, size_t size, const char *run, glm_journal_entry *entries,
                           uint32_t n)
{
    char head[LINE_BYTES];
    int length = snprintf(head, sizeof head, HEAD "%s\n", run);
    if (size < (size_t)length || memcmp(text, head, (size_t)length) != 0)
        return 0;
    size_t good = (size_t)length;
    for (char *line = text + good, *end; (end = memchr(line, '\n', size - good)) != NULL;) {
        *end = '\0';
        if (!read_line(line, entries, n))
            break;
        line = end + 1;
        good = (size_t)(line - text);
    }
    return good;
}

static glm_status write_all(const glm_journal *j, const char *text, size_t size, glm_error *err)
{
    while (size) {
        ssize_t n = write(j->fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(err, j->path, "writing");
        text += n;
        size -= (size_t)n;
    }
    return GLM_OK;
}

static glm_status load(glm_journal *j, const char *run, glm_journal_entry *entries, uint32_t n,
                       glm_error *err)
{
    struct stat info;
    if (fstat(j->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return glm_fail(err, GLM_EIO, "%s: expected a regular file", j->path);
    size_t size = (size_t)info.st_size, good = 0;
    if (size > 0 && size <= JOURNAL_BYTES_MAX) {
        char *text = glm_calloc(1, size + 1);
        if (!text)
            return glm_fail(err, GLM_ENOMEM, "%s", j->path);
        if (pread(j->fd, text, size, 0) == (ssize_t)size)
            good = read_entries(text, size, run, entries, n);
        free(text);
    }
    if (ftruncate(j->fd, (off_t)good) != 0 || lseek(j->fd, (off_t)good, SEEK_SET) < 0)
        return fail_errno(err, j->path, "cutting");
    if (good)
        return GLM_OK;
    char head[LINE_BYTES];
    int length = snprintf(head, sizeof head, HEAD "%s\n", run);
    return write_all(j, head, (size_t)length, err);
}

glm_status glm_journal_open(glm_journal *out, const char *path, const char *run,
                            glm_journal_entry *entries, uint32_t n, glm_error *err)
{
    glm_journal j = {.fd = -1, .path = strdup(path)};
    if (!j.path)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    memset(entries, 0, n * sizeof *entries);
    j.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    glm_status st = j.fd < 0 ? fail_errno(err, path, "creating") : load(&j, run, entries, n, err);
    if (st != GLM_OK) {
        struct stat info; /* a list that was never begun is not left behind */
        glm_journal_close(&j, j.fd >= 0 && fstat(j.fd, &info) == 0 && info.st_size == 0);
        return st;
    }
    *out = j;
    return GLM_OK;
}

glm_status glm_journal_append(const glm_journal *journal, uint32_t index,
                              const glm_stream_result *result, glm_error *err)
{
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof line, "%" PRIu32 " %016" PRIx64 " %a %a end\n", index,
                          result->digest, result->error, result->norm);
    return write_all(journal, line, (size_t)length, err);
}

void glm_journal_close(glm_journal *journal, bool is_done)
{
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->fd >= 0 && is_done)
        (void)unlink(journal->path);
    free(journal->path);
    *journal = GLM_JOURNAL_NONE;
}
