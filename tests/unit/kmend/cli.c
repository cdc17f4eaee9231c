/* SPDX-License-Identifier: Apache-2.0 */
/* The command against a daemon that answers what the test says: exit codes, rendering, and what a
 * broken daemon cannot do to a terminal. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "report/control.h"
#include "run.h"

enum then { THEN_CLOSE, THEN_WAIT };

/* One connection: reads one request, sends BYTES, then does THEN. */
struct fake {
	char dir[64], path[96];
	int listen_fd;
	pthread_t thread;
	char bytes[8192];
	size_t len;
	enum then then;
	char request[4096];
};

static void add_bytes(struct fake *f, const void *data, size_t len)
{
	assert_true(f->len + len <= sizeof(f->bytes));
	memcpy(f->bytes + f->len, data, len);
	f->len += len;
}

static void add_frame(struct fake *f, enum km_frame kind, const char *body)
{
	const struct km_frame_hdr hdr = { (uint32_t)strlen(body), kind };

	add_bytes(f, &hdr, sizeof(hdr));
	add_bytes(f, body, hdr.length);
}

static void *serve(void *arg)
{
	struct fake *f = arg;
	struct km_frame_hdr hdr;
	char c;
	int fd = accept(f->listen_fd, NULL, NULL);

	if (fd < 0)
		return NULL;
	if (recv(fd, &hdr, sizeof(hdr), MSG_WAITALL) == sizeof(hdr) &&
	    hdr.length < sizeof(f->request) && hdr.kind == KM_FRAME_REQUEST &&
	    recv(fd, f->request, hdr.length, MSG_WAITALL) == (ssize_t)hdr.length)
		send(fd, f->bytes, f->len, MSG_NOSIGNAL);
	/* Until the client goes. */
	if (f->then != THEN_CLOSE)
		while (recv(fd, &c, 1, 0) > 0)
			;
	close(fd);
	return NULL;
}

static int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct fake *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/kmend-cli-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	memcpy(addr.sun_path, f->path, sizeof(f->path));
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listen_fd, 8), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;
	char trace[128];

	snprintf(trace, sizeof(trace), "%s/trace", f->dir);
	unlink(trace);
	close(f->listen_fd);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

#define ARGS_MAX 12

static void begin(struct fake *f, struct run *r, char *const *args)
{
	char *argv[ARGS_MAX + 4] = { "kmend", "--socket", f->path };
	int n = 3;

	while (*args && n < ARGS_MAX + 3)
		argv[n++] = *args++;
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	run_begin(r, argv);
}

static void end(struct fake *f, struct run *r)
{
	run_end(r);
	/* A command that never connected leaves the thread in accept(). */
	shutdown(f->listen_fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
}

static void run(struct fake *f, struct run *r, char *const *args)
{
	begin(f, r, args);
	end(f, r);
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static const char status_body[] =
	"{\"version\":1,\"mode\":\"full\",\"up_s\":3723,\"services\":{\"up\":3,\"down\":1,"
	"\"unknown\":0},\"policy\":{\"paused\":false,\"verbs\":[\"restart\",\"notify\"]},"
	"\"history_trouble\":null}";

static void an_answer_is_rendered_for_people(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, status_body);
	run(f, &r, WORDS("status"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "mode "));
	assert_non_null(strstr(r.out, "1h02m"));
	assert_non_null(strstr(r.out, "restart, notify"));
	assert_null(strstr(r.out, "history "));
	assert_string_equal(
		f->request,
		"{\"version\":1,\"object\":\"status\",\"command\":\"show\",\"args\":{}}");
	run_free(&r);
}

static void compact_json_is_the_daemons_own(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, status_body);
	run(f, &r, WORDS("-j", "status"));
	assert_int_equal(r.code, 0);
	assert_int_equal(strlen(r.out), strlen(status_body) + 1);
	assert_memory_equal(r.out, status_body, strlen(status_body));
	run_free(&r);
}

static void pretty_json_is_the_same_on_more_lines(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"mode\":\"full\"}");
	run(f, &r, WORDS("status", "-p"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "\n"));
	assert_non_null(strstr(r.out, "\"mode\": \"full\""));
	run_free(&r);
}

static void a_table_lines_up_and_a_name_cannot_drive_the_terminal(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END,
	          "{\"version\":1,\"services\":[{\"name\":\"web\\u001b[31m\\nforged line\","
	          "\"state\":\"up\",\"for_s\":5,\"processes\":2,\"memory\":{\"level\":1048576,"
	          "\"limit\":67108864,\"unit\":\"bytes\"},\"descriptors\":{\"level\":12,"
	          "\"limit\":null,\"unit\":\"count\"},\"threads\":null,\"quarantined\":true,"
	          "\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\",\"eta_s\":190,"
	          "\"eta_lo_s\":170,\"eta_hi_s\":220}}],\"more\":7}");
	run(f, &r, WORDS("service", "list", "--limit", "1", "--offset=2"));
	assert_int_equal(r.code, 0);
	assert_null(strchr(r.out, 0x1b));
	assert_null(strstr(r.out, "\nforged"));
	assert_non_null(strstr(r.out, "1.0 MiB/64.0 MiB"));
	assert_non_null(strstr(r.out, "memory in 3m10s (2m50s to 3m40s)"));
	assert_non_null(strstr(r.out, "... and 7 more"));
	assert_non_null(strstr(f->request, "\"args\":{\"limit\":1,\"offset\":2}"));
	run_free(&r);
}

static void an_empty_list_says_so(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"forecasts\":[]}");
	run(f, &r, WORDS("forecast", "list", "--all"));
	assert_int_equal(r.code, 0);
	assert_string_equal(r.out, "no failure is forecast\n");
	assert_non_null(strstr(f->request, "\"args\":{\"all\":true}"));
	run_free(&r);
}

/* Every command of the tables renders what its daemon may say, with members missing or of odd
 * types, without an escape and without falling over. */
static void odd_answers_are_rendered_without_harm(void **state)
{
	static char *const commands[][4] = {
		{ "status" },
		{ "service", "list" },
		{ "service", "show", "x" },
		{ "signal", "list" },
		{ "forecast", "list" },
		{ "forecast", "show", "x" },
		{ "rule", "list" },
		{ "rule", "show", "x" },
		{ "action", "list" },
		{ "action", "show", "1" },
		{ "action", "approve", "1" },
		{ "action", "deny", "1" },
		{ "incident", "list" },
		{ "incident", "show", "1" },
		{ "incident", "explain", "1" },
		{ "bpf", "list" },
		{ "audit", "list" },
	};
	static const char odd[] =
		"{\"version\":1,\"services\":[1,null,{\"name\":{}}],\"service\":[],\"signals\":{},"
		"\"forecasts\":[{\"eta_s\":1e300,\"p\":-5,\"service\":\"\\u009b\"}],\"rules\":[[]],"
		"\"rule\":{\"when\":[{\"depth\":1e9,\"op\":7}],\"plan\":\"x\"},\"actions\":[{}],"
		"\"waiting\":[[[]]],\"incident\":{\"chain\":[{\"what\":\"decision\"},{\"what\":3},"
		"{\"what\":\"forecast\",\"data\":5},{\"what\":\"outcome\",\"realtime_ms\":-1e300},"
		"{\"what\":\"verdict\",\"data\":{\"kind\":\"\\u001b\"}},{\"what\":\"evidence\"}]},"
		"\"incidents\":null,\"objects\":[{\"run_time_ns\":1e300}],\"audit\":[{\"what\":"
		"\"\\u001b\"}],"
		"\"more\":1e300,\"mode\":\"\\u001b]0;x\\u0007\",\"up_s\":-1e300}";

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(commands); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_frame(f, KM_FRAME_END, odd);
		run(f, &r, commands[i]);
		if (r.code != 0)
			fail_msg("%s %s: exit %d: %s", commands[i][0],
			         commands[i][1] ? commands[i][1] : "", r.code, r.err);
		assert_null(strchr(r.out, 0x1b));
		assert_null(strstr(r.out, "\xc2\x9b"));
		run_free(&r);
		teardown(&own);
	}
}

static void a_denial_is_exit_1_with_the_remedy(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_ERROR,
	          "{\"version\":1,\"error\":\"user 7 is not in the group kmend\",\"remedy\":"
	          "\"join it\",\"code\":\"denied\"}");
	run(f, &r, WORDS("action", "approve", "7"));
	assert_int_equal(r.code, 1);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "user 7 is not in the group kmend\n"));
	assert_non_null(strstr(r.err, "join it"));
	run_free(&r);
}

static void an_error_is_json_for_scripts(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_ERROR,
	          "{\"version\":1,\"error\":\"no\",\"remedy\":null,\"code\":\"failed\"}");
	run(f, &r, WORDS("-j", "status"));
	assert_int_equal(r.code, 1);
	assert_string_equal(r.out, "{\"version\":1,\"error\":\"no\",\"remedy\":null,"
	                           "\"code\":\"failed\"}\n");
	assert_string_equal(r.err, "");
	run_free(&r);
}

static void no_daemon_is_exit_3_and_says_where_it_looked(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "--socket", "/nonexistent/kmend.sock", "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.err, "/nonexistent/kmend.sock"));
	assert_non_null(strstr(r.err, "start it"));
	run_free(&r);
	run_begin(&r, WORDS("kmend", "-j", "--socket", "/nonexistent/kmend.sock", "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.out, "\"code\":\"unreachable\""));
	run_free(&r);
}

static void a_daemon_that_left_its_socket_behind_is_exit_3(void **state)
{
	struct fake *f = *state;
	struct run r;

	close(f->listen_fd);
	run_begin(&r, WORDS("kmend", "--socket", f->path, "status"));
	run_end(&r);
	assert_int_equal(r.code, 3);
	run_free(&r);
	f->listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void a_daemon_that_is_stopped_is_exit_3_within_its_time(void **state)
{
	struct fake *f = *state;
	struct timespec a, b;
	struct run r;

	clock_gettime(CLOCK_MONOTONIC, &a);
	run_begin(&r, WORDS("kmend", "--socket", f->path, "status"));
	run_end(&r); /* nobody accepts: the backlog takes the request */
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(r.code, 3);
	assert_non_null(strstr(r.err, "does not answer"));
	assert_in_range(b.tv_sec - a.tv_sec, 4, 20);
	run_free(&r);
}

static void an_answer_that_is_cut_off_anywhere_is_exit_3(void **state)
{
	static const size_t cuts[] = { 0, 1, 7, 8, 9, 8 + sizeof(status_body) - 2 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cuts); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_frame(f, KM_FRAME_END, status_body);
		f->len = cuts[i];
		run(f, &r, WORDS("status"));
		assert_int_equal(r.code, 3);
		assert_string_equal(r.out, "");
		assert_non_null(strstr(r.err, "hung up"));
		run_free(&r);
		teardown(&own);
	}
}

static void nonsense_from_the_daemon_is_exit_1_and_not_printed(void **state)
{
	static const struct {
		struct km_frame_hdr hdr;
		const char *body;
	} bad[] = {
		{ { 12, KM_FRAME_END }, "\x1b[2Jgotcha!!!" },
		{ { 11, KM_FRAME_END }, "{\"version\"}" },
		{ { 13, KM_FRAME_END }, "{\"version\":2}" },
		{ { 2, KM_FRAME_END }, "[]" },
		{ { 13, KM_FRAME_DATA }, "{\"version\":1}" },
		{ { 13, KM_FRAME_REQUEST }, "{\"version\":1}" },
		{ { 13, 99 }, "{\"version\":1}" },
		{ { UINT32_MAX, KM_FRAME_END }, "{\"version\":1}" },
		{ { KM_CONTROL_BODY_MAX + 1, KM_FRAME_END }, "{\"version\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		void *own = NULL;
		struct fake *f;
		struct run r;

		setup(&own);
		f = own;
		add_bytes(f, &bad[i].hdr, sizeof(bad[i].hdr));
		add_bytes(f, bad[i].body, strlen(bad[i].body));
		run(f, &r, WORDS("status"));
		if (r.code != 1)
			fail_msg("case %zu: exit %d: %s", i, r.code, r.err);
		assert_string_equal(r.out, "");
		assert_null(strchr(r.err, 0x1b));
		run_free(&r);
		teardown(&own);
	}
}

static void wrong_usage_is_exit_2_with_the_usage(void **state)
{
	static char *const bad[][6] = {
		{ "kmend" },
		{ "kmend", "servce" },
		{ "kmend", "service" },
		{ "kmend", "service", "lst" },
		{ "kmend", "service", "show" },
		{ "kmend", "service", "show", "a", "b" },
		{ "kmend", "service", "list", "--limit" },
		{ "kmend", "service", "list", "--limit", "-1" },
		{ "kmend", "service", "list", "--limit=x" },
		{ "kmend", "service", "list", "--limt=1" },
		{ "kmend", "forecast", "list", "--all=1" },
		{ "kmend", "forecast", "list", "--all", "--all" },
		{ "kmend", "action", "show", "99999999999999999999" },
		{ "kmend", "action", "show", "" },
		{ "kmend", "rule", "check" },
		{ "kmend", "status", "extra" },
		{ "kmend", "trace", "record" },
		{ "kmend", "status", "--socket" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		struct run r;

		run_begin(&r, bad[i]);
		run_end(&r);
		if (r.code != 2)
			fail_msg("case %zu: exit %d: %s", i, r.code, r.err);
		assert_string_equal(r.out, "");
		assert_true(strstr(r.err, "usage: kmend ") || strstr(r.err, "see: kmend "));
		run_free(&r);
	}
}

static void a_near_miss_is_named(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "servce", "list"));
	run_end(&r);
	assert_non_null(strstr(r.err, "did you mean service?"));
	run_free(&r);
	run_begin(&r, WORDS("kmend", "service", "lst"));
	run_end(&r);
	assert_non_null(strstr(r.err, "did you mean list?"));
	run_free(&r);
}

static void a_word_that_looks_like_an_option_goes_behind_two_dashes(void **state)
{
	struct fake *f = *state;
	struct run r;

	add_frame(f, KM_FRAME_END, "{\"version\":1,\"service\":{}}");
	run(f, &r, WORDS("service", "show", "--", "--odd"));
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(f->request, "\"args\":{\"name\":\"--odd\"}"));
	run_free(&r);
}

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

static void the_chain_of_an_incident_reads_from_evidence_to_verdict(void **state)
{
	struct fake *f = *state;
	const char *at;
	struct run r;

	add_frame(
		f, KM_FRAME_END,
		"{\"version\":1,\"incident\":{\"id\":12,\"service\":\"web\",\"chain\":["
		"{\"what\":\"evidence\",\"realtime_ms\":1700000000000,\"data\":{\"type\":"
		"\"signal\","
		"\"sender_comm\":\"bash\"}},"
		"{\"what\":\"forecast\",\"realtime_ms\":1700000001000,\"data\":{\"kind\":"
		"\"exhaustion\",\"resource\":\"memory\",\"eta_s\":60,\"eta_lo_s\":50,\"eta_hi_s\":"
		"70,"
		"\"p\":0.95}},"
		"{\"what\":\"decision\",\"realtime_ms\":1700000002000,\"data\":{\"id\":3,\"rule\":"
		"\"leak\",\"line\":14,\"answer\":\"act\",\"verb\":\"restart\",\"passed\":[\"mode\","
		"\"pause\"],\"failed\":[],\"reason\":\"forecast of memory\"}},"
		"{\"what\":\"outcome\",\"realtime_ms\":1700000003000,\"verb\":\"restart\","
		"\"state\":"
		"\"done\",\"error\":0,\"tgid\":77,\"detail\":\"up\"},"
		"{\"what\":\"verdict\",\"realtime_ms\":1700000004000,\"data\":{\"verdict\":"
		"\"helped\",\"reason\":\"up for 10s\"}}]}}");
	run(f, &r, WORDS("incident", "explain", "12"));
	assert_int_equal(r.code, 0);
	assert_non_null(at = strstr(r.out, "incident 12: web"));
	assert_non_null(at = strstr(at, "evidence type=signal sender_comm=bash"));
	assert_non_null(at = strstr(at, "forecast memory in 1m"));
	assert_non_null(at = strstr(at, "95 %"));
	assert_non_null(at = strstr(at, "decision 3: act restart: forecast of memory"));
	assert_non_null(at = strstr(at, "line that spoke"));
	assert_non_null(at = strstr(at, "mode, pause"));
	assert_non_null(at = strstr(at, "outcome restart: done"));
	assert_non_null(at = strstr(at, "verdict helped"));
	assert_non_null(strstr(at, "up for 10s"));
	run_free(&r);
}

static void the_proof_of_a_journal_that_is_not_there_fails(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "action", "verify", "--state", "/nonexistent"));
	run_end(&r);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.err, "/nonexistent/journal"));
	run_free(&r);
}

static void the_doctor_needs_no_daemon(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("kmend", "--socket", "/nonexistent/kmend.sock", "doctor"));
	run_end(&r);
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "kmendd"));
	assert_non_null(strstr(r.out, "does not answer at /nonexistent/kmend.sock"));
	run_free(&r);
}

static void a_result_that_cannot_be_written_is_not_done(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, WORDS("sh", "-c", "exec \"$0\" help >/dev/full",
	                    (char *)run_program((char[PATH_MAX]){ 0 })));
	run_end(&r);
	assert_int_equal(r.code, 1);
	run_free(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_is_rendered_for_people),
		T(compact_json_is_the_daemons_own),
		T(pretty_json_is_the_same_on_more_lines),
		T(a_table_lines_up_and_a_name_cannot_drive_the_terminal),
		T(an_empty_list_says_so),
		cmocka_unit_test(odd_answers_are_rendered_without_harm),
		T(a_denial_is_exit_1_with_the_remedy),
		T(an_error_is_json_for_scripts),
		cmocka_unit_test(no_daemon_is_exit_3_and_says_where_it_looked),
		T(a_daemon_that_left_its_socket_behind_is_exit_3),
		T(a_daemon_that_is_stopped_is_exit_3_within_its_time),
		cmocka_unit_test(an_answer_that_is_cut_off_anywhere_is_exit_3),
		cmocka_unit_test(nonsense_from_the_daemon_is_exit_1_and_not_printed),
		cmocka_unit_test(wrong_usage_is_exit_2_with_the_usage),
		cmocka_unit_test(a_near_miss_is_named),
		T(a_word_that_looks_like_an_option_goes_behind_two_dashes),
		T(a_stream_prints_a_line_an_item_until_its_end),
		T(a_stream_ends_cleanly_on_sigterm),
		T(a_recording_ends_cleanly_on_sigint_with_all_that_came),
		T(a_recording_keeps_what_came_when_the_daemon_dies),
		T(a_recording_overwrites_nothing_unless_told_to),
		T(a_recording_that_never_began_leaves_no_file),
		T(a_forced_recording_that_never_began_removes_nothing),
		T(a_trace_that_cannot_be_written_is_not_done),
		T(the_chain_of_an_incident_reads_from_evidence_to_verdict),
		cmocka_unit_test(the_proof_of_a_journal_that_is_not_there_fails),
		cmocka_unit_test(the_doctor_needs_no_daemon),
		cmocka_unit_test(a_result_that_cannot_be_written_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
