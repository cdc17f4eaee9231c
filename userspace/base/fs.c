// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"

/* Up to SIZE bytes; short only at the end of the file. */
static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	return len;
}

int km_fs_read_small(int dir_fd, const char *name, char *buf, size_t size)
{
	km_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_full(fd, buf, size);
	if (n < 0)
		return n;
	if ((size_t)n == size)
		return -EFBIG;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int km_fs_read_u64(int dir_fd, const char *name, uint64_t *ret)
{
	char text[32];
	const char *p = text;
	uint64_t v;
	int len = km_fs_read_small(dir_fd, name, text, sizeof(text)), r;

	if (len < 0)
		return len;
	if (!strcmp(text, "max")) {
		*ret = KM_UNKNOWN;
		return 0;
	}
	r = km_text_u64(&p, &v);
	if (r < 0)
		return r;
	if (p != text + len)
		return -EINVAL;
	*ret = v;
	return 0;
}

bool km_fs_absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 && errno == ENOENT;
}

/* The next component of *PATH into NAME; 1, 0 when there is none left, -ENAMETOOLONG. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
	const char *p = *path + strspn(*path, "/");
	size_t len = strcspn(p, "/");

	if (len == 0)
		return 0;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, len);
	name[len] = '\0';
	*path = p + len;
	return 1;
}

/* The existing or new directory NAME below DIR_FD. */
static int make_one(int dir_fd, const char *name, unsigned int mode)
{
	km_autoclose int fd = -1;
	bool made = mkdirat(dir_fd, name, mode) == 0;

	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* MODE as asked for, whatever the umask. */
	if (made && fchmod(fd, mode) < 0)
		return -errno;
	return km_take_fd(&fd);
}

int km_fs_make_dir(const char *path, unsigned int mode, int *ret_fd)
{
	km_autoclose int fd = open(*path == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	int next, r;

	if (fd < 0)
		return -errno;
	while ((r = next_component(&path, name)) > 0) {
		/* What is there already may be one that we cannot list, only pass. */
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 || path[strspn(path, "/")] == '\0') {
			if (next >= 0)
				close(next);
			next = make_one(fd, name, mode);
		}
		if (next < 0)
			return next;
		close(fd);
		fd = next;
	}
	if (r < 0)
		return r;
	*ret_fd = km_take_fd(&fd);
	return 0;
}

char **km_fs_free_names(char **names)
{
	char **n;

	for (n = names; n && *n; n++)
		free(*n);
	free(names);
	return NULL;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool wanted(int fd, const struct dirent *e, const char *suffix, bool any)
{
	size_t len = strlen(e->d_name), cut = strlen(suffix);
	struct stat st;

	if (e->d_name[0] == '.' || len < cut || strcmp(e->d_name + len - cut, suffix) != 0)
		return false;
	if (any)
		return true;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All wanted names of DIR into *NAMES, which may have moved; their number or negative errno. */
static ssize_t collect_names(DIR *dir, const char *suffix, bool any, size_t max, char ***names)
{
	const struct dirent *e;
	size_t count = 0;
	char **bigger;

	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (!wanted(dirfd(dir), e, suffix, any))
			continue;
		if (count == max)
			return -E2BIG;
		bigger = reallocarray(*names, count + 2, sizeof(**names));
		if (!bigger)
			return -ENOMEM;
		*names = bigger;
		bigger[count] = strdup(e->d_name);
		if (!bigger[count])
			return -ENOMEM;
		bigger[++count] = NULL;
	}
	return errno ? -errno : (ssize_t)count;
}

static int list(int dir_fd, const char *suffix, bool any, size_t max, char ***ret)
{
	km_autofree(km_fs_free_namesp) char **names = calloc(1, sizeof(*names));
	km_autofree(close_dir) DIR *dir = NULL;
	km_autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	if (!names)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	km_take_fd(&fd);
	n = collect_names(dir, suffix ? suffix : "", any, max, &names);
	if (n < 0)
		return n;
	qsort(names, n, sizeof(*names), by_bytes);
	*ret = km_take(names);
	return 0;
}

int km_fs_list(int dir_fd, const char *suffix, size_t max, char ***ret)
{
	return list(dir_fd, suffix, false, max, ret);
}

int km_fs_list_any(int dir_fd, const char *suffix, size_t max, char ***ret)
{
	return list(dir_fd, suffix, true, max, ret);
}
