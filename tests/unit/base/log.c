// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/log.h"

struct fixture {
	int saved; /* the real stderr */
	int pipe[2];
	char text[8192];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	f->saved = dup(STDERR_FILENO);
	dup2(f->pipe[1], STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dup2(f->saved, STDERR_FILENO);
	close(f->saved);
	close(f->pipe[0]);
	close(f->pipe[1]);
	free(f);
	return 0;
}

static const char *logged(struct fixture *f)
{
	ssize_t n = read(f->pipe[0], f->text, sizeof(f->text) - 1);

	f->text[n > 0 ? n : 0] = '\0';
	return f->text;
}

static void lines_name_the_process_and_what_is_serious(void **state)
{
	struct fixture *f = *state;

	km_log_open("kmendd", KM_INFO);
	errno = 77;
	km_log(KM_INFO, "up with %d rules", 3);
	assert_int_equal(errno, 77);
	assert_string_equal(logged(f), "kmendd: up with 3 rules\n");
	km_log(KM_WARNING, "w");
	km_log(KM_ERR, "e");
	assert_string_equal(logged(f), "kmendd: warning: w\nkmendd: error: e\n");
	km_log(KM_DEBUG, "dropped");
	assert_string_equal(logged(f), "");
}

static void the_journal_gets_priorities(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	km_log_open("kmendd", KM_DEBUG);
	km_log(KM_DEBUG, "x");
	assert_string_equal(logged(f), "<7>x\n");
	/* The variable is inherited, the stream need not be. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	km_log_open("kmendd", KM_DEBUG);
	km_log(KM_NOTICE, "x");
	assert_string_equal(logged(f), "kmendd: x\n");
	unsetenv("JOURNAL_STREAM");
}

static void a_hostile_text_stays_one_line_and_a_long_one_is_cut(void **state)
{
	struct fixture *f = *state;
	char longer[5000];

	km_log_open("kmendd", KM_INFO);
	km_log(KM_INFO, "%s", "a\nkmendd: error: forged\x1b[2J");
	assert_string_equal(logged(f), "kmendd: a\\x0akmendd: error: forged\\x1b[2J\n");
	memset(longer, 1, sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	km_log(KM_INFO, "%s", longer);
	assert_int_equal(strlen(logged(f)), strlen("kmendd: ") + 1023 * 4 + 1);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_name_the_process_and_what_is_serious),
		TEST(the_journal_gets_priorities),
		TEST(a_hostile_text_stays_one_line_and_a_long_one_is_cut),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
