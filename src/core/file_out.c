// SPDX-License-Identifier: MIT
#include "core/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

#define WRITE_BYTES_MAX ((size_t)1 << 30) /* of one system call, which may stop near 2 GiB anyway */
#define SUFFIX ".partial"

static glm_status fail_errno(glm_error *err, int number, const char *path, const char *doing)
{
    char buffer[128];
    const char *text = strerror_r(number, buffer, sizeof buffer);
    return glm_fail(err, number == ENOMEM ? GLM_ENOMEM : GLM_EIO, "%s: %s: %s", path, doing, text);
}

static glm_status expect_regular(const char *path, glm_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode))
        return GLM_OK;
    return glm_fail(err, GLM_EFORMAT, "%s: expected a regular file or nothing, got %s", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "a special file");
}

glm_status glm_file_out_create(glm_file_out *out, const char *path, bool keep, glm_error *err)
{
    *out = GLM_FILE_OUT_NONE;
    glm_status st = expect_regular(path, err);
    if (st != GLM_OK)
        return st;
    out->path = strdup(path);
    size_t size = glm_add_size(strlen(path), sizeof SUFFIX);
    out->partial = glm_calloc(1, size);
    if (!out->path || !out->partial) {
        st = glm_fail(err, GLM_ENOMEM, "%s", path);
        goto fail;
    }
    snprintf(out->partial, size, "%s" SUFFIX, path);
    st = expect_regular(out->partial, err);
    if (st != GLM_OK)
        goto fail;
    out->fd = open(out->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (out->fd < 0) {
        st = fail_errno(err, errno, out->partial, "creating");
        goto fail;
    }
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0) {
        st = glm_fail(err, GLM_EIO, "%s: expected a file of our own, got one that is being written",
                      out->partial);
        goto fail;
    }
    if (!keep && ftruncate(out->fd, 0) != 0) {
        st = fail_errno(err, errno, out->partial, "emptying");
        goto fail;
    }
    return GLM_OK;
fail:
    glm_file_out_keep(out);
    return st;
}

glm_status glm_file_out_resize(const glm_file_out *out, uint64_t size_bytes, glm_error *err)
{
    if (size_bytes > INT64_MAX)
        return glm_fail(err, GLM_EIO, "%s: expected a size below 2^63 bytes", out->partial);
    if (ftruncate(out->fd, (off_t)size_bytes) != 0)
        return fail_errno(err, errno, out->partial, "growing");
    /* File systems without this call reserve nothing; a full disk is then found while writing. */
    if (size_bytes && fallocate(out->fd, 0, 0, (off_t)size_bytes) != 0 && errno == ENOSPC)
        return fail_errno(err, ENOSPC, out->partial, "reserving room");
    return GLM_OK;
}

glm_status glm_file_out_write_at(const glm_file_out *out, const void *data, size_t size,
                                 uint64_t offset, glm_error *err)
{
    const unsigned char *at = data;
    while (size) {
        ssize_t n =
            pwrite(out->fd, at, size < WRITE_BYTES_MAX ? size : WRITE_BYTES_MAX, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(err, n < 0 ? errno : ENOSPC, out->partial, "writing");
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return GLM_OK;
}

glm_status glm_file_out_read_at(const glm_file_out *out, void *data, size_t size, uint64_t offset,
                                glm_error *err)
{
    unsigned char *at = data;
    while (size) {
        ssize_t n =
            pread(out->fd, at, size < WRITE_BYTES_MAX ? size : WRITE_BYTES_MAX, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, errno, out->partial, "reading");
        if (n == 0)
            return glm_fail(err, GLM_EIO, "%s: byte %llu: expected %zu more bytes, got the end",
                            out->partial, (unsigned long long)offset, size);
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return GLM_OK;
}

void glm_file_out_release(const glm_file_out *out, uint64_t offset, uint64_t size)
{
    if (size == 0)
        return;
    (void)sync_file_range(out->fd, (off_t)offset, (off_t)size,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
    (void)posix_fadvise(out->fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

/* Hand the bytes to the disk and wait. */
static glm_status sync_file(const glm_file_out *out, glm_error *err)
{
    if (fsync(out->fd) != 0)
        return fail_errno(err, errno, out->partial, "syncing");
    return GLM_OK;
}

/* Make the new name durable too. A file system that cannot sync folders says EINVAL: then there is nothing to do. */
static glm_status sync_folder(const char *path, glm_error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return number ? fail_errno(err, number, path, "syncing the folder") : GLM_OK;
}

glm_status glm_file_out_commit(glm_file_out *out, glm_error *err)
{
    glm_status st = sync_file(out, err);
    if (st != GLM_OK)
        return st;
    if (rename(out->partial, out->path) != 0)
        return fail_errno(err, errno, out->path, "renaming");
    st = sync_folder(out->path, err);
    glm_file_out_keep(out);
    return st;
}

glm_status glm_file_overwrite(const char *path, const void *data, size_t size, uint64_t offset,
                              glm_error *err)
{
    /* Only fd and the name for messages matter to the functions called here. */
    char *name = strdup(path);
    const glm_file_out file = {.fd = open(path, O_WRONLY | O_CLOEXEC), .partial = name};
    if (!name || file.fd < 0) {
        glm_status st =
            name ? fail_errno(err, errno, path, "opening") : glm_fail(err, GLM_ENOMEM, "%s", path);
        if (file.fd >= 0)
            close(file.fd);
        free(name);
        return st;
    }
    glm_status st = glm_file_out_write_at(&file, data, size, offset, err);
    if (st == GLM_OK)
        st = sync_file(&file, err);
    close(file.fd);
    free(name);
    return st;
}

void glm_file_out_keep(glm_file_out *out)
{
    if (out->fd >= 0)
        close(out->fd);
    free(out->path);
    free(out->partial);
    *out = GLM_FILE_OUT_NONE;
}

void glm_file_out_abandon(glm_file_out *out)
{
    if (out->fd >= 0)
        (void)unlink(out->partial);
    glm_file_out_keep(out);
}
