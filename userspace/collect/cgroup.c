// SPDX-License-Identifier: Apache-2.0
/* The tree of cgroups, kept up to date one directory at a time. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/table.h"
#include "collect/cgroup.h"

enum { ASKED = 1, WATCHED = 2 }; /* watched: itself or one above it was asked for */

struct row {
	uint64_t id;
	char *path;
	int32_t wd;
	uint32_t flags;
	uint32_t walk; /* number of the last walk that saw it */
	uint32_t pad;
};

struct km_cgroups {
	char root[KM_PATH_MAX];
	struct km_cgroups_ops ops;
	struct km_table *rows;
	int inotify_fd;
	uint32_t walk;
	uint64_t refused;
};

int km_cgroups_new(const char *root, const struct km_cgroups_ops *ops, struct km_cgroups **ret)
{
	static const struct km_table_opts rows = { .name = "cgroups",
		                                   .rows_max = KM_CGROUPS_MAX,
		                                   .row_size = sizeof(struct row),
		                                   .key_size = sizeof(uint64_t) };
	km_autofree(km_cgroups_freep) struct km_cgroups *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->inotify_fd = -1;
	g->ops = *ops;
	if (!km_copy(g->root, sizeof(g->root), root))
		return -ENAMETOOLONG;
	r = km_table_new(&rows, &g->rows);
	if (r < 0)
		return r;
	/* Without it (the user's instances are used up) the walks go on. */
	g->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	*ret = km_take(g);
	return 0;
}

struct km_cgroups *km_cgroups_free(struct km_cgroups *g)
{
	uint32_t slot = 0;
	struct row *row;

	if (!g)
		return NULL;
	while (g->rows && (row = km_table_next(g->rows, &slot)))
		free(row->path);
	km_table_free(g->rows);
	km_close(&g->inotify_fd);
	free(g);
	return NULL;
}

int km_cgroups_fd(const struct km_cgroups *g)
{
	return g->inotify_fd;
}

uint32_t km_cgroups_count(const struct km_cgroups *g)
{
	return km_table_count(g->rows);
}

uint64_t km_cgroups_refused(const struct km_cgroups *g)
{
	return g->refused;
}

const char *km_cgroups_path(const struct km_cgroups *g, uint64_t id)
{
	const struct row *row = km_table_get(g->rows, &id);

	return row ? row->path : NULL;
}

static struct row *find_path(const struct km_cgroups *g, const char *path)
{
	uint32_t slot = 0;
	struct row *row;

	while ((row = km_table_next(g->rows, &slot)))
		if (strcmp(row->path, path) == 0)
			return row;
	return NULL;
}

uint64_t km_cgroups_id(const struct km_cgroups *g, const char *path)
{
	const struct row *row = find_path(g, path);

	return row ? row->id : 0;
}

/* Is PATH below TOP? Nothing counts as below the root: that would watch the whole host. */
static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return n > 1 && strncmp(path, top, n) == 0 && path[n] == '/';
}

static bool should_watch(const struct km_cgroups *g, const struct row *row)
{
	uint32_t slot = 0;
	struct row *top;

	if (row->flags & ASKED)
		return true;
	while ((top = km_table_next(g->rows, &slot)))
		if (top->flags & ASKED && below(row->path, top->path))
			return true;
	return false;
}

static void set_watch(struct km_cgroups *g, struct row *row)
{
	bool on = should_watch(g, row), was = row->flags & WATCHED;

	if (on == was)
		return;
	row->flags ^= WATCHED;
	g->ops.watch(g->ops.userdata, row->id, on);
}

int km_cgroups_watch(struct km_cgroups *g, uint64_t id, bool on)
{
	struct row *row = km_table_get(g->rows, &id), *other;
	uint32_t slot = 0;

	if (!row)
		return -ENOENT;
	row->flags = on ? row->flags | ASKED : row->flags & ~(uint32_t)ASKED;
	set_watch(g, row);
	while ((other = km_table_next(g->rows, &slot)))
		if (below(other->path, row->path))
			set_watch(g, other);
	return 0;
}

void km_cgroups_remark(struct km_cgroups *g, uint64_t id)
{
	const struct row *row = km_table_get(g->rows, &id), *other;
	uint32_t slot = 0;

	while (row && (other = km_table_next(g->rows, &slot)))
		if (other->flags & WATCHED && (other == row || below(other->path, row->path)))
			g->ops.watch(g->ops.userdata, other->id, true);
}

static int drop(struct km_cgroups *g, struct row *row)
{
	km_autofree_char char *path = row->path;
	uint64_t id = row->id;

	if (row->flags & WATCHED)
		g->ops.watch(g->ops.userdata, id, false);
	if (row->wd >= 0)
		inotify_rm_watch(g->inotify_fd, row->wd);
	km_table_drop(g->rows, &id);
	return g->ops.seen(g->ops.userdata, id, path, true);
}

static int watch_dir(const struct km_cgroups *g, const char *path)
{
	char full[2 * KM_PATH_MAX];

	if (g->inotify_fd < 0)
		return -1;
	snprintf(full, sizeof(full), "%s%s", g->root, path);
	return inotify_add_watch(g->inotify_fd, full,
	                         IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW);
}

/* 1: new or known, go on into it; 0: not to be followed; else the answer of ops->seen. */
static int meet(struct km_cgroups *g, uint64_t id, const char *path)
{
	struct row *row;
	int r;

	r = km_table_put(g->rows, &id, &row);
	if (r == 0 && strcmp(row->path, path) == 0) {
		row->walk = g->walk;
		return 1;
	}
	if (r == 0) { /* renamed, which cgroup v2 does not allow: as if it were another one */
		r = drop(g, row);
		return r ? r : meet(g, id, path);
	}
	if (r < 0) {
		g->refused++;
		return 0;
	}
	row->path = strdup(path);
	if (!row->path) {
		km_table_drop(g->rows, &id);
		return 0;
	}
	row->walk = g->walk;
	/* Before its content is read: what is made later is told by inotify, the rest found. */
	row->wd = watch_dir(g, path);
	r = g->ops.seen(g->ops.userdata, id, path, false);
	if (r)
		return r;
	set_watch(g, row);
	return 1;
}

static int walk_into(struct km_cgroups *g, int dir_fd, const char *path, unsigned int depth);

static int walk_entry(struct km_cgroups *g, DIR *dir, const struct dirent *e, const char *path,
                      unsigned int depth)
{
	char child[KM_PATH_MAX];
	int fd, n, r;

	if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
		return 0;
	n = snprintf(child, sizeof(child), "%s/%s", path[1] ? path : "", e->d_name);
	if (n >= (int)sizeof(child) || depth >= KM_CGROUP_DEPTH_MAX) {
		g->refused++;
		return 0;
	}
	r = meet(g, e->d_ino, child);
	if (r <= 0)
		return r;
	fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? 0 : walk_into(g, fd, child, depth + 1);
}

/* Takes DIR_FD. */
static int walk_into(struct km_cgroups *g, int dir_fd, const char *path, unsigned int depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *e;
	int r = 0;

	if (!dir) {
		close(dir_fd);
		return 0;
	}
	while (r == 0 && (e = readdir(dir)))
		r = walk_entry(g, dir, e, path, depth);
	closedir(dir);
	return r;
}

static int open_below(const struct km_cgroups *g, const char *path, uint64_t *ret_id)
{
	char full[2 * KM_PATH_MAX];
	struct stat st;
	int fd;

	snprintf(full, sizeof(full), "%s%s", g->root, path);
	fd = open(full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -EIO;
	}
	*ret_id = st.st_ino;
	return fd;
}

int km_cgroups_walk(struct km_cgroups *g)
{
	uint32_t slot = 0;
	struct row *row;
	uint64_t id;
	int fd, r;

	fd = open_below(g, "/", &id);
	if (fd < 0)
		return fd;
	g->walk++;
	r = meet(g, id, "/");
	if (r <= 0) {
		close(fd);
		return r;
	}
	r = walk_into(g, fd, "/", 0);
	while (r == 0 && (row = km_table_next(g->rows, &slot)))
		if (row->walk != g->walk)
			r = drop(g, row);
	return r;
}

static int created(struct km_cgroups *g, const char *path)
{
	uint64_t id;
	int fd, r;

	fd = open_below(g, path, &id);
	if (fd < 0)
		return 0; /* gone again */
	r = meet(g, id, path);
	if (r > 0)
		return walk_into(g, fd, path, 1);
	close(fd);
	return r;
}

static int removed(struct km_cgroups *g, const char *path)
{
	struct row *row = find_path(g, path);
	uint64_t id;
	int fd;

	if (!row)
		return 0;
	fd = open_below(g, path, &id);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && id == row->id)
		return 0; /* a late event: this one was made after it */
	return drop(g, row);
}

static int handle(struct km_cgroups *g, const struct inotify_event *e)
{
	char path[KM_PATH_MAX];
	uint32_t slot = 0;
	struct row *row;

	if (e->mask & IN_Q_OVERFLOW)
		return km_cgroups_walk(g);
	if (!(e->mask & IN_ISDIR) || !e->len)
		return 0;
	while ((row = km_table_next(g->rows, &slot)))
		if (row->wd == e->wd)
			break;
	if (!row || snprintf(path, sizeof(path), "%s/%s", row->path[1] ? row->path : "", e->name) >=
	                    (int)sizeof(path))
		return 0;
	return e->mask & IN_CREATE ? created(g, path) : removed(g, path);
}

int km_cgroups_events(struct km_cgroups *g)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;
	int r = 0;

	if (g->inotify_fd < 0)
		return 0;
	while (r == 0 && (n = read(g->inotify_fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; r == 0 && p < buf + n;) {
			const struct inotify_event *e = (const void *)p;

			r = handle(g, e);
			p += sizeof(*e) + e->len;
		}
	return r;
}
