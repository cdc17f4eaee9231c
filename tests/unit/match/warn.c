// SPDX-License-Identifier: Apache-2.0
/* Each warning about one rule: a text that earns it, and one that just does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support.h"

struct heard {
	char what[16][256];
	unsigned int line[16];
	size_t count;
};

static void hear(void *userdata, const struct km_error *e)
{
	struct heard *h = userdata;

	assert_true(h->count < KM_ARRAY_SIZE(h->what));
	assert_true(e->line > 0 && e->column > 0 && e->remedy[0]);
	km_copy(h->what[h->count], sizeof(h->what[0]), e->what);
	h->line[h->count++] = e->line;
}

/* What is said of a rule with these members; each begins on a line of its own. */
static void check(const char *when, const char *more, const char *plan, struct heard *ret)
{
	struct km_rule_text in = { .file = "x/r.json", .warn = hear, .userdata = ret };
	struct km_rule *rule = NULL;
	struct km_error err;
	char *text = NULL;

	assert_true(
		asprintf(&text,
	                 "{\"version\": 1, \"id\": \"test\", \"summary\": \"s\", \"why\": \"w\",\n"
	                 "\"owner\": \"o\", \"maturity\": \"experimental\",\n"
	                 "\"scope\": {\"services\": [\"web\"]},\n\"when\": %s,\n%s,\n"
	                 "\"plan\": [%s]\n}\n",
	                 when, more, plan) > 0);
	in.text = text;
	in.len = strlen(text);
	*ret = (struct heard){ 0 };
	if (km_rule_check(&in, &err, &rule) < 0)
		fail_msg("%s: line %u: %s", text, err.line, err.what);
	km_rule_free(rule);
	free(text);
}

#define VERIFY     "\"verify\": {\"within\": \"1m\", \"that\": {\"up\": true}}"
#define RESTART    "{\"do\": \"restart\"}"
#define UP         "{\"state\": {\"is\": \"up\"}}"
#define DOWN       "{\"state\": {\"is\": \"down\"}}"
#define EVENT(is)  "{\"event\": {\"is\": \"" is "\"}}"
#define ENDED(how) "{\"event\": {\"is\": \"ended\", \"how\": \"" how "\"}}"
#define ABOVE(share, more) \
	"{\"level\": {\"resource\": \"memory\", \"above\": \"" share "\"" more "}}"
#define BELOW(share) "{\"level\": {\"resource\": \"memory\", \"below\": \"" share "\"}}"
#define FORECAST(p, within, more)                                                               \
	"{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"memory\", \"probability\": " \
	"\"" p "\", \"within\": \"" within "\"" more "}}"
#define ALL(a, b) "{\"all\": [" a ",\n" b "]}"
#define ANY(a, b) "{\"any\": [" a ",\n" b "]}"
#define NEVER     "never hold together"
#define ALWAYS    "always holds"

static const struct {
	const char *when, *more, *plan;
	const char *what; /* NULL: nothing is said */
	unsigned int line;
} cases[] = {
	/* what excludes each other within one "all", also through a nested one */
	{ ALL(ABOVE("90%", ""), BELOW("50%")), VERIFY, RESTART, NEVER, 5 },
	{ ALL(ABOVE("90%", ""), BELOW("90%")), VERIFY, RESTART, NEVER, 5 },
	{ ALL(ABOVE("50%", ""), BELOW("90%")), VERIFY, RESTART, NULL, 0 },
	{ ANY(ABOVE("90%", ""), BELOW("50%")), VERIFY, RESTART, NULL, 0 },
	{ ALL(UP, ALL(ABOVE("90%", ""), DOWN)), VERIFY, RESTART, NEVER, 6 },
	{ ALL(UP, ANY(ABOVE("90%", ""), DOWN)), VERIFY, RESTART, NULL, 0 },
	{ ALL(EVENT("ended"), UP), VERIFY, RESTART, NEVER, 5 },
	{ ALL(EVENT("ended"), DOWN), VERIFY, RESTART, NULL, 0 },
	{ ALL(DOWN, EVENT("started")), VERIFY, RESTART, NEVER, 5 },
	{ ALL(EVENT("oom"), UP), VERIFY, RESTART, NULL, 0 },
	{ ALL(EVENT("ended"), "{\"state\": {\"is\": \"down\", \"for\": \"5s\"}}"), VERIFY, RESTART,
	  NEVER, 5 },
	{ ALL(ENDED("clean"), ALL(UP, ENDED("failed"))), VERIFY, RESTART, NEVER, 5 },
	{ ALL(ENDED("outsider"), ALL(ABOVE("1%", ""), ENDED("signaled"))), VERIFY, RESTART, NULL,
	  0 },
	/* what leaves nothing over within one "any" */
	{ ANY(UP, DOWN), VERIFY, RESTART, ALWAYS, 5 },
	{ ANY(UP, "{\"state\": {\"is\": \"down\", \"for\": \"5s\"}}"), VERIFY, RESTART, NULL, 0 },
	{ ANY(ABOVE("50%", ""), BELOW("60%")), VERIFY, RESTART, ALWAYS, 5 },
	{ ANY(ABOVE("50%", ""), BELOW("50%")), VERIFY, RESTART, NULL, 0 },
	{ "{\"not\": " EVENT("ended") "}", VERIFY, RESTART, "absent at almost every moment", 4 },
	{ "{\"not\": {\"not\": " EVENT("ended") "}}", VERIFY, RESTART, NULL, 0 },
	/* longer than the window */
	{ FORECAST("50%", "10m", ", \"for\": \"10m\""), VERIFY, RESTART, "before it was forecast",
	  4 },
	{ FORECAST("50%", "10m", ", \"for\": \"9m\""), VERIFY, RESTART, NULL, 0 },
	/* "unless" that holds whenever "when" does */
	{ ABOVE("90%", ""), "\"unless\": " ABOVE("80%", "") ", " VERIFY, RESTART, "never speaks",
	  5 },
	{ ABOVE("90%", ""), "\"unless\": " ABOVE("95%", "") ", " VERIFY, RESTART, NULL, 0 },
	{ ABOVE("90%", ""), "\"unless\": " ABOVE("80%", ", \"for\": \"1s\"") ", " VERIFY, RESTART,
	  NULL, 0 },
	{ ABOVE("90%", ", \"for\": \"2s\""),
	  "\"unless\": " ABOVE("80%", ", \"for\": \"1s\"") ", " VERIFY, RESTART, "never speaks",
	  5 },
	{ ALL(UP, ABOVE("90%", "")), "\"unless\": " ANY(DOWN, UP) ", " VERIFY, RESTART, ALWAYS, 7 },
	{ FORECAST("70%", "10m", ""), "\"unless\": " FORECAST("50%", "20m", "") ", " VERIFY,
	  RESTART, "never speaks", 5 },
	{ FORECAST("70%", "10m", ""), "\"unless\": " FORECAST("50%", "5m", "") ", " VERIFY, RESTART,
	  NULL, 0 },
	{ FORECAST("70%", "10m", ""), "\"unless\": " FORECAST("80%", "20m", "") ", " VERIFY,
	  RESTART, NULL, 0 },
	/* rungs */
	{ UP, VERIFY, "{\"do\": \"restart\", \"on_failure\": \"escalate\"},\n{\"do\": \"start\"}",
	  "ever reached", 6 },
	{ UP, VERIFY, "{\"do\": \"restart\"},\n{\"do\": \"start\", \"on_failure\": \"escalate\"}",
	  NULL, 0 },
	/* a budget that cannot trip, and one that just can */
	{ UP,
	  VERIFY
	  ", \"guard\": {\"cooldown\": \"20m\", \"budget\": {\"count\": 3, \"per\": \"1h\"}}",
	  RESTART, "never trips", 5 },
	{ UP,
	  VERIFY
	  ", \"guard\": {\"cooldown\": \"15m\", \"budget\": {\"count\": 3, \"per\": \"1h\"}}",
	  RESTART, NULL, 0 },
	/* times */
	{ UP, VERIFY ", \"guard\": {\"cooldown\": \"59s\"}", RESTART, "before it is known", 5 },
	{ UP, VERIFY ", \"guard\": {\"cooldown\": \"60s\"}", RESTART, NULL, 0 },
	/* a name that anybody may give himself */
	{ "{\"event\": {\"is\": \"ended\", \"how\": \"outsider\", \"by\": \"cron\"}}", VERIFY,
	  RESTART, "any process may give itself", 4 },
	{ "{\"event\": {\"is\": \"ended\", \"how\": \"outsider\", \"by\": \"cron\"}}",
	  "\"verify\": {\"not_measured\": true}", "{\"do\": \"notify\"}", NULL, 0 },
	/* words that anybody who answers may choose */
	{ "{\"text\": {\"of\": \"health\", \"matches\": \"refused\"}}", VERIFY, RESTART,
	  "whoever answers may choose", 4 },
	{ "{\"text\": {\"of\": \"health\", \"matches\": \"refused\"}}",
	  "\"verify\": {\"not_measured\": true}", "{\"do\": \"notify\"}", NULL, 0 },
	/* acts by itself and verifies nothing */
	{ UP, "\"verify\": {\"not_measured\": true}, \"guard\": {\"mode\": \"auto\"}", RESTART,
	  "nothing tells whether it helped", 5 },
	{ UP, "\"verify\": {\"not_measured\": true}, \"guard\": {\"mode\": \"approve\"}", RESTART,
	  NULL, 0 },
};

static bool said(const struct heard *h, const char *what, unsigned int line)
{
	for (size_t i = 0; i < h->count; i++)
		if (strstr(h->what[i], what) && h->line[i] == line)
			return true;
	return false;
}

static void each_warning_is_earned_and_just_not_earned(void **state)
{
	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		struct heard h;

		check(cases[i].when, cases[i].more, cases[i].plan, &h);
		if (cases[i].what ? !said(&h, cases[i].what, cases[i].line) : h.count > 0)
			fail_msg("case %zu, %s: said \"%s\" on line %u, wanted \"%s\" on line %u",
			         i, cases[i].when, h.count ? h.what[0] : "", h.line[0],
			         cases[i].what ? cases[i].what : "", cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_warning_is_earned_and_just_not_earned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
