// SPDX-License-Identifier: Apache-2.0
/* Which files below a rules folder are rules, in which order, and reading them with trust. */
#include "match/rule.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"

/* A folder holds rules, tests beside them and perhaps notes: past this many names it is not one. */
#define NAMES_MAX (4 * KM_RULES_MAX)

struct names {
	char **list; /* NULL-terminated */
	size_t count, size;
};

static void km_free_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void km_names_freep(struct names *n)
{
	km_fs_free_names(n->list);
}

static int fail(struct km_error *err, const char *file, const char *remedy, const char *what)
{
	memset(err, 0, sizeof(*err));
	km_copy(err->file, sizeof(err->file), file);
	km_copy(err->what, sizeof(err->what), what);
	km_copy(err->remedy, sizeof(err->remedy), remedy);
	return -EBADMSG;
}

static int add_name(struct names *n, const char *folder, const char *name)
{
	char *text;

	if (n->count + 1 >= n->size) {
		size_t size = n->size ? 2 * n->size : 64;
		char **list = reallocarray(n->list, size, sizeof(*list));

		if (!list)
			return -ENOMEM;
		n->list = list;
		n->size = size;
		n->list[n->count] = NULL;
	}
	if (asprintf(&text, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
		return -ENOMEM;
	n->list[n->count++] = text;
	n->list[n->count] = NULL;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names in the folder but hidden ones, sorted, whatever they are: what is no plain file is
 * refused where it is opened, not overlooked here. */
static int list_folder(int dir_fd, const char *folder, struct names *ret)
{
	km_autofree(km_free_dirp) DIR *dir = NULL;
	km_autoclose int fd =
		openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	km_take_fd(&fd);
	errno = 0;
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = ret->count < NAMES_MAX ? add_name(ret, "", entry->d_name) : -E2BIG;
		if (r < 0)
			return r;
		errno = 0;
	}
	if (errno)
		return -errno;
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), compare);
	return 0;
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && !strcmp(name + n - s, suffix);
}

static bool is_rule(const char *name)
{
	return ends_with(name, ".json") && !ends_with(name, ".test.json");
}

/* The rules directly in FOLDER, named PREFIX/name. */
static int add_class(int dir_fd, const char *folder, const char *prefix, struct km_error *err,
                     struct names *ret)
{
	km_autofree(km_names_freep) struct names files = { 0 };
	int r = list_folder(dir_fd, folder, &files);

	if (r < 0)
		return fail(err, folder, "see its owner, mode and number of files", strerror(-r));
	for (size_t i = 0; i < files.count; i++) {
		if (!is_rule(files.list[i]))
			continue;
		if (ret->count == KM_RULES_MAX)
			return fail(err, folder, "merge rules or remove some",
			            "more rules than one host may have");
		if (strlen(prefix) + 1 + strlen(files.list[i]) >= KM_NAME_MAX)
			return fail(err, files.list[i], "use a shorter name",
			            "the name of this rule's file is too long");
		r = add_name(ret, prefix, files.list[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One name in the rules folder itself. */
static int add_entry(int dir_fd, const char *name, struct km_error *err, struct names *ret)
{
	struct stat st;

	if (!strcmp(name, "schema") || !strcmp(name, "policy"))
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return add_class(dir_fd, name, name, err, ret);
	if (S_ISLNK(st.st_mode))
		return fail(err, name, "replace it by what it points to",
		            "a link among the rules is not followed");
	if (is_rule(name))
		return fail(err, name, "move it into one, like rules/memory/",
		            "a rule outside a class folder would not be loaded");
	return 0;
}

static bool is_folder(int dir_fd, const char *name)
{
	struct stat st;

	return strcmp(name, "schema") && strcmp(name, "policy") &&
	       fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int hand_over(struct names *n, char ***ret)
{
	if (!n->list)
		n->list = calloc(1, sizeof(*n->list));
	if (!n->list)
		return -ENOMEM;
	*ret = km_take(n->list);
	return 0;
}

int km_rule_names(int dir_fd, struct km_error *err, char ***ret)
{
	km_autofree(km_names_freep) struct names entries = { 0 };
	km_autofree(km_names_freep) struct names names = { 0 };
	int r = list_folder(dir_fd, ".", &entries);

	for (size_t i = 0; r >= 0 && i < entries.count; i++)
		r = add_entry(dir_fd, entries.list[i], err, &names);
	return r < 0 ? r : hand_over(&names, ret);
}

int km_rule_class_names(int dir_fd, struct km_error *err, char ***ret)
{
	km_autofree(km_names_freep) struct names entries = { 0 };
	km_autofree(km_names_freep) struct names names = { 0 };
	int r = list_folder(dir_fd, ".", &entries);

	if (r < 0)
		return r;
	for (size_t i = 0; i < entries.count; i++)
		if (is_folder(dir_fd, entries.list[i]))
			return hand_over(&names, ret);
	r = add_class(dir_fd, ".", "", err, &names);
	return r < 0 ? r : hand_over(&names, ret);
}

int km_rule_walk(int dir_fd,
                 int (*cb)(void *userdata, const char *file, const char *text, size_t len),
                 void *userdata, struct km_error *err)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	int r = km_rule_names(dir_fd, err, &names);

	for (size_t i = 0; r >= 0 && names[i]; i++) {
		km_autofree(km_buf_freep) struct km_buf *text = NULL;

		r = km_fs_read_trusted(dir_fd, names[i], KM_JSON_BYTES_MAX, err, &text);
		if (r < 0)
			return r;
		r = cb(userdata, names[i], km_buf_text(text), text->len);
		if (r)
			return r;
	}
	return r < 0 ? r : 0;
}
