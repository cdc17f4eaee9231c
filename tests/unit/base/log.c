// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
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

/* A pipe or socket that nobody reads, with no room left. */
static void fill(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	char page[4096] = { 0 };

	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK), 0);
}

static void nobody_who_does_not_read_holds_the_daemon_up(const int fds[2])
{
	char text[4096];
	ssize_t n;

	dup2(fds[1], STDERR_FILENO);
	km_log_open("kmendd", KM_INFO);
	fill(fds[1]);
	alarm(20); /* what blocks never returns */
	km_log(KM_ERR, "first");
	km_log(KM_ERR, "second");
	alarm(0);
	/* Whoever shares the descriptor, a service of ours, finds it as it was. */
	assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	while (read(fds[0], text, sizeof(text)) > 0)
		;
	km_log(KM_INFO, "third");
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "kmendd: warning: 2 lines were lost"));
	n = strstr(text, "third") ? n : read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_non_null(strstr(text, "kmendd: third\n"));
	close(fds[0]);
	close(fds[1]);
}

static void a_full_pipe_holds_nobody_up(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	nobody_who_does_not_read_holds_the_daemon_up(fds);
}

static void a_full_socket_holds_nobody_up(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	nobody_who_does_not_read_holds_the_daemon_up(fds);
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
	assert_in_range(strlen(logged(f)), PIPE_BUF - 70, PIPE_BUF); /* else it is no one write */
	assert_int_equal(f->text[strlen(f->text) - 1], '\n');
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_name_the_process_and_what_is_serious),
		TEST(the_journal_gets_priorities),
		TEST(a_full_pipe_holds_nobody_up),
		TEST(a_full_socket_holds_nobody_up),
		TEST(a_hostile_text_stays_one_line_and_a_long_one_is_cut),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
