// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/fs.h"

/* A directory of its own for each test. */
struct fixture {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	km_copy(f->path, sizeof(f->path), "/tmp/kmend-fs-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->fd < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r = nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	close(f->fd);
	free(f);
	return r;
}

static void write_file(int dir_fd, const char *name, const char *text, mode_t mode)
{
	km_autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

/* 0 and the content, or the error that ERR must describe. */
static int read_trusted(int dir_fd, const char *name, size_t max, struct km_error *err,
                        const char *expected)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	int r;

	memset(err, 0, sizeof(*err));
	r = km_fs_read_trusted(dir_fd, name, max, err, &b);
	if (r == 0) {
		assert_string_equal(km_buf_text(b), expected);
	} else {
		assert_null(b);
		assert_string_equal(err->file, name);
		assert_true(err->what[0] != '\0');
	}
	return r;
}

static void a_private_file_is_read_below_a_directory_and_by_its_path(void **state)
{
	struct fixture *f = *state;
	struct km_error err;
	char path[128];

	write_file(f->fd, "a", "text", 0644);
	assert_int_equal(read_trusted(f->fd, "a", 100, &err, "text"), 0);
	assert_int_equal(read_trusted(f->fd, "./a", 100, &err, "text"), 0);
	assert_int_equal(mkdirat(f->fd, "b", 0755), 0);
	write_file(f->fd, "b/c", "", 0600);
	assert_int_equal(read_trusted(f->fd, "b//c", 100, &err, ""), 0);
	/* /tmp is sticky: allowed on the way. */
	snprintf(path, sizeof(path), "%s/a", f->path);
	assert_int_equal(read_trusted(AT_FDCWD, path, 100, &err, "text"), 0);
}

static void the_largest_file_is_read_and_one_byte_more_is_refused(void **state)
{
	struct fixture *f = *state;
	struct km_error err;

	write_file(f->fd, "a", "12345678", 0600);
	assert_int_equal(read_trusted(f->fd, "a", 8, &err, "12345678"), 0);
	assert_int_equal(read_trusted(f->fd, "a", 7, &err, NULL), -EFBIG);
	assert_non_null(strstr(err.what, "longer than 7 bytes"));
}

static void what_others_can_write_is_refused_with_the_remedy(void **state)
{
	static const mode_t modes[] = { 0620, 0602, 0666 };
	struct fixture *f = *state;
	struct km_error err;
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(modes); i++) {
		write_file(f->fd, "a", "x", modes[i]);
		assert_int_equal(read_trusted(f->fd, "a", 100, &err, NULL), -EPERM);
		assert_string_equal(err.what, "a is writable by group or others");
		assert_string_equal(err.remedy, "chmod go-w a");
	}
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
	struct fixture *f = *state;
	struct km_error err;

	assert_int_equal(mkdirat(f->fd, "d", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "d/e", 0755), 0);
	write_file(f->fd, "d/e/a", "x", 0600);
	assert_int_equal(fchmodat(f->fd, "d", 0775, 0), 0);
	assert_int_equal(read_trusted(f->fd, "d/e/a", 100, &err, NULL), -EPERM);
	assert_string_equal(err.what, "d is writable by group or others");
	assert_string_equal(err.remedy, "chmod go-w d");
	assert_int_equal(fchmodat(f->fd, "d", 01777, 0), 0);
	assert_int_equal(read_trusted(f->fd, "d/e/a", 100, &err, "x"), 0);
	assert_int_equal(fchmod(f->fd, 0777), 0);
	assert_int_equal(read_trusted(f->fd, "d/e/a", 100, &err, NULL), -EPERM);
	assert_string_equal(err.what, ". is writable by group or others");
}

static void what_belongs_to_another_user_is_refused(void **state)
{
	struct fixture *f = *state;
	uid_t other = geteuid() + 1;
	struct km_error err;

	write_file(f->fd, "a", "x", 0600);
	if (fchownat(f->fd, "a", other, other, 0) < 0) {
		print_message("skipped: only root can give a file away\n");
		skip();
	}
	assert_int_equal(read_trusted(f->fd, "a", 100, &err, NULL), -EPERM);
	assert_string_equal(err.what, "a belongs to another user");
	assert_int_equal(mkdirat(f->fd, "d", 0755), 0);
	write_file(f->fd, "d/b", "x", 0600);
	/* Sticky or not: the owner of a directory may do anything in it. */
	assert_int_equal(fchmodat(f->fd, "d", 01755, 0), 0);
	assert_int_equal(fchownat(f->fd, "d", other, other, 0), 0);
	assert_int_equal(read_trusted(f->fd, "d/b", 100, &err, NULL), -EPERM);
	assert_string_equal(err.what, "d belongs to another user");
}

static void no_link_is_followed_at_any_step(void **state)
{
	struct fixture *f = *state;
	struct km_error err;

	assert_int_equal(mkdirat(f->fd, "d", 0755), 0);
	write_file(f->fd, "d/a", "x", 0600);
	assert_int_equal(symlinkat("d", f->fd, "l"), 0);
	assert_int_equal(symlinkat("a", f->fd, "d/l"), 0);
	assert_int_equal(read_trusted(f->fd, "l/a", 100, &err, NULL), -ELOOP);
	assert_string_equal(err.what, "l is a symbolic link");
	assert_int_equal(read_trusted(f->fd, "d/l", 100, &err, NULL), -ELOOP);
	assert_string_equal(err.what, "d/l is a symbolic link");
}

static void only_regular_files_are_read_and_a_fifo_does_not_hold(void **state)
{
	struct fixture *f = *state;
	struct km_error err;

	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(f->fd, "d", 0755), 0);
	assert_int_equal(read_trusted(f->fd, "fifo", 100, &err, NULL), -EPERM);
	assert_string_equal(err.what, "fifo is not a regular file");
	assert_int_equal(read_trusted(f->fd, "d", 100, &err, NULL), -EPERM);
	assert_int_equal(read_trusted(f->fd, "d/", 100, &err, NULL), -EISDIR);
}

static void what_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;
	char longer[300];
	struct km_error err;

	assert_int_equal(read_trusted(f->fd, "none", 100, &err, NULL), -ENOENT);
	assert_string_equal(err.what, "none cannot be read: No such file or directory");
	assert_int_equal(read_trusted(f->fd, "none/a", 100, &err, NULL), -ENOENT);
	assert_int_equal(read_trusted(f->fd, "", 100, &err, NULL), -ENOENT);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(read_trusted(f->fd, longer, 100, &err, NULL), -ENAMETOOLONG);
}

static void a_small_file_loses_its_last_newline(void **state)
{
	struct fixture *f = *state;
	char buf[8], comm[32];

	write_file(f->fd, "a", "abc\n\n", 0600);
	assert_int_equal(km_fs_read_small(f->fd, "a", buf, sizeof(buf)), 4);
	assert_string_equal(buf, "abc\n");
	write_file(f->fd, "a", "", 0600);
	assert_int_equal(km_fs_read_small(f->fd, "a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	write_file(f->fd, "a", "1234567", 0600);
	assert_int_equal(km_fs_read_small(f->fd, "a", buf, sizeof(buf)), 7);
	write_file(f->fd, "a", "12345678", 0600);
	assert_int_equal(km_fs_read_small(f->fd, "a", buf, sizeof(buf)), -EFBIG);
	assert_int_equal(km_fs_read_small(f->fd, "none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(km_fs_read_small(f->fd, ".", buf, sizeof(buf)), -EISDIR);
	assert_true(km_fs_read_small(AT_FDCWD, "/proc/self/comm", comm, sizeof(comm)) > 0);
}

static void numbers_are_decimal_or_max(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} cases[] = {
		{ "0\n", 0, 0 },
		{ "42", 0, 42 },
		{ "max\n", 0, KM_UNKNOWN },
		{ "18446744073709551615\n", 0, UINT64_MAX },
		{ "18446744073709551616\n", -ERANGE, 1 },
		{ "", -EINVAL, 1 },
		{ "\n", -EINVAL, 1 },
		{ "-1\n", -EINVAL, 1 },
		{ " 1\n", -EINVAL, 1 },
		{ "1 2\n", -EINVAL, 1 },
		{ "0x1\n", -EINVAL, 1 },
		{ "maximum\n", -EINVAL, 1 },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		uint64_t v = 1;

		write_file(f->fd, "n", cases[i].text, 0600);
		assert_int_equal(km_fs_read_u64(f->fd, "n", &v), cases[i].r);
		assert_true(v == cases[i].value);
	}
	assert_int_equal(km_fs_read_u64(f->fd, "none", &(uint64_t){ 0 }), -ENOENT);
}

static void directories_are_made_with_the_mode_asked_for(void **state)
{
	struct fixture *f = *state;
	mode_t mask = umask(077);
	char path[128];
	struct stat st;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/a/b/", f->path);
	assert_int_equal(km_fs_make_dir(path, 0751, &fd), 0);
	umask(mask);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	close(fd);
	assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	/* What is there keeps its mode. */
	assert_int_equal(km_fs_make_dir(path, 0700, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	close(fd);
}

static void no_directory_is_made_through_a_link_or_a_file(void **state)
{
	struct fixture *f = *state;
	char path[400];
	int fd = -1;

	assert_int_equal(symlinkat("/tmp", f->fd, "l"), 0);
	write_file(f->fd, "a", "", 0600);
	snprintf(path, sizeof(path), "%s/l/x", f->path);
	assert_int_equal(km_fs_make_dir(path, 0700, &fd), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/l", f->path);
	assert_int_equal(km_fs_make_dir(path, 0700, &fd), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/a", f->path);
	assert_int_equal(km_fs_make_dir(path, 0700, &fd), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/%0300d", f->path, 0);
	assert_int_equal(km_fs_make_dir(path, 0700, &fd), -ENAMETOOLONG);
	assert_int_equal(fd, -1);
}

static void a_list_has_regular_files_with_the_suffix_in_order(void **state)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autofree(km_fs_free_namesp) char **all = NULL;
	km_autofree(km_fs_free_namesp) char **none = NULL;
	struct fixture *f = *state;

	write_file(f->fd, "b.json", "", 0600);
	write_file(f->fd, "a.json", "", 0600);
	write_file(f->fd, "Z.json", "", 0600);
	write_file(f->fd, "c.txt", "", 0600);
	write_file(f->fd, ".hidden.json", "", 0600);
	assert_int_equal(mkdirat(f->fd, "d.json", 0700), 0);
	assert_int_equal(symlinkat("a.json", f->fd, "l.json"), 0);
	assert_int_equal(km_fs_list(f->fd, ".json", 3, &names), 0);
	assert_string_equal(names[0], "Z.json");
	assert_string_equal(names[1], "a.json");
	assert_string_equal(names[2], "b.json");
	assert_null(names[3]);
	assert_int_equal(km_fs_list(f->fd, NULL, 4, &all), 0);
	assert_string_equal(all[3], "c.txt");
	assert_int_equal(km_fs_list(f->fd, ".none", 0, &none), 0);
	assert_null(none[0]);
	assert_null(km_fs_free_names(NULL));
}

static void one_name_more_than_the_maximum_is_refused(void **state)
{
	struct fixture *f = *state;
	char **names = NULL;

	write_file(f->fd, "a", "", 0600);
	write_file(f->fd, "b", "", 0600);
	assert_int_equal(km_fs_list(f->fd, "", 1, &names), -E2BIG);
	assert_null(names);
	assert_int_equal(km_fs_list(-1, "", 1, &names), -EBADF);
}

static void what_cannot_be_looked_at_is_not_said_to_be_absent(void **state)
{
	struct fixture *f = *state;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/pause", f->fd);
	assert_true(km_fs_absent(path));
	write_file(f->fd, "pause", "", 0);
	assert_false(km_fs_absent(path));
	assert_int_equal(unlinkat(f->fd, "pause", 0), 0);
	assert_int_equal(symlinkat("/nonexistent", f->fd, "pause"), 0);
	assert_false(km_fs_absent(path));
	assert_false(km_fs_absent("/dev/null/pause"));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_private_file_is_read_below_a_directory_and_by_its_path),
		TEST(the_largest_file_is_read_and_one_byte_more_is_refused),
		TEST(what_others_can_write_is_refused_with_the_remedy),
		TEST(a_directory_that_others_can_write_is_refused),
		TEST(what_belongs_to_another_user_is_refused),
		TEST(no_link_is_followed_at_any_step),
		TEST(only_regular_files_are_read_and_a_fifo_does_not_hold),
		TEST(what_is_not_there_is_named),
		TEST(a_small_file_loses_its_last_newline),
		TEST(numbers_are_decimal_or_max),
		TEST(directories_are_made_with_the_mode_asked_for),
		TEST(no_directory_is_made_through_a_link_or_a_file),
		TEST(a_list_has_regular_files_with_the_suffix_in_order),
		TEST(one_name_more_than_the_maximum_is_refused),
		TEST(what_cannot_be_looked_at_is_not_said_to_be_absent),
	};

	return cmocka_run_group_tests_name("base/fs", tests, NULL, NULL);
}
