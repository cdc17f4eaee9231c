// SPDX-License-Identifier: Apache-2.0
/* Levels and limits of cgroups, v2 or v1, read through descriptors that stay open. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/level.h"

#define LIMIT_EVERY 60 /* passes */
/* A level without a limit cannot run out: it is shown, not forecast. */
#define UNLIMITED_EVERY 4
/* What stood still so often is read at every third occasion, until it moves. Rarer, and a series
 * that is read at each pass would look stale (measure: five times its usual interval). */
#define STILL_MIN   4
#define STILL_EVERY 3
/* So many are read in the same pass: the kernel's path to a file is cold after a second of rest,
 * and the first read costs as much as five more. */
#define TOGETHER   64
#define LOOK_AGAIN 16 /* passes, where no controller is on for the cgroup */
#define STAT_EVERY 60 /* passes, where there is no limit */
#define STAT_MAX   8192

enum file { USAGE, STAT, PIDS, FILES };

struct level {
	uint64_t cgroup_id;
	char *path;
	int fd[FILES]; /* -1: not open, -2: not there */
	bool v1;       /* memory: no v2 controller in this cgroup */
	bool pids_v1;
	uint64_t memory_limit;
	uint64_t pids_limit;
	uint64_t reclaimable;
	uint64_t last[KM_RESOURCE_MAX];
	uint32_t still[KM_RESOURCE_MAX]; /* how often it was read as LAST in a row */
	bool looked;
	uint64_t look_again; /* at which pass files that were not there are tried again */
};

/* Cgroups that are read together mostly have the same parent. */
struct parent {
	char path[KM_PATH_MAX];
	uint64_t pass; /* in which the limit was read */
	uint64_t limit;
};

enum limited { MEMORY, TASKS, LIMITED };

struct km_levels {
	struct km_cgroup_mounts mounts;
	struct level *rows;
	size_t count, size;
	uint64_t pass;
	struct parent parent[LIMITED];
};

int km_levels_new(const struct km_cgroup_mounts *mounts, struct km_levels **ret)
{
	struct km_levels *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->mounts = *mounts;
	*ret = l;
	return 0;
}

static void close_files(struct level *v)
{
	for (int i = 0; i < FILES; i++)
		km_close(&v->fd[i]);
}

struct km_levels *km_levels_free(struct km_levels *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		close_files(&l->rows[i]);
		free(l->rows[i].path);
	}
	free(l->rows);
	free(l);
	return NULL;
}

static struct level *find(struct km_levels *l, uint64_t cgroup_id)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->rows[i].cgroup_id == cgroup_id)
			return &l->rows[i];
	return NULL;
}

int km_levels_add(struct km_levels *l, uint64_t cgroup_id, const char *path)
{
	struct level *v;

	if (find(l, cgroup_id))
		return 0;
	if (l->count >= KM_SERVICES_MAX)
		return -ENOSPC;
	if (l->count == l->size) {
		size_t size = l->size ? 2 * l->size : 32;

		v = reallocarray(l->rows, size, sizeof(*v));
		if (!v)
			return -ENOMEM;
		l->rows = v;
		l->size = size;
	}
	v = &l->rows[l->count];
	*v = (struct level){ .cgroup_id = cgroup_id,
		             .path = strdup(path),
		             .fd = { -1, -1, -1 },
		             .memory_limit = KM_UNKNOWN,
		             .pids_limit = KM_UNKNOWN };
	if (!v->path)
		return -ENOMEM;
	l->count++;
	return 0;
}

void km_levels_drop(struct km_levels *l, uint64_t cgroup_id)
{
	struct level *v = find(l, cgroup_id);

	if (!v)
		return;
	close_files(v);
	free(v->path);
	*v = l->rows[--l->count];
}

static int open_file(const char *mount, const char *path, const char *name)
{
	char full[2 * KM_PATH_MAX + 64];
	int fd;

	if (!mount[0])
		return -ENOENT;
	snprintf(full, sizeof(full), "%s%s/%s", mount, path, name);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* v2 if the controller is on in this cgroup, else v1 under the same path. */
static void open_files(struct km_levels *l, struct level *v)
{
	const struct km_cgroup_mounts *m = &l->mounts;

	if (v->fd[USAGE] < 0 && v->fd[PIDS] < 0) {
		v->fd[USAGE] = open_file(m->unified, v->path, "memory.current");
		v->v1 = v->fd[USAGE] < 0;
		v->fd[PIDS] = open_file(m->unified, v->path, "pids.current");
		v->pids_v1 = v->fd[PIDS] < 0;
	} else {
		return;
	}
	if (v->v1)
		v->fd[USAGE] = open_file(m->memory, v->path, "memory.usage_in_bytes");
	if (v->pids_v1)
		v->fd[PIDS] = open_file(m->pids, v->path, "pids.current");
	v->fd[STAT] = open_file(v->v1 ? m->memory : m->unified, v->path, "memory.stat");
	if (v->fd[USAGE] < 0 && v->fd[PIDS] < 0)
		v->look_again = l->pass + LOOK_AGAIN;
}

static int read_text(int fd, char *buf, size_t size)
{
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, size - 1, 0);

	if (n <= 0)
		return -EIO;
	buf[n] = '\0';
	return 0;
}

uint64_t km_limit_parse(const char *text)
{
	unsigned long long n;
	char *end;

	if (strncmp(text, "max", 3) == 0)
		return KM_UNKNOWN;
	errno = 0;
	n = strtoull(text, &end, 10);
	/* v1 says "no limit" as the largest number of pages, times their size. */
	return errno || end == text || n >= 1ULL << 62 ? KM_UNKNOWN : n;
}

static uint64_t read_number(int fd)
{
	char text[32];

	return read_text(fd, text, sizeof(text)) < 0 ? KM_UNKNOWN : km_limit_parse(text);
}

/* Value of the line "KEY VALUE", 0 if there is none. */
static uint64_t stat_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; (p = strstr(p, key)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return strtoull(p + n + 1, NULL, 10);
	return 0;
}

uint64_t km_memory_reclaimable(const char *t)
{
	/* v1 has sums over the subtree under a prefix of their own. */
	if (strstr(t, "total_inactive_file "))
		return stat_value(t, "total_inactive_file") + stat_value(t, "total_active_file");
	return stat_value(t, "inactive_file") + stat_value(t, "active_file") +
	       stat_value(t, "slab_reclaimable");
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t one_limit(const char *mount, const char *path, const char *name)
{
	km_autoclose int fd = open_file(mount, path, name);

	return fd < 0 ? KM_UNKNOWN : read_number(fd);
}

/* On the way up to the root, which has no such file; AT is used up. */
static uint64_t limit_above(const char *mount, char *at, const char *name)
{
	uint64_t limit = KM_UNKNOWN;

	while (at[0] == '/' && at[1]) {
		limit = smaller(limit, one_limit(mount, at, name));
		*strrchr(at, '/') = '\0';
	}
	return limit;
}

static uint64_t smallest_limit(struct km_levels *l, enum limited what, const char *mount,
                               const char *path, const char *name)
{
	uint64_t own = one_limit(mount, path, name);
	struct parent *p = &l->parent[what];
	char above[KM_PATH_MAX];

	km_copy(above, sizeof(above), path);
	if (above[0] == '/')
		*strrchr(above, '/') = '\0';
	if (p->pass != l->pass || strcmp(p->path, above) != 0) {
		p->pass = l->pass;
		km_copy(p->path, sizeof(p->path), above);
		p->limit = limit_above(mount, above, name);
	}
	return smaller(own, p->limit);
}

static void read_limits(struct km_levels *l, struct level *v)
{
	const struct km_cgroup_mounts *m = &l->mounts;

	v->memory_limit =
		v->v1 ? smallest_limit(l, MEMORY, m->memory, v->path, "memory.limit_in_bytes")
		      : smallest_limit(l, MEMORY, m->unified, v->path, "memory.max");
	v->pids_limit =
		smallest_limit(l, TASKS, v->pids_v1 ? m->pids : m->unified, v->path, "pids.max");
}

static bool turn(const struct km_levels *l, const struct level *v, uint32_t every)
{
	return !v->looked || (l->pass + (size_t)(v - l->rows) / TOGETHER) % every == 0;
}

static void read_stat(const struct km_levels *l, struct level *v)
{
	char text[STAT_MAX];

	if (!turn(l, v, v->memory_limit == KM_UNKNOWN ? STAT_EVERY : 1))
		return;
	if (read_text(v->fd[STAT], text, sizeof(text)) == 0)
		v->reclaimable = km_memory_reclaimable(text);
}

static bool due(const struct km_levels *l, const struct level *v, enum km_resource r,
                uint64_t limit)
{
	uint32_t every = limit == KM_UNKNOWN ? UNLIMITED_EVERY : 1;

	if (v->still[r] >= STILL_MIN)
		every *= STILL_EVERY;
	return turn(l, v, every);
}

static uint64_t noted(struct level *v, enum km_resource r, uint64_t level)
{
	v->still[r] = level == v->last[r] ? v->still[r] + (v->still[r] < STILL_MIN) : 0;
	v->last[r] = level;
	return level;
}

/* Files that do not stay open are opened only for what is due. */
static int read_one(struct km_levels *l, struct level *v, km_level_cb cb, void *userdata)
{
	bool memory = due(l, v, KM_MEMORY, v->memory_limit), limits = turn(l, v, LIMIT_EVERY);
	bool tasks = due(l, v, KM_THREADS, v->pids_limit);
	uint64_t usage = KM_UNKNOWN, pids = KM_UNKNOWN;
	int r = 0;

	if (l->pass < v->look_again || !(memory || tasks || limits))
		return 0;
	open_files(l, v);
	if (limits)
		read_limits(l, v);
	if (memory)
		usage = read_number(v->fd[USAGE]);
	if (usage != KM_UNKNOWN) {
		read_stat(l, v);
		usage -= v->reclaimable < usage ? v->reclaimable : usage;
		r = cb(userdata, v->cgroup_id, KM_MEMORY, noted(v, KM_MEMORY, usage),
		       v->memory_limit);
	}
	if (r == 0 && tasks)
		pids = read_number(v->fd[PIDS]);
	if (pids != KM_UNKNOWN)
		r = cb(userdata, v->cgroup_id, KM_THREADS, noted(v, KM_THREADS, pids),
		       v->pids_limit);
	v->looked = true;
	if (v - l->rows >= KM_LEVELS_OPEN_MAX)
		close_files(v);
	return r;
}

int km_levels_read(struct km_levels *l, km_level_cb cb, void *userdata)
{
	int r = 0;

	l->pass++;
	for (size_t i = 0; i < l->count && r == 0; i++)
		r = read_one(l, &l->rows[i], cb, userdata);
	return r;
}
