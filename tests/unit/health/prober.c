// SPDX-License-Identifier: Apache-2.0
/* The prober as a process, against servers that behave and servers that do not. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#include <cmocka.h>

#include "health/internal.h"
#include "server.h"

struct world {
	struct server server;
	struct km_config *config;
	int pid, sock;
	char closed[32]; /* address where nobody listens */
	struct km_raw_health heard[KM_CHECKS_OF_SERVICE_MAX];
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct server gone;

	assert_non_null(w);
	assert_int_equal(server_start(&w->server), 0);
	assert_int_equal(server_start(&gone), 0);
	server_stop(&gone);
	snprintf(w->closed, sizeof(w->closed), "127.0.0.1:%u", gone.port);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	if (w->pid > 0) {
		int status;

		close(w->sock);
		waitpid(w->pid, &status, 0);
		assert_int_equal(status, 0);
	}
	server_stop(&w->server);
	km_config_free(w->config);
	free(w);
	return 0;
}

/* A prober for one service "s" with these checks; "PORT" in them is the server's. */
static void probe(struct world *w, const char *checks)
{
	char text[8192] =
		"{\"version\":1,\"services\":[{\"name\":\"s\",\"cgroup\":\"/s\",\"health\":[";
	struct km_error err;
	size_t n = strlen(text);
	int pair[2];

	while (*checks) {
		if (!strncmp(checks, "PORT", 4)) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%u", w->server.port);
			checks += 4;
		} else {
			text[n++] = *checks++;
		}
	}
	snprintf(text + n, sizeof(text) - n, "]}]}");
	if (km_config_compile(text, strlen(text), "c", &err, &w->config) < 0)
		fail_msg("%s", err.what);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	w->pid = fork();
	if (w->pid == 0) {
		struct km_prober_opts opts = { .config = w->config,
			                       .engine_sock = pair[1],
			                       .notify_fd = -1,
			                       .cgroup_dir = -1 };

		close(pair[0]);
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
		exit(km_prober_run(&opts) < 0);
	}
	close(pair[1]);
	w->sock = pair[0];
}

/* Its newest record; made if there is none. */
static struct km_raw_health *heard(struct world *w, const char *check)
{
	size_t i = 0;

	while (w->heard[i].check[0] && strcmp(w->heard[i].check, check) != 0)
		i++;
	assert_true(i < KM_ARRAY_SIZE(w->heard));
	return &w->heard[i];
}

/* Waits until CHECK is HEALTH; its record. */
static const struct km_raw_health *await(struct world *w, const char *check, enum km_health health)
{
	struct pollfd p = { .fd = w->sock, .events = POLLIN };
	uint64_t until = km_now_ns() + 10 * KM_NS_PER_S;
	struct km_raw_health *h = heard(w, check);

	while (km_now_ns() < until && (!h->check[0] || h->health != health)) {
		struct km_prober_result m;

		if (poll(&p, 1, 100) <= 0)
			continue;
		assert_int_equal(km_message_recv(w->sock, &m, sizeof(m), NULL), sizeof(m));
		*heard(w, m.raw.check) = m.raw;
		h = heard(w, check);
	}
	if (!h->check[0] || h->health != health)
		fail_msg("%s never became %s: %s", check, km_health_names[health], h->reason);
	return h;
}

#define FAST ",\"every\":\"100ms\",\"fall\":1}"

static void each_kind_tells_good_from_bad(void **state)
{
	struct world *w = *state;

	probe(w, "{\"tcp\":\"127.0.0.1:PORT\"" FAST ",{\"redis\":\"127.0.0.1:PORT\"" FAST
	         ",{\"http\":\"http://127.0.0.1:PORT/ok\",\"body\":\"^rea.y$\"" FAST
	         ",{\"name\":\"named\",\"http\":\"http://web.example/ok\","
	         "\"address\":\"127.0.0.1:PORT\"" FAST
	         ",{\"name\":\"sick\",\"http\":\"http://localhost:PORT/sick\"" FAST
	         ",{\"name\":\"sick-is-fine\",\"http\":\"http://127.0.0.1:PORT/sick\","
	         "\"status\":503" FAST
	         ",{\"name\":\"other\",\"http\":\"http://127.0.0.1:PORT/ok\",\"body\":\"gone\"" FAST
	         ",{\"postgres\":\"127.0.0.1:PORT\"" FAST);
	await(w, "tcp", KM_HEALTHY);
	await(w, "redis", KM_HEALTHY);
	await(w, "http", KM_HEALTHY);
	await(w, "named", KM_HEALTHY);
	assert_string_equal(await(w, "sick", KM_UNHEALTHY)->reason, "status 503");
	await(w, "sick-is-fine", KM_HEALTHY);
	assert_string_equal(await(w, "other", KM_UNHEALTHY)->reason,
	                    "status 200, the body does not match");
	assert_string_equal(await(w, "postgres", KM_UNHEALTHY)->reason, "no answer within 100 ms");
}

static void who_does_not_listen_is_unhealthy_with_its_reason(void **state)
{
	struct world *w = *state;
	char checks[512];

	snprintf(checks, sizeof(checks),
	         "{\"tcp\":\"%s\"" FAST ",{\"http\":\"http://%s/\"" FAST
	         ",{\"unix\":\"/nonexistent/s\"" FAST ",{\"dns\":\"%s\",\"query\":\"a\"" FAST,
	         w->closed, w->closed, w->closed);
	probe(w, checks);
	assert_string_equal(await(w, "tcp", KM_UNHEALTHY)->reason,
	                    "cannot connect: Connection refused");
	assert_non_null(strstr(await(w, "http", KM_UNHEALTHY)->reason, "connect"));
	assert_non_null(strstr(await(w, "unix", KM_UNHEALTHY)->reason, "No such file"));
	assert_non_null(strstr(await(w, "dns", KM_UNHEALTHY)->reason, "Connection refused"));
}

static void what_cannot_be_looked_at_is_unknown_not_unhealthy(void **state)
{
	struct world *w = *state;

	probe(w, "{\"exec\":[\"/bin/true\"]" FAST);
	assert_non_null(strstr(await(w, "exec", KM_HEALTH_UNKNOWN)->reason, "cgroup"));
}

static void a_file_is_as_healthy_as_it_is_fresh(void **state)
{
	struct world *w = *state;
	char path[] = "/tmp/kmend-fresh-XXXXXX", checks[256];
	struct timespec old[2] = { { .tv_sec = time(NULL) - 3600 },
		                   { .tv_sec = time(NULL) - 3600 } };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	snprintf(checks, sizeof(checks), "{\"file\":\"%s\",\"within\":\"60s\"" FAST, path);
	probe(w, checks);
	await(w, "file", KM_HEALTHY);
	assert_int_equal(futimens(fd, old), 0);
	/* an hour, and what a busy host takes to look */
	assert_non_null(strstr(await(w, "file", KM_UNHEALTHY)->reason, "was last written 36"));
	close(fd);
	unlink(path);
}

/* KiB of the prober's own memory at its highest. */
static unsigned long peak_kib(const struct world *w)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", w->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtoul(line + 6, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static void a_hostile_server_costs_its_deadline_and_less_than_a_mebibyte(void **state)
{
	static const struct {
		const char *check;
		const char *reason; /* as far as it is ours */
		enum km_health health;
	} all[] = {
		{ "{\"name\":\"slow\",\"http\":\"http://127.0.0.1:PORT/slow\"",
		  "no answer within 200 ms", KM_UNHEALTHY },
		{ "{\"name\":\"mute\",\"http\":\"http://127.0.0.1:PORT/mute\"",
		  "no answer within 200 ms", KM_UNHEALTHY },
		{ "{\"name\":\"endless\",\"http\":\"http://127.0.0.1:PORT/endless\",\"body\":\"x\"",
		  "status 200, the body does not match in its first 64 KiB", KM_UNHEALTHY },
		{ "{\"name\":\"bomb\",\"http\":\"http://127.0.0.1:PORT/bomb\",\"body\":\"(a*)*b\"",
		  "status 200, the body does not match in its first 64 KiB", KM_UNHEALTHY },
		{ "{\"name\":\"headers\",\"http\":\"http://127.0.0.1:PORT/headers\"",
		  "headers of more than 16384 bytes", KM_UNHEALTHY },
		{ "{\"name\":\"redirect\",\"http\":\"http://127.0.0.1:PORT/redirect\"",
		  "status 302", KM_UNHEALTHY },
	};
	struct world *w = *state;
	unsigned long before, after;
	char checks[4096] = "{\"http\":\"http://127.0.0.1:PORT/ok\",\"body\":\"ready\"" FAST;
	size_t n;

	probe(w, checks);
	await(w, "http", KM_HEALTHY);
	usleep(500000);
	before = peak_kib(w);
	close(w->sock);
	waitpid(w->pid, NULL, 0);
	km_config_free(w->config);
	n = strlen(checks);
	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		n += (size_t)snprintf(checks + n, sizeof(checks) - n,
		                      ",%s,\"every\":\"1s\",\"timeout\":\"200ms\",\"fall\":1}",
		                      all[i].check);
	probe(w, checks);
	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++) {
		char name[16];
		const struct km_raw_health *r;

		sscanf(all[i].check, "{\"name\":\"%15[a-z]", name);
		r = await(w, name, all[i].health);
		assert_string_equal(r->reason, all[i].reason);
		assert_true(r->latency_ns < 2 * KM_NS_PER_S);
	}
	after = peak_kib(w);
	print_message("peak %lu KiB with a friendly server, %lu KiB with six hostile ones\n",
	              before, after);
	assert_true(after < before + 1024);
}

static void the_prober_ends_with_the_engine(void **state)
{
	struct world *w = *state;
	int status;

	probe(w, "{\"tcp\":\"127.0.0.1:PORT\"" FAST);
	await(w, "tcp", KM_HEALTHY);
	close(w->sock);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(status, 0);
	w->pid = 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void ask(const struct world *w, const char *check)
{
	struct km_prober_ask m = {
		.hdr = { KM_PROBER_ASK, KM_PROBER_VERSION, sizeof(m) },
		.service = "s",
	};

	km_copy(m.check, sizeof(m.check), check);
	assert_int_equal(km_message_send(w->sock, &m, sizeof(m), -1), 0);
}

/* Hours before its turn, and at the first failure: what asks has seen something itself. */
static void a_check_that_is_asked_for_is_made_at_once_and_one_failure_is_enough(void **state)
{
	struct world *w = *state;
	char checks[256];
	uint64_t begun = km_now_ns();

	snprintf(checks, sizeof(checks),
	         "{\"name\":\"t\",\"tcp\":\"%s\",\"every\":\"1h\",\"fall\":5}", w->closed);
	probe(w, checks);
	ask(w, "another");
	ask(w, "t");
	await(w, "t", KM_UNHEALTHY);
	assert_true(km_now_ns() - begun < 5 * KM_NS_PER_S);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_check_that_is_asked_for_is_made_at_once_and_one_failure_is_enough, begin,
			end),
		CASE(each_kind_tells_good_from_bad),
		CASE(who_does_not_listen_is_unhealthy_with_its_reason),
		CASE(what_cannot_be_looked_at_is_unknown_not_unhealthy),
		CASE(a_file_is_as_healthy_as_it_is_fresh),
		CASE(a_hostile_server_costs_its_deadline_and_less_than_a_mebibyte),
		CASE(the_prober_ends_with_the_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
