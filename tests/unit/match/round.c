// SPDX-License-Identifier: Apache-2.0
/* Which rules of a set are asked about a service; those that are not had nothing to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

#define LEVEL(members) "{\"level\": {" members "}}"
#define LOOP(p)        "{\"forecast\": {\"kind\": \"crash_loop\", \"probability\": \"" p "\"}}"
#define STATE(is)      "{\"state\": {\"is\": \"" is "\"}}"
#define HELD(is)       "{\"state\": {\"is\": \"" is "\", \"for\": \"10s\"}}"
#define OPEN           "{\"incident\": {\"of\": \"service\"}}"
#define DEPLOYED       "{\"deployed\": {\"within\": \"10m\"}}"
#define SAYS           "{\"text\": {\"of\": \"health\", \"matches\": \"refused\"}}"
#define STANDBY        "{\"endpoint\": {\"traffic\": \"standby\"}}"
#define MEMORY_90      LEVEL("\"resource\": \"memory\", \"above\": \"90%\"")
#define MEMORY_50      LEVEL("\"resource\": \"memory\", \"above\": \"50%\"")
#define FILES_50       LEVEL("\"resource\": \"descriptors\", \"above\": \"50%\"")

#define RULES_MAX      130

/* Rules with ids in the order in which they are given. */
struct set {
	struct world w;
	struct km_rules *rules;
	bool asked[RULES_MAX], spoke[RULES_MAX];
	int answer; /* of the callback */
};

static struct km_rule *rule_number(size_t i, const char *when, const char *more)
{
	char id[16], *text;
	struct km_rule *r;

	snprintf(id, sizeof(id), "r%03zu", i);
	text = rule_text_of(id, NULL, when, more);
	r = compile(text, strlen(text), "test/test.json");
	free(text);
	return r;
}

/* A rule for each of WHEN[N]; each with MORE. */
static void set_new(struct set *s, const char *const *when, size_t n, const char *more)
{
	struct km_rule *rule[RULES_MAX];
	struct km_error err;

	memset(s, 0, sizeof(*s));
	world_new(&s->w);
	s->w.service.state = KM_SERVICE_UP;
	for (size_t i = 0; i < n; i++)
		rule[i] = rule_number(i, when[i], more);
	assert_int_equal(km_rules_new(rule, n, &err, &s->rules), 0);
	km_matcher_rules_changed(s->w.matcher, s->rules);
}

static void set_free(struct set *s)
{
	world_free(&s->w);
	km_rules_free(s->rules);
}

static int heard(void *userdata, const struct km_match *match)
{
	struct set *s = userdata;
	size_t i = (size_t)strtoul(match->rule->id + 1, NULL, 10);

	assert_true(i < RULES_MAX);
	assert_false(s->asked[i]);
	s->asked[i] = true;
	s->spoke[i] = match->spoke == KM_TRUE;
	return s->answer;
}

/* The first 64 rules that are asked at T after EVENT, as bits. */
static uint64_t look_after(struct set *s, uint64_t t_ns, enum km_event event)
{
	uint64_t bits = 0;

	memset(s->asked, 0, sizeof(s->asked));
	memset(s->spoke, 0, sizeof(s->spoke));
	s->w.in.now_ns = t_ns;
	s->w.in.event = event;
	assert_int_equal(km_matcher_service(s->w.matcher, &s->w.in, heard, s), 0);
	for (size_t i = 0; i < 64; i++)
		bits |= (uint64_t)s->asked[i] << i;
	return bits;
}

static uint64_t look(struct set *s, uint64_t t_ns)
{
	return look_after(s, t_ns, KM_EV_NONE);
}

#define SET(s, ...)                                                    \
	const char *const when[] = { __VA_ARGS__ };                    \
	struct set s;                                                  \
                                                                       \
	(void)state;                                                   \
	set_new(&s, when, KM_ARRAY_SIZE(when), NULL);                  \
	/* of a service that is new nothing is known: all are asked */ \
	assert_int_equal(look(&s, T0), (1ULL << KM_ARRAY_SIZE(when)) - 1)

static void what_cannot_hold_is_not_asked(void **state)
{
	SET(s, MEMORY_90, LOOP("50%"), STATE("down"), STATE("unhealthy"), ENDED, DEPLOYED, SAYS,
	    STANDBY);

	assert_int_equal(look(&s, T0 + S), 0);
	level(&s.w, KM_MEMORY, 0.95);
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 0);
	level(&s.w, KM_MEMORY, 0.5);
	*forecast(&s.w, KM_CRASH_LOOP, KM_RESOURCE_MAX) =
		(struct km_forecast){ .kind = KM_CRASH_LOOP,
		                      .resource = KM_RESOURCE_MAX,
		                      .t_ns = T0,
		                      .p = 0.6,
		                      .why = KM_WHY_NONE };
	assert_int_equal(look(&s, T0 + 3 * S), 1 << 1);
	forecast(&s.w, KM_CRASH_LOOP, KM_RESOURCE_MAX)->why = KM_WHY_NOT_MEASURED;
	assert_int_equal(look(&s, T0 + 4 * S), 0);
	s.w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(look(&s, T0 + 5 * S), 1 << 2);
	s.w.service.state = KM_SERVICE_UP;
	s.w.service.health = KM_UNHEALTHY;
	assert_int_equal(look(&s, T0 + 6 * S), 1 << 3);
	s.w.service.health = KM_HEALTHY;
	assert_int_equal(look_after(&s, T0 + 7 * S, KM_EV_STARTED), 0);
	assert_int_equal(look_after(&s, T0 + 7 * S, KM_EV_ENDED), 1 << 4);
	s.w.service.deployed_ns = T0;
	assert_int_equal(look(&s, T0 + 8 * S), 1 << 5);
	set_free(&s);
}

/* What a definition has is not compared before it is asked. */
static void of_checks_and_endpoints_only_services_that_have_some_are_asked(void **state)
{
	struct km_service_def def = { .check_count = 0 };

	SET(s, SAYS, STANDBY);
	s.w.in.def = &def;
	assert_int_equal(look(&s, T0 + S), 0);
	def.checks = calloc(1, sizeof(*def.checks));
	def.check_count = 1;
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 0);
	def.check_count = 0;
	def.endpoints = calloc(1, sizeof(*def.endpoints));
	def.endpoint_count = 1;
	assert_int_equal(look(&s, T0 + 3 * S), 1 << 1);
	free(def.checks);
	free(def.endpoints);
	set_free(&s);
}

static void what_may_hold_at_any_moment_is_always_asked(void **state)
{
	SET(s, NOT(MEMORY_90), OPEN, MEMORY_90, ANY(MEMORY_90, OPEN), ALL(MEMORY_90, OPEN));

	assert_int_equal(look(&s, T0 + S), 1 << 0 | 1 << 1 | 1 << 3);
	level(&s.w, KM_MEMORY, 0.95);
	assert_int_equal(look(&s, T0 + 2 * S), 31);
	set_free(&s);
}

/* Each pair: the second of it holds less often, and by that the rule is found. */
static void of_all_the_rarest_decides_who_is_asked(void **state)
{
	SET(s, ALL(STATE("up"), MEMORY_90), ALL(MEMORY_50, STATE("down")),
	    ALL(STATE("down"), LOOP("50%")), ALL(LOOP("50%"), ENDED), ALL(OPEN, STATE("up")),
	    ALL(STATE("healthy"), MEMORY_90), ALL(MEMORY_50, STATE("unhealthy")),
	    ALL(SAYS, STATE("down")), ALL(MEMORY_50, STANDBY), ALL(MEMORY_90, STATE("up")));

	level(&s.w, KM_MEMORY, 0.6);
	s.w.service.health = KM_HEALTHY;
	assert_int_equal(look(&s, T0 + S), 1 << 4);
	level(&s.w, KM_MEMORY, 0.95);
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 0 | 1 << 4 | 1 << 5 | 1 << 9);
	s.w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(look(&s, T0 + 3 * S), 1 << 0 | 1 << 1 | 1 << 5 | 1 << 7 | 1 << 9);
	assert_int_equal(look_after(&s, T0 + 3 * S, KM_EV_ENDED),
	                 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 9);
	set_free(&s);
}

static void of_any_each_is_enough_to_be_asked(void **state)
{
	SET(s, ANY(MEMORY_90, FILES_50), ALL(STATE("up"), ANY(MEMORY_90, FILES_50)),
	    ANY(ALL(STATE("up"), MEMORY_90), ALL(STATE("up"), FILES_50)),
	    ALL(ANY(MEMORY_90, STATE("up")), FILES_50), ALL(ANY(STATE("down"), ENDED), MEMORY_50));

	assert_int_equal(look(&s, T0 + S), 0);
	level(&s.w, KM_MEMORY, 0.95);
	/* the last one is found by the state, or the end, which are rarer */
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 0 | 1 << 1 | 1 << 2);
	assert_true(s.spoke[0] && s.spoke[1] && s.spoke[2]);
	level(&s.w, KM_MEMORY, 0.1);
	level(&s.w, KM_DESCRIPTORS, 0.6);
	assert_int_equal(look(&s, T0 + 3 * S), 15);
	set_free(&s);
}

static void of_many_bounds_those_that_are_met_are_asked(void **state)
{
	SET(s, LEVEL("\"resource\": \"memory\", \"above\": \"70%\""), MEMORY_90, MEMORY_50,
	    LEVEL("\"resource\": \"memory\", \"below\": \"40%\""),
	    LEVEL("\"resource\": \"memory\", \"below\": \"10%\""),
	    LEVEL("\"resource\": \"memory\", \"below\": \"20%\""), LOOP("50%"), LOOP("90%"),
	    LOOP("70%"), LEVEL("\"resource\": \"memory\", \"above\": \"700B\""),
	    LEVEL("\"resource\": \"memory\", \"above\": \"900B\""), FILES_50);

	level(&s.w, KM_MEMORY, 0.8);
	assert_int_equal(look(&s, T0 + S), 1 << 0 | 1 << 2 | 1 << 9);
	level(&s.w, KM_MEMORY, 0.95);
	assert_int_equal(look(&s, T0 + 2 * S), 7 | 1 << 9 | 1 << 10);
	level(&s.w, KM_MEMORY, 0.15);
	assert_int_equal(look(&s, T0 + 3 * S), 1 << 3 | 1 << 5);
	level(&s.w, KM_MEMORY, 0.05);
	assert_int_equal(look(&s, T0 + 4 * S), 7 << 3);
	level(&s.w, KM_MEMORY, 0.45);
	*forecast(&s.w, KM_CRASH_LOOP, KM_RESOURCE_MAX) =
		(struct km_forecast){ .kind = KM_CRASH_LOOP,
		                      .resource = KM_RESOURCE_MAX,
		                      .t_ns = T0,
		                      .p = 0.7,
		                      .why = KM_WHY_NONE };
	assert_int_equal(look(&s, T0 + 5 * S), 1 << 6 | 1 << 8);
	set_free(&s);
}

/* One reading tells of conditions only if they are about the same thing. */
static void each_reading_is_of_its_own_thing(void **state)
{
	SET(s, MEMORY_50, FILES_50, LEVEL("\"resource\": \"threads\", \"above\": \"50%\""),
	    LEVEL("\"resource\": \"memory\", \"of\": \"host\", \"above\": \"50%\""),
	    LEVEL("\"resource\": \"memory\", \"below\": \"50%\""),
	    LEVEL("\"resource\": \"memory\", \"above\": \"600B\""), STATE("up"), STATE("down"),
	    ENDED, "{\"event\": {\"is\": \"started\"}}", LOOP("50%"),
	    "{\"forecast\": {\"kind\": \"hang\", \"probability\": \"50%\"}}",
	    "{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"memory\", \"probability\":"
	    " \"50%\", \"within\": \"1h\"}}",
	    "{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"threads\", \"probability\":"
	    " \"50%\", \"within\": \"1h\"}}",
	    LEVEL("\"signal\": \"psi.memory.some\", \"above\": \"50%\""));

	assert_int_equal(look(&s, T0 + S), 1 << 6);
	level(&s.w, KM_MEMORY, 0.55);
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 6 | 1 << 0);
	level(&s.w, KM_DESCRIPTORS, 0.7);
	assert_int_equal(look(&s, T0 + 3 * S), 1 << 6 | 1 << 0 | 1 << 1);
	level(&s.w, KM_MEMORY, 0.4);
	level(&s.w, KM_THREADS, 0.7);
	assert_int_equal(look(&s, T0 + 4 * S), 1 << 6 | 1 << 1 | 1 << 2 | 1 << 4);
	memset(s.w.features, 0, sizeof(s.w.features));
	in_force(&s.w, T0 + 5 * S, 0.8, 60);
	assert_int_equal(look(&s, T0 + 5 * S), 1 << 6 | 1 << 12);
	s.w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(look_after(&s, T0 + 6 * S, KM_EV_ENDED), 1 << 7 | 1 << 8 | 1 << 12);
	set_free(&s);
}

/* A condition that remembers is asked from its first moment on, whatever else must hold. */
static void what_remembers_is_asked_though_the_rest_does_not_hold(void **state)
{
	SET(s,
	    ALL(STATE("down"),
	        LEVEL("\"resource\": \"memory\", \"above\": \"50%\", \"for\": \"10s\"")),
	    ALL(STATE("down"),
	        LEVEL("\"resource\": \"memory\", \"above\": \"50%\", \"until_below\": \"40%\"")),
	    ALL(LOOP("90%"), "{\"event\": {\"is\": \"ended\", \"count\": 2, \"within\": \"1m\"}}"),
	    ALL(ENDED, HELD("up")), ALL(ENDED, MEMORY_50), ALL(LOOP("90%"), ENDED));

	assert_int_equal(look(&s, T0 + S), 0);
	level(&s.w, KM_MEMORY, 0.6);
	assert_int_equal(look(&s, T0 + 2 * S), 1 << 0 | 1 << 1);
	assert_int_equal(look_after(&s, T0 + 3 * S, KM_EV_ENDED), 0x3f);
	level(&s.w, KM_MEMORY, 0.3);
	/* what was remembered is asked once more, to hear that it is over; so is what keeps */
	assert_int_equal(look(&s, T0 + 4 * S) & 3, 3);
	assert_int_equal(look(&s, T0 + 5 * S) & 3, 0);
	set_free(&s);
}

static void an_unless_that_remembers_is_asked_as_well(void **state)
{
	const char *const when[] = { STATE("down") };
	struct set s;

	(void)state;
	set_new(&s, when, 1,
	        ",\"unless\": " LEVEL(
			"\"resource\": \"memory\", \"above\": \"50%\", \"for\": \"10s\""));
	look(&s, T0);
	assert_int_equal(look(&s, T0 + S), 0);
	level(&s.w, KM_MEMORY, 0.6);
	for (unsigned int t = 2; t < 13; t++)
		assert_int_equal(look(&s, T0 + t * S), 1);
	s.w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(look(&s, T0 + 13 * S), 1);
	assert_false(s.spoke[0]);
	set_free(&s);
}

static void who_keeps_something_of_a_rule_hears_of_it(void **state)
{
	SET(s, MEMORY_90, FILES_50);

	level(&s.w, KM_MEMORY, 0.95);
	s.answer = 1;
	assert_int_equal(look(&s, T0 + S), 1);
	level(&s.w, KM_MEMORY, 0.1);
	assert_int_equal(look(&s, T0 + 2 * S), 1);
	assert_int_equal(look(&s, T0 + 3 * S), 1);
	s.answer = 0;
	assert_int_equal(look(&s, T0 + 4 * S), 1);
	assert_int_equal(look(&s, T0 + 5 * S), 0);
	set_free(&s);
}

static int refuses(void *userdata, const struct km_match *match)
{
	(void)match;
	return -(++*(int *)userdata);
}

static void an_error_ends_the_round(void **state)
{
	int calls = 0;

	SET(s, STATE("up"), STATE("up"));
	assert_int_equal(km_matcher_service(s.w.matcher, &s.w.in, refuses, &calls), -1);
	assert_int_equal(calls, 1);
	/* ... also where nobody knows yet whom to ask */
	s.w.service.id = 8;
	assert_int_equal(km_matcher_service(s.w.matcher, &s.w.in, refuses, &calls), -2);
	assert_int_equal(calls, 2);
	set_free(&s);
}

static void ear(void *userdata, const struct km_match *match, const enum km_truth *when,
                const enum km_truth *unless)
{
	(void)match;
	assert_true(when[0] == KM_FALSE && !unless);
	++*(int *)userdata;
}

static void who_listens_hears_all(void **state)
{
	int calls = 0;

	SET(s, MEMORY_90, FILES_50, STATE("down"));
	level(&s.w, KM_MEMORY, 0.1);
	level(&s.w, KM_DESCRIPTORS, 0.1);
	km_matcher_listen(s.w.matcher, ear, &calls);
	assert_int_equal(look(&s, T0 + S), 7);
	assert_int_equal(calls, 3);
	km_matcher_listen(s.w.matcher, NULL, NULL);
	assert_int_equal(look(&s, T0 + 2 * S), 0);
	set_free(&s);
}

static void only_what_covers_the_service_is_asked(void **state)
{
	struct km_rule *rule[2] = { rule_number(0, STATE("up"), NULL), NULL };
	char *text = rule_text_of("r001", "{\"services\": [\"db\"]}", STATE("up"), NULL);
	struct km_error err;
	int calls = 0;
	struct set s = { 0 };

	(void)state;
	rule[1] = compile(text, strlen(text), "test/test.json");
	free(text);
	world_new(&s.w);
	s.w.service.state = KM_SERVICE_UP;
	assert_int_equal(km_rules_new(rule, 2, &err, &s.rules), 0);
	km_matcher_rules_changed(s.w.matcher, s.rules);
	assert_int_equal(look(&s, T0), 1);
	assert_int_equal(look(&s, T0 + S), 1);
	/* the long way is as choosy */
	km_matcher_listen(s.w.matcher, NULL, &calls);
	km_copy(s.w.service.name, sizeof(s.w.service.name), "db");
	s.w.service.id = 9;
	assert_int_equal(look(&s, T0 + 2 * S), 2);
	set_free(&s);
}

static void more_rules_than_one_word_of_bits_holds_are_told_apart(void **state)
{
	const char *when[RULES_MAX];
	struct set s;

	(void)state;
	for (size_t i = 0; i < RULES_MAX; i++)
		when[i] = i % 3 ? FILES_50 : MEMORY_50;
	set_new(&s, when, RULES_MAX, NULL);
	look(&s, T0);
	for (size_t i = 0; i < RULES_MAX; i++)
		assert_true(s.asked[i]);
	level(&s.w, KM_MEMORY, 0.6);
	look(&s, T0 + S);
	for (size_t i = 0; i < RULES_MAX; i++)
		assert_int_equal(s.spoke[i], i % 3 == 0);
	s.answer = 1;
	look(&s, T0 + 2 * S);
	level(&s.w, KM_MEMORY, 0.1);
	look(&s, T0 + 3 * S);
	for (size_t i = 0; i < RULES_MAX; i++)
		assert_int_equal(s.asked[i], i % 3 == 0);
	set_free(&s);
}

/* Services come and go: whoever finds no place is asked everything, and others anew. */
static void more_services_than_there_are_places_for_are_asked_all_the_same(void **state)
{
	SET(s, STATE("up"), STATE("down"));

	for (uint64_t id = 100; id < 100 + KM_SERVICES_MAX; id++) {
		s.w.service.id = id;
		assert_int_equal(look(&s, T0 + S), 3);
		assert_int_equal(look(&s, T0 + S), 1);
	}
	set_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_hold_is_not_asked),
		cmocka_unit_test(of_checks_and_endpoints_only_services_that_have_some_are_asked),
		cmocka_unit_test(what_may_hold_at_any_moment_is_always_asked),
		cmocka_unit_test(of_all_the_rarest_decides_who_is_asked),
		cmocka_unit_test(of_any_each_is_enough_to_be_asked),
		cmocka_unit_test(of_many_bounds_those_that_are_met_are_asked),
		cmocka_unit_test(each_reading_is_of_its_own_thing),
		cmocka_unit_test(what_remembers_is_asked_though_the_rest_does_not_hold),
		cmocka_unit_test(an_unless_that_remembers_is_asked_as_well),
		cmocka_unit_test(who_keeps_something_of_a_rule_hears_of_it),
		cmocka_unit_test(an_error_ends_the_round),
		cmocka_unit_test(who_listens_hears_all),
		cmocka_unit_test(only_what_covers_the_service_is_asked),
		cmocka_unit_test(more_rules_than_one_word_of_bits_holds_are_told_apart),
		cmocka_unit_test(more_services_than_there_are_places_for_are_asked_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
