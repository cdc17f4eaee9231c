// SPDX-License-Identifier: Apache-2.0
/* "endpoints" of a service: what it connects to, and where else that can be had. A health check
 * that talks to the primary is made once more for each standby. */
#include <stdio.h>

#include "base/config_read.h"
#include "base/peer.h"
#include "base/text.h"
#include "base/verb.h"

/* A name with "#4" behind it is still one. */
#define CHECK_NAME_MAX 60
_Static_assert(CHECK_NAME_MAX + 3 <= KM_CHECK_NAME_MAX && KM_STANDBYS_MAX <= 7, "it fits");

struct endpoint_text {
	char name[KM_ENDPOINT_NAME_MAX];
	char primary[KM_PEER_TEXT];
	char check[KM_CHECK_NAME_MAX];
	const cJSON *standbys;
};

#define AT(member) offsetof(struct endpoint_text, member)

static const struct km_json_field endpoint_fields[] = {
	{ "name", KM_JSON_STRING, true, .offset = AT(name), .size = KM_ENDPOINT_NAME_MAX },
	{ "primary", KM_JSON_STRING, true, .offset = AT(primary), .size = KM_PEER_TEXT },
	{ "check", KM_JSON_STRING, .offset = AT(check), .size = KM_CHECK_NAME_MAX },
	{ "standbys", KM_JSON_ARRAY, true, .offset = AT(standbys) },
	{ .key = NULL },
};

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int read_address(const struct km_config_reader *c, const cJSON *node, const char *text,
                        struct kmend_address *ret)
{
	if (km_peer_parse(text, ret) == 0)
		return 0;
	return km_json_fail(c->doc, node, c->err,
	                    "like \"10.0.0.5:5432\" or \"[2001:db8::1]:5432\", no names",
	                    "\"%s\" is no address with a port", text);
}

static bool same(const struct kmend_address *a, const struct kmend_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* One more standby; it must be reachable by the same kind of socket, and be another one. */
static int add_standby(const struct km_config_reader *c, const cJSON *node, const char *text,
                       struct km_endpoint *e)
{
	struct kmend_address *a = &e->place[e->places].address;
	int r = read_address(c, node, text, a);

	if (r < 0)
		return r;
	if (km_peer_is_v4(a) != km_peer_is_v4(&e->place[0].address))
		return km_json_fail(c->doc, node, c->err,
		                    "a socket cannot change from IPv4 to IPv6 or back",
		                    "\"%s\" is not of the primary's kind", text);
	for (uint32_t i = 0; i < e->places; i++)
		if (same(a, &e->place[i].address))
			return km_json_fail(c->doc, node, c->err, NULL, "\"%s\" is there already",
			                    text);
	e->places++;
	return 0;
}

static int read_standbys(const struct km_config_reader *c, const cJSON *list, struct km_endpoint *e)
{
	static const struct km_config_strings addresses = { "standbys", "an address",
		                                            KM_STANDBYS_MAX, KM_PEER_TEXT };
	char **texts = NULL;
	const cJSON *node = list->child;
	int r = km_config_read_strings(c, list, &addresses, &texts);

	for (char **t = texts; r == 0 && *t; t++, node = node->next)
		r = add_standby(c, node, *t, e);
	km_config_free_strings(texts);
	return r;
}

/* Two routes from one address would be one. */
static int check_double(const struct km_config_reader *c, const cJSON *obj,
                        const struct km_service_def *def, const struct km_endpoint *self)
{
	for (size_t i = 0; i < def->endpoint_count; i++) {
		const struct km_endpoint *e = &def->endpoints[i];

		if (strcmp(e->name, self->name) == 0)
			return km_json_fail(c->doc, obj, c->err, NULL,
			                    "two endpoints are called \"%s\"", e->name);
		if (same(&e->place[0].address, &self->place[0].address))
			return km_json_fail(c->doc, obj, c->err, NULL,
			                    "\"%s\" has the same primary as \"%s\"", self->name,
			                    e->name);
	}
	return 0;
}

/* What in CHECK says whom it connects to, if that is an address. */
static char **target_of(struct km_health_check *check)
{
	switch (check->kind) {
	case KM_CHECK_TCP:
	case KM_CHECK_UDP:
	case KM_CHECK_REDIS:
	case KM_CHECK_POSTGRES:
	case KM_CHECK_DNS:
		return &check->target;
	case KM_CHECK_HTTP:
		return &check->address;
	default:
		return NULL;
	}
}

static int copy_text(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return from && !*ret ? -ENOMEM : 0;
}

/* FROM once more, of the place at TO. */
static int copy_check(const struct km_health_check *from, const struct kmend_address *to,
                      struct km_health_check *ret)
{
	char text[KM_PEER_TEXT], **target;
	int r;

	*ret = *from;
	ret->target = ret->address = ret->body = ret->send = NULL;
	r = copy_text(from->target, &ret->target);
	if (r == 0)
		r = copy_text(from->body, &ret->body);
	if (r == 0)
		r = copy_text(from->send, &ret->send);
	target = target_of(ret);
	free(*target);
	km_peer_text(to, text);
	return copy_text(text, target) ?: r;
}

static struct km_health_check *find_check(const struct km_service_def *def, const char *name)
{
	for (size_t i = 0; i < def->check_count; i++)
		if (strcmp(def->checks[i].name, name) == 0)
			return &def->checks[i];
	return NULL;
}

/* A check that talks to the primary's address can talk to the standbys as well. */
static int add_checks(struct km_service_def *def, struct km_endpoint *e)
{
	const char *name = e->place[0].check;
	struct km_health_check *first = find_check(def, name), *more;
	char **target = target_of(first);
	struct kmend_address at;

	if (!target || !*target || km_peer_parse(*target, &at) < 0 ||
	    !same(&at, &e->place[0].address))
		return 0;
	more = reallocarray(def->checks, def->check_count + e->places, sizeof(*more));
	if (!more)
		return -ENOMEM;
	def->checks = more;
	for (uint32_t i = 1; i < e->places; i++) {
		struct km_health_check *check = &more[def->check_count++];
		int r = copy_check(find_check(def, name), &e->place[i].address, check);

		if (r < 0)
			return r;
		snprintf(check->name, sizeof(check->name), "%.60s#%u", name, i & 7);
		km_copy(e->place[i].check, sizeof(e->place[i].check), check->name);
	}
	return 0;
}

/* The check speaks about the primary from now on, not about the service. */
static int link_check(const struct km_config_reader *c, const cJSON *node,
                      struct km_service_def *def, struct km_endpoint *e)
{
	struct km_health_check *check = find_check(def, e->place[0].check);

	if (!check || check->kind == KM_CHECK_WATCHDOG)
		return km_json_fail(c->doc, node, c->err,
		                    "define it in the service's \"health\"; a watchdog will not do",
		                    "no check \"%s\" of this service can look at a primary",
		                    e->place[0].check);
	if (check->aside)
		return km_json_fail(c->doc, node, c->err, "write one for each endpoint",
		                    "the check \"%s\" looks at another endpoint", check->name);
	if (strlen(check->name) > CHECK_NAME_MAX)
		return km_json_fail(c->doc, node, c->err, NULL,
		                    "the name of an endpoint's check has %d characters at most",
		                    CHECK_NAME_MAX);
	check->aside = true;
	return add_checks(def, e);
}

/* Steps of rules name it. */
static const char *name_fault(const char *s)
{
	return km_verb_is_object(s) ? NULL : "may have letters, digits, . _ and - only";
}

static int read_endpoint(const struct km_config_reader *c, const cJSON *obj,
                         struct km_service_def *def)
{
	struct km_endpoint *e = &def->endpoints[def->endpoint_count];
	struct endpoint_text t = { 0 };
	int r;

	if (!cJSON_IsObject(obj))
		return km_json_fail(c->doc, obj, c->err, NULL, "an endpoint is an object");
	r = km_json_read(c->doc, obj, endpoint_fields, &t, c->err);
	if (r == 0)
		r = km_config_check_text(c, obj, "name", name_fault);
	if (r == 0)
		r = read_address(c, member(obj, "primary"), t.primary, &e->place[0].address);
	if (r < 0)
		return r;
	e->places = 1;
	km_copy(e->name, sizeof(e->name), t.name);
	km_copy(e->place[0].check, sizeof(e->place[0].check), t.check);
	r = read_standbys(c, t.standbys, e);
	if (r == 0)
		r = check_double(c, obj, def, e);
	if (r == 0 && t.check[0])
		r = link_check(c, member(obj, "check"), def, e);
	if (r == 0)
		def->endpoint_count++;
	return r;
}

int km_config_read_endpoints(const struct km_config_reader *c, const cJSON *list,
                             struct km_service_def *def)
{
	int count = cJSON_GetArraySize(list), r = 0;
	const cJSON *obj;

	if (count < 1 || count > KM_ENDPOINTS_MAX)
		return km_json_fail(c->doc, list, c->err, NULL, "1 to %d endpoints, here are %d",
		                    KM_ENDPOINTS_MAX, count);
	def->endpoints = calloc((size_t)count, sizeof(*def->endpoints));
	if (!def->endpoints)
		return -ENOMEM;
	for (obj = list->child; obj && r == 0; obj = obj->next)
		r = read_endpoint(c, obj, def);
	return r;
}

const struct km_endpoint *km_config_endpoint(const struct km_service_def *d, const char *name)
{
	for (size_t i = 0; i < d->endpoint_count; i++)
		if (strcmp(d->endpoints[i].name, name) == 0)
			return &d->endpoints[i];
	return NULL;
}
