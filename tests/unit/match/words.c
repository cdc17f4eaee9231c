// SPDX-License-Identifier: Apache-2.0
/* What single words of the language mean: bounds and hysteresis, senders, incidents, the day on
 * which a rule expires, windows of time, scopes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/value.h"
#include "world.h"

#define LEVEL(members) "{\"level\": {" members "}}"

/* Up to 90 %, and then until it is below 70 %. */
static void hysteresis_keeps_a_level_true_until_it_is_past_the_other_bound(void **state)
{
	struct km_rule *r = rule_with(NULL,
	                              LEVEL("\"resource\": \"memory\", \"above\": \"90%\", "
	                                    "\"until_below\": \"70%\""),
	                              NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_MEMORY, 0.8);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	level(&w, KM_MEMORY, 0.95);
	assert_int_equal(ask(&w, r, T0 + S), KM_TRUE);
	level(&w, KM_MEMORY, 0.8);
	assert_int_equal(ask(&w, r, T0 + 2 * S), KM_TRUE);
	level(&w, KM_MEMORY, 0.6);
	assert_int_equal(ask(&w, r, T0 + 3 * S), KM_FALSE);
	level(&w, KM_MEMORY, 0.8);
	assert_int_equal(ask(&w, r, T0 + 4 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void what_is_not_measured_neither_ends_nor_begins_hysteresis(void **state)
{
	struct km_rule *r = rule_with(NULL,
	                              LEVEL("\"resource\": \"memory\", \"above\": \"90%\", "
	                                    "\"until_below\": \"70%\""),
	                              NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_MEMORY, 0.95);
	ask(&w, r, T0);
	w.features[KM_MEMORY].measured = 0;
	assert_int_equal(ask(&w, r, T0 + S), KM_NOT_MEASURED);
	level(&w, KM_MEMORY, 0.8);
	assert_int_equal(ask(&w, r, T0 + 2 * S), KM_TRUE);
	/* ... but what nobody looked at for so long is not known to have held */
	assert_int_equal(ask(&w, r, T0 + 183 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void a_bound_may_be_in_the_resources_own_unit(void **state)
{
	struct km_rule *bytes =
		rule_with(NULL, LEVEL("\"resource\": \"memory\", \"above\": \"512MiB\""), NULL);
	struct km_rule *count =
		rule_with(NULL, LEVEL("\"resource\": \"descriptors\", \"below\": 10"), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.features[KM_MEMORY] =
		(struct km_features){ .measured = 1, .level = 600.0 * 1024 * 1024, .limit = -1 };
	w.features[KM_DESCRIPTORS] =
		(struct km_features){ .measured = 1, .level = 10, .limit = 1024 };
	assert_int_equal(ask(&w, bytes, T0), KM_TRUE);
	assert_int_equal(ask(&w, count, T0), KM_FALSE);
	w.features[KM_MEMORY].level = 512.0 * 1024 * 1024;
	w.features[KM_DESCRIPTORS].level = 9;
	assert_int_equal(ask(&w, bytes, T0), KM_FALSE);
	assert_int_equal(ask(&w, count, T0), KM_TRUE);
	km_rule_free(bytes);
	km_rule_free(count);
	world_free(&w);
}

static void without_a_limit_nothing_is_below_a_share_of_it(void **state)
{
	struct km_rule *r =
		rule_with(NULL, LEVEL("\"resource\": \"memory\", \"below\": \"10%\""), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.features[KM_MEMORY] = (struct km_features){ .measured = 1, .level = 1, .limit = -1 };
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	level(&w, KM_MEMORY, 0.05);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void a_sender_is_known_by_its_name_or_not_measured(void **state)
{
	struct km_rule *r = rule_with(
		NULL, "{\"event\": {\"is\": \"ended\", \"how\": \"signaled\", \"by\": \"pk*\"}}",
		NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, SIGKILL);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_NOT_MEASURED);
	w.service.last.sender_tgid = 9;
	km_copy(w.service.last.sender_comm, sizeof(w.service.last.sender_comm), "pkill");
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_TRUE);
	km_copy(w.service.last.sender_comm, sizeof(w.service.last.sender_comm), "bash");
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_FALSE);
	/* it was not signaled at all: then by nobody */
	ending(&w, T0, 1 << 8);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static uint64_t asking;

static bool only_of_the_dependency(const struct km_match_input *in, enum km_incident_whose whose)
{
	asking = in->rule_key;
	return whose == KM_OF_DEPENDENCY;
}

static void an_incident_is_the_services_or_a_dependencys(void **state)
{
	struct km_rule *own =
		rule_with(NULL, "{\"incident\": {\"of\": \"service\", \"for\": \"5s\"}}", NULL);
	struct km_rule *other =
		rule_with(NULL, "{\"incident\": {\"of\": \"dependency\", \"for\": \"5s\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, other, T0), KM_NOT_MEASURED);
	w.in.incident_open = only_of_the_dependency;
	assert_int_equal(ask(&w, own, T0), KM_FALSE);
	assert_int_equal(asking, own->key);
	assert_int_equal(ask(&w, other, T0), KM_FALSE);
	assert_int_equal(ask(&w, other, T0 + 5 * S), KM_TRUE);
	km_rule_free(own);
	km_rule_free(other);
	world_free(&w);
}

static void a_rule_is_silent_from_its_day_on(void **state)
{
	struct km_rule *r = rule_with(NULL, UP, ",\n\"expires\": \"2027-03-01\"");
	struct world w;

	(void)state;
	world_new(&w);
	w.service.state = KM_SERVICE_UP;
	/* nobody knows what day it is */
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	assert_int_equal(w.last.line, 7);
	assert_false(w.last.expired);
	w.in.realtime_s = 1803859199; /* date -ud 2027-02-28T23:59:59Z +%s */
	assert_int_equal(r->expires_s, w.in.realtime_s + 1);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	w.in.realtime_s++;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	assert_true(w.last.expired);
	km_rule_free(r);
	world_free(&w);
}

static void a_day_is_one_of_the_calendar(void **state)
{
	static const char *const none[] = { "",           "2027-1-1",   "2027-02-29", "2100-01-01",
		                            "1999-12-31", "2027-13-01", "2027-00-10", "2027-01-00",
		                            "2027-04-31", "2027/01/01", "2027-01-011" };
	struct km_error err;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(none); i++) {
		char more[64];

		snprintf(more, sizeof(more), ",\n\"expires\": \"%s\"", none[i]);
		assert_null(rule_with_error(NULL, UP, more, &err));
		assert_int_equal(err.line, 7);
	}
	km_rule_free(rule_with(NULL, UP, ",\n\"expires\": \"2028-02-29\""));
	km_rule_free(rule_with(NULL, UP, ",\n\"expires\": \"2099-12-31\""));
}

/* Seconds since 1970-01-01, a Thursday, of DAY and time. */
static uint64_t at(unsigned int day, unsigned int hour, unsigned int minute)
{
	return day * 86400ULL + hour * 3600ULL + minute * 60ULL;
}

static void a_window_is_open_from_its_first_minute_to_before_its_last(void **state)
{
	const struct km_window w = { .days = 1 << 3, .from_min = 120, .to_min = 300 };

	(void)state;
	assert_false(km_window_open(&w, at(7, 1, 59)));
	assert_true(km_window_open(&w, at(7, 2, 0)));
	assert_true(km_window_open(&w, at(7, 4, 59)));
	assert_false(km_window_open(&w, at(7, 5, 0)));
	assert_false(km_window_open(&w, at(8, 3, 0)));
	assert_int_equal(km_window_next_s(&w, at(7, 1, 59)), at(7, 2, 0));
	assert_int_equal(km_window_next_s(&w, at(7, 2, 0)), at(14, 2, 0));
}

static void a_window_over_midnight_belongs_to_the_day_it_begins_on(void **state)
{
	const struct km_window w = { .days = 1 << 3, .from_min = 1320, .to_min = 120 };
	const struct km_window whole = { .days = 1 << 3, .from_min = 0, .to_min = 0 };

	(void)state;
	assert_true(km_window_open(&w, at(7, 23, 0)));
	assert_true(km_window_open(&w, at(8, 1, 59)));
	assert_false(km_window_open(&w, at(8, 2, 0)));
	assert_false(km_window_open(&w, at(7, 1, 0)));
	assert_false(km_window_open(&w, at(8, 23, 0)));
	assert_true(km_window_open(&whole, at(7, 12, 0)));
	assert_false(km_window_open(&whole, at(8, 12, 0)));
}

/* Whether a rule of this scope is about the service, or what else it is. */
static bool is_about(const char *scope, uint32_t kind, const char *name,
                     const struct km_service_def *def)
{
	struct km_rule *r = rule_with(scope, UP, NULL);
	struct km_service s = { .kind = kind };
	bool yes;

	km_copy(s.name, sizeof(s.name), name);
	yes = km_rule_covers(r, &s, def);
	km_rule_free(r);
	return yes;
}

static void a_scope_may_ask_for_labels_units_and_images(void **state)
{
	struct km_label labels[] = { { "tier", "web" }, { "image", "nginx:1.25" } };
	const struct km_service_def def = { .name = "shop",
		                            .kind = KM_BY_UNIT,
		                            .match = "shop-1.service",
		                            .labels = labels,
		                            .label_count = 2 };
	const struct {
		const char *scope;
		bool expected;
	} cases[] = {
		{ "{\"units\": [\"shop-*.service\"]}", true },
		{ "{\"units\": [\"shop.service\"]}", false },
		{ "{\"labels\": {\"tier\": \"w*\"}}", true },
		{ "{\"labels\": {\"tier\": \"*\"}}", true },
		{ "{\"labels\": {\"tier\": \"w*\", \"owner\": \"*\"}}", false },
		{ "{\"images\": [\"nginx:*\"]}", true },
		{ "{\"images\": [\"redis:*\"]}", false },
		{ "{\"services\": [\"shop\"], \"labels\": {\"tier\": \"web\"}}", true },
		{ "{\"services\": [\"api\"], \"labels\": {\"tier\": \"web\"}}", false },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++)
		if (is_about(cases[i].scope, KM_BY_UNIT, "shop", &def) != cases[i].expected)
			fail_msg("%s", cases[i].scope);
	/* what no definition names has the unit's own name and no labels */
	assert_true(is_about("{\"units\": [\"cron.service\"]}", KM_BY_UNIT, "cron.service", NULL));
	assert_false(is_about("{\"units\": [\"shop\"]}", KM_BY_COMMAND, "shop", NULL));
	assert_false(is_about("{\"labels\": {\"tier\": \"*\"}}", KM_BY_UNIT, "shop", NULL));
}

static void a_scope_is_about_services_or_about_something_else(void **state)
{
	const uint32_t fs = KM_BY_COMMAND + KM_ENTITY_FILESYSTEM,
		       host = KM_BY_COMMAND + KM_ENTITY_HOST;

	(void)state;
	assert_false(is_about("{\"all\": true}", host, "host", NULL));
	assert_false(is_about("{\"services\": [\"host\"]}", host, "host", NULL));
	assert_true(is_about("{\"entity\": \"host\", \"all\": true}", host, "host", NULL));
	assert_true(is_about("{\"entity\": \"filesystem\", \"all\": true}", fs, "fs:/var", NULL));
	assert_true(is_about("{\"entity\": \"filesystem\", \"names\": [\"/var\"]}", fs, "fs:/var",
	                     NULL));
	assert_false(is_about("{\"entity\": \"filesystem\", \"names\": [\"/var\"]}", fs,
	                      "fs:/var/log", NULL));
	assert_false(is_about("{\"entity\": \"filesystem\", \"all\": true}", host, "host", NULL));
}

/* With values as phase 4 has them at the end of a pass. */
static void measured(struct km_measure *m, enum km_sig sig, enum km_entity entity, double value,
                     struct km_service *s)
{
	struct km_subject subject = { .service = s };
	struct value_record record = { { 0 } };
	struct km_signal signal;

	value_make(&record, sig, entity, "", value);
	assert_int_equal(km_decode(record.bytes, ((struct kmend_hdr *)record.bytes)->size, &signal),
	                 0);
	assert_int_equal(km_measure_signal(m, &signal, &subject), 0);
}

static void a_signal_is_the_services_own_or_the_hosts(void **state)
{
	struct km_rule *r = rule_with(
		NULL,
		LEVEL("\"signal\": \"psi.memory.some\", \"of\": \"host\", \"above\": \"20%\""),
		NULL);
	struct km_service host = { .id = km_attribute_host_id(),
		                   .kind = KM_BY_COMMAND + KM_ENTITY_HOST };
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	assert_int_equal(km_measure_new(&w.in.measure), 0);
	measured(w.in.measure, KM_SIG_PSI_MEMORY_SOME, KM_ENTITY_HOST, 250000, &host);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	measured(w.in.measure, KM_SIG_PSI_MEMORY_SOME, KM_ENTITY_HOST, 200000, &host);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	km_measure_free(w.in.measure);
	km_rule_free(r);
	world_free(&w);
}

static void a_value_is_written_in_the_unit_of_its_signal(void **state)
{
	static const struct {
		const char *signal, *value;
		double expected;
	} good[] = {
		{ "memory.anon", "64MiB", 64.0 * 1024 * 1024 },
		{ "net.retransmits", "20/s", 20 },
		{ "net.retransmits", "0.5/s", 0.5 },
		{ "psi.io.full", "12.5%", 125000 },
	};
	static const char *const bad[][2] = {
		{ "memory.anon", "90%" },      { "memory.anon", "64" },
		{ "net.retransmits", "20" },   { "net.retransmits", "0/s" },
		{ "net.retransmits", ".5/s" }, { "net.retransmits", "5./s" },
		{ "psi.io.full", "64MiB" },    { "psi.io.full", "100%" },
	};
	struct km_error err;
	char when[160];

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(good); i++) {
		struct km_rule *r;

		snprintf(when, sizeof(when), LEVEL("\"signal\": \"%s\", \"above\": \"%s\""),
		         good[i].signal, good[i].value);
		r = rule_with(NULL, when, NULL);
		assert_true(r->when->above == good[i].expected && !r->when->above_share);
		km_rule_free(r);
	}
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		snprintf(when, sizeof(when), LEVEL("\"signal\": \"%s\", \"above\": \"%s\""),
		         bad[i][0], bad[i][1]);
		assert_null(rule_with_error(NULL, when, NULL, &err));
		assert_int_equal(err.line, RULE_WHEN_LINE);
	}
}

static void a_deploy_counts_until_its_time_is_over(void **state)
{
	struct km_rule *r = rule_with(NULL, "{\"deployed\": {\"within\": \"10m\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	w.service.images = 1;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	w.service.deployed_ns = T0;
	assert_int_equal(ask(&w, r, T0 - S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_int_equal(ask(&w, r, T0 + 600 * S), KM_TRUE);
	assert_int_equal(ask(&w, r, T0 + 601 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deploy_counts_until_its_time_is_over),
		cmocka_unit_test(hysteresis_keeps_a_level_true_until_it_is_past_the_other_bound),
		cmocka_unit_test(what_is_not_measured_neither_ends_nor_begins_hysteresis),
		cmocka_unit_test(a_bound_may_be_in_the_resources_own_unit),
		cmocka_unit_test(without_a_limit_nothing_is_below_a_share_of_it),
		cmocka_unit_test(a_sender_is_known_by_its_name_or_not_measured),
		cmocka_unit_test(an_incident_is_the_services_or_a_dependencys),
		cmocka_unit_test(a_rule_is_silent_from_its_day_on),
		cmocka_unit_test(a_day_is_one_of_the_calendar),
		cmocka_unit_test(a_window_is_open_from_its_first_minute_to_before_its_last),
		cmocka_unit_test(a_window_over_midnight_belongs_to_the_day_it_begins_on),
		cmocka_unit_test(a_scope_may_ask_for_labels_units_and_images),
		cmocka_unit_test(a_scope_is_about_services_or_about_something_else),
		cmocka_unit_test(a_signal_is_the_services_own_or_the_hosts),
		cmocka_unit_test(a_value_is_written_in_the_unit_of_its_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
