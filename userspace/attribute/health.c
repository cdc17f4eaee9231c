// SPDX-License-Identifier: Apache-2.0
/* What the health checks of a service say together. One that is unhealthy makes the service so; one
 * that is not known leaves it unknown; a start gives it its grace. */
#include "attribute/state.h"
#include "base/text.h"

const struct km_check_state *km_attribute_check(const struct km_attribute *a, uint64_t service_id,
                                                const char *check)
{
	struct km_named_key key = km_named_key(service_id, check);

	return km_table_get(a->checks, &key);
}

/* What one check says of the service as it is now. */
static enum km_health says(const struct km_attribute *a, const struct km_service *s,
                           const struct km_health_check *def, uint64_t now_ns)
{
	const struct km_check_state *c = km_attribute_check(a, s->id, def->name);
	bool young = s->state == KM_SERVICE_UP && now_ns < s->since_ns + def->grace_ns;

	if (!c || now_ns > c->until_ns)
		return KM_HEALTH_UNKNOWN;
	/* It was so before this start, or this start has not had its time yet. */
	if (c->health == KM_UNHEALTHY && young && c->good_ns < s->since_ns)
		return KM_HEALTH_UNKNOWN;
	if (c->health == KM_HEALTHY && s->state == KM_SERVICE_UP && c->t_ns < s->since_ns)
		return KM_HEALTH_UNKNOWN;
	return c->health;
}

static enum km_health together(const struct km_attribute *a, const struct km_service *s,
                               const struct km_service_def *def, uint64_t now_ns)
{
	enum km_health all = KM_HEALTH_UNKNOWN;
	bool own = false;

	if (s->state == KM_SERVICE_DOWN)
		return KM_HEALTH_UNKNOWN;
	for (size_t i = 0; i < def->check_count; i++) {
		enum km_health one;

		if (def->checks[i].aside)
			continue;
		one = says(a, s, &def->checks[i], now_ns);
		if (one == KM_UNHEALTHY)
			return KM_UNHEALTHY;
		all = own && one == KM_HEALTHY ? all : one;
		own = true;
	}
	return all;
}

static uint64_t left_s(uint64_t life_s, uint64_t used_s)
{
	return life_s > used_s ? life_s - used_s : 0;
}

/* The slowest answer, and the certificate that has used most of its life. */
static void worst_of(const struct km_attribute *a, struct km_service *s,
                     const struct km_service_def *def)
{
	s->latency_ns = 0;
	s->certificate_used_s = s->certificate_life_s = 0;
	for (size_t i = 0; i < def->check_count; i++) {
		const struct km_check_state *c = km_attribute_check(a, s->id, def->checks[i].name);

		if (!c || def->checks[i].aside)
			continue;
		if (c->latency_ns > s->latency_ns)
			s->latency_ns = c->latency_ns;
		if (c->life_s && (!s->certificate_life_s ||
		                  left_s(c->life_s, c->used_s) <
		                          left_s(s->certificate_life_s, s->certificate_used_s))) {
			s->certificate_used_s = c->used_s;
			s->certificate_life_s = c->life_s;
		}
	}
}

static enum km_event look(const struct km_attribute *a, struct km_service *s,
                          const struct km_service_def *def, uint64_t now_ns)
{
	enum km_health was = s->health, is = together(a, s, def, now_ns);

	if (is == was)
		return KM_EV_NONE;
	s->health = is;
	s->health_ns = now_ns;
	if (is == KM_UNHEALTHY)
		return KM_EV_UNHEALTHY;
	return is == KM_HEALTHY && was == KM_UNHEALTHY ? KM_EV_HEALTHY : KM_EV_NONE;
}

void km_health_result(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_raw_health *h = &s->health;
	const struct km_service_def *def =
		a->config ? km_config_service(a->config, h->service) : NULL;
	struct km_check_state *c = NULL;
	struct km_service_row *row;
	struct km_named_key key;

	row = def ? km_service_row(a, km_service_id(def->kind, def->name)) : NULL;
	for (size_t i = 0; row && i < def->check_count; i++)
		if (!strcmp(def->checks[i].name, h->check)) {
			key = km_named_key(row->pub.id, h->check);
			if (km_table_put(a->checks, &key, &c) < 0)
				km_attribute_misc(a)->refused++;
		}
	if (!c)
		return;
	c->health = h->health;
	c->t_ns = s->t_ns;
	c->until_ns = s->t_ns + h->believe_ns;
	if (h->health == KM_HEALTHY)
		c->good_ns = s->t_ns;
	c->latency_ns = h->latency_ns;
	c->used_s = h->used_s;
	c->life_s = h->life_s;
	memcpy(c->reason, h->reason, sizeof(c->reason));
	ret->service = &row->pub;
	ret->event = km_endpoint_checked(a, &row->pub, def, c, h->check);
	if (ret->event != KM_EV_NONE)
		return;
	worst_of(a, &row->pub, def);
	ret->event = look(a, &row->pub, def, s->t_ns);
}

/* What is not said again is not believed for ever; what is no longer defined is forgotten. */
void km_health_pass(struct km_attribute *a, uint64_t now_ns)
{
	struct km_check_state *c;
	uint32_t slot = 0;

	while ((c = km_table_next(a->checks, &slot))) {
		struct km_service_row *row = km_service_row(a, c->service_id);
		const struct km_service_def *def =
			row && a->config ? km_config_service(a->config, row->pub.name) : NULL;

		if (now_ns <= c->until_ns)
			continue;
		if (def)
			look(a, &row->pub, def, now_ns);
		km_table_drop(a->checks, c);
	}
}

/* A life began or ended: what was known was of another one. */
void km_health_begin(struct km_service *s, uint64_t now_ns)
{
	s->health = KM_HEALTH_UNKNOWN;
	s->health_ns = now_ns;
}

static bool valid(const void *row)
{
	const struct km_check_state *c = row;

	return c->service_id && c->health < KM_HEALTH_MAX &&
	       memchr(c->reason, 0, sizeof(c->reason));
}

int km_health_table_new(struct km_table **ret)
{
	static const struct km_table_opts opts = { .name = "checks",
		                                   .rows_max = KM_CHECKS_MAX,
		                                   .row_size = sizeof(struct km_check_state),
		                                   .key_size = sizeof(struct km_named_key),
		                                   .valid = valid };

	return km_table_new(&opts, ret);
}
