// SPDX-License-Identifier: Apache-2.0
/* Whose a cgroup path is. The deepest component that belongs to a service decides; where a
 * definition and a discovery name the same component, the definition does. */
#include "attribute/state.h"
#include "base/text.h"

#define CONTAINER_ID     64
#define CONTAINER_ID_MIN 12 /* also what is shown of it, as container engines do */
#define UUID_LEN         36

uint64_t km_service_id(uint32_t kind, const char *name)
{
	uint64_t id = km_hash(name, strlen(name)) ^ (0x9e3779b97f4a7c15ULL * (kind + 1));

	return id ? id : 1;
}

/* Records keep the last bytes of a long path: so does what they are compared with. */
uint64_t km_path_hash(const char *path)
{
	size_t len = strlen(path);

	if (len > KMEND_PATH_LEN - 1)
		path += len - (KMEND_PATH_LEN - 1);
	len = strlen(path);
	return len ? km_hash(path, len) : 0;
}

static size_t hex_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && ((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'f')))
		n++;
	return n;
}

static bool has_prefix(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && !memcmp(s, prefix, n);
}

static bool has_suffix(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && !memcmp(s + len - n, suffix, n);
}

/* Id of the container whose cgroup component S is, NULL: none. Podman's and CRI-O's monitors have
 * scopes of their own ("libpod-conmon-..."), which are no containers. */
static const char *container_id(const char *s, size_t len, size_t *ret_len)
{
	static const char *const prefixes[] = { "docker-", "libpod-", "cri-containerd-", "crio-" };

	if (len == CONTAINER_ID && hex_run(s, len) == len) {
		*ret_len = len;
		return s;
	}
	if (!has_suffix(s, len, ".scope"))
		return NULL;
	for (size_t i = 0; i < KM_ARRAY_SIZE(prefixes); i++) {
		size_t skip = strlen(prefixes[i]), n;

		if (!has_prefix(s, len, prefixes[i]))
			continue;
		n = hex_run(s + skip, len - skip);
		if (n < CONTAINER_ID_MIN || n + skip + strlen(".scope") != len)
			return NULL;
		*ret_len = n;
		return s + skip;
	}
	return NULL;
}

/* "pod<uid>", below kubepods only, also as the end of a slice's name. */
static const char *pod_uid(const char *s, size_t len)
{
	size_t tail = UUID_LEN + strlen("pod") + strlen(".slice");

	if (len == UUID_LEN + strlen("pod") && has_prefix(s, len, "pod"))
		return s;
	if (len <= tail || !has_prefix(s, len, "kubepods") || !has_suffix(s, len, ".slice"))
		return NULL;
	return memcmp(s + len - tail, "pod", 3) ? NULL : s + len - tail;
}

static void set_owner(struct km_owner *o, enum km_service_kind kind, const char *name, size_t len)
{
	if (len > sizeof(o->name) - 1)
		len = sizeof(o->name) - 1;
	memset(o, 0, sizeof(*o));
	memcpy(o->name, name, len);
	o->kind = kind;
	o->id = km_service_id(o->kind, o->name);
}

/* What one component is by its looks; *RET stays as it is if it is nothing. */
static void discover(const char *s, size_t len, bool kubernetes, struct km_owner *ret)
{
	size_t id_len;
	const char *id = container_id(s, len, &id_len);

	if (id) {
		set_owner(ret, KM_BY_CONTAINER, id, CONTAINER_ID_MIN);
		return;
	}
	id = kubernetes ? pod_uid(s, len) : NULL;
	if (id)
		set_owner(ret, KM_BY_CONTAINER, id, UUID_LEN + strlen("pod"));
	else if (has_suffix(s, len, ".service"))
		set_owner(ret, KM_BY_UNIT, s, len);
}

/* Whether the component S, which ends at PATH + END, is D's. */
static bool defined_here(const struct km_service_def *d, const char *path, const char *s,
                         size_t end)
{
	size_t len = end - (size_t)(s - path), n;
	const char *id;

	switch (d->kind) {
	case KM_BY_UNIT:
		return strlen(d->match) == len && !memcmp(d->match, s, len);
	case KM_BY_CGROUP:
		return strlen(d->match) == end && !memcmp(d->match, path, end);
	case KM_BY_CONTAINER:
		id = container_id(s, len, &n);
		return id && strlen(d->match) <= n && !memcmp(d->match, id, strlen(d->match));
	default:
		break;
	}
	return false;
}

static bool define(const struct km_config *c, const char *path, const char *s, size_t end,
                   struct km_owner *ret)
{
	for (size_t i = 0; c && i < c->service_count; i++) {
		const struct km_service_def *d = &c->services[i];

		if (!defined_here(d, path, s, end))
			continue;
		set_owner(ret, d->kind, d->name, strlen(d->name));
		ret->defined = 1;
		return true;
	}
	return false;
}

void km_resolve_path(const struct km_config *c, const char *path, struct km_owner *ret)
{
	bool kubernetes = strstr(path, "kubepods") != NULL;
	const char *s = path;

	memset(ret, 0, sizeof(*ret));
	while (*s == '/') {
		size_t len = strcspn(++s, "/");

		if (len > 0 && !define(c, path, s, (size_t)(s - path) + len, ret))
			discover(s, len, kubernetes, ret);
		s += len;
	}
}
