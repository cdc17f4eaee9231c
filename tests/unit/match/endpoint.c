// SPDX-License-Identifier: Apache-2.0
/* The condition "endpoint": all of what it asks of one and the same endpoint. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/peer.h"
#include "lib/value.h"
#include "world.h"

#define E(members) "{\"endpoint\": {" members "}}"

struct host {
	struct world w;
	struct km_attribute *a;
	struct km_config config;
	struct km_service_def def;
	struct km_endpoint endpoint[2];
};

static void host_new(struct host *h)
{
	static const char *const names[] = { "db", "cache" };
	struct km_signal cgroup = { .type = KM_RAW_CGROUP, .t_ns = T0, .cgroup_id = 10 };
	struct km_subject s;

	memset(h, 0, sizeof(*h));
	world_new(&h->w);
	for (unsigned int i = 0; i < 2; i++) {
		struct km_endpoint *e = &h->endpoint[i];
		char text[32];

		km_copy(e->name, sizeof(e->name), names[i]);
		e->places = 2;
		for (uint32_t k = 0; k < 2; k++) {
			snprintf(text, sizeof(text), "10.0.%u.%u:80", i, k + 1);
			assert_int_equal(km_peer_parse(text, &e->place[k].address), 0);
		}
	}
	km_copy(h->def.name, sizeof(h->def.name), "web");
	km_copy(h->def.match, sizeof(h->def.match), "/web");
	h->def.kind = KM_BY_CGROUP;
	h->def.endpoints = h->endpoint;
	h->def.endpoint_count = 2;
	h->config.services = &h->def;
	h->config.service_count = 1;
	assert_int_equal(km_attribute_new(&h->a), 0);
	assert_int_equal(km_attribute_configure(h->a, &h->config, T0), 0);
	km_copy(cgroup.cgroup.path, sizeof(cgroup.cgroup.path), "/web");
	assert_int_equal(km_attribute_signal(h->a, &cgroup, &s), 0);
	h->w.in.attribute = h->a;
	h->w.in.def = &h->def;
	h->w.in.service = km_attribute_service_by_name(h->a, "web");
}

static void host_free(struct host *h)
{
	km_attribute_free(h->a);
	world_free(&h->w);
}

static void connects(struct host *h, uint64_t t_ns, const char *ip, uint32_t failed)
{
	struct km_signal s = { .type = KMEND_CONNECTS, .t_ns = t_ns, .cgroup_id = 10 };
	struct km_subject subject;

	s.connects = (struct kmend_connects){ .port = 80, .family = AF_INET, .failed = failed };
	s.connects.established = !failed;
	inet_pton(AF_INET, ip, s.connects.addr);
	assert_int_equal(km_attribute_signal(h->a, &s, &subject), 0);
}

static void route(struct host *h, uint64_t t_ns, const char *endpoint, uint32_t share)
{
	struct km_signal s = { .type = KM_RAW_ENDPOINT, .t_ns = t_ns };
	struct km_subject subject;

	s.endpoint.share = share;
	s.endpoint.standby = share > 0;
	km_copy(s.endpoint.service, sizeof(s.endpoint.service), "web");
	km_copy(s.endpoint.endpoint, sizeof(s.endpoint.endpoint), endpoint);
	assert_int_equal(km_attribute_signal(h->a, &s, &subject), 0);
}

static enum km_truth says(struct host *h, const char *when, uint64_t t_ns)
{
	struct km_rule *r = rule_with(NULL, when, NULL);
	enum km_truth t = ask(&h->w, r, t_ns);

	km_rule_free(r);
	return t;
}

static void it_names_the_endpoint_that_it_holds_for(void **state)
{
	const char *ill = E("\"primary\": \"unhealthy\", \"traffic\": \"primary\"");
	struct host h;

	(void)state;
	host_new(&h);
	assert_int_equal(says(&h, ill, T0), KM_NOT_MEASURED);
	route(&h, T0, "db", 0);
	route(&h, T0, "cache", 0);
	connects(&h, T0, "10.0.0.1", 0);
	connects(&h, T0, "10.0.1.1", 0);
	assert_int_equal(says(&h, ill, T0), KM_FALSE);
	connects(&h, T0, "10.0.1.1", 3);
	assert_int_equal(says(&h, ill, T0), KM_TRUE);
	assert_string_equal(h.w.last.endpoint, "cache");
	/* who asks for none is given none */
	assert_int_equal(says(&h, NOT("{\"state\": {\"is\": \"healthy\"}}"), T0), KM_NOT_MEASURED);
	assert_int_equal(says(&h, ANY(NOT(ENDED), ENDED), T0), KM_TRUE);
	assert_null(h.w.last.endpoint);
	assert_int_equal(says(&h, E("\"name\": \"db\", \"primary\": \"unhealthy\""), T0), KM_FALSE);
	assert_int_equal(says(&h, E("\"name\": \"c*\", \"primary\": \"unhealthy\""), T0), KM_TRUE);
	host_free(&h);
}

/* One is ill, the other one's traffic goes to a standby: nothing of that is about one of them. */
static void two_endpoints_do_not_make_one(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	route(&h, T0, "db", KMEND_SHARE_ALL);
	route(&h, T0, "cache", 0);
	connects(&h, T0, "10.0.0.1", 0);
	connects(&h, T0, "10.0.1.1", 3);
	assert_int_equal(says(&h, E("\"primary\": \"unhealthy\", \"traffic\": \"standby\""), T0),
	                 KM_FALSE);
	assert_int_equal(says(&h, E("\"primary\": \"healthy\", \"traffic\": \"standby\""), T0),
	                 KM_TRUE);
	assert_string_equal(h.w.last.endpoint, "db");
	host_free(&h);
}

static void for_is_how_long_all_of_it_has_been_so(void **state)
{
	const char *back = E("\"primary\": \"healthy\", \"traffic\": \"both\", \"for\": \"10s\"");
	struct host h;

	(void)state;
	host_new(&h);
	connects(&h, T0, "10.0.0.1", 0);
	route(&h, T0 + 5 * S, "db", 200);
	connects(&h, T0 + 10 * S, "10.0.0.1", 0);
	assert_int_equal(says(&h, E("\"name\": \"db\", \"traffic\": \"both\""), T0 + 10 * S),
	                 KM_TRUE);
	assert_int_equal(says(&h, back, T0 + 12 * S), KM_NOT_MEASURED); /* of the other one */
	assert_int_equal(says(&h, back, T0 + 15 * S), KM_TRUE);
	host_free(&h);
}

static void the_standby_in_use_is_the_one_that_is_asked_about(void **state)
{
	const char *both_ill = E("\"name\": \"db\", \"standby\": \"unhealthy\"");
	struct host h;

	(void)state;
	host_new(&h);
	connects(&h, T0, "10.0.0.2", 3);
	route(&h, T0, "db", 0);
	assert_int_equal(says(&h, both_ill, T0), KM_FALSE);
	route(&h, T0, "db", KMEND_SHARE_ALL);
	assert_int_equal(says(&h, both_ill, T0), KM_TRUE);
	host_free(&h);
}

/* A row for what is measured of connections to db's primary, with a forecast of it. */
static struct km_forecast *foreseen(struct host *h, double p)
{
	struct km_signal s = { .type = KM_RAW_VALUE, .t_ns = T0, .cgroup_id = 10 };
	struct km_signal fork = { .type = KMEND_FORK, .t_ns = T0, .cgroup_id = 10 };
	const struct km_service *of;
	struct value_record r;
	struct km_subject subject;
	struct km_forecast *f;
	uint64_t own = h->w.service.id;

	fork.fork.tgid = 100;
	fork.fork.start_ns = T0;
	assert_int_equal(km_attribute_signal(h->a, &fork, &subject), 0);
	s.value = value_make(&r, 0, KM_ENTITY_ENDPOINT, "10.0.0.1:80", 1);
	assert_int_equal(km_attribute_signal(h->a, &s, &subject), 0);
	of = km_attribute_service_by_name(h->a, "web>10.0.0.1:80");
	assert_non_null(of);
	h->w.service.id = of->id;
	f = forecast(&h->w, KM_DEPENDENCY, KM_RESOURCE_MAX);
	h->w.service.id = own;
	f->t_ns = T0;
	f->p = p;
	f->why = KM_WHY_NONE;
	return f;
}

static void a_forecast_of_its_primary_must_be_sure_enough(void **state)
{
	const char *soon = E("\"name\": \"db\", \"forecast\": \"dependency\", \"probability\": "
	                     "\"80%\"");
	struct km_forecast *f;
	struct host h;

	(void)state;
	host_new(&h);
	route(&h, T0, "db", 0);
	assert_int_equal(says(&h, soon, T0), KM_NOT_MEASURED);
	f = foreseen(&h, 0.8);
	assert_int_equal(says(&h, soon, T0), KM_TRUE);
	f->p = 0.79;
	assert_int_equal(says(&h, soon, T0), KM_FALSE);
	f->p = 0.9;
	f->why = KM_WHY_NOT_MEASURED;
	assert_int_equal(says(&h, soon, T0), KM_NOT_MEASURED);
	f->why = KM_WHY_NONE + 1;
	assert_int_equal(says(&h, soon, T0),
	                 KM_WHY_NONE + 1 == KM_WHY_NOT_MEASURED ? KM_NOT_MEASURED : KM_FALSE);
	f->why = KM_WHY_NONE;
	h.w.in.predict = NULL;
	assert_int_equal(says(&h, soon, T0), KM_NOT_MEASURED);
	host_free(&h);
}

/* What is known to be otherwise decides, also beside what is not known. */
static void no_is_no_whatever_else_is_not_measured(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	route(&h, T0, "db", 0);
	assert_int_equal(says(&h,
	                      E("\"name\": \"db\", \"primary\": \"healthy\", \"traffic\": "
	                        "\"standby\""),
	                      T0),
	                 KM_FALSE);
	assert_int_equal(says(&h,
	                      E("\"name\": \"db\", \"primary\": \"healthy\", \"traffic\": "
	                        "\"primary\""),
	                      T0),
	                 KM_NOT_MEASURED);
	host_free(&h);
}

static void a_service_without_endpoints_has_none_that_is_ill(void **state)
{
	struct host h;

	(void)state;
	host_new(&h);
	h.w.in.def = NULL;
	assert_int_equal(says(&h, E("\"primary\": \"unhealthy\""), T0), KM_FALSE);
	host_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_names_the_endpoint_that_it_holds_for),
		cmocka_unit_test(two_endpoints_do_not_make_one),
		cmocka_unit_test(for_is_how_long_all_of_it_has_been_so),
		cmocka_unit_test(the_standby_in_use_is_the_one_that_is_asked_about),
		cmocka_unit_test(a_forecast_of_its_primary_must_be_sure_enough),
		cmocka_unit_test(no_is_no_whatever_else_is_not_measured),
		cmocka_unit_test(a_service_without_endpoints_has_none_that_is_ill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
