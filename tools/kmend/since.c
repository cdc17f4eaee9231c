// SPDX-License-Identifier: Apache-2.0
#include "since.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "cli.h"
#include "record/trace.h"

/* Far more than the engine keeps: somebody may have gathered those of several hosts. */
#define TRACES_MAX 100000

/* Below the engine's directory. */
static const char *const folders[] = { "recording", "evidence" };
enum { RECORDING, EVIDENCE, FOLDERS };

struct found {
	char *name;
	int folder;
	struct timespec at;
	uint64_t begin_ns; /* boot time of the checkpoint that it begins with; 0: none */
};

static int fail(struct km_error *err, const char *file, const char *what, const char *remedy)
{
	*err = (struct km_error){ 0 };
	km_copy(err->file, sizeof(err->file), file);
	km_copy(err->what, sizeof(err->what), what);
	km_copy(err->remedy, sizeof(err->remedy), remedy);
	return -EBADMSG;
}

static int by_time(const void *a, const void *b)
{
	const struct timespec *x = &((const struct found *)a)->at;
	const struct timespec *y = &((const struct found *)b)->at;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

void km_since_clear(struct km_since *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->path[i]);
	free(s->path);
	*s = (struct km_since){ 0 };
}

static uint64_t begin_of(int dir_fd, const char *name)
{
	km_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	const struct kmend_hdr *hdr;
	const void *raw;

	if (fd < 0 || km_trace_reader_new(fd, &r) < 0 || km_trace_next(r, &raw) <= 0)
		return 0;
	hdr = raw;
	return hdr->ktime_ns;
}

/* Decisions that came close together have the same beginning: the last of them tells all. */
static size_t leave_out_repeated(int dir_fd, struct found *found, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		found[i].begin_ns = begin_of(dir_fd, found[i].name);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || !found[i].begin_ns || found[i].begin_ns != found[i + 1].begin_ns)
			found[kept++] = found[i];
	return kept;
}

/* What was found so far, and what its names are freed with. */
struct finding {
	const char *state;
	int64_t from_s;
	struct found *found;
	size_t count;
	char **names[FOLDERS];
	int fd[FOLDERS];
};

static void km_finding_clear(struct finding *f)
{
	for (int i = 0; i < FOLDERS; i++) {
		km_fs_free_names(f->names[i]);
		km_close(&f->fd[i]);
	}
	free(f->found);
}

static void name_folder(const struct finding *f, int folder, char *ret, size_t size)
{
	snprintf(ret, size, "%s/engine/%s", f->state, folders[folder]);
}

/* Traces in FOLDER that are not older than FROM_S, and end before UNTIL_S, by time. */
static size_t choose(struct finding *f, int folder, int64_t until_s)
{
	struct found *found = f->found + f->count;
	size_t n = 0;
	struct stat st;

	for (char **name = f->names[folder]; name && *name; name++) {
		if (fstatat(f->fd[folder], *name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_mtime < f->from_s || st.st_mtime > until_s)
			continue;
		found[n++] = (struct found){ .name = *name, .folder = folder, .at = st.st_mtim };
	}
	if (n)
		qsort(found, n, sizeof(*found), by_time);
	return leave_out_repeated(f->fd[folder], found, n);
}

/* When the first trace of the recording begins, as near as its file's times tell. */
static int64_t recorded_since(const struct finding *f)
{
	struct statx st;

	if (!f->names[RECORDING] || !f->names[RECORDING][0] ||
	    statx(f->fd[RECORDING], f->names[RECORDING][0], AT_SYMLINK_NOFOLLOW,
	          STATX_BTIME | STATX_MTIME, &st) < 0)
		return INT64_MAX;
	return st.stx_mask & STATX_BTIME ? st.stx_btime.tv_sec : st.stx_mtime.tv_sec;
}

static int open_folder(struct finding *f, int folder, size_t *room, struct km_error *err)
{
	char dir[2 * KM_PATH_MAX];
	int r;

	name_folder(f, folder, dir, sizeof(dir));
	f->fd[folder] = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd[folder] < 0 && errno == ENOENT)
		return 0;
	if (f->fd[folder] < 0)
		return fail(err, dir, strerror(errno), "run it as root, or say --state DIR");
	r = km_fs_list(f->fd[folder], ".trace", TRACES_MAX, &f->names[folder]);
	if (r < 0)
		return fail(err, dir, strerror(-r), "");
	for (char **name = f->names[folder]; *name; name++)
		++*room;
	return 0;
}

static int keep(const struct finding *f, struct km_since *ret)
{
	char dir[2 * KM_PATH_MAX];

	ret->path = calloc(f->count + 1, sizeof(*ret->path));
	if (!ret->path)
		return -ENOMEM;
	for (; ret->count < f->count; ret->count++) {
		name_folder(f, f->found[ret->count].folder, dir, sizeof(dir));
		if (asprintf(&ret->path[ret->count], "%s/%s", dir, f->found[ret->count].name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What led to decisions of before the recording, then the recording. */
static int find(struct finding *f, struct km_error *err)
{
	size_t room = 1;
	int r = 0;

	for (int i = 0; i < FOLDERS && r == 0; i++)
		r = open_folder(f, i, &room, err);
	if (r < 0)
		return r;
	f->found = calloc(room, sizeof(*f->found));
	if (!f->found)
		return -ENOMEM;
	f->count += choose(f, EVIDENCE, recorded_since(f));
	f->count += choose(f, RECORDING, INT64_MAX);
	return 0;
}

int km_since_find(const char *since, const char *state, struct km_error *err, struct km_since *ret)
{
	km_autofree(km_finding_clear) struct finding f = {
		.state = state ? state : KM_CLI_STATE_DIR,
		.fd = { -1, -1 },
	};
	uint64_t ns;
	int r;

	if (km_parse_duration(since, &ns) < 0 || !ns)
		return fail(err, "--since", "not a time", "like 12h or 7d");
	ret->asked_ns = ns;
	f.from_s = (int64_t)(time(NULL) - (time_t)(ns / KM_NS_PER_S));
	r = find(&f, err);
	if (r < 0)
		return r;
	return f.count ? keep(&f, ret)
	               : fail(err, f.state, "nothing is recorded of that time",
	                      "a longer one; or record all with kmend trace record FILE");
}
