// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "repair/effect.h"

static const struct km_effect *const families[] = { km_effects_process, km_effects_cgroup,
	                                            km_effects_io };

const struct km_effect *km_effect(enum km_verb verb, const char *object)
{
	const struct km_verb_use *use = km_verb_use(verb, object);

	if (!use)
		return NULL;
	for (size_t i = 0; i < KM_ARRAY_SIZE(families); i++)
		for (const struct km_effect *e = families[i]; e->verb; e++)
			if (e->verb == verb && !strcmp(e->object, use->object ? use->object : ""))
				return e;
	return NULL;
}

static bool same(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

int km_effect_plan(const struct km_effect *e, const struct km_target *t,
                   const struct km_verb_args *args, const struct km_undo *before,
                   struct km_undo *ret)
{
	struct km_undo u = { 0 };
	uint64_t now[2] = { 0 };
	int r = e->read(t, now);

	if (r < 0)
		return r;
	memcpy(u.was, before && same(now, before->set) ? before->was : now, sizeof(u.was));
	/* What is there for a time may be there for longer. */
	memcpy(u.set, args->duration_ns ? u.was : now, sizeof(u.set));
	r = e->want(args, u.set);
	if (r == 0)
		*ret = u;
	return r;
}

static const char *number(uint64_t v, char *out, size_t size)
{
	if (v == KM_UNKNOWN)
		return "none";
	snprintf(out, size, "%llu", (unsigned long long)v);
	return out;
}

void km_effect_tell(const struct km_effect *e, const struct km_undo *u, int error, char *out,
                    size_t size)
{
	char was[24], set[24];

	if (error < 0)
		snprintf(out, size, "%s: %s", e->name,
		         error == -ENOSPC ? "there is nothing more to give, or to take"
		                          : strerror(-error));
	else
		snprintf(out, size, "%s %s to %s", e->name, number(u->was[0], was, sizeof(was)),
		         number(u->set[0], set, sizeof(set)));
}

int km_effect_look(const struct km_effect *e, const struct km_target *t, const struct km_undo *u)
{
	uint64_t now[2] = { 0 };
	int r = e->read(t, now);

	if (r < 0)
		return r;
	return same(now, u->set)   ? KM_EFFECT_IS_SET
	       : same(now, u->was) ? KM_EFFECT_IS_BACK
	                           : KM_EFFECT_IS_OTHER;
}

int km_effect_undo(const struct km_effect *e, const struct km_target *t, const struct km_undo *u)
{
	int is = km_effect_look(e, t, u);
	int r = is == KM_EFFECT_IS_SET ? e->write(t, u->was) : 0;

	return r < 0 ? r : is;
}
