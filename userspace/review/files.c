// SPDX-License-Identifier: Apache-2.0
#include "review/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "match/rule.h"

#define RULE_END ".json"
#define TEST_END ".test.json"

static int fail(struct km_error *err, const char *path, const char *remedy, const char *what)
{
	*err = (struct km_error){ 0 };
	km_copy(err->file, sizeof(err->file), path);
	km_copy(err->remedy, sizeof(err->remedy), remedy);
	km_copy(err->what, sizeof(err->what), what);
	return -EBADMSG;
}

static int cannot_read(struct km_error *err, const char *path, int error)
{
	char what[128];

	snprintf(what, sizeof(what), "cannot be read: %s", strerror(-error));
	return error == -ENOMEM ? error : fail(err, path, "", what);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

/* Each of NAMES with PATH before it. */
static int below(const char *path, char **names)
{
	for (; *names; names++) {
		char *whole;

		if (asprintf(&whole, "%s/%s", path, *names) < 0)
			return -ENOMEM;
		free(*names);
		*names = whole;
	}
	return 0;
}

/* A folder of folders is a rules folder; one that holds rules itself is that of a class. */
static int find_in_folder(const char *path, struct km_error *err, char ***ret)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return cannot_read(err, path, -errno);
	r = km_rule_class_names(fd, err, &names);
	if (r >= 0 && !names[0]) {
		names = km_fs_free_names(names);
		r = km_rule_names(fd, err, &names);
	}
	if (r < 0)
		return r == -EBADMSG ? r : cannot_read(err, path, r);
	if (!names[0])
		return fail(err, path, "rules are files like memory/leak.json",
		            "no rule is in this folder");
	r = below(path, names);
	if (r == 0)
		*ret = km_take(names);
	return r;
}

static int find_file(const char *path, char ***ret)
{
	km_autofree(km_fs_free_namesp) char **names = calloc(2, sizeof(*names));
	bool test = ends_with(path, TEST_END);
	size_t len = strlen(path) - (test ? strlen(TEST_END) : 0);

	if (!names || asprintf(&names[0], "%.*s%s", (int)len, path, test ? RULE_END : "") < 0)
		return -ENOMEM;
	*ret = km_take(names);
	return 0;
}

int km_files_find(const char *path, struct km_error *err, char ***ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return cannot_read(err, path, -errno);
	return S_ISDIR(st.st_mode) ? find_in_folder(path, err, ret) : find_file(path, ret);
}

static int read_plainly(const char *path, struct km_buf **ret)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	km_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char piece[4096];
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = km_buf_new(KM_JSON_BYTES_MAX, &text);
	if (r < 0)
		return r;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		km_buf_add(text, piece, (size_t)n);
	if (n < 0)
		return -errno;
	if (km_buf_error(text))
		return km_buf_error(text) == -E2BIG ? -EFBIG : km_buf_error(text);
	*ret = km_take(text);
	return 0;
}

int km_files_read(const char *path, struct km_error *err, struct km_error *doubt,
                  struct km_buf **ret)
{
	int r = km_fs_read_trusted(AT_FDCWD, path, KM_JSON_BYTES_MAX, err, ret);

	*doubt = (struct km_error){ 0 };
	if (r != -EPERM && r != -ELOOP)
		return r < 0 && r != -ENOMEM ? -EBADMSG : r;
	*doubt = *err;
	r = read_plainly(path, ret);
	return r < 0 ? cannot_read(err, path, r) : r;
}

char *km_files_test_of(const char *path)
{
	size_t len = strlen(path);
	char *name;

	if (ends_with(path, RULE_END))
		len -= strlen(RULE_END);
	return asprintf(&name, "%.*s%s", (int)len, path, TEST_END) < 0 ? NULL : name;
}
