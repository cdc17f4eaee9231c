// SPDX-License-Identifier: Apache-2.0
/* kmend replay --csv on what people export, and on what nobody should have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "run.h"

/* Runs kmend -j replay --csv on TEXT of LEN bytes, with up to four more words. */
static void replay_bytes(struct run *r, const char *text, size_t len, const char *const more[4])
{
	char path[] = "/tmp/kmend-csv-XXXXXX";
	int fd = mkstemp(path);
	char *argv[10] = { (char *)"kmend", (char *)"-j", (char *)"replay", (char *)"--csv", path };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	for (int i = 0; i < 4 && more && more[i]; i++)
		argv[5 + i] = (char *)more[i];
	run_begin(r, argv);
	run_end(r);
	unlink(path);
}

#define MORE(...) ((const char *const[4]){ __VA_ARGS__ })

static void replay(struct run *r, const char *text, const char *const more[4])
{
	replay_bytes(r, text, strlen(text), more);
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void assert_rows(const char *text, const char *const more[4], unsigned int rows)
{
	struct run r;

	replay(&r, text, more);
	if (r.code != 0 || lines(r.out) != rows)
		fail_msg("exit %d, %u lines: %s%s", r.code, lines(r.out), r.out, r.err);
	run_free(&r);
}

/* It ends with CODE, and says WHAT. */
static void assert_refused(const char *text, const char *const more[4], int code, const char *what)
{
	struct run r;

	replay(&r, text, more);
	if (r.code != code || !strstr(r.out, what))
		fail_msg("exit %d: %s%s", r.code, r.out, r.err);
	run_free(&r);
}

static void each_shape_of_export_gives_an_object_a_row(void **state)
{
	(void)state;
	assert_rows("timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,2\n", NULL, 2);
	assert_rows("t_s,mem_pct\n0,80\n10,81\n20,\n40,82", MORE("--limit", "mem_pct=100"), 4);
	assert_rows("0.1,0.2\n0.3,0.4\n", MORE("--interval", "60"), 2);
	assert_rows(
		",host,mem,label\n2018-01-01 00:00:00,m_1,84.0,ok\n2018-01-01T00:05:00Z,m_1,NaN,"
		"\n",
		MORE("--limit=mem=100"), 2);
	assert_rows("\xef\xbb\xbfTime,\"free, \"\"real\"\"\"\r\n1700000000000,\"1\"\r\n\r\n"
	            "1700000060000,2\r\n",
	            MORE("--limit", "free, \"real\"=5"), 2);
	assert_rows("t,\"two\nlines\"\n2024-02-29 23:59:59.5+01:00,1\n2024-02-29 23:00,2\n", NULL,
	            2);
}

static void a_leak_in_a_table_is_forecast_with_its_columns_name(void **state)
{
	static char text[64 * 1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "t_s,other,mem\n");
	struct run r;

	(void)state;
	for (int i = 0; i < 1500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d,7,%.2f\n", i * 10,
		                      20 + i * 0.053);
	replay(&r, text, MORE("--limit", "mem=100"));
	assert_int_equal(r.code, 0);
	assert_int_equal(lines(r.out), 1500);
	assert_non_null(strstr(r.out, "\"row\":0,\"score\":0,\"alarm\":false,\"forecasts\":[]}"));
	assert_non_null(strstr(r.out, "\"row\":1499,"));
	assert_non_null(strstr(strstr(r.out, "\"row\":1499,"), "{\"metric\":\"mem\",\"eta_s\":"));
	assert_null(strstr(r.out, "\"metric\":\"other\""));
	run_free(&r);
}

static void what_cannot_be_read_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("", NULL, 1, "is empty");
	assert_refused("t,a\n0,1\n1,x\n", NULL, 1, ":3: column a: x: no number");
	assert_refused("t,a\n0,1\n1\n", NULL, 1, ":3: 1 cells, the first line has 2");
	assert_refused("t,a\n-5,1\n", NULL, 1, ":2: column t: -5: a time before 0");
	assert_refused("t,a\nnoon,1\n", NULL, 1, ":2: column t: noon: no time");
	assert_refused("t,a\ninf,1\n", NULL, 1,
	               ":2: column t: inf: a time before 0 or too far off");
	assert_refused("t,a\n0,1\n1,\"2\n", NULL, 1, ":3: a quote that does not end");
	assert_refused("a,b\n0,1\n", NULL, 2, "no column of times");
	assert_refused("t,mem\n0,1\n", MORE("--limit", "men=5"), 1, "no column men");
	assert_refused("t,mem\n0,1\n", MORE("--limit", "t=5"), 1, "no column t that has a limit");
	assert_refused("t,mem\n0,ok\n", MORE("--limit", "mem=5"), 1,
	               ":2: column mem: ok: no number");
	assert_refused("t,mem\n0,1\n", MORE("--limit", "mem"), 2, "is not COLUMN=VALUE");
	assert_refused("t,mem\n0,1\n", MORE("--limit", "mem=0"), 2, "with a value above 0");
	assert_refused("t,mem\n0,1\n", MORE("--limit", "mem=nan"), 2, "with a value above 0");
	assert_refused("t,mem\n0,1\n", MORE("--limit=mem=5", "--limit=mem=6"), 2, "two limits");
	assert_refused("1\n2\n", MORE("--interval", "0"), 2, "not a number of seconds");
	assert_refused("1\n2\n", MORE("--interval", "inf"), 2, "not a number of seconds");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	struct run r;

	(void)state;
	replay_bytes(&r, "t,a\n0,\0\n", 8, NULL);
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.out, ":2: a quote that does not end, or a NUL"));
	run_free(&r);
}

static void a_line_without_end_and_a_thousand_columns_too_many_are_refused(void **state)
{
	static char text[300 * 1024];
	struct run r;

	(void)state;
	memset(text, '1', sizeof(text));
	replay_bytes(&r, text, sizeof(text), MORE("--interval", "1"));
	assert_int_equal(r.code, 1);
	assert_non_null(strstr(r.out, ":1: a longer line or more columns"));
	run_free(&r);
	memset(text, ',', 1024);
	replay_bytes(&r, text, 1023, MORE("--interval", "1"));
	assert_int_equal(r.code, 0);
	run_free(&r);
	replay_bytes(&r, text, 1024, MORE("--interval", "1"));
	assert_int_equal(r.code, 1);
	run_free(&r);
}

/* SAYS is looked for in what stands on standard error. */
static void assert_noted(const char *text, unsigned int rows, const char *says)
{
	struct run r;

	replay(&r, text, MORE("--limit", "a=50"));
	assert_int_equal(r.code, 0);
	assert_int_equal(lines(r.out), rows);
	assert_non_null(strstr(r.err, says));
	assert_null(strstr(r.out, "metric")); /* nothing is forecast from nonsense */
	run_free(&r);
}

static void what_is_odd_is_noted_and_nothing_is_forecast_from_it(void **state)
{
	(void)state;
	assert_noted("t,a\n0,1\n0,90\n1,2\n", 3, "1 rows have the time of the row before");
	assert_noted("t,a\n0,1\n1,inf\n2,-Infinity\n3,1e999\n4,2\n", 5, "3 cells are infinite");
	assert_noted("t,a\n10,1\n11,2\n5,3\n6,4\n", 4, "goes back 1 times, first in line 4");
	assert_noted("t,a\n0,60\n1,61\n2,62\n3,63\n4,64\n5,65\n6,66\n7,67\n8,68\n9,69\n10,70\n11,71"
	             "\n12,72\n13,73\n14,74\n15,75\n",
	             16, "1 columns reach the limit");
}

static void a_file_in_no_order_of_time_is_refused(void **state)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "t,a\n");

	(void)state;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d,1\n", 1000 - i);
	assert_refused(text, NULL, 1, ":19: time goes back");
}

/* Each of these says nothing, and does so for each row. */
static void assert_silent(double (*level)(unsigned int), unsigned int rows)
{
	static char text[256 * 1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "t_s,a\n");
	struct run r;

	for (unsigned int i = 0; i < rows; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u,%.3f\n", i * 10, level(i));
	replay(&r, text, MORE("--limit", "a=100"));
	assert_int_equal(r.code, 0);
	assert_int_equal(lines(r.out), rows);
	assert_null(strstr(r.out, "metric"));
	run_free(&r);
}

static double constant(unsigned int i)
{
	(void)i;
	return 99;
}

/* A counter of 20 that wraps and one that is set to 0 now and then. */
static double wrapping(unsigned int i)
{
	return i % 20;
}

static double below_zero(unsigned int i)
{
	return -50 + (i * 7919 % 13);
}

static void constant_wrapping_and_negative_series_are_no_leaks(void **state)
{
	(void)state;
	assert_silent(constant, 2000);
	assert_silent(constant, 1);
	assert_silent(wrapping, 2000);
	assert_silent(below_zero, 2000);
}

static void ten_years_of_gap_end_a_series(void **state)
{
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "t,a\n");
	struct run r;

	(void)state;
	for (unsigned int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u,%.2f\n",
		                      i * 10 + (i < 100 ? 0 : 315360000), i * 0.4);
	replay(&r, text, MORE("--limit", "a=100"));
	assert_int_equal(r.code, 0);
	assert_int_equal(lines(r.out), 200);
	assert_non_null(strstr(r.out, "\"row\":101,\"score\":0,\"alarm\":false,\"forecasts\":[]}"));
	run_free(&r);
}

static void people_are_told_what_changes_and_a_sum(void **state)
{
	char path[] = "/tmp/kmend-csv-XXXXXX";
	int fd = mkstemp(path);
	struct run r;

	(void)state;
	dprintf(fd, "t,a\n");
	for (int i = 0; i < 90; i++)
		dprintf(fd, "%d,%d\n", 1700000000 + i, i);
	close(fd);
	run_begin(&r, (char *[]){ "kmend", "replay", "--csv", path, "--limit", "a=100", NULL });
	run_end(&r);
	unlink(path);
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "2023-11-14 22:1"));
	assert_non_null(strstr(r.out, "meets 100 in "));
	assert_non_null(
		strstr(r.out, "90 rows over 1m29s, 1 columns, 1 with a limit: 1 forecasts"));
	run_free(&r);
}

/* A leak from row 60 on, one row a second; explained at ROW, with -j if JSON. */
static void explain(struct run *r, const char *row, bool json)
{
	char path[] = "/tmp/kmend-csv-XXXXXX";
	char *argv[] = { (char *)"kmend",
		         (char *)(json ? "-j" : "--socket=/none"),
		         (char *)"forecast",
		         (char *)"explain",
		         (char *)"--csv",
		         path,
		         (char *)"--limit",
		         (char *)"disk=100",
		         (char *)"--row",
		         (char *)row,
		         NULL };
	int fd = mkstemp(path);

	dprintf(fd, "t,disk\n");
	for (int i = 0; i < 150; i++)
		dprintf(fd, "%d,%d\n", i, i < 60 ? 10 : 10 + (i - 60));
	close(fd);
	run_begin(r, argv);
	run_end(r);
	unlink(path);
	assert_int_equal(r->code, 0);
}

static void a_forecast_of_a_table_is_explained_with_a_plot(void **state)
{
	struct run r;

	(void)state;
	explain(&r, "140", false);
	assert_non_null(strstr(r.out, "slope per second"));
	assert_non_null(strstr(r.out, "100 |---"));
	assert_non_null(strstr(r.out, "[="));
	assert_non_null(strstr(r.out, "X="));
	assert_non_null(strstr(r.out, "90 |"));
	assert_non_null(strstr(r.out, "-2m20s"));
	assert_null(strstr(r.out, "memory"));
	run_free(&r);
	explain(&r, "30", false);
	assert_non_null(strstr(r.out, "why not"));
	assert_null(strstr(r.out, "X="));
	run_free(&r);
	explain(&r, "1000000", true);
	assert_non_null(strstr(r.out, "\"row\":149"));
	assert_non_null(strstr(r.out, "\"samples\":[[0,10],[1000,10]"));
	run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape_of_export_gives_an_object_a_row),
		cmocka_unit_test(a_leak_in_a_table_is_forecast_with_its_columns_name),
		cmocka_unit_test(what_cannot_be_read_is_refused_with_its_line),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(a_line_without_end_and_a_thousand_columns_too_many_are_refused),
		cmocka_unit_test(what_is_odd_is_noted_and_nothing_is_forecast_from_it),
		cmocka_unit_test(a_file_in_no_order_of_time_is_refused),
		cmocka_unit_test(constant_wrapping_and_negative_series_are_no_leaks),
		cmocka_unit_test(ten_years_of_gap_end_a_series),
		cmocka_unit_test(people_are_told_what_changes_and_a_sum),
		cmocka_unit_test(a_forecast_of_a_table_is_explained_with_a_plot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
