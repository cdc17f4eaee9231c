/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured and is no service. */
#include <stdio.h>

#include "unit/attribute/world.h"

#include "attribute/state.h"
#include "lib/value.h"

static struct km_service *value(struct world *w, struct km_raw_value *v, uint64_t cgroup_id)
{
	return world_feed(w, &(struct km_signal){
				     .type = KM_RAW_VALUE, .cgroup_id = cgroup_id, .value = v });
}

static struct km_service *fs(struct world *w, const char *mount)
{
	struct value_record r;

	return value(w, value_make(&r, 0, KM_ENTITY_FILESYSTEM, mount, 1), 0);
}

static struct km_service *endpoint(struct world *w, const char *peer, uint64_t cgroup_id)
{
	struct value_record r;

	return value(w, value_make(&r, 0, KM_ENTITY_ENDPOINT, peer, 1), cgroup_id);
}

static void each_has_its_name_and_kind(void **state)
{
	struct world *w = *state;
	struct value_record r;
	struct km_service *s;

	s = fs(w, "/var");
	assert_string_equal(s->name, "fs:/var");
	assert_int_equal(km_service_entity(s), KM_ENTITY_FILESYSTEM);
	assert_int_equal(s->state, KM_SERVICE_UP);
	assert_ptr_equal(fs(w, "/var"), s);
	s = value(w, value_make(&r, 0, KM_ENTITY_DEVICE, "vda", 1), 0);
	assert_string_equal(s->name, "dev:vda");
	s = value(w, value_make(&r, 0, KM_ENTITY_HOST, "", 1), 0);
	assert_string_equal(s->name, "host");
	assert_ptr_equal(world_named(w, "host"), s);
	assert_ptr_equal(world_feed(w, &(struct km_signal){ .type = KM_RAW_HOST }), s);
}

static void an_endpoint_is_its_services(void **state)
{
	struct world *w = *state;

	world_cgroup(w, 5, "/system.slice/web.service");
	assert_null(endpoint(w, "10.0.0.5:5432", 5)); /* no process, no service yet */
	world_fork(w, 5, 100, 1);
	assert_string_equal(endpoint(w, "10.0.0.5:5432", 5)->name, "web.service>10.0.0.5:5432");
	assert_null(endpoint(w, "10.0.0.5:5432", 6));
	assert_int_equal(w->events[KM_EV_STARTED], 1);
}

static void a_value_of_a_service_is_its_cgroups(void **state)
{
	struct world *w = *state;
	struct value_record r;

	world_cgroup(w, 5, "/system.slice/web.service");
	world_fork(w, 5, 100, 1);
	assert_string_equal(value(w, value_make(&r, 0, KM_ENTITY_SERVICE, "", 1), 5)->name,
	                    "web.service");
}

static struct km_subject sched(struct world *w, uint64_t cpu_ns, uint32_t zombie)
{
	struct km_signal s = { .type = KMEND_SCHED, .t_ns = w->now_ns, .cgroup_id = 5 };
	struct km_subject subject;

	s.sched.tgid = 100;
	s.sched.start_ns = 1000 * SECOND;
	s.sched.cpu_ns = cpu_ns;
	s.sched.zombie = zombie;
	assert_int_equal(km_attribute_signal(w->a, &s, &subject), 0);
	return subject;
}

static void what_a_process_used_counts_from_the_look_before(void **state)
{
	struct world *w = *state;
	struct km_subject subject;

	world_cgroup(w, 5, "/system.slice/web.service");
	world_fork(w, 5, 100, 1);
	assert_int_equal(sched(w, 70, 0).use.cpu_ns, 0);
	assert_int_equal(sched(w, 100, 0).use.cpu_ns, 30);
	assert_int_equal(sched(w, 90, 0).use.cpu_ns, 0); /* a thread ended */
	assert_int_equal(sched(w, 95, 0).use.cpu_ns, 5);
	world_exit(w, 100, 1000 * SECOND, 0);
	subject = sched(w, 0, 1);
	assert_non_null(subject.service); /* its cgroup's, though nobody knows it any more */
	assert_int_equal(subject.use.cpu_ns, 0);
}

static void they_cannot_crowd_out_services(void **state)
{
	struct world *w = *state;
	struct km_subject subject;
	struct value_record r;
	struct km_signal s = { .type = KM_RAW_VALUE, .t_ns = w->now_ns };
	char name[32];

	for (int i = 0; i < KM_OTHERS_MAX; i++) {
		snprintf(name, sizeof(name), "/mnt/%d", i);
		assert_non_null(fs(w, name));
	}
	s.value = value_make(&r, 0, KM_ENTITY_FILESYSTEM, "/one/more", 1);
	assert_int_equal(km_attribute_signal(w->a, &s, &subject), -ENOSPC);
	assert_null(subject.service);
	w->now_ns += KM_FORGET_NS;
	fs(w, "/mnt/3");
	world_tick(w);
	assert_null(world_named(w, "fs:/mnt/4"));
	assert_non_null(world_named(w, "fs:/mnt/3"));
	assert_non_null(fs(w, "/one/more"));
}

static void a_name_that_does_not_fit_is_not_cut(void **state)
{
	struct world *w = *state;
	struct km_subject subject;
	struct value_record r;
	struct km_signal s = { .type = KM_RAW_VALUE, .t_ns = w->now_ns };
	char mount[KM_NAME_MAX];

	memset(mount, 'm', sizeof(mount));
	mount[sizeof(mount) - 1] = '\0';
	s.value = value_make(&r, 0, KM_ENTITY_FILESYSTEM, mount, 1);
	assert_int_equal(km_attribute_signal(w->a, &s, &subject), -ENOSPC);
	assert_null(subject.service);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(each_has_its_name_and_kind),
		ROW(an_endpoint_is_its_services),
		ROW(a_value_of_a_service_is_its_cgroups),
		ROW(what_a_process_used_counts_from_the_look_before),
		ROW(they_cannot_crowd_out_services),
		ROW(a_name_that_does_not_fit_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
