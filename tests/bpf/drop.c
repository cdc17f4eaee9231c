// SPDX-License-Identifier: Apache-2.0
/* Prepared as root, started by another process as another user: with the two capabilities that the
 * daemon keeps, and with none at all. */
#include "bpf/world.h"

#include <cap-ng.h>
#include <grp.h>

#define NOBODY 65534

enum verdict {
	RIGHT = 0,
	NOT_DROPPED,
	NO_START,
	NO_EXIT,
	NO_TASKS,
	NO_PATHS,
	NOT_BY_ITERATOR,
	NO_REASON,
	NO_LEVEL
};

static const struct km_source *source(const struct km_collect *c, const char *name)
{
	const struct km_source *s = km_collect_sources(c);

	while (s->name && strcmp(s->name, name) != 0)
		s++;
	return s;
}

static bool drop(bool keep)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (keep)
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_PERFMON,
		              -1);
	return setgroups(0, NULL) == 0 &&
	       capng_change_id(NOBODY, NOBODY, CAPNG_CLEAR_BOUNDING) == 0 && geteuid() == NOBODY;
}

static size_t count(const struct world *w, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += world_record(w, i)->type == type;
	return n;
}

/* The scan was made as root, so what others execute is known. */
static bool has_paths(const struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct km_raw_process *p = (const void *)w->records[i];

		if (p->hdr.type == KM_RAW_PROCESS && p->tgid == (uint32_t)getppid())
			return p->path[0] == '/';
	}
	return false;
}

static void run(struct world *w, bool keep)
{
	uint32_t pid;

	if (!drop(keep))
		_exit(NOT_DROPPED);
	if (km_loop_new(&w->loop) || km_collect_start(w->collect, w->loop, world_sink, w))
		_exit(NO_START);
	pid = CHILD(_exit(0));
	if (waitpid((pid_t)pid, NULL, 0) != (pid_t)pid || !world_wait(w, KMEND_EXIT, exit_of, &pid))
		_exit(NO_EXIT);
	world_pass(w);
	if (!count(w, KMEND_TASK) || !count(w, KM_RAW_HOST))
		_exit(NO_TASKS);
	if (!has_paths(w))
		_exit(NO_PATHS);
	if (keep && w->collect->iter_refused)
		_exit(NOT_BY_ITERATOR);
	if (w->collect->iter_refused && !source(w->collect, "process.descriptors")->reason[0])
		_exit(NO_REASON);
	_exit(RIGHT);
}

static void check(struct world *w, bool keep)
{
	struct km_collect_opts opts = { .pin_dir = w->pins };
	uint32_t pid;

	assert_int_equal(km_collect_prepare(&opts, &w->collect), 0);
	pid = CHILD(run(w, keep));
	w->collect = km_collect_stop(w->collect, false);
	assert_int_equal(reap(pid) >> 8, RIGHT);
	assert_int_equal(km_collect_unpin(w->pins), 0);
}

static void cap_bpf_and_cap_perfmon_are_enough(void **state)
{
	check(*state, true);
}

static void without_any_capability_events_still_come(void **state)
{
	check(*state, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cap_bpf_and_cap_perfmon_are_enough),
		cmocka_unit_test(without_any_capability_events_still_come),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, world_enter, world_leave);
}
