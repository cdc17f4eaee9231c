// SPDX-License-Identifier: Apache-2.0
/* kmend rule backtest --since: what kmendd itself kept, each moment once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "pipeline/pipeline.h"
#include "record/recording.h"
#include "run.h"

#define TRACE "tests/fixtures/traces/demo.trace"

static const char *const names[] = { "engine/evidence/1-3.trace", "engine/evidence/1-4.trace",
	                             "engine/evidence", "engine" };

struct place {
	char dir[64];
	struct run run;
};

static const char *path_of(const struct place *p, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return path;
}

static int begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->dir, "/tmp/kmend-since.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(mkdir(path_of(p, "engine"), 0755), 0);
	assert_int_equal(mkdir(path_of(p, "engine/evidence"), 0755), 0);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;

	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "engine/recording/%016d.trace", i);
		remove(path_of(p, name));
	}
	remove(path_of(p, "engine/recording"));
	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++)
		remove(path_of(p, names[i]));
	remove(p->dir);
	free(p);
	return 0;
}

/* The recorded demo under this name, as if it had been kept AGE_S ago. */
static void keep(const struct place *p, const char *name, time_t age_s)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) - age_s },
		                           { .tv_sec = time(NULL) - age_s } };
	static char text[8 << 20];
	FILE *in = fopen(TRACE, "re"), *out = fopen(path_of(p, name), "we");
	size_t n;

	assert_true(in && out);
	n = fread(text, 1, sizeof(text), in);
	assert_true(n > 0 && n < sizeof(text));
	assert_int_equal(fwrite(text, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(utimensat(AT_FDCWD, path_of(p, name), times, 0), 0);
}

/* What it says of the last TIME; its exit code. */
static int backtest(struct place *p, const char *since)
{
	char *argv[] = { (char *)"kmend",
		         (char *)"rule",
		         (char *)"backtest",
		         (char *)"rules/crash",
		         (char *)"--since",
		         (char *)since,
		         (char *)"--state",
		         p->dir,
		         NULL };

	run_begin(&p->run, argv);
	run_end(&p->run);
	return p->run.code;
}

/* It says the same of what was kept as of the trace itself, which is not nothing; and of how much
 * of the time there is something. */
static void assert_same_as_the_trace(char *kept)
{
	char *last = strstr(kept, "of the last 2h00m was recorded");
	char *argv[] = { (char *)"kmend",
		         (char *)"rule",
		         (char *)"backtest",
		         (char *)"rules/crash",
		         (char *)"--trace",
		         (char *)TRACE,
		         NULL };
	struct run r;

	assert_non_null(last);
	while (last > kept && last[-1] != '\n')
		last--;
	*last = '\0';
	run_begin(&r, argv);
	run_end(&r);
	assert_int_equal(r.code, 0);
	assert_string_equal(kept, r.out);
	assert_non_null(strstr(r.out, "of history; "));
	assert_null(strstr(r.out, "of history; 0 failures"));
	run_free(&r);
}

static void each_recorded_moment_counts_once(void **state)
{
	struct place *p = *state;
	char *once;

	keep(p, names[0], 3600);
	assert_int_equal(backtest(p, "2h"), 0);
	once = strdup(p->run.out);
	assert_same_as_the_trace(p->run.out);
	run_free(&p->run);
	/* a later decision of the same seconds */
	keep(p, names[1], 3590);
	assert_int_equal(backtest(p, "2h"), 0);
	assert_string_equal(p->run.out, once);
	run_free(&p->run);
	free(once);
}

static void what_is_older_is_left_out_and_nothing_is_said_so(void **state)
{
	struct place *p = *state;

	keep(p, names[0], 3 * 3600);
	assert_int_equal(backtest(p, "2h"), 1);
	assert_non_null(strstr(p->run.err, "nothing is recorded of that time"));
	run_free(&p->run);
	assert_int_equal(backtest(p, "soon"), 1);
	assert_non_null(strstr(p->run.err, "not a time"));
	run_free(&p->run);
}

static int add_cb(void *userdata, const void *raw, size_t len)
{
	km_buf_add(userdata, raw, len);
	return km_buf_error(userdata);
}

/* A file each 32 KiB. */
#define ROOM (512 * 1024)

static int hand_out(const void *userdata, int (*take)(void *writer, const struct kmend_hdr *raw),
                    void *writer)
{
	const struct km_buf *b = userdata;
	int r = 0;

	for (size_t at = 0; at < b->len && r == 0;) {
		const struct kmend_hdr *hdr = (const void *)(b->data + at);

		r = take(writer, hdr);
		at += hdr->size;
	}
	return r;
}

/* The demo on its way through kmendd. */
struct recorder {
	struct km_recording *recording;
	struct km_pipeline *pipeline;
	struct km_buf *base, *recent; /* a checkpoint, and what came since */
	unsigned int pieces;
};

static void recorder_piece(struct recorder *r)
{
	const struct km_recorded what = { r->recent->data, r->recent->len, hand_out, r->base };

	assert_int_equal(km_recording_add(r->recording, &what, ROOM), 0);
	r->pieces++;
	km_buf_reset(r->base);
	km_buf_reset(r->recent);
	assert_int_equal(km_pipeline_save(r->pipeline, add_cb, r->base), 0);
}

static void recorder_take(struct recorder *r, const void *raw, size_t len)
{
	km_buf_add(r->recent, raw, len);
	km_pipeline_feed(r->pipeline, raw, len);
	while (km_pipeline_next(r->pipeline))
		;
}

static void recorder_begin(struct recorder *r, struct place *p)
{
	int engine = open(path_of(p, "engine"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*r = (struct recorder){ 0 };
	assert_int_equal(km_recording_open(engine, &r->recording), 0);
	assert_int_equal(km_pipeline_new(&r->pipeline), 0);
	assert_int_equal(km_buf_new(64 << 20, &r->base), 0);
	assert_int_equal(km_buf_new(64 << 20, &r->recent), 0);
	close(engine);
}

static void recorder_end(struct recorder *r)
{
	km_buf_free(r->base);
	km_buf_free(r->recent);
	km_pipeline_free(r->pipeline);
	km_recording_close(r->recording);
}

/* In pieces, each of which may begin a file with a checkpoint in front. */
static void record(struct place *p)
{
	int fd = open(TRACE, O_RDONLY | O_CLOEXEC);
	struct km_trace_reader *reader;
	struct recorder r;
	const void *raw;
	ssize_t n;

	recorder_begin(&r, p);
	assert_int_equal(km_trace_reader_new(fd, &reader), 0);
	for (size_t i = 1; (n = km_trace_next(reader, &raw)) > 0; i++) {
		recorder_take(&r, raw, (size_t)n);
		if (i % 300 == 0)
			recorder_piece(&r);
	}
	recorder_piece(&r);
	assert_true(r.pieces > 2);
	assert_int_equal(access(path_of(p, "engine/recording/0000000000000003.trace"), F_OK), 0);
	recorder_end(&r);
	km_trace_reader_free(reader);
	close(fd);
}

static void a_recording_in_pieces_is_one_history(void **state)
{
	struct place *p = *state;

	record(p);
	assert_int_equal(backtest(p, "2h"), 0);
	assert_same_as_the_trace(p->run.out);
	run_free(&p->run);
}

/* What led to decisions is in the recording as well: only of before its beginning it tells more. */
static void the_same_moments_do_not_count_twice(void **state)
{
	struct place *p = *state;

	record(p);
	keep(p, names[0], -10);
	assert_int_equal(backtest(p, "2h"), 0);
	assert_same_as_the_trace(p->run.out);
	run_free(&p->run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_recorded_moment_counts_once, begin, end),
		cmocka_unit_test_setup_teardown(a_recording_in_pieces_is_one_history, begin, end),
		cmocka_unit_test_setup_teardown(the_same_moments_do_not_count_twice, begin, end),
		cmocka_unit_test_setup_teardown(what_is_older_is_left_out_and_nothing_is_said_so,
		                                begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
