/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "report/control.h"
#include "report/front.h"

/* A real front on a real socket, in a thread; the test is engine and clients. */
struct stage {
	char path[64];
	int engine;
	struct km_front_opts opts;
	pthread_t thread;
	int result;
};

static void *front_thread(void *arg)
{
	struct stage *s = arg;

	s->result = km_front_run(&s->opts);
	return NULL;
}

static void listen_at(struct stage *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/kmend-front-XXXXXX";

	assert_non_null(mkdtemp(dir));
	snprintf(s->path, sizeof(s->path), "%s/s", dir);
	memcpy(addr.sun_path, s->path, sizeof(s->path));
	s->opts.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->opts.listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->opts.listen_fd, 128), 0);
}

static struct stage *stage_new(uint64_t timeout_ns)
{
	struct stage *s = calloc(1, sizeof(*s));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	                            pair),
	                 0);
	listen_at(s);
	s->engine = pair[0];
	s->opts.engine_sock = pair[1];
	s->opts.request_timeout_ns = timeout_ns;
	return s;
}

static void stage_free(struct stage *s)
{
	km_close(&s->opts.listen_fd);
	km_close(&s->opts.engine_sock);
	unlink(s->path);
	*strrchr(s->path, '/') = '\0';
	assert_int_equal(rmdir(s->path), 0);
	free(s);
}

static int setup_for(void **state, uint64_t timeout_ns)
{
	struct stage *s = stage_new(timeout_ns);

	assert_int_equal(pthread_create(&s->thread, NULL, front_thread, s), 0);
	*state = s;
	return 0;
}

static int setup(void **state)
{
	return setup_for(state, 20 * KM_NS_PER_S);
}

static int setup_hasty(void **state)
{
	return setup_for(state, 200 * KM_NS_PER_MS);
}

static int teardown(void **state)
{
	struct stage *s = *state;

	km_close(&s->engine);
	pthread_join(s->thread, NULL);
	assert_int_equal(s->result, 0);
	stage_free(s);
	return 0;
}

static int dial(const struct stage *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path, s->path, sizeof(s->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void ask(int fd, const char *json)
{
	struct km_frame_hdr hdr = { (uint32_t)strlen(json), KM_FRAME_REQUEST };

	assert_int_equal(send(fd, &hdr, sizeof(hdr), 0), sizeof(hdr));
	assert_int_equal(send(fd, json, hdr.length, 0), hdr.length);
}

/* The next request as the engine sees it; the client's socket comes back. */
static int take(const struct stage *s, const char *json)
{
	static _Alignas(8) char buf[KM_MESSAGE_MAX];
	struct km_front_request *m = (void *)buf;
	struct pollfd p = { .fd = s->engine, .events = POLLIN };
	int fd = -1;
	ssize_t n;

	assert_int_equal(poll(&p, 1, 10000), 1);
	n = km_message_recv(s->engine, buf, sizeof(buf), &fd);
	assert_int_equal(n, sizeof(*m) + strlen(json));
	assert_int_equal(m->hdr.type, KM_FRONT_REQUEST);
	assert_int_equal(m->len, strlen(json));
	assert_memory_equal(m->json, json, m->len);
	assert_true(fd >= 0);
	return fd;
}

/* Reads the ERROR frame that the front itself sends, then end of file. */
static void refused_with(int fd, const char *what)
{
	struct km_frame_hdr hdr;
	char body[512] = "";

	assert_int_equal(recv(fd, &hdr, sizeof(hdr), MSG_WAITALL), sizeof(hdr));
	assert_int_equal(hdr.kind, KM_FRAME_ERROR);
	assert_true(hdr.length < sizeof(body));
	assert_int_equal(recv(fd, body, hdr.length, MSG_WAITALL), hdr.length);
	assert_non_null(strstr(body, what));
	assert_non_null(strstr(body, "\"code\":\"bad_request\""));
	assert_true(recv(fd, body, 1, 0) <= 0);
	close(fd);
}

static void a_request_reaches_the_engine_with_its_clients_socket(void **state)
{
	struct stage *s = *state;
	int client = dial(s), engine;
	char got[3];

	ask(client, "{\"a\":1}");
	engine = take(s, "{\"a\":1}");
	assert_int_equal(send(engine, "yes", 3, 0), 3);
	close(engine);
	assert_int_equal(recv(client, got, 3, MSG_WAITALL), 3);
	assert_memory_equal(got, "yes", 3);
	/* The front kept no copy: the engine's close is the end. */
	assert_int_equal(recv(client, got, 1, 0), 0);
	close(client);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	struct stage *s = *state;
	struct km_frame_hdr hdr = { 4, KM_FRAME_REQUEST };
	const char body[] = { '[', '1', '2', ']' };
	char all[sizeof(hdr) + sizeof(body)];
	int client = dial(s);

	memcpy(all, &hdr, sizeof(hdr));
	memcpy(all + sizeof(hdr), body, sizeof(body));
	for (size_t i = 0; i < sizeof(all); i++)
		assert_int_equal(send(client, all + i, 1, 0), 1);
	close(take(s, "[12]"));
	close(client);
}

static void the_largest_request_passes_and_one_more_byte_does_not(void **state)
{
	const size_t max = KM_CONTROL_REQUEST_MAX - 256;
	struct stage *s = *state;
	char *json = calloc(1, max + 2);
	int client = dial(s);

	memset(json, ' ', max);
	ask(client, json);
	close(take(s, json));
	close(client);
	client = dial(s);
	assert_int_equal(send(client, &(struct km_frame_hdr){ max + 1, KM_FRAME_REQUEST }, 8, 0),
	                 8);
	refused_with(client, "over 65280 bytes");
	free(json);
}

static void what_is_no_request_is_refused(void **state)
{
	static const struct km_frame_hdr bad[] = {
		{ 0, KM_FRAME_REQUEST },          { 10, KM_FRAME_END }, { 10, 0 },
		{ UINT32_MAX, KM_FRAME_REQUEST }, { 0x20544547, 0x2f },
	};
	struct stage *s = *state;

	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		int client = dial(s);

		assert_int_equal(send(client, &bad[i], sizeof(bad[i]), 0), sizeof(bad[i]));
		refused_with(client, "not a request");
	}
}

static void a_client_that_leaves_early_leaves_nothing(void **state)
{
	struct stage *s = *state;
	int client;

	for (int i = 0; i < 3 * KM_CONTROL_CLIENTS_MAX; i++) {
		client = dial(s);
		assert_int_equal(send(client, "\x10\0\0\0", 4, 0), 4);
		close(client);
	}
	client = dial(s);
	ask(client, "{}");
	close(take(s, "{}"));
	close(client);
}

static void a_request_that_never_ends_is_cut_off(void **state)
{
	struct stage *s = *state;
	int client = dial(s);

	assert_int_equal(send(client, "\x10\0\0\0\1\0\0\0{", 9, 0), 9);
	refused_with(client, "no whole request in time");
}

static void stalling_clients_cannot_keep_others_out(void **state)
{
	struct stage *s = *state;
	int stalled[KM_CONTROL_CLIENTS_MAX], client;

	for (int i = 0; i < KM_CONTROL_CLIENTS_MAX; i++)
		stalled[i] = dial(s);
	client = dial(s);
	ask(client, "{}");
	close(take(s, "{}"));
	close(client);
	for (int i = 0; i < KM_CONTROL_CLIENTS_MAX; i++)
		close(stalled[i]);
}

static void a_busy_engine_gets_every_request_later(void **state)
{
	struct stage *s = *state;
	int client[60];

	for (size_t i = 0; i < KM_ARRAY_SIZE(client); i++) {
		client[i] = dial(s);
		ask(client[i], "{\"object\":\"status\"}");
	}
	for (size_t i = 0; i < KM_ARRAY_SIZE(client); i++)
		close(take(s, "{\"object\":\"status\"}"));
	for (size_t i = 0; i < KM_ARRAY_SIZE(client); i++) {
		char c;

		assert_int_equal(recv(client[i], &c, 1, 0), 0);
		close(client[i]);
	}
}

/* In the confined process; returns what is wrong, 0: nothing. */
static int try_to_break_out(void)
{
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (fork() >= 0)
		return 4;
	execl("/bin/true", "true", NULL);
	return errno == EPERM ? 0 : 5;
}

static void a_confined_front_serves_and_can_do_nothing_else(void **state)
{
	struct stage *s = stage_new(20 * KM_NS_PER_S);
	int status, client;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int r;

		km_close(&s->engine);
		if (km_front_confine() < 0)
			_exit(1);
		r = try_to_break_out();
		_exit(r ? r : km_front_run(&s->opts) == 0 ? 0 : 6);
	}
	km_close(&s->opts.engine_sock);
	client = dial(s);
	ask(client, "{}");
	close(take(s, "{}"));
	close(client);
	km_close(&s->engine);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	stage_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_request_reaches_the_engine_with_its_clients_socket),
		T(a_request_may_come_byte_by_byte),
		T(the_largest_request_passes_and_one_more_byte_does_not),
		T(what_is_no_request_is_refused),
		T(a_client_that_leaves_early_leaves_nothing),
		T(a_busy_engine_gets_every_request_later),
		cmocka_unit_test_setup_teardown(a_request_that_never_ends_is_cut_off, setup_hasty,
		                                teardown),
		cmocka_unit_test_setup_teardown(stalling_clients_cannot_keep_others_out,
		                                setup_hasty, teardown),
		cmocka_unit_test(a_confined_front_serves_and_can_do_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
