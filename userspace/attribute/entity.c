// SPDX-License-Identifier: Apache-2.0
/* What is measured and is no service: hosts, filesystems, devices, endpoints. */
#include <stdio.h>

#include "attribute/state.h"

static struct km_service *other(struct km_attribute *a, enum km_entity e, const char *name,
                                uint64_t now_ns)
{
	struct km_attribute_misc *m = km_attribute_misc(a);
	struct km_owner o = { .kind = KM_BY_COMMAND + e };
	struct km_service_row *s;

	km_copy(o.name, sizeof(o.name), name);
	o.id = km_service_id(o.kind, o.name);
	s = km_service_row(a, o.id);
	if (!s && m->others >= KM_OTHERS_MAX) {
		m->refused++;
		return NULL;
	}
	if (!s) {
		s = km_service_make(a, &o, now_ns);
		m->others += s != NULL;
	}
	if (!s)
		return NULL;
	s->pub.state = KM_SERVICE_UP;
	s->seen_ns = now_ns;
	return &s->pub;
}

/* What is too long for a name is not followed: half a name would be another one's. */
static struct km_service *named(struct km_attribute *a, const struct km_signal *s,
                                const char *prefix)
{
	const struct km_raw_value *v = s->value;
	char text[2 * KM_NAME_MAX], name[KM_NAME_MAX];

	snprintf(text, sizeof(text), "%s%.*s", prefix, (int)v->len, v->name);
	if (!km_copy(name, sizeof(name), text)) {
		km_attribute_misc(a)->refused++;
		return NULL;
	}
	return other(a, v->entity, name, s->t_ns);
}

/* Only a service has endpoints: what others connect to is nobody's dependency. */
static struct km_service *endpoint(struct km_attribute *a, const struct km_signal *s)
{
	struct km_service_row *whose = km_cgroup_service(a, s->cgroup_id, false);
	char prefix[KM_NAME_MAX + 1];

	if (!whose)
		return NULL;
	snprintf(prefix, sizeof(prefix), "%s>", whose->pub.name);
	return named(a, s, prefix);
}

void km_entity_value(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	struct km_service_row *row;

	switch ((enum km_entity)s->value->entity) {
	case KM_ENTITY_SERVICE:
		row = km_cgroup_service(a, s->cgroup_id, false);
		ret->service = row ? &row->pub : NULL;
		break;
	case KM_ENTITY_ENDPOINT:
		ret->service = endpoint(a, s);
		break;
	case KM_ENTITY_DEVICE:
		ret->service = named(a, s, "dev:");
		break;
	case KM_ENTITY_FILESYSTEM:
		ret->service = named(a, s, "fs:");
		break;
	case KM_ENTITY_HOST:
		km_entity_host(a, s, ret);
		break;
	case KM_ENTITY_MAX:
		break;
	}
}

uint64_t km_attribute_host_id(void)
{
	return km_service_id(KM_BY_COMMAND + KM_ENTITY_HOST, "host");
}

void km_entity_host(struct km_attribute *a, const struct km_signal *s, struct km_subject *ret)
{
	ret->service = other(a, KM_ENTITY_HOST, "host", s->t_ns);
}
