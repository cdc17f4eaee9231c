/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

static const char *screen(struct world *w, unsigned int width, unsigned int height)
{
	km_buf_reset(w->out);
	assert_int_equal(km_view_screen(&w->view, width, height, w->out), 0);
	return km_buf_text(w->out);
}

static unsigned int lines_of(const char *s, unsigned int *widest)
{
	unsigned int lines = 0, width = 0;

	*widest = 0;
	for (; *s; s++) {
		if (*s == '\n') {
			lines++;
			width = 0;
			continue;
		}
		width += ((unsigned char)*s & 0xc0) != 0x80;
		*widest = width > *widest ? width : *widest;
	}
	return lines;
}

static void the_screen_shows_mode_service_forecast_and_what_waits(void **state)
{
	const char *s = screen(*state, 200, 40);

	assert_non_null(strstr(s, "mode: full"));
	assert_non_null(strstr(s, "leaky"));
	assert_non_null(strstr(s, "/64.0 MiB"));
	assert_non_null(strstr(s, "memory in "));
	assert_non_null(strstr(s, "kmend action approve "));
	assert_non_null(strstr(strstr(s, "LAST DECISIONS"), "ask restart"));
}

static void the_screen_keeps_to_its_size(void **state)
{
	static const unsigned int sizes[][2] = {
		{ 40, 8 }, { 80, 24 }, { 200, 9 }, { 0, 0 }, { 100000, 100000 }
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(sizes); i++) {
		unsigned int w = sizes[i][0], h = sizes[i][1], widest;
		unsigned int lines = lines_of(screen(*state, w, h), &widest);

		assert_in_range(lines, 1, h < 8 ? 8 : h);
		assert_in_range(widest, 1, w < 40 ? 40 : w);
	}
}

/* A cgroup of a made-up unit for each service, as the collector would say it. */
static void add_services(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct km_raw_cgroup g = { .hdr = stream_hdr(KM_RAW_CGROUP, sizeof(g), 150 * S) };
		struct km_raw_process p = { .hdr = stream_hdr(KM_RAW_PROCESS, sizeof(p), 150 * S),
			                    .tgid = 5000 + i,
			                    .start_ns = 150 * S,
			                    .wait_status = -1,
			                    .comm = "x" };

		g.hdr.cgroup_id = p.hdr.cgroup_id = 9000 + i;
		snprintf(g.path, sizeof(g.path), "/system.slice/unit%u\x1b[31m.service", i);
		assert_int_equal(world_feed(w, &g, sizeof(g)), 0);
		assert_int_equal(world_feed(w, &p, sizeof(p)), 0);
	}
	world_look(w);
}

static void services_that_do_not_fit_are_counted_and_trouble_comes_first(void **state)
{
	const char *s;

	add_services(*state, 100);
	s = screen(*state, 120, 24);
	assert_non_null(strstr(s, "more: kmend service list"));
	assert_non_null(strstr(s, "leaky"));
	assert_true(strstr(s, "leaky") < strstr(s, "unit0"));
}

static void names_cannot_drive_the_terminal(void **state)
{
	struct world *w = *state;

	add_services(w, 3);
	w->view.mode = "observe only: \x1b[2J";
	w->view.rules_refused = "rule.json: \x1b]0;x\x07";
	assert_null(strchr(screen(w, 200, 50), 0x1b));
	assert_null(strchr(screen(w, 200, 50), 0x07));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(the_screen_shows_mode_service_forecast_and_what_waits),
		T(the_screen_keeps_to_its_size),
		T(services_that_do_not_fit_are_counted_and_trouble_comes_first),
		T(names_cannot_drive_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
