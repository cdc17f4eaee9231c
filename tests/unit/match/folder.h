/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of rules for one test, below TMPDIR. */
#ifndef KM_TEST_MATCH_FOLDER_H
#define KM_TEST_MATCH_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "support.h"

struct folder {
	char path[KM_PATH_MAX];
	int fd;
};

static inline int folder_new(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	umask(022);
	snprintf(f->path, sizeof(f->path), "%s/kmend-rules.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->fd < 0;
}

static inline int folder_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int folder_free(void **state)
{
	struct folder *f = *state;

	close(f->fd);
	nftw(f->path, folder_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* NAME may have one folder in it, which is made. */
static inline void folder_add(struct folder *f, const char *name, const char *text)
{
	char dir[KM_NAME_MAX];
	int fd;

	km_copy(dir, sizeof(dir), name);
	if (strchr(dir, '/')) {
		*strchr(dir, '/') = '\0';
		mkdirat(f->fd, dir, 0755);
	}
	fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#endif
