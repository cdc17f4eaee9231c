// SPDX-License-Identifier: Apache-2.0
/* What a step says besides its verb: what base/verb.c has a row for, in units, and signals. */
#include "match/compile.h"

#include <signal.h>

/* What a rule may send. SIGSTOP is not here: it would freeze a service without an end. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "SIGHUP", SIGHUP },   { "SIGINT", SIGINT },   { "SIGQUIT", SIGQUIT },
	{ "SIGABRT", SIGABRT }, { "SIGKILL", SIGKILL }, { "SIGUSR1", SIGUSR1 },
	{ "SIGUSR2", SIGUSR2 }, { "SIGTERM", SIGTERM }, { "SIGCONT", SIGCONT },
};

/* Values in units that no member of the configuration has. */
static int read_bytes_rate(struct km_compile *c, const cJSON *node, const struct km_verb_use *use,
                           uint64_t *ret)
{
	const struct km_measured bytes_a_second = { .unit = "bytes/s" };
	struct km_quantity q;
	int r = km_compile_quantity(c, node, &bytes_a_second, &q);

	if (r < 0)
		return r;
	*ret = (uint64_t)q.value;
	if (*ret >= use->min && *ret <= use->max)
		return 0;
	return km_json_fail(c->doc, node, c->err, NULL, "\"%s\" must be from 64KiB/s on",
	                    node->string);
}

static int read_share(struct km_compile *c, const cJSON *node, const struct km_verb_use *use,
                      uint64_t *ret)
{
	double share;

	if (km_parse_share(node, &share) == 0 && share * 1e6 >= (double)use->min &&
	    share * 1e6 <= (double)use->max) {
		*ret = (uint64_t)(share * 1e6 + 0.5);
		return 0;
	}
	return km_json_fail(c->doc, node, c->err, "like \"25%\": of all CPUs, or connections",
	                    "\"%s\" must be a share from 1 %% to %u %%", node->string,
	                    (unsigned int)(use->max / 10000));
}

static int read_word(struct km_compile *c, const cJSON *node, const struct km_verb_use *use,
                     uint64_t *ret)
{
	const struct km_json_field field = { use->amount_key, KM_JSON_ENUM,
		                             .names = km_verb_words };
	int word = 0, r = km_json_read_one(c->doc, node, &field, &word, c->err);

	if (r == 0)
		*ret = (uint64_t)word + 1;
	return r;
}

static const cJSON *member(const cJSON *obj, const char *key)
{
	return key ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

static int missing(struct km_compile *c, const cJSON *obj, const char *key)
{
	return km_json_fail(c->doc, member(obj, "do"), c->err, NULL, "this step needs \"%s\"", key);
}

static int read_signal(struct km_compile *c, const cJSON *obj, struct km_step *s)
{
	static const struct km_json_field field = { "signal", KM_JSON_STRING, .size = 16 };
	const cJSON *node = member(obj, field.key);
	char name[16];
	int r;

	if (!node)
		return missing(c, obj, field.key);
	r = km_json_read_one(c->doc, node, &field, name, c->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < KM_ARRAY_SIZE(signals); i++) {
		if (strcmp(signals[i].name, name))
			continue;
		s->signal = signals[i].number;
		return 0;
	}
	return km_json_fail(c->doc, node, c->err,
	                    "one of SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR1, SIGUSR2, "
	                    "SIGTERM, SIGCONT",
	                    "no signal of this name can be sent by a rule");
}

/* The key of VERB's objects, NULL: it takes none; *REMEDY lists them where the list is closed. */
static const char *object_key(enum km_verb verb, char *remedy, size_t size)
{
	const char *names[16] = { NULL }, *key = NULL;
	size_t n = 0;

	for (size_t i = 0; i < km_verb_use_count && n + 1 < KM_ARRAY_SIZE(names); i++) {
		if (km_verb_uses[i].verb != verb)
			continue;
		key = km_verb_uses[i].key;
		if (km_verb_uses[i].object)
			names[n++] = km_verb_uses[i].object;
	}
	*remedy = '\0';
	if (n)
		km_json_names(names, remedy, size);
	return key;
}

static int read_object(struct km_compile *c, const cJSON *obj, struct km_step *s,
                       const struct km_verb_use **ret)
{
	char remedy[sizeof(c->err->remedy)];
	const char *key = object_key(s->verb, remedy, sizeof(remedy));
	const struct km_json_field field = { key, KM_JSON_STRING, .size = KM_OBJECT_MAX };
	const cJSON *node = member(obj, key);
	int r = 0;

	if (node)
		r = km_json_read_one(c->doc, node, &field, s->args.object, c->err);
	if (r < 0)
		return r;
	if (node && !km_verb_is_object(s->args.object))
		return km_json_fail(c->doc, node, c->err, NULL,
		                    "\"%s\" may have letters, digits, . _ and - only", key);
	*ret = km_verb_use(s->verb, s->args.object);
	if (*ret && (*ret)->object)
		km_copy(s->args.object, sizeof(s->args.object), (*ret)->object);
	if (*ret)
		return 0;
	return node ? km_json_fail(c->doc, node, c->err, remedy, "\"%s\" has no value \"%.31s\"",
	                           key, s->args.object)
	            : missing(c, obj, key);
}

static int read_amount(struct km_compile *c, const cJSON *obj, const struct km_verb_use *use,
                       struct km_step *s)
{
	const struct km_json_field field = { use->amount_key,
		                             use->amount == KM_AMOUNT_BYTES ? KM_JSON_BYTES
		                                                            : KM_JSON_COUNT,
		                             .min = use->min, .max = use->max };
	const cJSON *node = member(obj, field.key);

	if (!node)
		return missing(c, obj, field.key);
	if (use->amount == KM_AMOUNT_BYTES_RATE)
		return read_bytes_rate(c, node, use, &s->args.amount);
	if (use->amount == KM_AMOUNT_SHARE)
		return read_share(c, node, use, &s->args.amount);
	if (use->amount == KM_AMOUNT_WORD)
		return read_word(c, node, use, &s->args.amount);
	return km_json_read_one(c->doc, node, &field, &s->args.amount, c->err);
}

static int read_duration(struct km_compile *c, const cJSON *obj, const struct km_verb_use *use,
                         struct km_step *s)
{
	const struct km_json_field field = { "for", KM_JSON_DURATION, .min = KM_FOR_MIN_NS,
		                             .max = use->for_max_ns };
	const cJSON *node = member(obj, field.key);

	if (!node)
		return missing(c, obj, field.key);
	return km_json_read_one(c->doc, node, &field, &s->args.duration_ns, c->err);
}

/* What some verb takes, and this one does not. */
static int check_strangers(struct km_compile *c, const cJSON *obj, const struct km_step *s,
                           const struct km_verb_use *use)
{
	static const char *const keys[] = KM_STEP_ARGUMENTS;
	const char *takes[] = { s->verb == KM_SEND_SIGNAL ? "signal" : NULL, use->key,
		                use->amount_key, use->for_max_ns ? "for" : NULL,
		                /* a notification cannot fail to help */
		                s->verb != KM_NOTIFY ? "on_failure" : NULL };

	for (size_t i = 0; i < KM_ARRAY_SIZE(keys); i++) {
		bool taken = false;

		for (size_t k = 0; k < KM_ARRAY_SIZE(takes); k++)
			taken = taken || (takes[k] && strcmp(takes[k], keys[i]) == 0);
		if (!taken && member(obj, keys[i]))
			return km_json_fail(c->doc, member(obj, keys[i]), c->err, "remove it",
			                    "this step takes no \"%s\"", keys[i]);
	}
	return 0;
}

int km_compile_step_args(struct km_compile *c, const cJSON *obj, struct km_step *s)
{
	const struct km_verb_use *use;
	int r = read_object(c, obj, s, &use);

	if (r == 0 && use->amount && !use->amount_key)
		return km_json_fail(c->doc, member(obj, "do"), c->err, "remove it",
		                    "kmend takes back by itself what did not help");
	if (r == 0)
		r = check_strangers(c, obj, s, use);
	if (r == 0 && s->verb == KM_SEND_SIGNAL)
		r = read_signal(c, obj, s);
	if (r == 0 && use->amount_key)
		r = read_amount(c, obj, use, s);
	if (r == 0 && use->for_max_ns)
		r = read_duration(c, obj, use, s);
	return r;
}
