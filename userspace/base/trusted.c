// SPDX-License-Identifier: Apache-2.0
/* Configuration, policy and rules are read as the user who may act on them: nobody else may have
 * been able to write the file or to put another in its place. Each step of the path is opened by
 * itself without following links and judged by its descriptor, so that nothing can be exchanged
 * between the look and the use. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"

struct walk {
	int fd;               /* of the directory reached so far, owned */
	const char *name;     /* the whole path, for messages */
	size_t reached;       /* bytes of NAME up to what fd is */
	struct km_error *err; /* filled in for every failure */
};

/* Room in a remedy for a path; one that is longer is cut, and only shown. */
#define SHOWN 180

static int refuse(struct walk *w, int r, const char *what, const char *remedy)
{
	int shown = w->reached < SHOWN ? (int)w->reached : SHOWN;

	memset(w->err, 0, sizeof(*w->err));
	km_copy(w->err->file, sizeof(w->err->file), w->name);
	snprintf(w->err->what, sizeof(w->err->what), "%.*s %s", shown ? shown : 1,
	         shown ? w->name : ".", what);
	if (remedy)
		snprintf(w->err->remedy, sizeof(w->err->remedy), "%s %.*s", remedy,
		         shown ? shown : 1, shown ? w->name : ".");
	return r;
}

static int refuse_errno(struct walk *w, int r)
{
	char what[128];

	snprintf(what, sizeof(what), "cannot be read: %s", strerror(-r));
	return refuse(w, r, what, NULL);
}

static int judge(struct walk *w, const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return refuse(w, -EPERM, "belongs to another user", "chown root");
	/* In a sticky directory only the owner of an entry can replace it. */
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))
		return 0;
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return refuse(w, -EPERM, "is writable by group or others", "chmod go-w");
	return 0;
}

/* Opens the component PART of LEN bytes below W->fd, judges it and steps there. */
static int step(struct walk *w, const char *part, size_t len, int flags)
{
	char name[NAME_MAX + 1];
	km_autoclose int fd = -1;
	struct stat st;

	if (len > NAME_MAX)
		return refuse_errno(w, -ENAMETOOLONG);
	memcpy(name, part, len);
	name[len] = '\0';
	w->reached = part + len - w->name;
	if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return refuse(w, -ELOOP, "is a symbolic link", "name the file itself instead of");
	fd = openat(w->fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse_errno(w, -errno);
	close(w->fd);
	w->fd = km_take_fd(&fd);
	return judge(w, &st);
}

static int start(struct walk *w, int dir_fd)
{
	bool absolute = w->name[0] == '/';
	struct stat st;

	w->reached = absolute ? 1 : 0;
	w->fd = openat(dir_fd, absolute ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return refuse_errno(w, -errno);
	return judge(w, &st);
}

/* The directories above the one that a relative name begins in: nobody else may exchange them. */
static int judge_above(struct walk *w)
{
	km_autoclose int fd = openat(w->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat here, above;

	if (fd < 0 || fstat(fd, &here) < 0)
		return refuse_errno(w, -errno);
	for (;;) {
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r;

		if (up < 0)
			return refuse_errno(w, -errno);
		km_close(&fd);
		fd = up;
		if (fstat(fd, &above) < 0)
			return refuse_errno(w, -errno);
		if (above.st_ino == here.st_ino && above.st_dev == here.st_dev)
			return 0;
		r = judge(w, &above);
		if (r < 0)
			return r;
		here = above;
	}
}

/* The last component is opened with FLAGS. */
static int walk_to(struct walk *w, int dir_fd, int flags)
{
	const char *p = w->name;
	int r = start(w, dir_fd);

	while (r == 0) {
		size_t len;
		bool last;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0)
			return flags & O_DIRECTORY ? 0 : refuse_errno(w, -EISDIR);
		last = !p[len] || (flags & O_DIRECTORY && !p[len + strspn(p + len, "/")]);
		r = step(w, p, len, last ? flags : O_PATH | O_DIRECTORY);
		if (last)
			break;
		p += len;
	}
	return r;
}

int km_fs_open_trusted(const char *path, struct km_error *err)
{
	struct walk w = { .fd = -1, .name = path, .err = err };
	int r = 0;

	if (path[0] != '/') {
		w.fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = w.fd < 0 ? refuse_errno(&w, -errno) : judge_above(&w);
		km_close(&w.fd);
	}
	if (r == 0)
		r = walk_to(&w, AT_FDCWD, O_RDONLY | O_DIRECTORY);
	if (r == 0)
		return km_take_fd(&w.fd);
	km_close(&w.fd);
	return r;
}

static int read_all(struct walk *w, size_t max, struct km_buf *b)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(w->fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse_errno(w, -errno);
		km_buf_add(b, piece, n);
		if (km_buf_error(b) == -E2BIG) {
			char what[64];

			snprintf(what, sizeof(what), "is longer than %zu bytes", max);
			return refuse(w, -EFBIG, what, NULL);
		}
		if (km_buf_error(b))
			return km_buf_error(b);
	}
	return 0;
}

static int open_file(struct walk *w, int dir_fd)
{
	struct stat st;
	int r;

	if (!*w->name)
		return refuse_errno(w, -ENOENT);
	/* O_NONBLOCK: a FIFO must not hold us. */
	r = walk_to(w, dir_fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (r == 0 && fstat(w->fd, &st) < 0)
		r = refuse_errno(w, -errno);
	if (r == 0 && !S_ISREG(st.st_mode))
		r = refuse(w, -EPERM, "is not a regular file", NULL);
	return r;
}

int km_fs_open_trusted_file(const char *path, struct km_error *err)
{
	struct walk w = { .fd = -1, .name = path, .err = err };
	int r = open_file(&w, AT_FDCWD);

	if (r == 0)
		return km_take_fd(&w.fd);
	km_close(&w.fd);
	return r;
}

int km_fs_read_trusted(int dir_fd, const char *name, size_t max, struct km_error *err,
                       struct km_buf **ret)
{
	struct walk w = { .fd = -1, .name = name, .err = err };
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	int r = open_file(&w, dir_fd);

	if (r == 0)
		r = km_buf_new(max, &b);
	if (r == 0)
		r = read_all(&w, max, b);
	km_close(&w.fd);
	if (r == 0)
		*ret = km_take(b);
	return r;
}
