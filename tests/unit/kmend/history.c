// SPDX-License-Identifier: Apache-2.0
/* kmend history import against a server that speaks the Prometheus HTTP API, or pretends to. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "run.h"

struct server {
	int fd;
	pthread_t thread;
	/* The body for START to END, seconds; the whole answer if it begins with "HTTP". */
	void (*answer)(FILE *out, double start, double end, double step);
	unsigned int requests;
	char last[2048];
	char url[64];
};

static double asked(const struct server *s, const char *name)
{
	const char *at = strstr(s->last, name);

	return at ? strtod(at + strlen(name), NULL) : 1;
}

static void serve_one(struct server *s, int fd)
{
	char *body = NULL;
	size_t len = 0, n = 0;
	ssize_t got;
	FILE *out;

	memset(s->last, 0, sizeof(s->last));
	while (n < sizeof(s->last) - 1 && !strstr(s->last, "\r\n\r\n") &&
	       (got = read(fd, s->last + n, sizeof(s->last) - 1 - n)) > 0)
		n += (size_t)got;
	s->requests++;
	out = open_memstream(&body, &len);
	s->answer(out, asked(s, "&start="), asked(s, "&end="), asked(s, "&step="));
	fclose(out);
	if (strncmp(body, "HTTP", 4) != 0)
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		        len);
	for (size_t sent = 0; sent < len; sent += (size_t)got) {
		got = send(fd, body + sent, len - sent, MSG_NOSIGNAL);
		if (got <= 0)
			break;
	}
	free(body);
}

static void *serve(void *userdata)
{
	struct server *s = userdata;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		serve_one(s, fd);
		close(fd);
	}
	return NULL;
}

static void server_begin(struct server *s, void (*answer)(FILE *, double, double, double))
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	*s = (struct server){ .answer = answer };
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_end(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* One run against a server that answers so; up to six more words behind --query q. */
static void import(struct server *s, void (*answer)(FILE *, double, double, double),
                   const char *const more[6], struct run *r)
{
	char *argv[16] = { (char *)"kmend", (char *)"history", (char *)"import",    (char *)"--url",
		           s->url,          (char *)"--query", (char *)"q{a=\"b\"}" };

	for (int i = 0; i < 6 && more[i]; i++)
		argv[7 + i] = (char *)more[i];
	server_begin(s, answer);
	run_begin(r, argv);
	run_end(r);
	server_end(s);
}

#define MORE(...) ((const char *const[6]){ __VA_ARGS__ })
#define HOUR      MORE("--since", "1h", "--until", "2026-05-01T01:00:00Z", "--step", "10s")

static void series(FILE *out, const char *metric, double start, double end, double step)
{
	fprintf(out, "{\"metric\":%s,\"values\":[", metric);
	for (int i = 0; start + i * step <= end; i++)
		fprintf(out, "%s[%.3f,\"%.0f\"]", i ? "," : "", start + i * step,
		        fmod(start + i * step, 3600) * 1000);
	fputs("]}", out);
}

#define BEGIN "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["

static void two_series(FILE *out, double start, double end, double step)
{
	fputs(BEGIN, out);
	series(out, "{\"__name__\":\"rss\",\"job\":\"a\"}", start, end, step);
	fputs(",{\"metric\":{\"job\":\"b,\\\"\\u001b[31m\"},\"values\":[", out);
	fprintf(out, "[%.3f,\"NaN\"],[%.3f,\"+Inf\"]", start, start + step);
	fputs("]}]}}", out);
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void each_series_becomes_a_column(void **state)
{
	struct server s;
	struct run r;

	(void)state;
	import(&s, two_series, HOUR, &r);
	if (r.code != 0 || lines(r.out) != 362)
		fail_msg("exit %d, %u lines: %s", r.code, lines(r.out), r.err);
	assert_non_null(strstr(s.last, "query=q%7Ba%3D%22b%22%7D&"));
	assert_non_null(strstr(r.out, "timestamp,\"rss{job=a}\",\"{job=b,\"\"\\x1b[31m}\"\n"));
	assert_non_null(strstr(r.out, "\n1777593600.000,0,\n1777593610.000,10000,inf\n"));
	assert_null(strchr(r.out, '\033'));
	run_free(&r);
}

static void what_was_imported_can_be_replayed(void **state)
{
	char path[] = "/tmp/kmend-history-XXXXXX";
	char *argv[] = { (char *)"kmend",
		         (char *)"-j",
		         (char *)"replay",
		         (char *)"--csv",
		         path,
		         (char *)"--limit",
		         (char *)"rss{job=a}=4000000",
		         NULL };
	struct server s;
	struct run r, replay;
	int fd = mkstemp(path);

	(void)state;
	import(&s, two_series, HOUR, &r);
	assert_int_equal(write(fd, r.out, strlen(r.out)), (ssize_t)strlen(r.out));
	close(fd);
	run_begin(&replay, argv);
	run_end(&replay);
	unlink(path);
	if (replay.code != 0)
		fail_msg("%s%s", replay.out, replay.err);
	assert_int_equal(lines(replay.out), 361);
	assert_non_null(strstr(replay.out, "\"metric\":\"rss{job=a}\""));
	run_free(&replay);
	run_free(&r);
}

/* So many series that an answer of more than 50 steps is too large. */
static void many_series(FILE *out, double start, double end, double step)
{
	char metric[64];

	fputs(BEGIN, out);
	for (int i = 0; i < 800; i++) {
		snprintf(metric, sizeof(metric), "{\"__name__\":\"m%d\"}", i);
		fputs(i ? "," : "", out);
		series(out, metric, start, end, step);
	}
	fputs("]}}", out);
}

static void an_answer_that_is_too_large_is_asked_for_in_parts(void **state)
{
	struct server s;
	struct run r;

	(void)state;
	import(&s, many_series, HOUR, &r);
	if (r.code != 0 || lines(r.out) != 362)
		fail_msg("exit %d, %u lines: %s", r.code, lines(r.out), r.err);
	assert_true(s.requests > 8);
	run_free(&r);
}

static void bad_query(FILE *out, double start, double end, double step)
{
	(void)start;
	(void)end;
	(void)step;
	fputs("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error at 1:2\"}",
	      out);
}

static void a_page(FILE *out, double start, double end, double step)
{
	(void)start;
	(void)end;
	(void)step;
	fputs("<html>", out);
}

static void elsewhere(FILE *out, double start, double end, double step)
{
	(void)start;
	(void)end;
	(void)step;
	fputs("HTTP/1.1 302 Found\r\nLocation: /api/v1/query_range?query=q&start=0&end=1&step=1\r\n"
	      "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
	      out);
}

static void no_numbers(FILE *out, double start, double end, double step)
{
	(void)end;
	(void)step;
	fprintf(out, BEGIN "{\"metric\":{},\"values\":[[%.3f,\"1\"],[\"x\",2]]}]}}", start);
}

static void nothing(FILE *out, double start, double end, double step)
{
	(void)start;
	(void)end;
	(void)step;
	fputs(BEGIN "]}}", out);
}

static void what_is_no_history_is_refused_with_the_reason(void **state)
{
	static const struct {
		void (*answer)(FILE *out, double start, double end, double step);
		const char *said;
	} cases[] = {
		{ bad_query, "the server says: parse error at 1:2" },
		{ a_page, ":1:1:" },
		{ elsewhere, "no answer of the Prometheus HTTP API" },
		{ no_numbers, "not a pair of a time and a number" },
		{ nothing, "nothing for that time" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		struct server s;
		struct run r;

		import(&s, cases[i].answer, HOUR, &r);
		if (r.code != 1 || !strstr(r.err, cases[i].said) || r.out[0])
			fail_msg("%zu: exit %d: %s%s", i, r.code, r.out, r.err);
		assert_int_equal(s.requests, 1);
		run_free(&r);
	}
}

static void bad_words_are_named(void **state)
{
	static const struct {
		const char *more[6];
		const char *said;
	} cases[] = {
		{ { "--since", "yesterday" }, "--since yesterday is no duration" },
		{ { "--step", "0s" }, "--step 0s is no duration of at least 1ms" },
		{ { "--until", "soon" }, "--until soon is no time" },
		{ { "--since", "300d", "--step", "1ms" }, "take a larger --step" },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		struct server s;
		struct run r;

		import(&s, two_series, cases[i].more, &r);
		if (r.code != 2 || !strstr(r.err, cases[i].said))
			fail_msg("%zu: exit %d: %s", i, r.code, r.err);
		assert_int_equal(s.requests, 0);
		run_free(&r);
	}
}

/* A secret that others may write is none. */
static void the_token_is_sent_and_must_be_ones_own(void **state)
{
	char path[] = "/tmp/kmend-token-XXXXXX";
	int fd = mkstemp(path);
	const char *const more[6] = { "--since", "1m", "--token-file", path };
	struct server s;
	struct run r;

	(void)state;
	assert_int_equal(write(fd, "secret\n", 7), 7);
	import(&s, two_series, more, &r);
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(s.last, "Authorization: Bearer secret\r\n"));
	run_free(&r);
	assert_int_equal(fchmod(fd, 0666), 0);
	import(&s, two_series, more, &r);
	assert_int_equal(r.code, 1);
	assert_int_equal(s.requests, 0);
	run_free(&r);
	close(fd);
	unlink(path);
}

static void no_file_is_overwritten(void **state)
{
	char path[] = "/tmp/kmend-history-XXXXXX";
	const char *const more[6] = { "--since", "1m", "--output", path };
	struct server s;
	struct run r;

	(void)state;
	close(mkstemp(path));
	import(&s, two_series, more, &r);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.err, "File exists"));
	run_free(&r);
	unlink(path);
	import(&s, two_series, more, &r);
	assert_int_equal(r.code, 0);
	assert_int_equal(access(path, R_OK), 0);
	run_free(&r);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_series_becomes_a_column),
		cmocka_unit_test(what_was_imported_can_be_replayed),
		cmocka_unit_test(an_answer_that_is_too_large_is_asked_for_in_parts),
		cmocka_unit_test(what_is_no_history_is_refused_with_the_reason),
		cmocka_unit_test(bad_words_are_named),
		cmocka_unit_test(the_token_is_sent_and_must_be_ones_own),
		cmocka_unit_test(no_file_is_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
