// SPDX-License-Identifier: Apache-2.0
/* Files that people have reviewed: found below a root without following links or leaving its
 * filesystem, held by their directories' descriptors, and looked at again just before each is
 * touched. Whoever may write below the root can win a file's removal that he could remove himself,
 * and nothing else. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/text.h"
#include "repair/works.h"

/* Below the root. */
#define DEPTH_MAX 8
/* Looked at in one walk; what is past them waits for the next one. */
#define LOOKED_MAX 200000
/* Old logs that a rotation keeps: NAME.1 is the newest. */
#define ROTATED_MAX 4

struct found {
	char path[KM_NAME_MAX]; /* below the root */
	uint64_t inode, bytes;
};

struct walk {
	const struct km_work_files *work;
	int root;
	uint64_t device;
	unsigned int looked;
	uint64_t bytes;
	size_t count;
	struct found found[]; /* files->count of them */
};

static int open_below(int dir, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		                .resolve =
		                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool matches(const struct km_files *f, const char *path)
{
	for (char **p = f->patterns; *p; p++)
		if (km_glob(*p, path))
			return true;
	return false;
}

/* One of ours, and to be touched. A file with a second name may be kept by it on purpose. */
static bool wanted(const struct walk *w, const struct stat *st, const char *path)
{
	const struct km_files *f = w->work->files;
	uint64_t older_s = f->older_ns / KM_NS_PER_S;

	if (!S_ISREG(st->st_mode) || st->st_dev != w->device || st->st_nlink != 1 ||
	    !matches(f, path))
		return false;
	return w->work->verb != KM_FREE_SPACE ||
	       (uint64_t)st->st_mtim.tv_sec + older_s <= w->work->now_s;
}

static uint64_t bytes_of(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
}

static void take(struct walk *w, const struct stat *st, const char *path)
{
	struct found *f = &w->found[w->count];

	if (w->count == w->work->files->count || w->bytes + bytes_of(st) > w->work->files->bytes ||
	    !wanted(w, st, path))
		return;
	f->inode = st->st_ino;
	f->bytes = bytes_of(st);
	km_copy(f->path, sizeof(f->path), path);
	w->bytes += f->bytes;
	w->count++;
}

/* Directory PATH ("" is the root), DEPTH below it. */
static int walk(struct walk *w, const char *path, unsigned int depth)
{
	int fd = open_below(w->root, *path ? path : ".", O_RDONLY | O_DIRECTORY), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char below[KM_NAME_MAX];
	struct dirent *e;

	if (!d)
		return fd < 0 ? fd : -ENOMEM;
	while (r == 0 && (e = readdir(d)) && w->looked++ < LOOKED_MAX) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", e->d_name) >=
		            (int)sizeof(below) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && st.st_dev == w->device)
			r = walk(w, below, depth + 1);
		else
			take(w, &st, below);
		if (r == -EACCES || r == -ENOENT || r == -EXDEV || r == -ELOOP)
			r = 0; /* somebody else's, or gone since */
	}
	closedir(d);
	return r;
}

/* The list that the intent holds: as many names as fit. */
static void tell(const struct walk *w, const char *verb, char *detail, size_t size)
{
	char bytes[32];
	int n = snprintf(detail, size, "%s %zu files, %s below %.80s:", verb, w->count,
	                 km_text_bytes(w->bytes, bytes, sizeof(bytes)), w->work->files->root);

	for (size_t i = 0; i < w->count && n < (int)size - 1; i++)
		n += snprintf(detail + n, size - (size_t)n, " %s", w->found[i].path);
	detail[size - 1] = '\0';
}

static int plan(void *arg, char *detail, size_t size)
{
	struct km_work_files *work = arg;
	struct walk *w = calloc(1, sizeof(*w) + work->files->count * sizeof(*w->found));
	struct km_error err = { 0 };
	struct stat st;
	int r;

	work->walk = w;
	if (!w)
		return -ENOMEM;
	w->work = work;
	w->root = km_fs_open_trusted(w->work->files->root, &err);
	if (w->root < 0 || fstat(w->root, &st) < 0) {
		snprintf(detail, size, "%.200s", err.what);
		return w->root < 0 ? w->root : -errno;
	}
	w->device = st.st_dev;
	r = walk(w, "", 0);
	if (r == 0 && !w->count)
		r = -ENOENT;
	if (r == 0)
		tell(w, km_verb_names[w->work->verb], detail, size);
	else
		snprintf(detail, size, "%s",
		         r == -ENOENT ? "no file is to be touched" : strerror(-r));
	return r;
}

/* The directory of PATH, and the last step of it. */
static int open_parent(const struct walk *w, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[KM_NAME_MAX] = ".";

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return open_below(w->root, parent, O_RDONLY | O_DIRECTORY);
}

static int truncate_it(int dir, const char *name, const struct stat *st)
{
	km_autoclose int fd = open_below(dir, name, O_WRONLY);
	struct stat now;

	if (fd < 0)
		return fd;
	if (fstat(fd, &now) < 0 || now.st_ino != st->st_ino || now.st_dev != st->st_dev)
		return -ESTALE;
	return ftruncate(fd, 0) < 0 ? -errno : 0;
}

/* NAME.3 becomes NAME.4, ... NAME becomes NAME.1, and a new one is there as the old one was. */
static int rotate_it(int dir, const char *name, const struct stat *st)
{
	char from[NAME_MAX + 8], to[NAME_MAX + 8];
	km_autoclose int fd = -1;

	for (int i = ROTATED_MAX; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%d", name, i);
		snprintf(from, sizeof(from), i > 1 ? "%s.%d" : "%s", name, i - 1);
		if (renameat(dir, from, dir, to) < 0 && (errno != ENOENT || i == 1))
			return -errno;
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int remove_it(int dir, const char *name, const struct stat *st)
{
	(void)st;
	return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

static int touch(const struct walk *w, const struct found *f)
{
	int (*const does)(int dir, const char *name, const struct stat *st) =
		w->work->verb == KM_ROTATE     ? rotate_it
		: w->work->verb == KM_TRUNCATE ? truncate_it
					       : remove_it;
	const char *name;
	km_autoclose int dir = open_parent(w, f->path, &name);
	struct stat st;

	if (dir < 0)
		return dir;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Another file by the same name is none of those that were listed. */
	if (st.st_ino != f->inode || !wanted(w, &st, f->path))
		return -ESTALE;
	return does(dir, name, &st);
}

static int apply(void *arg, char *detail, size_t size)
{
	const struct walk *w = ((const struct km_work_files *)arg)->walk;
	uint64_t bytes = 0;
	size_t done = 0;
	char text[32];
	int error = 0;

	for (size_t i = 0; i < w->count; i++) {
		int r = touch(w, &w->found[i]);

		if (r == 0)
			bytes += w->found[i].bytes;
		else
			error = r;
		done += r == 0;
	}
	snprintf(detail, size, "%s: %zu of %zu files, %s%s%s", km_verb_names[w->work->verb], done,
	         w->count, km_text_bytes(bytes, text, sizeof(text)), error ? "; " : "",
	         error ? strerror(-error) : "");
	return done ? 0 : error;
}

const struct km_job_work km_work_files = { plan, apply };
