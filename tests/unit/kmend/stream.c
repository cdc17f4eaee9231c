/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and recordings: what ends them, and what is left behind. */
#include "fake.h"

static void a_stream_prints_a_line_an_item_until_its_end(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_ITEM, "{\"type\":\"exit\",\"tgid\":7,\"comm\":\"a\\nb\"}");
	add_frame(f, KM_FRAME_ITEM, "{\"type\":\"oom\",\"tgid\":8}");
	add_frame(f, KM_FRAME_END, "{\"version\":1}");
	run(f, &r, WORDS("signal", "watch", "--service", "web"));
	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "type=exit tgid=7 comm=a\\x0ab\ntype=oom tgid=8\n");
	assert_non_null(strstr(f->request, "\"args\":{\"service\":\"web\"}"));
	run_free(&r);
}

/* Until FD holds at least LEN bytes. */
static void wait_for_bytes(int fd, off_t len)
{
	struct stat sb;

	for (int i = 0; i < 1000; i++) {
		if (fstat(fd, &sb) == 0 && sb.st_size >= len)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("nothing came");
}

static void a_stream_ends_cleanly_on_sigterm(void **state)
{
	struct fake *f = *state;
	struct run r;

	f->then = THEN_WAIT;
	add_frame(f, KM_FRAME_ITEM, "{\"type\":\"oom\"}");
	begin(f, &r, WORDS("-j", "signal", "watch"));
	wait_for_bytes(r.out_fd, 15);
	kill(r.pid, SIGTERM);
	end(f, &r);
	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "{\"type\":\"oom\"}\n");
	run_free(&r);
}

static char *read_trace(const struct fake *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	return run_text(open(path, O_RDONLY | O_CLOEXEC));
}

static void a_recording_ends_cleanly_on_sigint_with_all_that_came(void **state)
{
	char path[128], *text;
	struct fake *f = *state;
	struct stat sb;
	struct run r;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	f->then = THEN_WAIT;
	add_frame(f, KM_FRAME_DATA, "abc");
	add_frame(f, KM_FRAME_DATA, "def");
	begin(f, &r, WORDS("trace", "record", path));
	for (int i = 0; i < 1000 && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0; i++)
		poll(NULL, 0, 10);
	assert_true(fd >= 0);
	wait_for_bytes(fd, 6);
	assert_int_equal(fstat(fd, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	close(fd);
	kill(r.pid, SIGINT);
	end(f, &r);
	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "recorded"));
	text = read_trace(f);
	assert_string_equal(text, "abcdef");
	free(text);
	run_free(&r);
}

static void a_recording_keeps_what_came_when_the_daemon_dies(void **state)
{
	char path[128], *text;
	struct fake *f = *state;
	struct run r;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	add_frame(f, KM_FRAME_DATA, "abc");
	add_frame(f, KM_FRAME_DATA, "def");
	f->len -= 1;
	run(f, &r, WORDS("trace", "record", path));
	assert_int_equal(r.code, 0);
	text = read_trace(f);
	assert_string_equal(text, "abc");
	free(text);
	run_free(&r);
}

static void a_recording_overwrites_nothing_unless_told_to(void **state)
{
	char path[128], *text;
	struct fake *f = *state;
	struct run r;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	run_begin(&r, WORDS("kmend", "--socket", f->path, "trace", "record", path));
	run_end(&r);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.err, "--force"));
	run_free(&r);
	add_frame(f, KM_FRAME_DATA, "new");
	add_frame(f, KM_FRAME_END, "{\"version\":1}");
	run(f, &r, WORDS("trace", "record", "--force", path));
	assert_int_equal(r.code, 0);
	text = read_trace(f);
	assert_string_equal(text, "new");
	free(text);
	run_free(&r);
}

static void a_recording_that_never_began_leaves_no_file(void **state)
{
	char path[128];
	struct fake *f = *state;
	struct run r;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	add_frame(f, KM_FRAME_ERROR, "{\"version\":1,\"error\":\"only root\",\"code\":\"denied\"}");
	run(f, &r, WORDS("trace", "record", path));
	assert_int_equal(r.code, 1);
	assert_int_equal(access(path, F_OK), -1);
	run_free(&r);
}

/* A command with --force did not make the file: it is not the command's to remove. */
static void a_forced_recording_that_never_began_removes_nothing(void **state)
{
	char path[128];
	struct fake *f = *state;
	struct run r;
	int reader;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	add_frame(f, KM_FRAME_ERROR, "{\"version\":1,\"error\":\"only root\",\"code\":\"denied\"}");
	/* A reader, so that opening it for writing does not wait. */
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	run(f, &r, WORDS("trace", "record", "--force", path));
	close(reader);
	assert_int_equal(r.code, 1);
	assert_int_equal(access(path, F_OK), 0);
	run_free(&r);
}

/* A limit on file size stands for a full disk: it needs no root and touches nothing shared. */
static void a_trace_that_cannot_be_written_is_not_done(void **state)
{
	char path[128], program[PATH_MAX], big[4000];
	struct fake *f = *state;
	struct run r;

	snprintf(path, sizeof(path), "%s/trace", f->dir);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	add_frame(f, KM_FRAME_DATA, big);
	f->then = THEN_WAIT;
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	run_begin(&r,
	          WORDS("sh", "-c", "ulimit -f 1; exec \"$@\"", "sh", (char *)run_program(program),
	                "--socket", f->path, "trace", "record", path));
	end(f, &r);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.err, "cannot write the trace"));
	run_free(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_stream_prints_a_line_an_item_until_its_end),
		T(a_stream_ends_cleanly_on_sigterm),
		T(a_recording_ends_cleanly_on_sigint_with_all_that_came),
		T(a_recording_keeps_what_came_when_the_daemon_dies),
		T(a_recording_overwrites_nothing_unless_told_to),
		T(a_recording_that_never_began_leaves_no_file),
		T(a_forced_recording_that_never_began_removes_nothing),
		T(a_trace_that_cannot_be_written_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
