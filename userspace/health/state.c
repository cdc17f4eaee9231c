// SPDX-License-Identifier: Apache-2.0
/* When a check is due, and what its results mean: no clock, no file. */
#include "health/internal.h"

#include "base/text.h"

bool km_probe_count(struct km_probe_state *s, enum km_probe_end end,
                    const struct km_health_check *def)
{
	enum km_health seen = end == KM_PROBE_GOOD ? KM_HEALTHY : KM_UNHEALTHY;
	uint64_t needed = seen == KM_UNHEALTHY             ? def->fall
	                  : s->health == KM_HEALTH_UNKNOWN ? 1
	                                                   : def->rise;

	if (end == KM_PROBE_NOT_MEASURED) {
		bool changed = s->health != KM_HEALTH_UNKNOWN;

		*s = (struct km_probe_state){ 0 };
		return changed;
	}
	if (seen == s->health) {
		s->streak = 0;
		return false;
	}
	if (s->health == KM_HEALTH_UNKNOWN && seen == KM_HEALTHY)
		s->streak = 0;
	if (++s->streak < needed)
		return false;
	*s = (struct km_probe_state){ .health = seen };
	return true;
}

uint64_t km_probe_first_ns(const char *service, const char *check, uint64_t every_ns,
                           uint64_t now_ns)
{
	uint64_t hash = km_hash(service, strlen(service)) * 31 + km_hash(check, strlen(check));
	uint64_t at = now_ns - now_ns % every_ns + hash % every_ns;

	return at < now_ns ? at + every_ns : at;
}

uint64_t km_probe_next_ns(uint64_t last_ns, uint64_t every_ns, uint64_t now_ns)
{
	uint64_t next = last_ns + every_ns;

	if (next <= now_ns)
		next += (now_ns - next) / every_ns * every_ns + every_ns;
	return next;
}
