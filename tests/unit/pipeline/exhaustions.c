// SPDX-License-Identifier: Apache-2.0
/* Whatever has a limit is forecast to meet it, from the raw value to the forecast: filesystems, the
 * host, and the queue of a service's listener. */
#include <math.h>

#include "lib/value.h"
#include "stream.h"

struct leak {
	enum km_resource resource;
	enum km_sig sig;
	enum km_entity entity;
	const char *name; /* of the entity */
	double limit;
};

static const struct leak leaks[] = {
	{ KM_DISK, KM_SIG_FS_BYTES_USED, KM_ENTITY_FILESYSTEM, "/srv", 4e12 },
	{ KM_INODES, KM_SIG_FS_INODES_USED, KM_ENTITY_FILESYSTEM, "/srv", 65536 },
	{ KM_ACCEPT_QUEUE, KM_SIG_ACCEPT_QUEUE, KM_ENTITY_SERVICE, "", 128 },
	{ KM_CONNTRACK, KM_SIG_CONNTRACK, KM_ENTITY_HOST, "", 262144 },
	{ KM_PORTS, KM_SIG_PORTS, KM_ENTITY_HOST, "", 28232 },
	{ KM_HOST_PIDS, KM_SIG_HOST_PIDS, KM_ENTITY_HOST, "", 4194304 },
};

struct sim {
	struct km_pipeline *pipeline;
	enum km_resource resource;
	unsigned int forecasts; /* with p of a half and more, of that resource */
	unsigned int others;    /* of another one */
};

static int feed(void *userdata, const void *raw, size_t len)
{
	struct sim *s = userdata;
	const struct km_output *o;
	int r = km_pipeline_feed(s->pipeline, raw, len);

	while ((o = km_pipeline_next(s->pipeline))) {
		if (o->kind != KM_OUT_FORECAST || o->forecast->kind != KM_EXHAUSTION ||
		    o->forecast->why != KM_WHY_NONE)
			continue;
		s->others += o->forecast->resource != (uint32_t)s->resource;
		s->forecasts += o->forecast->p >= 0.5;
	}
	return r;
}

/* LEVEL(i) percent of the limit at second I. */
static void run(struct sim *s, const struct leak *l, double (*level)(int i))
{
	struct value_record record = { 0 };

	*s = (struct sim){ .resource = l->resource };
	assert_int_equal(km_pipeline_new(&s->pipeline), 0);
	stream_set(100 * S, feed, s);
	stream_outcome(KM_OUT_ADOPTED, 0, 0, 77, 100 * S, feed, s);
	for (int i = 0; i < 120; i++) {
		uint64_t t_ns = (101 + (uint64_t)i) * S;
		struct km_raw_value *v = value_make(&record, l->sig, l->entity, l->name,
		                                    floor(level(i) * l->limit / 100));

		v->hdr.ktime_ns = t_ns;
		v->hdr.cgroup_id = l->entity == KM_ENTITY_SERVICE ? LEAK_CGROUP : 0;
		v->limit = l->limit;
		v->period_ns = S;
		stream_task(77, 100 * S, t_ns, feed, s);
		assert_int_equal(feed(s, v, v->hdr.size), 0);
		stream_tick(t_ns, feed, s);
	}
	km_pipeline_free(s->pipeline);
}

static double filling(int i)
{
	return 5 + 0.78 * i;
}

static double steady(int i)
{
	return 60 + (i * 7919 % 13) * 0.2;
}

static void each_resource_is_forecast_to_run_out(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(leaks); i++) {
		run(&s, &leaks[i], filling);
		if (!s.forecasts || s.others)
			fail_msg("%s: %u forecasts, %u of others",
			         km_resource_names[leaks[i].resource], s.forecasts, s.others);
	}
}

static void a_level_that_only_trembles_is_not(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(leaks); i++) {
		run(&s, &leaks[i], steady);
		assert_int_equal(s.forecasts + s.others, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_resource_is_forecast_to_run_out),
		cmocka_unit_test(a_level_that_only_trembles_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
