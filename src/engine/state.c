// SPDX-License-Identifier: MIT
#include "engine/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

#define N_BUCKET 65536u
#define SUFFIX ".state"
#define PARTIAL ".partial"
#define NAME_BYTES 48u

typedef struct entry entry;
typedef struct state_file state_file;

/* A page of a file. */
struct entry {
    glm_state_id id;
    entry *next; /* in its bucket */
    state_file *file;
    uint32_t i;
    uint64_t hash;
};

struct state_file {
    char name[NAME_BYTES];
    entry *entry; /* [n_page] */
    uint32_t n_page;
    uint64_t data; /* offset of the first page */
    uint64_t size_bytes;
    uint64_t used; /* the larger, the later */
};

struct glm_state {
    glm_dir *dir;
    int lock_fd;
    glm_state_binding binding;
    uint64_t max_bytes;
    glm_log_fn *log;
    void *log_ctx;
    pthread_t thread;
    bool has_thread, has_lock;

    pthread_mutex_t lock;
    pthread_cond_t news; /* something to write, or the end */
    pthread_cond_t idle; /* nothing to write */
    /* Under the lock. */
    entry **bucket;    /* [N_BUCKET] */
    state_file **file; /* [n_file] */
    uint32_t n_file;
    uint64_t n_bytes, clock;
    glm_state_job *todo, **todo_end, *running, *done;
    bool must_stop;
    glm_state_counts counts;
};

/* ---- Messages ---- */

static void say(const glm_state *s, int level, const char *fmt, ...) GLM_PRINTF(3, 4);

static void say(const glm_state *s, int level, const char *fmt, ...)
{
    char line[1200];
    va_list args;
    if (!s->log)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->log(s->log_ctx, level, line);
}

/* ---- Jobs ---- */

glm_state_job *glm_state_job_create(uint32_t n_page)
{
    glm_state_job *job = glm_new(glm_state_job);
    if (!job)
        return NULL;
    job->tokens = glm_new_array(int32_t, (size_t)n_page * GLM_KV_PAGE_TOKENS);
    job->data = glm_new_array(const void *, n_page);
    job->id = glm_new_array(glm_state_id, n_page);
    job->page = glm_new_array(uint32_t, n_page);
    job->run = (glm_state_run){.n_page = n_page, .tokens = job->tokens, .data = job->data};
    if (job->tokens && job->data && job->id && job->page)
        return job;
    glm_state_job_destroy(job);
    return NULL;
}

void glm_state_job_destroy(glm_state_job *job)
{
    if (!job)
        return;
    free(job->tokens);
    free((void *)job->data);
    free(job->id);
    free(job->page);
    free(job);
}

/* ---- The index (under the lock) ---- */

static entry **bucket_of(const glm_state *s, const glm_state_id *id)
{
    uint32_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    return &s->bucket[hash % N_BUCKET];
}

static entry *find(const glm_state *s, const glm_state_id *id)
{
    entry *e = *bucket_of(s, id);
    while (e && memcmp(e->id.bytes, id->bytes, sizeof id->bytes) != 0)
        e = e->next;
    return e;
}

static void free_file(state_file *f)
{
    if (f)
        free(f->entry);
    free(f);
}

static state_file *make_file(const char *name, uint32_t n_page)
{
    state_file *f = glm_new(state_file);
    if (!f || !(f->entry = glm_new_array(entry, n_page))) {
        free_file(f);
        return NULL;
    }
    snprintf(f->name, sizeof f->name, "%s", name);
    f->n_page = n_page;
    for (uint32_t i = 0; i < n_page; i++)
        f->entry[i] = (entry){.file = f, .i = i};
    return f;
}

/* Forget a file; with `remove` it goes from the disk too. */
static void drop_file(glm_state *s, state_file *f, bool remove_it)
{
    for (uint32_t i = 0; i < f->n_page; i++) {
        entry **at = bucket_of(s, &f->entry[i].id);
        while (*at && *at != &f->entry[i])
            at = &(*at)->next;
        if (*at)
            *at = f->entry[i].next;
    }
    uint32_t k = 0;
    while (s->file[k] != f)
        k++;
    s->file[k] = s->file[--s->n_file];
    s->n_bytes -= f->size_bytes;
    if (remove_it) {
        char path[4096];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", glm_dir_path(s->dir), f->name) <
            sizeof path)
            (void)unlink(path);
    }
    free_file(f);
}

static void make_room(glm_state *s, uint64_t size_bytes)
{
    while (s->n_file &&
           (s->n_file >= GLM_STATE_FILES_MAX || s->n_bytes + size_bytes > s->max_bytes)) {
        state_file *oldest = s->file[0];
        for (uint32_t k = 1; k < s->n_file; k++)
            if (s->file[k]->used < oldest->used)
                oldest = s->file[k];
        drop_file(s, oldest, true);
    }
}

/* Add a file whose entries have ids. Pages that another file has already stay that one's. */
static void add_file(glm_state *s, state_file *f)
{
    for (uint32_t k = 0; k < s->n_file; k++)
        if (strcmp(s->file[k]->name, f->name) == 0) {
            drop_file(s, s->file[k], false); /* it was replaced */
            break;
        }
    make_room(s, f->size_bytes);
    s->file[s->n_file++] = f;
    s->n_bytes += f->size_bytes;
    for (uint32_t i = 0; i < f->n_page; i++) {
        if (find(s, &f->entry[i].id))
            continue;
        entry **at = bucket_of(s, &f->entry[i].id);
        f->entry[i].next = *at;
        *at = &f->entry[i];
    }
}

/* ---- Opening ---- */

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

static glm_status read_file(glm_state *s, const char *name, glm_error *err)
{
    glm_file file = {.fd = -1};
    glm_state_head head = {0};
    state_file *f = NULL;
    glm_status st = glm_file_open(&file, s->dir, name, err);
    if (st == GLM_OK)
        st = glm_state_read_head(&head, &file, &s->binding, err);
    if (st == GLM_OK && !(f = make_file(name, head.n_page)))
        st = glm_fail(err, GLM_ENOMEM, "%s: no memory", name);
    glm_state_id parent = head.parent;
    for (uint32_t i = 0; i < head.n_page && st == GLM_OK; i++) {
        f->entry[i].hash = head.hash[i];
        st = glm_state_page_id(&f->entry[i].id, &parent, head.domain,
                               head.tokens + (size_t)i * GLM_KV_PAGE_TOKENS, err);
        parent = f->entry[i].id;
    }
    if (st == GLM_OK) {
        f->data = head.data;
        f->size_bytes = file.size_bytes;
        f->used = (uint64_t)(file.mtime_ns > 0 ? file.mtime_ns : 0);
        s->clock = f->used > s->clock ? f->used : s->clock;
        add_file(s, f);
    } else {
        free_file(f);
    }
    glm_state_head_deinit(&head);
    glm_file_close(&file);
    return st;
}

static glm_status read_folder(glm_state *s, glm_error *err)
{
    DIR *folder = opendir(glm_dir_path(s->dir));
    if (!folder)
        return glm_fail(err, GLM_EIO, "%s: cannot be read", glm_dir_path(s->dir));
    glm_status st = GLM_OK;
    for (struct dirent *d; st == GLM_OK && (d = readdir(folder)) != NULL;) {
        if (has_suffix(d->d_name, SUFFIX PARTIAL)) {
            (void)unlinkat(dirfd(folder), d->d_name, 0); /* nobody writes it: the folder is ours */
            continue;
        }
        if (!has_suffix(d->d_name, SUFFIX) || strlen(d->d_name) >= NAME_BYTES)
            continue;
        st = read_file(s, d->d_name, err);
        if (st != GLM_OK && st != GLM_ENOMEM) {
            say(s, 1, "state: ignored: %s", err->text);
            s->counts.n_bad++;
            st = GLM_OK;
        }
    }
    closedir(folder);
    return st;
}

static glm_status lock_folder(glm_state *s, const char *dir, glm_error *err)
{
    char path[4096];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return glm_fail(err, GLM_EIO, "%s: the folder cannot be made (error %d)", dir, errno);
    glm_status st = glm_dir_open(&s->dir, dir, false, err);
    if (st != GLM_OK)
        return st;
    if ((size_t)snprintf(path, sizeof path, "%s/lock", dir) >= sizeof path)
        return glm_fail(err, GLM_EIO, "%.64s...: the name is too long", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return glm_fail(err, GLM_EIO, "%s: cannot be written (error %d)", path, errno);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return glm_fail(err, GLM_EIO, "%s: another process uses the folder", dir);
    return GLM_OK;
}

static glm_status init_locks(glm_state *s, glm_error *err)
{
    if (pthread_mutex_init(&s->lock, NULL))
        return glm_fail(err, GLM_ENOMEM, "state: no lock");
    int failed = pthread_cond_init(&s->news, NULL);
    if (!failed && (failed = pthread_cond_init(&s->idle, NULL)) != 0)
        pthread_cond_destroy(&s->news);
    if (failed)
        pthread_mutex_destroy(&s->lock);
    s->has_lock = !failed;
    return failed ? glm_fail(err, GLM_ENOMEM, "state: no lock") : GLM_OK;
}

/* ---- The writing thread ---- */

/* Of the last page and what it was computed for, so that files of other models beside it are not replaced. */
static void name_of(char name[NAME_BYTES], const glm_state *s, const glm_state_id *id)
{
    for (uint32_t i = 0; i < 16; i++)
        snprintf(name + 2 * i, 3, "%02x", id->bytes[i] ^ s->binding.id.bytes[i]);
    snprintf(name + 32, NAME_BYTES - 32, SUFFIX);
}

static void write_job(glm_state *s, glm_state_job *job)
{
    char path[4096], name[NAME_BYTES];
    glm_error err;
    name_of(name, s, &job->id[job->run.n_page - 1]);
    state_file *f = make_file(name, job->run.n_page);
    glm_status st = f ? GLM_OK : glm_fail(&err, GLM_ENOMEM, "%s: no memory", name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", glm_dir_path(s->dir), name) >= sizeof path)
        st = glm_fail(&err, GLM_EIO, "%s: the path is too long", name);
    if (st == GLM_OK)
        st = glm_state_write(path, &s->binding, &job->run, &err);
    glm_file file = {.fd = -1};
    glm_state_head head = {0};
    if (st == GLM_OK) /* as a later start would find it */
        st = glm_file_open(&file, s->dir, name, &err);
    if (st == GLM_OK)
        st = glm_state_read_head(&head, &file, &s->binding, &err);
    pthread_mutex_lock(&s->lock);
    if (st == GLM_OK) {
        for (uint32_t i = 0; i < f->n_page; i++) {
            f->entry[i].id = job->id[i];
            f->entry[i].hash = head.hash[i];
        }
        f->data = head.data;
        f->size_bytes = file.size_bytes;
        f->used = ++s->clock;
        add_file(s, f);
        s->counts.n_saved += f->n_page;
        job->was_written = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (st != GLM_OK) {
        free_file(f);
        say(s, 1, "state: not saved: %s", err.text);
    }
    glm_state_head_deinit(&head);
    glm_file_close(&file);
}

static void *run(void *ctx)
{
    glm_state *s = ctx;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->todo && !s->must_stop)
            pthread_cond_wait(&s->news, &s->lock);
        glm_state_job *job = s->todo;
        if (!job)
            break;
        s->todo = job->next;
        if (!s->todo)
            s->todo_end = &s->todo;
        s->running = job;
        pthread_mutex_unlock(&s->lock);
        write_job(s, job);
        pthread_mutex_lock(&s->lock);
        s->running = NULL;
        job->next = s->done;
        s->done = job;
        if (!s->todo)
            pthread_cond_broadcast(&s->idle);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

glm_status glm_state_open(glm_state **out, const char *dir, const glm_state_binding *binding,
                          uint64_t max_bytes, glm_log_fn *log, void *log_ctx, glm_error *err)
{
    glm_state *s = glm_new(glm_state);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "state: no memory");
    *s = (glm_state){
        .lock_fd = -1, .binding = *binding, .max_bytes = max_bytes, .log = log, .log_ctx = log_ctx};
    s->todo_end = &s->todo;
    s->bucket = glm_new_array(entry *, N_BUCKET);
    s->file = glm_new_array(state_file *, GLM_STATE_FILES_MAX);
    glm_status st = GLM_OK;
    if (!s->bucket || !s->file)
        st = glm_fail(err, GLM_ENOMEM, "state: no memory");
    if (st == GLM_OK)
        st = lock_folder(s, dir, err);
    if (st == GLM_OK)
        st = read_folder(s, err);
    if (st == GLM_OK)
        st = init_locks(s, err);
    if (st == GLM_OK) {
        s->has_thread = pthread_create(&s->thread, NULL, run, s) == 0;
        if (!s->has_thread)
            st = glm_fail(err, GLM_EIO, "state: the system gives no thread");
    }
    if (st != GLM_OK) {
        glm_state_close(s);
        return st;
    }
    say(s, 2, "state: %u files, %llu bytes", s->n_file, (unsigned long long)s->n_bytes);
    *out = s;
    return GLM_OK;
}

void glm_state_close(glm_state *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        s->must_stop = true;
        pthread_cond_signal(&s->news);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    for (glm_state_job *job; (job = s->done) != NULL;) {
        s->done = job->next;
        glm_state_job_destroy(job);
    }
    if (s->has_lock) {
        pthread_cond_destroy(&s->news);
        pthread_cond_destroy(&s->idle);
        pthread_mutex_destroy(&s->lock);
    }
    for (uint32_t k = 0; k < s->n_file; k++)
        free_file(s->file[k]);
    free(s->file);
    free(s->bucket);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    glm_dir_close(s->dir);
    free(s);
}

/* ---- The caller's side ---- */

static bool is_in_job(const glm_state_job *job, const glm_state_id *id)
{
    for (uint32_t i = 0; i < job->run.n_page; i++)
        if (memcmp(job->id[i].bytes, id->bytes, sizeof id->bytes) == 0)
            return true;
    return false;
}

bool glm_state_has(glm_state *s, const glm_state_id *id)
{
    pthread_mutex_lock(&s->lock);
    bool has = find(s, id) || (s->running && is_in_job(s->running, id));
    for (const glm_state_job *job = s->todo; job && !has; job = job->next)
        has = is_in_job(job, id);
    pthread_mutex_unlock(&s->lock);
    return has;
}

/* Let the file look used to a later start too. */
static void note_use(const glm_state *s, const char *name)
{
    int fd = open(glm_dir_path(s->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)utimensat(fd, name, NULL, AT_SYMLINK_NOFOLLOW);
    close(fd);
}

bool glm_state_load(glm_state *s, const glm_state_id *id, void *data)
{
    glm_error err;
    char name[NAME_BYTES];
    pthread_mutex_lock(&s->lock);
    const entry *e = find(s, id);
    if (!e) {
        pthread_mutex_unlock(&s->lock);
        return false;
    }
    const uint64_t first = e->file->data, hash = e->hash;
    const uint32_t i = e->i;
    memcpy(name, e->file->name, sizeof name);
    e->file->used = ++s->clock;
    pthread_mutex_unlock(&s->lock);

    glm_file file = {.fd = -1};
    glm_status st = glm_file_open(&file, s->dir, name, &err);
    if (st == GLM_OK)
        st = glm_state_read_page(data, &file, first, s->binding.page_bytes, i, hash, &err);
    glm_file_close(&file);
    if (st == GLM_OK && i == 0)
        note_use(s, name);
    pthread_mutex_lock(&s->lock);
    s->counts.n_loaded += st == GLM_OK;
    s->counts.n_bad += st != GLM_OK;
    e = st == GLM_OK ? NULL : find(s, id);
    if (e)
        drop_file(s, e->file, false);
    pthread_mutex_unlock(&s->lock);
    if (st != GLM_OK)
        say(s, 1, "state: ignored: %s", err.text);
    return st == GLM_OK;
}

void glm_state_save(glm_state *s, glm_state_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&s->lock);
    *s->todo_end = job;
    s->todo_end = &job->next;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

glm_state_job *glm_state_take_done(glm_state *s)
{
    pthread_mutex_lock(&s->lock);
    glm_state_job *job = s->done;
    if (job)
        s->done = job->next;
    pthread_mutex_unlock(&s->lock);
    return job;
}

void glm_state_flush(glm_state *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->todo || s->running)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void glm_state_get_counts(glm_state *s, glm_state_counts *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->counts;
    out->n_file = s->n_file;
    out->n_bytes = s->n_bytes;
    pthread_mutex_unlock(&s->lock);
}
