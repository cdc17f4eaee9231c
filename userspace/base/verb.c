// SPDX-License-Identifier: Apache-2.0
#include "base/verb.h"

const char *const km_verb_names[KM_VERB_MAX + 1] = {
	[KM_VERB_NONE] = "none",  [KM_START] = "start",        [KM_STOP] = "stop",
	[KM_RESTART] = "restart", [KM_SEND_SIGNAL] = "signal", [KM_RAISE_LIMIT] = "raise_limit",
	[KM_NOTIFY] = "notify",
};

/* The kernel's own bound of fs.nr_open on 64 bit, rounded down. */
#define FILES_MAX (1ULL << 30)

const struct km_verb_use km_verb_uses[] = {
	{ KM_RAISE_LIMIT, "of", "descriptors", true, "limit", KM_AMOUNT_COUNT, 1, FILES_MAX, 0 },
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
	if (!u->for_max_ns ? args->duration_ns != 0
	                   : args->duration_ns < KM_FOR_MIN_NS || args->duration_ns > u->for_max_ns)
		return "duration out of range";
	return NULL;
}
