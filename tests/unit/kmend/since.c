// SPDX-License-Identifier: Apache-2.0
/* kmend rule backtest --since: what kmendd itself kept, each moment once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

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

/* It says the same of what was kept as of the trace itself, which is not nothing. */
static void assert_same_as_the_trace(const char *kept)
{
	char *argv[] = { (char *)"kmend",
		         (char *)"rule",
		         (char *)"backtest",
		         (char *)"rules/crash",
		         (char *)"--trace",
		         (char *)TRACE,
		         NULL };
	struct run r;

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
	assert_same_as_the_trace(p->run.out);
	once = strdup(p->run.out);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_recorded_moment_counts_once, begin, end),
		cmocka_unit_test_setup_teardown(what_is_older_is_left_out_and_nothing_is_said_so,
		                                begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
