// SPDX-License-Identifier: Apache-2.0
#include "base/verb.h"

const char *const km_verb_names[KM_VERB_MAX + 1] = {
	[KM_VERB_NONE] = "none",
	[KM_START] = "start",
	[KM_STOP] = "stop",
	[KM_RESTART] = "restart",
	[KM_SEND_SIGNAL] = "signal",
	[KM_RAISE_LIMIT] = "raise_limit",
	[KM_NOTIFY] = "notify",
	[KM_THROTTLE] = "throttle",
	[KM_RELEASE] = "release",
	[KM_FREEZE] = "freeze",
	[KM_THAW] = "thaw",
	[KM_RENICE] = "renice",
	[KM_UNDO] = "undo",
	[KM_RELOAD] = "reload",
	[KM_KILL] = "kill",
	[KM_CAPTURE] = "capture",
	[KM_ROTATE] = "rotate",
	[KM_TRUNCATE] = "truncate",
	[KM_FREE_SPACE] = "free_space",
	[KM_RUN] = "run",
	[KM_FAIL_OVER] = "fail_over",
	[KM_FAIL_BACK] = "fail_back",
};

/* The kernel's own bound of fs.nr_open on 64 bit, rounded down. */
#define FILES_MAX (1ULL << 30)
/* PID_MAX_LIMIT of 64 bit. */
#define TASKS_MAX (1ULL << 22)
#define BYTES_MIN (1ULL << 20)
#define BYTES_MAX (1ULL << 50)
/* Slower than that is frozen. */
#define RATE_MIN (64ULL << 10)
/* A hundredth of all CPUs, up to nearly all of them. */
#define SHARE_MIN  10000
#define SHARE_MAX  990000
#define INTENT_MAX (1ULL << 62)
/* Longer than a day nobody remembers why; what is frozen has clients that wait. */
#define DAY_NS     (86400 * KM_NS_PER_S)
#define MINUTES_NS (600 * KM_NS_PER_S)

/* enum km_failover_end, and which standby. */
const char *const km_verb_words[] = { "keep", "undo", NULL };
#define FAIL_OVER_MAX (KM_VERB_WORD + 255 * (KM_VERB_WORD + 1))
#define FAIL_BACK_MAX 1000000

const struct km_verb_use km_verb_uses[] = {
	{ KM_RAISE_LIMIT, "of", "descriptors", true, "limit", KM_AMOUNT_COUNT, 1, FILES_MAX, 0 },
	{ KM_RAISE_LIMIT, "of", "memory", false, "limit", KM_AMOUNT_BYTES, BYTES_MIN, BYTES_MAX,
	  0 },
	{ KM_RAISE_LIMIT, "of", "threads", false, "limit", KM_AMOUNT_COUNT, 1, TASKS_MAX, 0 },
	{ KM_THROTTLE, "of", "cpu", false, "to", KM_AMOUNT_SHARE, SHARE_MIN, SHARE_MAX, DAY_NS },
	{ KM_THROTTLE, "of", "memory", false, "to", KM_AMOUNT_BYTES, BYTES_MIN, BYTES_MAX, DAY_NS },
	{ KM_THROTTLE, "of", "io", false, "to", KM_AMOUNT_BYTES_RATE, RATE_MIN, BYTES_MAX, DAY_NS },
	{ KM_RELEASE, "of", "cpu", false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_RELEASE, "of", "memory", false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_RELEASE, "of", "io", false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_FREEZE, NULL, NULL, false, NULL, KM_AMOUNT_NONE, 0, 0, MINUTES_NS },
	{ KM_RENICE, NULL, NULL, false, "to", KM_AMOUNT_COUNT, 1, 19, 0 },
	{ KM_ROTATE, "files", NULL, false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_TRUNCATE, "files", NULL, false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_FREE_SPACE, "files", NULL, false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_RUN, "command", NULL, false, NULL, KM_AMOUNT_NONE, 0, 0, 0 },
	{ KM_UNDO, NULL, NULL, false, NULL, KM_AMOUNT_COUNT, 1, INTENT_MAX, 0 },
	{ KM_FAIL_OVER, "endpoint", NULL, true, "when_kmend_stops", KM_AMOUNT_WORD, 1,
	  FAIL_OVER_MAX, 0 },
	{ KM_FAIL_BACK, "endpoint", NULL, true, "share", KM_AMOUNT_SHARE, SHARE_MIN, FAIL_BACK_MAX,
	  0 },
};
const size_t km_verb_use_count = KM_ARRAY_SIZE(km_verb_uses);

static const struct km_verb_use nothing;

const struct km_verb_use *km_verb_use(enum km_verb verb, const char *object)
{
	bool takes = false;

	for (const struct km_verb_use *u = km_verb_uses; u < km_verb_uses + km_verb_use_count;
	     u++) {
		if (u->verb != verb)
			continue;
		takes = takes || u->key;
		if (!*object ? u->implied || !u->key : u->key && !u->object)
			return u;
		if (*object && u->object && strcmp(u->object, object) == 0)
			return u;
	}
	return takes || *object ? NULL : &nothing;
}

bool km_verb_is_object(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strnlen(name, KM_OBJECT_MAX);

	return len && len < KM_OBJECT_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, allowed) == len;
}

static bool is_word(uint64_t number)
{
	return number >= 1 && number < KM_ARRAY_SIZE(km_verb_words);
}

const char *km_verb_fault(enum km_verb verb, const struct km_verb_args *args)
{
	const struct km_verb_use *u;

	if (args->object[0] && !km_verb_is_object(args->object))
		return "not the name of an object";
	u = km_verb_use(verb, args->object);
	if (!u)
		return "cannot be done to this object";
	if (u->amount == KM_AMOUNT_NONE ? args->amount != 0
	                                : args->amount < u->min || args->amount > u->max)
		return "amount out of range";
	if (u->amount == KM_AMOUNT_WORD && !is_word(args->amount & KM_VERB_WORD))
		return "amount is none of its words";
	if (!u->for_max_ns ? args->duration_ns != 0
	                   : args->duration_ns < KM_FOR_MIN_NS || args->duration_ns > u->for_max_ns)
		return "duration out of range";
	return NULL;
}
