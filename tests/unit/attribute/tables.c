// SPDX-License-Identifier: Apache-2.0
/* The tables are all the state there is: they restore it, alike each time, and refuse nonsense. */
#include <stdio.h>

#include "unit/attribute/world.h"

#include "attribute/state.h"

#define TABLES 5

static uint32_t lcg(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* A busy host by chance, the same for the same seed; any order of records, sensible or not. */
static void live(struct world *w, uint64_t *seed, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		uint32_t what = lcg(seed) % 12, tgid = 100 + lcg(seed) % 40,
			 cgroup = 1 + lcg(seed) % 6;
		uint64_t start = (500 + lcg(seed) % 4) * SECOND;
		char path[64];

		w->now_ns += lcg(seed) % 1000 * KM_NS_PER_MS;
		snprintf(path, sizeof(path), "/system.slice/s%u.service%s", cgroup,
		         lcg(seed) % 2 ? "/sub" : "");
		if (what == 0)
			world_cgroup(w, cgroup, path);
		else if (what == 1)
			world_cgroup_gone(w, cgroup);
		else if (what == 2)
			world_tick(w);
		else if (what == 3)
			world_fork(w, cgroup, tgid, 100 + lcg(seed) % 40);
		else if (what == 4)
			world_exec(w, cgroup, tgid, start, lcg(seed) % 2 ? "/opt/tool" : "/bin/sh");
		else if (what == 5)
			world_exit(w, tgid, start, lcg(seed) % 256);
		else if (what == 6)
			world_watch(w, tgid, start, (int)(lcg(seed) % 3) - 1);
		else if (what == 7)
			world_kill(w, tgid, start, 9, 1);
		else if (what == 8)
			world_outcome(w, "cmd",
			              &(struct world_outcome){ cgroup, lcg(seed) % KM_OUT_STATE_MAX,
			                                       lcg(seed) % KM_VERB_MAX, tgid,
			                                       start });
		else if (what == 9)
			world_pidfile(w, cgroup, tgid, start, "old");
		else
			world_task(w, cgroup, tgid, 1, start);
	}
}

static void define(struct world *w)
{
	world_define(w, "cmd", KM_BY_COMMAND, "");
	world_define(w, "old", KM_BY_PIDFILE, "/run/old.pid");
	world_define(w, "tool", KM_BY_EXECUTABLE, "/opt/tool");
}

static void assert_same(struct world *a, struct world *b)
{
	struct km_table *x[TABLES], *y[TABLES];

	assert_int_equal(km_attribute_tables(a->a, x, TABLES), TABLES);
	assert_int_equal(km_attribute_tables(b->a, y, TABLES), TABLES);
	for (int i = 0; i < TABLES; i++) {
		uint32_t at = 0, bt = 0;
		const void *row;

		assert_int_equal(km_table_count(x[i]), km_table_count(y[i]));
		while ((row = km_table_next(x[i], &at))) {
			const void *other = km_table_next(y[i], &bt);

			assert_non_null(other);
			assert_int_equal(at, bt);
			assert_memory_equal(row, other, km_table_opts(x[i])->row_size);
		}
	}
}

static void restore(struct world *from, struct world *to)
{
	struct km_table *x[TABLES], *y[TABLES];

	km_attribute_tables(from->a, x, TABLES);
	km_attribute_tables(to->a, y, TABLES);
	for (int i = 0; i < TABLES; i++) {
		uint32_t slot = 0;
		const void *row;

		while ((row = km_table_next(x[i], &slot)))
			assert_int_equal(km_table_restore(y[i], slot - 1, row), 0);
	}
}

/* What must hold at any time, whatever came. */
static void assert_whole(struct world *w)
{
	struct km_table *t[TABLES];
	uint32_t slot = 0, dirty = 0;
	const struct km_service_row *s;
	const struct km_process_row *p;

	km_attribute_tables(w->a, t, TABLES);
	for (int i = 0; i < TABLES; i++) {
		const void *row;

		for (slot = 0; (row = km_table_next(t[i], &slot));)
			assert_true(km_table_opts(t[i])->valid(row));
	}
	for (slot = 0; (s = km_table_next(t[0], &slot));) {
		uint32_t at = 0, n = 0;

		dirty += s->dirty;
		while ((p = km_table_next(t[2], &at)))
			n += p->service_id == s->pub.id;
		assert_int_equal(s->pub.processes, n);
		if (s->pub.kind != KM_BY_COMMAND && s->pub.kind != KM_BY_PIDFILE)
			assert_int_equal(s->pub.state == KM_SERVICE_UP, n > 0);
	}
	assert_int_equal(dirty, 0);
}

static void counts_stay_right_whatever_comes(void **state)
{
	struct world *w = *state;
	uint64_t seed = 7;

	define(w);
	for (int i = 0; i < 200; i++) {
		live(w, &seed, 50);
		assert_whole(w);
	}
	assert_true(w->events[KM_EV_STARTED] > 0);
	assert_true(w->events[KM_EV_ENDED] > 0);
}

static void the_same_records_give_the_same_bytes(void **state)
{
	struct world *w = *state, *v;
	uint64_t a = 3, b = 3;
	void *other;

	world_begin(&other);
	v = other;
	define(w);
	define(v);
	live(w, &a, 3000);
	live(v, &b, 3000);
	assert_same(w, v);
	world_end(&other);
}

static void a_restored_state_goes_on_as_if_nothing_had_been(void **state)
{
	struct world *w = *state, *v;
	uint64_t a = 5, b;
	void *other;

	define(w);
	live(w, &a, 2000);
	world_begin(&other);
	v = other;
	v->now_ns = w->now_ns;
	restore(w, v);
	memcpy(v->defs, w->defs, sizeof(v->defs));
	v->config = w->config;
	v->config.services = v->defs;
	assert_int_equal(km_attribute_configure(v->a, &v->config, v->now_ns), 0);
	assert_same(w, v);
	b = a;
	live(w, &a, 2000);
	live(v, &b, 2000);
	assert_same(w, v);
	world_end(&other);
}

static void nonsense_in_a_restored_row_is_refused(void **state)
{
	struct world *w = *state;
	struct km_table *t[TABLES];
	struct km_service_row s, good;
	struct km_cgroup_row c = { .id = 0 };
	struct km_process_row p = { .tgid = 1ULL << 32 };
	struct km_ended_row e = { .tgid = 5 };
	struct km_attribute_misc m = { .key = 2 };
	uint32_t slot = 0;

	world_cgroup(w, 5, "/system.slice/a.service");
	world_scan(w, 5, 100, 1, SECOND);
	km_attribute_tables(w->a, t, TABLES);
	memcpy(&good, km_table_next(t[0], &slot), sizeof(good));
	km_table_clear(t[0]);
	s = good;
	memset(s.pub.name, 'a', sizeof(s.pub.name));
	assert_int_equal(km_table_restore(t[0], 0, &s), -EINVAL);
	s = good;
	s.pub.id++;
	assert_int_equal(km_table_restore(t[0], 0, &s), -EINVAL);
	s = good;
	s.pub.state = KM_SERVICE_STATE_MAX;
	assert_int_equal(km_table_restore(t[0], 0, &s), -EINVAL);
	s = good;
	memset(s.pub.last.sender_comm, 'a', sizeof(s.pub.last.sender_comm));
	assert_int_equal(km_table_restore(t[0], 0, &s), -EINVAL);
	assert_int_equal(km_table_restore(t[0], 0, &good), 0);
	assert_int_equal(km_table_restore(t[1], 100, &c), -EINVAL);
	assert_int_equal(km_table_restore(t[2], 100, &p), -EINVAL);
	assert_int_equal(km_table_restore(t[3], 100, &e), -EINVAL);
	km_table_clear(t[4]);
	assert_int_equal(km_table_restore(t[4], 0, &m), -EINVAL);
}

static void a_full_table_is_said_and_survived(void **state)
{
	struct world *w = *state;
	struct km_signal s = { .type = KM_RAW_CGROUP, .t_ns = w->now_ns };
	struct km_subject subject;
	unsigned int full = 0;

	strcpy(s.cgroup.path, "/x");
	for (uint64_t id = 1; id <= KM_CGROUPS_MAX + 3; id++) {
		s.cgroup_id = id;
		full += km_attribute_signal(w->a, &s, &subject) == -ENOSPC;
	}
	assert_int_equal(full, 3);
}

static void services_past_the_maximum_are_the_hosts(void **state)
{
	struct world *w = *state;
	unsigned int full = 0;

	for (uint32_t i = 1; i <= KM_SERVICES_MAX + 2; i++) {
		struct km_signal s = { .type = KMEND_TASK, .t_ns = w->now_ns, .cgroup_id = i };
		struct km_subject subject;
		char path[64];

		snprintf(path, sizeof(path), "/system.slice/s%u.service", i);
		world_cgroup(w, i, path);
		s.task.tgid = i;
		s.task.start_ns = SECOND;
		full += km_attribute_signal(w->a, &s, &subject) == -ENOSPC;
		assert_int_equal(!subject.service, i > KM_SERVICES_MAX);
	}
	assert_int_equal(full, 2);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(counts_stay_right_whatever_comes),
		ROW(the_same_records_give_the_same_bytes),
		ROW(a_restored_state_goes_on_as_if_nothing_had_been),
		ROW(nonsense_in_a_restored_row_is_refused),
		ROW(a_full_table_is_said_and_survived),
		ROW(services_past_the_maximum_are_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
