/* SPDX-License-Identifier: Apache-2.0 */
/* The matcher asks only the rules that can have something to say. Random rules over random hosts
 * say and keep to the byte what they do when each is asked at each moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "pipeline/pipeline.h"
#include "pipeline/texts.h"
#include "review/world.h"

#define S        KM_NS_PER_S
#define HOSTS    8
#define RULES    70 /* more than the bits of one word */
#define SECONDS  700
#define SERVICES 5

/* The same records go into both; only the first has every rule asked. */
struct pair {
	struct km_pipeline *p[2];
	struct km_world world;
	struct km_decision acts[256]; /* not answered yet */
	size_t act_count;
	uint64_t said, acted;
};

static uint64_t seed;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % below;
}

static const char *one_of(const char *const *words, unsigned int count)
{
	return words[pick(count)];
}
#define ONE_OF(words) one_of(words, KM_ARRAY_SIZE(words))

static void some_level(char *out, size_t size)
{
	static const char *const what[] = { "\"resource\":\"memory\"",
		                            "\"resource\":\"descriptors\"",
		                            "\"signal\":\"psi.memory.some\"",
		                            "\"of\":\"host\",\"signal\":\"psi.memory.some\"" };
	unsigned int bound = 10 + pick(80), other = pick(2) ? 5 + pick(bound - 5) : 0;
	const char *subject = ONE_OF(what);
	char until[64] = "", held[32] = "";
	bool below = !pick(4);

	if (other)
		snprintf(until, sizeof(until), ",\"until_%s\":\"%u%%\"", below ? "above" : "below",
		         below ? bound + other % (100 - bound) : other);
	if (pick(2))
		snprintf(held, sizeof(held), ",\"for\":\"%us\"", 1 + pick(20));
	snprintf(out, size, "{\"level\":{%s,\"%s\":\"%u%%\"%s%s}}", subject,
	         below ? "below" : "above", bound, until, held);
}

static void some_forecast(char *out, size_t size)
{
	char held[32] = "";

	if (pick(2))
		snprintf(held, sizeof(held), ",\"for\":\"%us\"", 1 + pick(5));
	if (pick(3))
		snprintf(out, size,
		         "{\"forecast\":{\"kind\":\"exhaustion\",\"resource\":\"memory\","
		         "\"probability\":\"%u%%\",\"within\":\"%us\"%s}}",
		         10 + pick(80), 30 + pick(600), held);
	else
		snprintf(out, size,
		         "{\"forecast\":{\"kind\":\"crash_loop\",\"probability\":\"%u%%\"%s}}",
		         10 + pick(80), held);
}

static void some_leaf(char *out, size_t size)
{
	static const char *const hows[] = { "any", "failed", "signaled", "outsider", "oom" };
	static const char *const events[] = { "started", "oom", "signaled", "connect_failed" };
	static const char *const states[] = { "up", "down", "healthy", "unhealthy" };
	char extra[64] = "";

	if (pick(3) == 0)
		snprintf(extra, sizeof(extra), ",\"count\":%u,\"within\":\"%us\"", 2 + pick(3),
		         20 + pick(300));
	switch (pick(8)) {
	case 7:
		snprintf(out, size, "{\"text\":{\"of\":\"health\",\"matches\":\"%u\"%s}}", pick(4),
		         pick(2) ? ",\"for\":\"3s\"" : "");
		break;
	case 0:
	case 1:
		some_level(out, size);
		break;
	case 2:
		some_forecast(out, size);
		break;
	case 3:
		snprintf(out, size, "{\"event\":{\"is\":\"ended\",\"how\":\"%s\"%s}}", ONE_OF(hows),
		         extra);
		break;
	case 4:
		snprintf(out, size, "{\"event\":{\"is\":\"%s\"%s}}", ONE_OF(events), extra);
		break;
	case 5:
		snprintf(out, size, "{\"state\":{\"is\":\"%s\",\"for\":\"%us\"}}", ONE_OF(states),
		         1 + pick(60));
		break;
	default:
		snprintf(out, size, "{\"incident\":{\"of\":\"service\"%s}}",
		         pick(2) ? ",\"for\":\"3s\"" : "");
	}
}

/* What is refused as never true is drawn again by the caller. */
static void some_tree(char *out, size_t size, unsigned int depth)
{
	static const char *const groups[] = { "all", "any" };
	char a[2048], b[2048];
	unsigned int kind = depth ? pick(6) : 5;

	if (kind >= 4) {
		some_leaf(out, size);
		return;
	}
	some_tree(a, sizeof(a), depth - 1);
	some_tree(b, sizeof(b), depth - 1);
	if (kind == 3)
		snprintf(out, size, "{\"not\":%.1000s}", a);
	else
		snprintf(out, size, "{\"%s\":[%.1000s,%.1000s]}", ONE_OF(groups), a, b);
}

static void write_rule(char *out, size_t size, unsigned int i)
{
	static const char *const scopes[] = { "\"all\":true", "\"all\":true",
		                              "\"services\":[\"s0\"]",
		                              "\"services\":[\"s1\",\"s?\"]",
		                              "\"entity\":\"host\",\"all\":true" };
	static const char *const modes[] = { "observe", "suggest", "suggest", "approve", "auto" };
	static const char *const verbs[] = { "notify", "restart", "start" };
	const char *scope = ONE_OF(scopes);
	char when[4096], unless[4096] = "";

	some_tree(when, sizeof(when), 3);
	if (pick(3) == 0) {
		char tree[2048];

		some_tree(tree, sizeof(tree), 2);
		snprintf(unless, sizeof(unless), "\"unless\":%s,", tree);
	}
	snprintf(
		out, size,
		"{\"version\":1,\"id\":\"r%u\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\",%s"
		"\"maturity\":\"experimental\",\"scope\":{%s},\"when\":%s,%s"
		"\"plan\":[{\"do\":\"%s\"}],\"verify\":{\"within\":\"%us\",\"that\":{\"up\":true}},"
		"\"guard\":{\"mode\":\"%s\",\"cooldown\":\"%us\"}}",
		i, pick(20) ? "" : "\"expires\":\"2026-01-02\",", scope, when, unless,
		strstr(scope, "host") ? "notify" : ONE_OF(verbs), 5 + pick(60), ONE_OF(modes),
		1 + pick(300));
}

static void add_rule(struct pair *pair, unsigned int i)
{
	km_autofree(km_rule_freep) struct km_rule *rule = NULL;
	struct km_error err;
	char text[16384], name[32];

	do {
		write_rule(text, sizeof(text), i);
	} while (km_rule_compile(text, strlen(text), "x/r.json", &err, &rule) < 0);
	snprintf(name, sizeof(name), "x/r%u.json", i);
	km_world_text(&pair->world, KM_TEXT_RULE, name, text);
}

static void put_in_force(struct pair *pair)
{
	static const char policy[] = "{\"version\":1,\"verbs\":[\"start\",\"restart\",\"notify\"],"
				     "\"services\":[\"*\"]}";
	char config[1024] = "{\"version\":1,\"services\":[", one[160];

	for (unsigned int i = 0; i < SERVICES; i++) {
		snprintf(one, sizeof(one),
		         "%s{\"name\":\"s%u\",\"command\":[\"/bin/s%u\"]%s,"
		         "\"health\":[{\"tcp\":\"127.0.0.1:80\"}]}",
		         i ? "," : "", i, i, i ? ",\"needs\":[\"s0\"]" : "");
		strncat(config, one, sizeof(config) - strlen(config) - 1);
	}
	strncat(config, "]}", sizeof(config) - strlen(config) - 1);
	km_world_text(&pair->world, KM_TEXT_CONFIG, "kmend.json", config);
	km_world_text(&pair->world, KM_TEXT_POLICY, "policy", policy);
	for (unsigned int i = 0; i < RULES; i++)
		add_rule(pair, i);
	km_world_text(&pair->world, KM_TEXT_COMMIT, "commit", "");
	for (int k = 0; k < 2; k++)
		assert_null(km_pipeline_refused(pair->p[k]));
}

static void write_output(const struct km_output *o, struct km_buf *out)
{
	struct km_json_writer w;

	km_jw_init(&w, out, false);
	km_output_write(o, &w);
	km_buf_add(out, "\n", 1);
}

static int feed_pair(void *userdata, const void *raw, size_t len)
{
	struct pair *pair = userdata;
	struct km_buf *out[2];
	const struct km_output *o;

	for (int k = 0; k < 2; k++) {
		assert_int_equal(km_buf_new(64 << 20, &out[k]), 0);
		assert_true(km_pipeline_feed(pair->p[k], raw, len) >= 0);
		while ((o = km_pipeline_next(pair->p[k]))) {
			write_output(o, out[k]);
			pair->said += k;
			if (k && o->kind == KM_OUT_DECISION &&
			    o->decision->answer == KM_ANSWER_ACT &&
			    pair->act_count < KM_ARRAY_SIZE(pair->acts))
				pair->acts[pair->act_count++] = *o->decision;
		}
	}
	assert_string_equal(km_buf_text(out[0]), km_buf_text(out[1]));
	km_buf_free(out[0]);
	km_buf_free(out[1]);
	return 0;
}

static int keep(void *userdata, const void *raw, size_t len)
{
	km_buf_add(userdata, raw, len);
	return km_buf_error(userdata);
}

static struct km_buf *saved(const struct km_pipeline *p)
{
	struct km_buf *b = NULL;

	assert_int_equal(km_buf_new(256 << 20, &b), 0);
	assert_int_equal(km_pipeline_save(p, keep, b), 0);
	return b;
}

static void both_keep_the_same(const struct pair *pair)
{
	km_autofree(km_buf_freep) struct km_buf *a = saved(pair->p[0]);
	km_autofree(km_buf_freep) struct km_buf *b = saved(pair->p[1]);

	for (size_t at = 0; at < a->len && at < b->len;) {
		const struct km_raw_state *x = (const void *)(a->data + at);
		const struct km_raw_state *y = (const void *)(b->data + at);

		/* the first table counts records, also those of the checkpoint */
		if (x->table && memcmp(x, y, x->hdr.size) != 0)
			fail_msg("rows of table %u and %u, slots %u and %u", x->table, y->table,
			         x->slot, y->slot);
		at += x->hdr.size;
	}
	assert_int_equal(a->len, b->len);
}

/* The second goes on from a checkpoint of itself. */
static void restart_second(struct pair *pair)
{
	km_autofree(km_buf_freep) struct km_buf *rows = saved(pair->p[1]);

	km_pipeline_free(pair->p[1]);
	assert_int_equal(km_pipeline_new(&pair->p[1]), 0);
	for (size_t at = 0; at < rows->len;) {
		const struct kmend_hdr *hdr = (const void *)(rows->data + at);

		assert_true(km_pipeline_feed(pair->p[1], hdr, hdr->size) >= 0);
		at += hdr->size;
	}
}

static void ear(void *userdata, const struct km_match *match, const enum km_truth *when,
                const enum km_truth *unless)
{
	(void)userdata;
	(void)match;
	(void)when;
	(void)unless;
}

static void some_health(struct pair *pair, struct km_world_service *s)
{
	const struct km_config *config = km_pipeline_config(pair->p[0]);
	const char reason[] = { (char)('0' + pick(5)), 0 };
	const struct km_world_health h = { pick(2) ? KM_HEALTHY : KM_UNHEALTHY, reason };

	km_world_health(&pair->world, s, km_config_service(config, s->name), &h);
}

static void some_service_second(struct pair *pair, struct km_world_service *s)
{
	static const uint32_t ends[] = { 0, 1 << 8, 9, 15 };
	struct km_world *w = &pair->world;
	struct km_world_value psi = { .signal = km_catalogue_find("psi.memory.some"),
		                      .value = pick(1000000),
		                      .limit = -1,
		                      .name = "",
		                      .period_ns = S };
	uint64_t t = w->t_ns / S;

	if (!s->tgid && !pick(8))
		km_world_start(w, s);
	if (!s->tgid)
		return;
	km_world_level(w, s, KM_MEMORY, 100 + (t * (uint64_t)(s->name[1] - '0' + 1)) % 850, 1000);
	s->fds = pick(1000);
	s->fds_limit = 1000;
	if (psi.signal != KM_SIG_MAX && !pick(3))
		km_world_value(w, s, &psi);
	if (!pick(90))
		km_world_signal(w, s, 9, "pkill");
	if (!pick(90))
		km_world_oom(w, s);
	if (!pick(15))
		some_health(pair, s);
	if (!pick(40))
		km_world_connect_failed(w, s, 111);
	if (!pick(70))
		km_world_end(w, s, ends[pick(KM_ARRAY_SIZE(ends))]);
}

static void answer_acts(struct pair *pair)
{
	static const enum km_outcome_state states[] = { KM_OUT_DONE, KM_OUT_DONE, KM_OUT_FAILED,
		                                        KM_OUT_REFUSED };
	size_t n = pair->act_count;
	struct km_decision acts[KM_ARRAY_SIZE(pair->acts)];

	memcpy(acts, pair->acts, n * sizeof(*acts));
	pair->act_count = 0;
	for (size_t i = 0; i < n; i++, pair->acted++)
		if (pick(10))
			km_world_outcome(&pair->world, &acts[i],
			                 states[pick(KM_ARRAY_SIZE(states))]);
}

static void a_second(struct pair *pair)
{
	struct km_world *w = &pair->world;
	struct km_world_value psi = { .signal = km_catalogue_find("psi.memory.some"),
		                      .entity = KM_ENTITY_HOST,
		                      .value = pick(1000000),
		                      .limit = -1,
		                      .name = "",
		                      .period_ns = S };

	w->t_ns += S;
	for (size_t i = 0; i < w->count; i++)
		some_service_second(pair, &w->service[i]);
	if (psi.signal != KM_SIG_MAX && !pick(5))
		km_world_value(w, NULL, &psi);
	if (!pick(200))
		km_world_loss(w);
	answer_acts(pair);
	km_world_tick(w);
}

static void a_host(struct pair *pair, unsigned int number)
{
	seed = 1000 + number;
	km_world_init(&pair->world, feed_pair, pair);
	for (int k = 0; k < 2; k++)
		assert_int_equal(km_pipeline_new(&pair->p[k]), 0);
	km_pipeline_listen(pair->p[0], ear, NULL);
	put_in_force(pair);
	for (unsigned int i = 0; i < SERVICES; i++) {
		struct km_service_def def = { .kind = KM_BY_COMMAND };

		snprintf(def.name, sizeof(def.name), "s%u", i);
		assert_int_equal(km_world_add(&pair->world, &def), 0);
		km_world_start(&pair->world, &pair->world.service[i]);
	}
	if (number % 2)
		km_world_clock(&pair->world, 1767225600ULL * S + pick(172800) * S);
	for (unsigned int t = 0; t < SECONDS; t++) {
		a_second(pair);
		if (t % 50 == 0)
			both_keep_the_same(pair);
		if (t == SECONDS / 2)
			restart_second(pair);
		if (t == SECONDS / 3)
			put_in_force(pair);
	}
	both_keep_the_same(pair);
}

static void what_is_not_asked_had_nothing_to_say(void **state)
{
	struct pair pair = { .said = 0 };
	uint64_t said = 0, acted = 0;

	(void)state;
	for (unsigned int i = 0; i < HOSTS; i++) {
		memset(&pair, 0, sizeof(pair));
		a_host(&pair, i);
		said += pair.said;
		acted += pair.acted;
		km_pipeline_free(pair.p[0]);
		km_pipeline_free(pair.p[1]);
	}
	/* they do speak, and act */
	assert_true(said > (uint64_t)HOSTS * 500);
	assert_true(acted > (uint64_t)HOSTS * 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_asked_had_nothing_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
