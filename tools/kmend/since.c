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

struct found {
	char *name;
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

/* Those of NAMES that are not older than FROM_S, into FOUND, by time; how many. */
static size_t choose(int fd, char **names, int64_t from_s, struct found *found)
{
	size_t n = 0;
	struct stat st;

	for (; *names; names++) {
		if (fstatat(fd, *names, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtime < from_s)
			continue;
		found[n++] = (struct found){ .name = *names, .at = st.st_mtim };
	}
	qsort(found, n, sizeof(*found), by_time);
	return leave_out_repeated(fd, found, n);
}

static int keep(const char *dir, const struct found *found, size_t n, struct km_since *ret)
{
	ret->path = calloc(n + 1, sizeof(*ret->path));
	if (!ret->path)
		return -ENOMEM;
	for (; ret->count < n; ret->count++)
		if (asprintf(&ret->path[ret->count], "%s/%s", dir, found[ret->count].name) < 0)
			return -ENOMEM;
	return 0;
}

int km_since_find(const char *since, const char *state, struct km_error *err, struct km_since *ret)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int fd = -1;
	char dir[2 * KM_PATH_MAX];
	struct found *found;
	uint64_t ns;
	size_t n = 0;
	int r;

	if (km_parse_duration(since, &ns) < 0 || !ns)
		return fail(err, "--since", "not a time", "like 12h or 7d");
	snprintf(dir, sizeof(dir), "%s/engine/evidence", state ? state : KM_CLI_STATE_DIR);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, dir, strerror(errno), "run it as root, or say --state DIR");
	r = km_fs_list(fd, ".trace", TRACES_MAX, &names);
	if (r < 0)
		return fail(err, dir, strerror(-r), "");
	while (names[n])
		n++;
	found = calloc(n + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	n = choose(fd, names, (int64_t)(time(NULL) - (time_t)(ns / KM_NS_PER_S)), found);
	r = n ? keep(dir, found, n, ret)
	      : fail(err, dir, "nothing is recorded of that time",
	             "a longer one; or record all with kmend trace record FILE");
	free(found);
	return r;
}
