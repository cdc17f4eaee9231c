// SPDX-License-Identifier: Apache-2.0
/* Endpoints with standbys: how each of their places is, by the service's own connections and by
 * checks, and where the actor says that connections go.
 *
 * Connections that fail one after another, none accepted between them, speak for themselves. What
 * also happens where all is well (a segment sent again, a connection reset) only raises a doubt:
 * a check is asked for, and the two together decide. */
#include <arpa/inet.h>

#include "attribute/state.h"
#include "base/text.h"

/* In a row, none accepted between them: one or two are a restart that clients hardly notice. */
#define FAILURES_MIN 3
/* ... within: further apart they are no row. */
#define FAILURES_NS (10 * KM_NS_PER_S)
/* Nobody connects there any more, and nobody looks: it is not known how it is. */
#define FORGET_NS (600 * KM_NS_PER_S)
#define GOOD_NS   (30 * KM_NS_PER_S)
/* Doubts are not raised more often: each asks for a check. */
#define DOUBT_NS (200 * KM_NS_PER_MS)
/* Slow: so many times the usual time, and a time that somebody may notice; in so many looks one
 * after another. */
#define SLOW_TIMES  10
#define SLOW_NS     (20 * KM_NS_PER_MS)
#define SLOW_STREAK 3
/* ... and while the other places answer so many times faster, if they are looked at. */
#define OTHERS 4
/* Looks that make a usual time: the least of the first ones, which come while things start. Later
 * it falls quickly and rises slowly: what is usual is what it takes when nothing is in the way. */
#define USUAL_LOOKS 8
#define USUAL_FALLS 4
#define USUAL_RISES 32

const char *const km_place_health_names[KM_PLACE_MAX + 1] = {
	[KM_PLACE_UNKNOWN] = "unknown",
	[KM_PLACE_HEALTHY] = "healthy",
	[KM_PLACE_SLOW] = "slow",
	[KM_PLACE_UNHEALTHY] = "unhealthy",
};

const char *const km_traffic_names[KM_TRAFFIC_MAX + 1] = {
	[KM_TO_PRIMARY] = "primary",
	[KM_TO_BOTH] = "both",
	[KM_TO_STANDBY] = "standby",
};

static struct km_endpoint_state *find(const struct km_attribute *a, uint64_t service_id,
                                      const char *name)
{
	struct km_named_key key = km_named_key(service_id, name);

	return km_table_get(a->endpoints, &key);
}

const struct km_endpoint_state *km_attribute_endpoint(const struct km_attribute *a,
                                                      uint64_t service_id, const char *endpoint)
{
	return find(a, service_id, endpoint);
}

enum km_traffic km_endpoint_traffic(const struct km_endpoint_state *e)
{
	return !e->share ? KM_TO_PRIMARY : e->share < KMEND_SHARE_ALL ? KM_TO_BOTH : KM_TO_STANDBY;
}

uint32_t km_endpoint_choose(const struct km_endpoint_state *e, const struct km_endpoint *def)
{
	static const enum km_place_health wanted[] = { KM_PLACE_HEALTHY, KM_PLACE_UNKNOWN };

	for (size_t w = 0; w < KM_ARRAY_SIZE(wanted); w++)
		for (uint32_t i = 1; i < def->places; i++)
			if (e->place[i].health == wanted[w])
				return i;
	return 0;
}

static uint64_t hash_places(const struct km_endpoint *def)
{
	uint64_t hash = def->places;

	for (uint32_t i = 0; i < def->places; i++)
		hash = hash * 31 + km_hash(&def->place[i].address, sizeof(def->place[i].address));
	return hash;
}

static const struct km_service_def *def_of(const struct km_attribute *a, const struct km_service *s)
{
	return a->config && s->defined ? km_config_service(a->config, s->name) : NULL;
}

static enum km_place_health health_of(const struct km_place_state *p,
                                      const struct km_check_state *c, uint64_t now_ns)
{
	bool known = c && now_ns <= c->until_ns && c->health != KM_HEALTH_UNKNOWN;
	bool refuted = known && c->health == KM_HEALTHY && c->t_ns > p->failed_ns;

	if (p->failures >= FAILURES_MIN && !refuted && now_ns < p->failed_ns + FORGET_NS)
		return KM_PLACE_UNHEALTHY;
	if (known && c->health == KM_UNHEALTHY)
		return KM_PLACE_UNHEALTHY;
	if (known)
		return p->slow ? KM_PLACE_SLOW : KM_PLACE_HEALTHY;
	if (p->good_ns && !p->failures && now_ns < p->good_ns + GOOD_NS)
		return KM_PLACE_HEALTHY;
	return KM_PLACE_UNKNOWN;
}

/* True if it is otherwise than before. */
static bool settle(const struct km_attribute *a, const struct km_endpoint_state *e,
                   const struct km_endpoint_place *def, struct km_place_state *p, uint64_t now_ns)
{
	const struct km_check_state *c =
		def->check[0] ? km_attribute_check(a, e->service_id, def->check) : NULL;
	enum km_place_health is = health_of(p, c, now_ns);

	if (is == p->health)
		return false;
	p->health = is;
	p->health_ns = now_ns;
	return true;
}

/* True if a doubt was raised. */
static bool doubt(struct km_place_state *p, uint64_t now_ns)
{
	if (p->doubt_ns && now_ns < p->doubt_ns + DOUBT_NS)
		return false;
	p->doubt_ns = now_ns;
	return true;
}

static bool take_connects(struct km_place_state *p, const struct kmend_connects *c, uint64_t now_ns)
{
	uint64_t bad = (uint64_t)c->failed + c->unanswered;

	if (c->established) {
		p->good_ns = now_ns;
		p->failures = 0;
		p->failed_ns = 0;
	} else if (bad) {
		if (now_ns > p->failed_ns + FAILURES_NS)
			p->failures = 0;
		p->failures =
			p->failures + bad < UINT16_MAX ? p->failures + (uint32_t)bad : UINT16_MAX;
		p->failed_ns = now_ns;
	}
	return (bad || c->reset || c->retransmits) && doubt(p, now_ns);
}

static bool is_at(const struct kmend_address *a, const struct kmend_connects *c)
{
	struct kmend_address b = { .addr = { 0, 0, KMEND_MAPPED, 0 }, .port = htons(c->port) };

	if (c->family == AF_INET)
		memcpy(&b.addr[3], c->addr, sizeof(b.addr[3]));
	else
		memcpy(b.addr, c->addr, sizeof(b.addr));
	return memcmp(a, &b, sizeof(b)) == 0;
}

void km_endpoint_connects(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	struct km_service_row *row = km_cgroup_service(a, s->cgroup_id, false);
	const struct km_service_def *def = row ? def_of(a, &row->pub) : NULL;
	bool changed;

	ret->service = row ? &row->pub : NULL;
	for (size_t i = 0; def && i < def->endpoint_count; i++) {
		const struct km_endpoint *d = &def->endpoints[i];
		struct km_endpoint_state *e = find(a, row->pub.id, d->name);

		for (uint32_t k = 0; e && k < d->places; k++) {
			if (!is_at(&d->place[k].address, &s->connects))
				continue;
			changed = take_connects(&e->place[k], &s->connects, s->t_ns);
			if (settle(a, e, &d->place[k], &e->place[k], s->t_ns) || changed)
				ret->event = KM_EV_ENDPOINT;
		}
	}
}

/* Where others take about as long, it is the host that is slow, or who looks. */
static bool stands_out(const struct km_endpoint_state *e, const struct km_place_state *p,
                       uint64_t ns)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(e->place); i++)
		if (&e->place[i] != p && e->place[i].took_ns && e->place[i].took_ns > ns / OTHERS)
			return false;
	return true;
}

/* How long a check took that was answered, beside how long it usually does. */
static void take_latency(const struct km_endpoint_state *e, struct km_place_state *p, uint64_t ns)
{
	uint64_t bound = SLOW_TIMES * p->usual_ns > SLOW_NS ? SLOW_TIMES * p->usual_ns : SLOW_NS;
	bool slow = p->looks == USUAL_LOOKS && ns > bound && stands_out(e, p, ns);

	if (p->looks < USUAL_LOOKS && !p->looks++)
		p->usual_ns = ns;
	else if (ns < p->usual_ns)
		p->usual_ns -= (p->usual_ns - ns) / (p->looks < USUAL_LOOKS ? 1 : USUAL_FALLS);
	else if (p->looks == USUAL_LOOKS && ns <= bound && !p->slow)
		p->usual_ns += (ns - p->usual_ns) / USUAL_RISES;
	p->streak = slow == (p->slow != 0) ? 0 : p->streak + 1;
	if (p->streak < SLOW_STREAK)
		return;
	p->slow = !p->slow;
	p->streak = 0;
}

enum km_event km_endpoint_checked(struct km_attribute *a, struct km_service *s,
                                  const struct km_service_def *def,
                                  const struct km_check_state *check, const char *name)
{
	enum km_event event = KM_EV_NONE;

	for (size_t i = 0; i < def->endpoint_count; i++) {
		const struct km_endpoint *d = &def->endpoints[i];
		struct km_endpoint_state *e = find(a, s->id, d->name);

		for (uint32_t k = 0; e && k < d->places; k++) {
			if (strcmp(d->place[k].check, name) != 0)
				continue;
			e->place[k].took_ns = check->health == KM_HEALTHY ? check->latency_ns : 0;
			if (check->health == KM_HEALTHY)
				take_latency(e, &e->place[k], check->latency_ns);
			if (settle(a, e, &d->place[k], &e->place[k], check->t_ns))
				event = KM_EV_ENDPOINT;
		}
	}
	return event;
}

void km_endpoint_route(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	const struct km_raw_endpoint *r = &s->endpoint;
	struct km_service *service = km_attribute_service_by_name(a, r->service);
	struct km_endpoint_state *e = service ? find(a, service->id, r->endpoint) : NULL;
	bool same;

	if (!e)
		return;
	same = e->said && e->share == r->share && e->standby == r->standby &&
	       e->outlives == r->outlives;
	ret->service = service;
	if (same)
		return;
	e->share = r->share;
	e->standby = r->standby;
	e->outlives = r->outlives;
	e->said = 1;
	e->traffic_ns = s->t_ns;
	ret->event = KM_EV_ENDPOINT;
}

/* What nobody says again is not so for ever; the rules look right after. */
void km_endpoint_pass(struct km_attribute *a, uint64_t now_ns)
{
	struct km_endpoint_state *e;
	uint32_t slot = 0;

	while ((e = km_table_next(a->endpoints, &slot))) {
		const struct km_service_row *row = km_service_row(a, e->service_id);
		const struct km_service_def *def = row ? def_of(a, &row->pub) : NULL;

		for (size_t i = 0; def && i < def->endpoint_count; i++) {
			const struct km_endpoint *d = &def->endpoints[i];

			for (uint32_t k = 0; find(a, e->service_id, d->name) == e && k < d->places;
			     k++)
				settle(a, e, &d->place[k], &e->place[k], now_ns);
		}
	}
}

static bool is_defined(const struct km_attribute *a, const struct km_endpoint_state *e)
{
	const struct km_service_row *row = km_service_row(a, e->service_id);
	const struct km_service_def *def = row ? def_of(a, &row->pub) : NULL;

	for (size_t i = 0; def && i < def->endpoint_count; i++)
		if (find(a, e->service_id, def->endpoints[i].name) == e)
			return e->places_hash == hash_places(&def->endpoints[i]);
	return false;
}

static void add(struct km_attribute *a, const struct km_service_def *def, uint64_t now_ns)
{
	uint64_t id = km_service_id(def->kind, def->name);

	for (size_t i = 0; i < def->endpoint_count; i++) {
		struct km_named_key key = km_named_key(id, def->endpoints[i].name);
		struct km_endpoint_state *e;
		int r = km_table_put(a->endpoints, &key, &e);

		if (r < 0)
			km_attribute_misc(a)->refused++;
		if (r <= 0)
			continue;
		e->places_hash = hash_places(&def->endpoints[i]);
		e->traffic_ns = now_ns;
		for (uint32_t k = 0; k < def->endpoints[i].places; k++)
			e->place[k].health_ns = now_ns;
	}
}

void km_endpoint_configure(struct km_attribute *a, uint64_t now_ns)
{
	struct km_endpoint_state *e;
	uint32_t slot = 0;

	while ((e = km_table_next(a->endpoints, &slot)))
		if (!is_defined(a, e))
			km_table_drop(a->endpoints, e);
	for (size_t i = 0; a->config && i < a->config->service_count; i++)
		add(a, &a->config->services[i], now_ns);
}

static bool valid(const void *row)
{
	const struct km_endpoint_state *e = row;

	for (size_t i = 0; i < KM_ARRAY_SIZE(e->place); i++) {
		const struct km_place_state *p = &e->place[i];

		if (p->health >= KM_PLACE_MAX || p->looks > USUAL_LOOKS || p->slow > 1 ||
		    p->streak >= SLOW_STREAK || p->failures > UINT16_MAX || p->pad ||
		    p->usual_ns > (uint64_t)INT64_MAX / SLOW_TIMES)
			return false;
	}
	return e->service_id && e->share <= KMEND_SHARE_ALL && e->standby <= KM_STANDBYS_MAX &&
	       (e->share == 0) == (e->standby == 0) && e->outlives <= 1 && e->said <= 1;
}

int km_endpoint_table_new(struct km_table **ret)
{
	static const struct km_table_opts opts = { .name = "endpoints",
		                                   .rows_max = KM_ENDPOINT_ROWS_MAX,
		                                   .row_size = sizeof(struct km_endpoint_state),
		                                   .key_size = sizeof(struct km_named_key),
		                                   .valid = valid };

	return km_table_new(&opts, ret);
}
