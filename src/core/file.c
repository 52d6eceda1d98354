// SPDX-License-Identifier: MIT
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

#define READ_BYTES_MAX ((size_t)1 << 30) /* of one system call, which may stop near 2 GiB anyway */
#define READ_PIECE ((size_t)64 << 20)    /* of a file that is to lie in memory whole */
#define HUB_LEVELS_MAX 8                 /* "../" in front of "blobs/" in a Hugging Face cache */

struct glm_dir {
    int fd;
    bool follow_links;
    char path[];
};

static glm_status fail_errno(glm_error *err, int number, const char *path)
{
    char buffer[128];
    const char *text = strerror_r(number, buffer, sizeof buffer);
    glm_status status = number == ENOENT    ? GLM_ENOENT
                        : number == ENOTDIR ? GLM_EFORMAT
                        : number == ENOMEM  ? GLM_ENOMEM
                                            : GLM_EIO;
    return glm_fail(err, status, "%s: %s", path, text);
}

/* ---- Folders ---- */

glm_status glm_dir_open(glm_dir **out, const char *path, bool follow_links, glm_error *err)
{
    size_t length = strlen(path);
    glm_dir *dir = glm_calloc(1, glm_add_size(sizeof *dir, length + 1));
    if (!dir)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    memcpy(dir->path, path, length);
    dir->follow_links = follow_links;
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0) {
        glm_status st = fail_errno(err, errno, path);
        free(dir);
        return st;
    }
    *out = dir;
    return GLM_OK;
}

void glm_dir_close(glm_dir *dir)
{
    if (!dir)
        return;
    close(dir->fd);
    free(dir);
}

const char *glm_dir_path(const glm_dir *dir)
{
    return dir->path;
}

static bool is_plain_name(const char *name)
{
    return *name && strlen(name) <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

bool glm_dir_has(const glm_dir *dir, const char *name)
{
    struct stat info;
    return is_plain_name(name) && fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- Links of a Hugging Face cache ---- */

/**
 * Take "../../blobs/HASH" apart: the number of "../" and where HASH begins. HASH is a git or SHA-256 digest in
 * hex (huggingface_hub, file_download.py: blob names are etags). 0 when the link is something else.
 */
static size_t hub_link_levels(const char *target, const char **hash)
{
    size_t levels = 0;
    while (strncmp(target, "../", 3) == 0) {
        levels++;
        target += 3;
    }
    if (levels < 2 || levels > HUB_LEVELS_MAX || strncmp(target, "blobs/", 6) != 0)
        return 0;
    target += 6;
    size_t length = strlen(target);
    if ((length != 40 && length != 64) || strspn(target, "0123456789abcdef") != length)
        return 0;
    *hash = target;
    return levels;
}

/** True when the folder that is `levels` - 1 above `path` is called "snapshots". */
static bool is_in_snapshots(const char *path, size_t levels)
{
    char *real = realpath(path, NULL);
    if (!real)
        return false;
    for (size_t i = 1; i < levels; i++) {
        char *slash = strrchr(real, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    const char *slash = strrchr(real, '/');
    bool is_snapshots = slash && strcmp(slash, "/snapshots") == 0;
    free(real);
    return is_snapshots;
}

/** A descriptor of the blob that the link `name` stands for; -1 with errno set, ELOOP when it is no such link. */
static int open_hub_blob(const glm_dir *dir, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(dir->fd, name, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = '\0';
    const char *hash = NULL;
    size_t levels = hub_link_levels(target, &hash);
    if (levels == 0 || !is_in_snapshots(dir->path, levels)) {
        errno = ELOOP;
        return -1;
    }
    target[hash - target - 1] = '\0'; /* leaves "../../blobs" */
    int blobs = openat(dir->fd, target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (blobs < 0)
        return -1;
    int fd = openat(blobs, hash, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = errno;
    close(blobs);
    errno = number;
    return fd;
}

/* ---- Files ---- */

/** "folder/name" from malloc, or NULL. */
static char *join_path(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    bool has_slash = length && folder[length - 1] == '/';
    char *path = NULL;
    if (length > PATH_MAX ||
        asprintf(&path, "%.*s%s%s", (int)length, folder, has_slash ? "" : "/", name) < 0)
        return NULL;
    return path;
}

/** Opens `name` without blocking on a FIFO; its kind is checked by the caller. */
static int open_entry(const glm_dir *dir, const char *name)
{
    int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    if (dir->follow_links)
        return openat(dir->fd, name, flags);
    int fd = openat(dir->fd, name, flags | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP)
        fd = open_hub_blob(dir, name);
    return fd;
}

static int64_t mtime_ns(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

glm_status glm_file_open(glm_file *out, const glm_dir *dir, const char *name, glm_error *err)
{
    if (!is_plain_name(name))
        return glm_fail(err, GLM_EFORMAT,
                        "%s: expected the name of a file in this folder, got %.300s", dir->path,
                        name);
    char *path = join_path(dir->path, name);
    if (!path)
        return glm_fail(err, GLM_ENOMEM, "%s", name);

    int fd = open_entry(dir, name);
    glm_status st = GLM_OK;
    struct stat info = {0};
    if (fd < 0 && errno == ELOOP) {
        st = glm_fail(err, GLM_EFORMAT, "%s: expected a regular file, got a symbolic link", path);
        glm_error_hint(
            err, "only links of a Hugging Face cache are followed; --follow-links follows all");
    } else if (fd < 0 || fstat(fd, &info) != 0) {
        st = fail_errno(err, errno, path);
    } else if (!S_ISREG(info.st_mode)) {
        st = glm_fail(err, GLM_EFORMAT, "%s: expected a regular file, got %s", path,
                      S_ISDIR(info.st_mode) ? "a folder" : "a device, pipe or socket");
    }
    if (st != GLM_OK) {
        if (fd >= 0)
            close(fd);
        free(path);
        return st;
    }
    *out = (glm_file){
        .fd = fd, .path = path, .size_bytes = (uint64_t)info.st_size, .mtime_ns = mtime_ns(&info)};
    return GLM_OK;
}

void glm_file_close(glm_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (glm_file){.fd = -1};
}

glm_status glm_file_read_at(const glm_file *file, void *out, size_t size, uint64_t offset,
                            glm_error *err)
{
    unsigned char *at = out;
    while (size) {
        size_t part = size < READ_BYTES_MAX ? size : READ_BYTES_MAX;
        ssize_t got = pread(file->fd, at, part, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, errno, file->path);
        if (got == 0)
            return glm_fail(err, GLM_EIO, "%s: byte %llu: expected %zu more bytes, got the end",
                            file->path, (unsigned long long)offset, size);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return GLM_OK;
}

void glm_file_prefetch(const glm_file *file, uint64_t offset, uint64_t size)
{
    (void)posix_fadvise(file->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}

glm_status glm_file_check_unchanged(const glm_file *file, glm_error *err)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return fail_errno(err, errno, file->path);
    if ((uint64_t)info.st_size != file->size_bytes)
        return glm_fail(err, GLM_EIO, "%s: changed while in use: expected %llu bytes, got %llu",
                        file->path, (unsigned long long)file->size_bytes,
                        (unsigned long long)info.st_size);
    if (mtime_ns(&info) != file->mtime_ns)
        return glm_fail(err, GLM_EIO, "%s: changed while in use", file->path);
    return GLM_OK;
}

static glm_status too_large(glm_error *err, const char *path, size_t size_max)
{
    return glm_fail(err, GLM_ELIMIT, "%s: expected at most %zu bytes, got more", path, size_max);
}

glm_status glm_file_read(char **out, size_t *size, const glm_dir *dir, const char *name,
                         size_t size_max, glm_error *err)
{
    glm_file file = {.fd = -1};
    glm_status st = glm_file_open(&file, dir, name, err);
    if (st != GLM_OK)
        return st;
    char *data = NULL;
    if (file.size_bytes > size_max) {
        st = too_large(err, file.path, size_max);
    } else {
        data = malloc(glm_add_size((size_t)file.size_bytes, 1));
        st = data ? glm_file_read_at(&file, data, (size_t)file.size_bytes, 0, err)
                  : glm_fail(err, GLM_ENOMEM, "%s", file.path);
    }
    if (data && st == GLM_OK) {
        data[file.size_bytes] = '\0';
        *out = data;
        *size = (size_t)file.size_bytes;
    } else {
        free(data);
    }
    glm_file_close(&file);
    return st;
}

/** Read fd to its end into a buffer that grows. */
static glm_status read_stream(char **out, size_t *size, int fd, const char *path, size_t size_max,
                              glm_error *err)
{
    size_t capacity = 4096, length = 0;
    char *data = malloc(capacity);
    if (!data)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    for (;;) {
        if (length == capacity) {
            capacity = glm_mul_size(capacity, 2);
            char *grown = capacity == SIZE_MAX ? NULL : realloc(data, capacity);
            if (!grown) {
                free(data);
                return glm_fail(err, GLM_ENOMEM, "%s", path);
            }
            data = grown;
        }
        size_t room = capacity - length;
        ssize_t got = read(fd, data + length, room < READ_BYTES_MAX ? room : READ_BYTES_MAX);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            glm_status st = fail_errno(err, errno, path);
            free(data);
            return st;
        }
        if (got == 0)
            break;
        length += (size_t)got;
        if (length > size_max) {
            free(data);
            return too_large(err, path, size_max);
        }
    }
    data[length] = '\0'; /* there is room: the last read was into at least one byte */
    *out = data;
    *size = length;
    return GLM_OK;
}

glm_status glm_file_read_path(char **out, size_t *size, const char *path, size_t size_max,
                              glm_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, errno, path);
    glm_status st = read_stream(out, size, fd, path, size_max, err);
    close(fd);
    return st;
}

/* ---- Mappings ---- */

glm_status glm_map_open(glm_map *out, const glm_file *file, glm_error *err)
{
    glm_map map = {.size_bytes = (size_t)file->size_bytes};
    if (map.size_bytes) {
        void *base = mmap(NULL, map.size_bytes, PROT_READ, MAP_SHARED, file->fd, 0);
        if (base == MAP_FAILED)
            return fail_errno(err, errno, file->path);
        (void)madvise(base, map.size_bytes, MADV_HUGEPAGE); /* a wish: kernels without it say no */
        map.data = map.base = base;
        glm_status st = glm_guard_add(&map.guard, base, map.size_bytes, err);
        if (st != GLM_OK) {
            munmap(base, map.size_bytes);
            return st;
        }
    }
    *out = map;
    return GLM_OK;
}

/* Piece by piece, so that the page cache never holds a second copy of more than one. */
static glm_status read_uncached(const glm_file *file, unsigned char *out, size_t size,
                                glm_error *err)
{
    glm_status st = GLM_OK;
    for (size_t at = 0, n; at < size && st == GLM_OK; at += n) {
        n = size - at < READ_PIECE ? size - at : READ_PIECE;
        st = glm_file_read_at(file, out + at, n, at, err);
        (void)posix_fadvise(file->fd, (off_t)at, (off_t)n, POSIX_FADV_DONTNEED);
    }
    return st;
}

glm_status glm_map_read(glm_map *out, const glm_file *file, glm_error *err)
{
    glm_map map = {.size_bytes = (size_t)file->size_bytes};
    if (map.size_bytes) {
        void *base =
            mmap(NULL, map.size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            return fail_errno(err, errno, file->path);
        madvise(base, map.size_bytes, MADV_HUGEPAGE); /* a wish: kernels without it say no */
        glm_status st = read_uncached(file, base, map.size_bytes, err);
        if (st == GLM_OK && mprotect(base, map.size_bytes, PROT_READ) != 0)
            st = fail_errno(err, errno, file->path);
        if (st != GLM_OK) {
            munmap(base, map.size_bytes);
            return st;
        }
        map.data = map.base = base;
    }
    *out = map;
    return GLM_OK;
}

void glm_map_prefetch(const glm_map *map, uint64_t offset, size_t size)
{
    if (!map->guard || offset >= map->size_bytes)
        return;
    size_t begin = (size_t)offset & ~((size_t)sysconf(_SC_PAGESIZE) - 1);
    size_t left = map->size_bytes - begin;
    size = glm_add_size(size, (size_t)offset - begin);
    (void)madvise((char *)map->base + begin, size < left ? size : left, MADV_WILLNEED);
}

void glm_map_close(glm_map *map)
{
    glm_guard_remove(map->guard);
    if (map->base)
        munmap(map->base, map->size_bytes);
    *map = (glm_map){0};
}

bool glm_map_is_bad(const glm_map *map)
{
    return glm_guard_is_bad(map->guard);
}
