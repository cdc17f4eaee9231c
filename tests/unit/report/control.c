/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

static const struct km_peer root = { .reader = true, .changer = true, .tgid = 1 };
static const struct km_peer reader = { .uid = 1000, .gid = 1000, .tgid = 2, .reader = true };
static const struct km_peer stranger = { .uid = 1001, .gid = 1001, .tgid = 3 };

/* The body of the answer; it must always be one strict JSON object with version 1 first. */
static const char *ask_as(struct world *w, const struct km_peer *who, const char *request,
                          struct km_control_reply *reply)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct km_error err = { 0 };

	assert_int_equal(km_control_answer(&w->view, who, request, strlen(request), w->out, reply),
	                 0);
	if (km_json_parse(km_buf_text(w->out), w->out->len, "answer", &err, &doc) < 0)
		fail_msg("%s: %s: %s", request, err.what, km_buf_text(w->out));
	assert_int_equal(strncmp(km_buf_text(w->out), "{\"version\":1", 12), 0);
	return km_buf_text(w->out);
}

static const char *ask(struct world *w, const char *request)
{
	struct km_control_reply reply;
	const char *body = ask_as(w, &root, request, &reply);

	if (reply.kind != KM_FRAME_END)
		fail_msg("%s: %s", request, body);
	return body;
}

static void refused_as(struct world *w, const struct km_peer *who, const char *request,
                       const char *code)
{
	struct km_control_reply reply;
	const char *body = ask_as(w, who, request, &reply);
	char want[64];

	snprintf(want, sizeof(want), "\"code\":\"%s\"", code);
	if (reply.kind != KM_FRAME_ERROR || !strstr(body, want) || !strstr(body, "\"error\":\""))
		fail_msg("%s: expected %s, got %s", request, code, body);
	assert_int_equal(reply.effect, KM_EFFECT_NONE);
}

#define REQ(object, command) "{\"version\":1,\"object\":\"" object "\",\"command\":\"" command "\"}"
#define REQ_ARGS(object, command, args)                                                            \
	"{\"version\":1,\"object\":\"" object "\",\"command\":\"" command "\",\"args\":{" args "}" \
	"}"

static void has(const char *body, const char *what)
{
	if (!body || !strstr(body, what))
		fail_msg("%s is not in %s", what, body ? body : "nothing");
}

static void status_says_mode_counts_and_limits(void **state)
{
	const char *body = ask(*state, REQ("status", "show"));

	has(body, "\"mode\":\"full\"");
	has(body, "\"up_s\":39");
	has(body, "\"services\":{\"up\":1,\"down\":0,\"unknown\":0}");
	has(body, "\"rules\":{\"in_force\":1");
	has(body, "\"verbs\":[\"start\",\"restart\"");
	has(body, "\"forecasts\":1");
	has(body, "\"waiting\":1");
	has(body, "\"history_trouble\":null");
}

static void a_service_has_levels_forecast_and_what_was_decided(void **state)
{
	const char *body = ask(*state, REQ("service", "list"));

	has(body, "\"name\":\"leaky\",\"kind\":\"command\",\"defined\":true,\"state\":\"up\"");
	has(body, "\"limit\":67108864,\"unit\":\"bytes\"");
	has(body, "\"resource\":\"memory\"");
	has(body, "\"more\":0");
	body = ask(*state, REQ_ARGS("service", "show", "\"name\":\"leaky\""));
	has(body, "\"main_tgid\":1001");
	has(body, "\"answer\":\"ask\"");
	has(body, "\"last_end\":");
	assert_null(strstr(body, "\"samples\":{"));
}

static void samples_come_with_a_service_if_asked_for(void **state)
{
	struct world *w = *state;
	const char *body;

	for (uint64_t i = 0; i < 5; i++)
		km_history_sample(w->history,
		                  km_attribute_service_by_name(w->view.attribute, "leaky")->id,
		                  "leaky", KM_MEMORY, (200 + i) * S, (double)(1000 + i), -1);
	body = ask(w, REQ_ARGS("service", "show", "\"name\":\"leaky\",\"samples\":2"));
	has(body, ",1003],[");
	has(body, ",1004]]");
	assert_null(strstr(body, ",1002]"));
}

static void lists_are_cut_and_say_how_much_is_left(void **state)
{
	has(ask(*state, REQ_ARGS("service", "list", "\"offset\":1")), "\"services\":[],\"more\":0");
	has(ask(*state, REQ_ARGS("service", "list", "\"limit\":1")), "\"more\":0");
	refused_as(*state, &root, REQ_ARGS("service", "list", "\"limit\":1001"), "bad_request");
	refused_as(*state, &root, REQ_ARGS("service", "list", "\"limit\":0"), "bad_request");
	refused_as(*state, &root, REQ_ARGS("action", "list", "\"limit\":1001"), "bad_request");
}

static void forecasts_are_listed_with_interval_and_others_with_why_not(void **state)
{
	const char *body = ask(*state, REQ("forecast", "list"));

	has(body, "\"service\":\"leaky\"");
	has(body, "\"eta_lo_s\":");
	assert_null(strstr(body, "\"resource\":\"threads\""));
	body = ask(*state, REQ_ARGS("forecast", "list", "\"all\":true"));
	has(body, "\"resource\":\"threads\"");
	body = ask(*state, REQ_ARGS("forecast", "show", "\"name\":\"leaky\""));
	has(body, "\"resource\":\"threads\"");
	body = ask(*state, REQ_ARGS("forecast", "explain", "\"name\":\"leaky\""));
	has(body, "\"looks\":[{\"forecast\":{\"service\":\"leaky\"");
	has(body, "\"unit\":\"bytes\",\"samples\":[");
	has(body, "\"highest_before\":");
}

static void a_rule_is_shown_with_its_conditions_and_lines(void **state)
{
	const char *body = ask(*state, REQ("rule", "list"));

	has(body, "\"id\":\"leak\",\"class\":\"memory\",\"mode\":\"approve\"");
	has(body, "\"refused\":null");
	body = ask(*state, REQ_ARGS("rule", "show", "\"name\":\"leak\""));
	has(body, "{\"depth\":0,\"op\":\"any\",\"line\":1");
	has(body, "{\"depth\":1,\"op\":\"forecast\"");
	has(body, "{\"depth\":1,\"op\":\"all\"");
	has(body, "{\"depth\":2,\"op\":\"level\"");
	has(body, "\"plan\":[{\"verb\":\"restart\"");
	has(body, "\"cooldown\":\"5s\"");
	refused_as(*state, &root, REQ_ARGS("rule", "show", "\"name\":\"none\""), "not_found");
}

static void a_refused_set_is_said(void **state)
{
	struct world *w = *state;

	w->view.rules_refused = "memory/leak.json:3:1: nonsense";
	has(ask(w, REQ("rule", "list")), "\"refused\":\"memory/leak.json:3:1: nonsense\"");
	has(ask(w, REQ("status", "show")), "\"refused\":\"memory/leak.json:3:1: nonsense\"");
}

static void what_waits_can_be_approved_by_root_alone_and_once(void **state)
{
	struct world *w = *state;
	struct km_control_reply reply;
	char request[160];
	const char *body;

	assert_true(w->asked != 0);
	body = ask(w, REQ("action", "list"));
	has(body, "\"waiting\":[{\"id\":");
	snprintf(request, sizeof(request), REQ_ARGS("action", "approve", "\"id\":%llu"),
	         (unsigned long long)w->asked);
	refused_as(w, &reader, request, "denied");
	body = ask_as(w, &root, request, &reply);
	has(body, "\"command\":\"approve\"");
	assert_int_equal(reply.effect, KM_EFFECT_COMMAND);
	assert_int_equal(reply.command.decision_id, w->asked);
	assert_int_equal(reply.command.command, KM_CMD_APPROVE);
	/* As the engine does it: afterwards nothing waits. */
	reply.command.hdr = stream_hdr(KM_RAW_COMMAND, sizeof(reply.command), 140 * S);
	assert_int_equal(world_feed(w, &reply.command, sizeof(reply.command)), 0);
	world_look(w);
	refused_as(w, &root, request, "not_found");
	has(ask(w, REQ("audit", "list")), "\"what\":\"approved\"");
}

/* As the engine does it. */
static void operate(struct world *w, const char *request)
{
	struct km_control_reply reply;

	refused_as(w, &reader, request, "denied");
	ask_as(w, &root, request, &reply);
	assert_int_equal(reply.effect, KM_EFFECT_OPERATOR);
	reply.operator.hdr = stream_hdr(KM_RAW_OPERATOR, sizeof(reply.operator), 140 * S);
	assert_int_equal(world_feed(w, &reply.operator, sizeof(reply.operator)), 0);
	world_look(w);
}

static void root_alone_pauses_and_resumes(void **state)
{
	struct world *w = *state;

	operate(w, REQ("operator", "pause"));
	has(ask(w, REQ("status", "show")), "\"paused\":true");
	operate(w, REQ("operator", "resume"));
	has(ask(w, REQ("status", "show")), "\"paused\":false");
	has(ask(w, REQ("audit", "list")), "\"what\":\"paused\"");
}

static void root_alone_has_the_calibration_forgotten(void **state)
{
	struct world *w = *state;

	operate(w, REQ("forecast", "forget"));
	has(ask(w, REQ("audit", "list")), "\"what\":\"calibration forgotten\"");
}

static void root_alone_puts_a_service_into_maintenance(void **state)
{
	struct world *w = *state;
	struct km_control_reply reply;

	operate(w, REQ_ARGS("service", "maintain", "\"name\":\"leaky\",\"for\":\"30m\""));
	has(ask(w, REQ_ARGS("service", "show", "\"name\":\"leaky\"")), "\"maintenance_s\":1800");
	operate(w, REQ_ARGS("service", "maintain", "\"name\":\"leaky\",\"for\":\"end\""));
	has(ask(w, REQ_ARGS("service", "show", "\"name\":\"leaky\"")), "\"maintenance_s\":null");
	has(ask_as(w, &root, REQ_ARGS("service", "maintain", "\"name\":\"leaky\",\"for\":\"31d\""),
	           &reply),
	    "must be 1s to 30d, or end");
	has(ask_as(w, &root, REQ_ARGS("service", "maintain", "\"name\":\"lek\",\"for\":\"1m\""),
	           &reply),
	    "not_found");
}

static void what_waits_can_be_denied(void **state)
{
	struct world *w = *state;
	struct km_control_reply reply;
	char request[160];

	snprintf(request, sizeof(request), REQ_ARGS("action", "deny", "\"id\":%llu"),
	         (unsigned long long)w->asked);
	ask_as(w, &root, request, &reply);
	assert_int_equal(reply.effect, KM_EFFECT_COMMAND);
	assert_int_equal(reply.command.command, KM_CMD_DENY);
	refused_as(w, &root, REQ_ARGS("action", "deny", "\"id\":987654"), "not_found");
}

static void an_incident_is_explained_from_forecast_to_decision(void **state)
{
	const char *body = ask(*state, REQ("incident", "list"));
	struct km_control_reply reply;

	has(body, "\"service\":\"leaky\"");
	body = ask(*state, REQ_ARGS("incident", "explain", "\"id\":1"));
	has(strstr(body, "\"what\":\"forecast\""), "\"what\":\"decision\"");
	has(body, "\"passed\":[");
	body = ask(*state, REQ_ARGS("incident", "show", "\"id\":1"));
	has(body, "\"actions\":[{");
	refused_as(*state, &root, REQ_ARGS("incident", "show", "\"id\":77"), "not_found");
	refused_as(*state, &root, REQ_ARGS("incident", "explain", "\"id\":77"), "not_found");
	refused_as(*state, &reader, REQ_ARGS("incident", "evidence", "\"id\":1"), "denied");
	ask_as(*state, &root, REQ_ARGS("incident", "evidence", "\"id\":1,\"decision\":2"), &reply);
	assert_int_equal(reply.effect, KM_EFFECT_EVIDENCE);
	assert_int_equal(reply.incident_id, 1);
	assert_int_equal(reply.decision_id, 2);
}

static void one_decision_is_shown_with_its_text(void **state)
{
	struct world *w = *state;
	char request[160];

	snprintf(request, sizeof(request), REQ_ARGS("action", "show", "\"id\":%llu"),
	         (unsigned long long)w->asked);
	has(ask(w, request), "\"decision\":{\"version\":1,\"output\":\"decision\"");
	refused_as(w, &root, REQ_ARGS("action", "show", "\"id\":987654"), "not_found");
}

static void streams_are_left_to_the_engine(void **state)
{
	struct km_control_reply reply;

	ask_as(*state, &reader, REQ_ARGS("signal", "watch", "\"service\":\"leaky\""), &reply);
	assert_int_equal(reply.effect, KM_EFFECT_SIGNAL_STREAM);
	assert_string_equal(reply.service, "leaky");
	refused_as(*state, &reader, REQ_ARGS("signal", "watch", "\"service\":\"leak\""),
	           "not_found");
	ask_as(*state, &root, REQ("trace", "record"), &reply);
	assert_int_equal(reply.effect, KM_EFFECT_TRACE_STREAM);
	refused_as(*state, &reader, REQ("trace", "record"), "denied");
}

#define LEASE(args) REQ_ARGS("signal", "lease", args)

static void to_look_closely_is_for_root_and_recorded(void **state)
{
	struct km_control_reply reply;

	refused_as(*state, &reader, LEASE("\"service\":\"leaky\""), "denied");
	ask_as(*state, &root, LEASE("\"service\":\"leaky\""), &reply);
	assert_int_equal(reply.effect, KM_EFFECT_SIGNAL_STREAM);
	assert_string_equal(reply.service, "leaky");
	assert_int_equal(reply.depths, KM_DEPTH_ALL);
	assert_true(reply.for_ns == 600 * S);
	ask_as(*state, &root,
	       LEASE("\"service\":\"leaky\",\"signal\":\"syscall.latency.fsync\",\"for\":\"2m\""),
	       &reply);
	assert_int_equal(reply.depths, KM_DEPTH_LATENCY);
	assert_true(reply.for_ns == 120 * S);
	ask_as(*state, &root, LEASE("\"service\":\"leaky\",\"signal\":\"dns\""), &reply);
	assert_int_equal(reply.depths, KM_DEPTH_DNS);
	refused_as(*state, &root, LEASE("\"service\":\"leaky\",\"signal\":\"memory.used\""),
	           "bad_request");
	refused_as(*state, &root, LEASE("\"service\":\"leaky\",\"for\":\"3d\""), "bad_request");
	refused_as(*state, &root, LEASE("\"service\":\"leak\""), "not_found");
	has(ask(*state, REQ("audit", "list")), "\"what\":\"looked closely at leaky\"");
	has(ask(*state, REQ("audit", "list")), "\"what\":\"denied: signal lease\"");
}

static void what_needs_the_kernel_answers_without_it(void **state)
{
	has(ask(*state, REQ("signal", "list")), "\"signals\":[]");
	has(ask(*state, REQ("bpf", "list")), "\"objects\":[]");
}

static void strangers_get_nothing_and_leave_a_trace(void **state)
{
	static const char *const all[] = {
		REQ("status", "show"),   REQ("service", "list"), REQ("service", "show"),
		REQ("signal", "list"),   REQ("signal", "watch"), REQ("forecast", "list"),
		REQ("rule", "list"),     REQ("action", "list"),  REQ("action", "approve"),
		REQ("incident", "list"), REQ("trace", "record"), REQ("bpf", "list"),
		REQ("audit", "list"),
	};
	const char *body;

	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		refused_as(*state, &stranger, all[i], "denied");
	body = ask(*state, REQ("audit", "list"));
	has(body, "\"what\":\"denied: action approve\",\"uid\":1001,\"tgid\":3");
	has(body, "\"what\":\"denied: status show\"");
}

static void a_denial_names_the_remedy(void **state)
{
	struct km_control_reply reply;

	has(ask_as(*state, &stranger, REQ("status", "show"), &reply), "join the group kmend");
	has(ask_as(*state, &reader, REQ("trace", "record"), &reply), "run it as root");
}

static void a_near_miss_is_named(void **state)
{
	struct km_control_reply reply;

	has(ask_as(*state, &root, REQ_ARGS("service", "show", "\"name\":\"laeky\""), &reply),
	    "did you mean leaky?");
}

static void hostile_requests_are_refused_with_a_reason(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"[]",
		"null",
		"{}",
		"{\"version\":1}",
		"{\"version\":2,\"object\":\"status\",\"command\":\"show\"}",
		"{\"version\":1,\"object\":\"status\",\"command\":\"show\"} x",
		"{\"version\":1,\"object\":\"status\",\"object\":\"rule\",\"command\":\"show\"}",
		"{\"version\":1,\"object\":\"status\",\"command\":\"show\",\"extra\":1}",
		"{\"version\":1,\"object\":\"sta\\u0000tus\",\"command\":\"show\"}",
		"{\"version\":1,\"object\":\"\x1b[31m\",\"command\":\"show\"}",
		"{\"version\":1,\"object\":\"Status\",\"command\":\"show\"}",
		"{\"version\":1,\"object\":\"status\",\"command\":\"\"}",
		"{\"version\":1,\"object\":\"status\",\"command\":7}",
		"{\"version\":1,\"object\":\"0123456789012345678901234567890123456789\","
		"\"command\":\"show\"}",
		REQ_ARGS("status", "show", "\"x\":1"),
		REQ_ARGS("service", "show", ""),
		REQ("service", "show"),
		REQ_ARGS("service", "show", "\"name\":1"),
		REQ_ARGS("service", "list", "\"limit\":1.5"),
		REQ_ARGS("service", "list", "\"limit\":-1"),
		REQ_ARGS("service", "list", "\"limit\":\"1\""),
		REQ_ARGS("action", "approve", "\"id\":0"),
		REQ_ARGS("action", "approve", "\"id\":1e300"),
		REQ_ARGS("action", "approve", "\"id\":9007199254740993"),
		REQ("action", "explode"),
		"{\"version\":1,\"object\":\"status\",\"command\":\"show\",\"args\":[]}",
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++)
		refused_as(*state, &root, bad[i], "bad_request");
}

static void a_hostile_name_comes_back_escaped(void **state)
{
	struct km_control_reply reply;
	const char *body =
		ask_as(*state, &root, REQ_ARGS("service", "show", "\"name\":\"\\u001b[31m\\n\""),
	               &reply);

	assert_int_equal(reply.kind, KM_FRAME_ERROR);
	assert_null(strchr(body, 0x1b));
	assert_null(strchr(body, '\n'));
}

static void a_deep_or_long_request_is_refused(void **state)
{
	struct world *w = *state;
	size_t len = 60000;
	char *deep = malloc(len + 1);

	memset(deep, '[', len);
	deep[len] = '\0';
	refused_as(w, &root, deep, "bad_request");
	free(deep);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(status_says_mode_counts_and_limits),
		T(a_service_has_levels_forecast_and_what_was_decided),
		T(samples_come_with_a_service_if_asked_for),
		T(lists_are_cut_and_say_how_much_is_left),
		T(forecasts_are_listed_with_interval_and_others_with_why_not),
		T(a_rule_is_shown_with_its_conditions_and_lines),
		T(a_refused_set_is_said),
		T(what_waits_can_be_approved_by_root_alone_and_once),
		T(what_waits_can_be_denied),
		T(root_alone_pauses_and_resumes),
		T(root_alone_has_the_calibration_forgotten),
		T(root_alone_puts_a_service_into_maintenance),
		T(an_incident_is_explained_from_forecast_to_decision),
		T(one_decision_is_shown_with_its_text),
		T(streams_are_left_to_the_engine),
		T(to_look_closely_is_for_root_and_recorded),
		T(what_needs_the_kernel_answers_without_it),
		T(strangers_get_nothing_and_leave_a_trace),
		T(a_denial_names_the_remedy),
		T(a_near_miss_is_named),
		T(hostile_requests_are_refused_with_a_reason),
		T(a_hostile_name_comes_back_escaped),
		T(a_deep_or_long_request_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
