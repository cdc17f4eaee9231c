// SPDX-License-Identifier: Apache-2.0
/* A plot stays inside its frame, whatever the figures are. The command is no library: its source is
 * taken in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// NOLINTNEXTLINE(bugprone-suspicious-include): the command is no library
#include "../../../tools/kmend/plot.c"

static char text[16384];

static const char *plot(const struct km_plot *p)
{
	FILE *out = fmemopen(text, sizeof(text), "w");

	memset(text, 0, sizeof(text));
	km_plot_print(out, p);
	fclose(out);
	return text;
}

/* No line is longer than a terminal's 80 columns. */
static void assert_frame(const char *s)
{
	while (*s) {
		size_t len = strcspn(s, "\n");

		assert_true(len <= 80);
		s += len + (s[len] == '\n');
	}
}

static void what_meets_the_limit_is_marked_on_it(void **state)
{
	const double t[] = { 100, 110, 120, 130 }, x[] = { 10, 30, 50, 70 };
	const struct km_plot p = { t, x, 4, 100, 30, 70, 2, 10, 15, 25, false };
	const char *s = plot(&p);

	(void)state;
	assert_frame(s);
	assert_non_null(strstr(s, "100 |-"));
	assert_non_null(strstr(s, "[=="));
	assert_non_null(strchr(s, 'X'));
	assert_non_null(strchr(s, ']'));
	assert_non_null(strstr(s, "70 |"));
	assert_non_null(strstr(s, "-30s"));
	assert_non_null(strstr(s, "now"));
}

static void a_level_without_limit_or_forecast_is_drawn_alone(void **state)
{
	const double t[] = { 0, 60 }, x[] = { 1e6, 3e9 };
	const struct km_plot p = { t, x, 2, -1, 0, 0, 0, -1, -1, -1, true };
	const char *s = plot(&p);

	(void)state;
	assert_frame(s);
	assert_non_null(strstr(s, "2.7 GiB |"));
	assert_null(strstr(s, "limit"));
	assert_null(strchr(s, '['));
}

static void strange_figures_stay_inside_the_frame(void **state)
{
	static const double levels[] = { 0, -1e18, 1e18, 5, 5 };
	const double t[] = { 0, 1, 1, 2, 1e9 };

	(void)state;
	for (size_t n = 0; n <= 5; n++) {
		const struct km_plot p = {
			t, levels, n, 1e-9, 1e12, -1e9, 1e30, 0, 0, 1e300, true
		};

		assert_frame(plot(&p));
	}
	for (int i = 0; i < 3; i++) {
		const double same[] = { 7, 7 }, twice[] = { (double)i, (double)i };
		const struct km_plot p = { i ? twice : t, same, 2, 7, 1, 7, 1, 1, 1, 1, false };

		assert_frame(plot(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_meets_the_limit_is_marked_on_it),
		cmocka_unit_test(a_level_without_limit_or_forecast_is_drawn_alone),
		cmocka_unit_test(strange_figures_stay_inside_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
