// SPDX-License-Identifier: Apache-2.0
/* Typed members of an object, one table row each. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"

struct reading {
	const struct km_json *doc;
	const struct km_json_field *field;
	const cJSON *node;
	void *place;
	struct km_error *err;
};

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_unit(const char *s, const struct unit *units, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
			return -EINVAL;
	for (; units->name; units++)
		if (!strcmp(s, units->name))
			break;
	/* UINT64_MAX itself is KM_UNKNOWN and never a value. */
	if (!units->name || __builtin_mul_overflow(v, units->factor, &v) || v == KM_UNKNOWN)
		return -EINVAL;
	*ret = v;
	return 0;
}

int km_parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "ns", 1 },
		{ "us", KM_NS_PER_US },
		{ "ms", KM_NS_PER_MS },
		{ "s", KM_NS_PER_S },
		{ "m", 60 * KM_NS_PER_S },
		{ "h", 3600 * KM_NS_PER_S },
		{ "d", 86400 * KM_NS_PER_S },
		{ NULL, 0 },
	};

	return parse_unit(s, units, ret_ns);
}

int km_parse_bytes(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "KiB", 1ULL << 10 },
		{ "MiB", 1ULL << 20 },
		{ "GiB", 1ULL << 30 },
		{ "TiB", 1ULL << 40 },
		{ NULL, 0 },
	};

	return parse_unit(s, units, ret);
}

static int wrong(const struct reading *r, const char *remedy, const char *wanted)
{
	return km_json_fail(r->doc, r->node, r->err, remedy, "\"%s\" must be %s", r->field->key,
	                    wanted);
}

static int out_of_range(const struct reading *r, const char *min, const char *max)
{
	if (r->field->max == 0)
		return km_json_fail(r->doc, r->node, r->err, NULL, "\"%s\" must be at least %s",
		                    r->field->key, min);
	return km_json_fail(r->doc, r->node, r->err, NULL, "\"%s\" must be from %s to %s",
	                    r->field->key, min, max);
}

static bool in_range(const struct km_json_field *f, uint64_t v)
{
	return v >= f->min && (f->max == 0 || v <= f->max);
}

static int read_string(const struct reading *r)
{
	if (!cJSON_IsString(r->node))
		return wrong(r, NULL, "a string");
	if (strlen(r->node->valuestring) >= r->field->size)
		return km_json_fail(r->doc, r->node, r->err, "shorten it",
		                    "\"%s\" is longer than %zu bytes", r->field->key,
		                    r->field->size - 1);
	/* The rest of the array too: records made from it are compared and hashed whole. */
	memset(r->place, 0, r->field->size);
	memcpy(r->place, r->node->valuestring, strlen(r->node->valuestring));
	return 0;
}

static int read_bool(const struct reading *r)
{
	bool v = cJSON_IsTrue(r->node);

	if (!cJSON_IsBool(r->node))
		return wrong(r, NULL, "true or false");
	memcpy(r->place, &v, sizeof(v));
	return 0;
}

static int read_count(const struct reading *r)
{
	double v = r->node->valuedouble;
	char min[32], max[32];
	uint64_t n;

	if (!cJSON_IsNumber(r->node) || v < 0 || v > 0x1p53 || v != floor(v))
		return wrong(r, NULL, "a whole number from 0 to 2^53, without quotes");
	n = (uint64_t)v;
	if (!in_range(r->field, n)) {
		snprintf(min, sizeof(min), "%" PRIu64, r->field->min);
		snprintf(max, sizeof(max), "%" PRIu64, r->field->max);
		return out_of_range(r, min, max);
	}
	memcpy(r->place, &n, sizeof(n));
	return 0;
}

static int read_duration(const struct reading *r)
{
	char min[32], max[32];
	uint64_t v;

	if (!cJSON_IsString(r->node) || km_parse_duration(r->node->valuestring, &v) < 0)
		return wrong(r, "write \"250ms\", \"30s\", \"5m\", \"2h\" or \"1d\"",
		             "a whole number and a unit of time in one string");
	if (!in_range(r->field, v))
		return out_of_range(r, km_text_duration(r->field->min, min, sizeof(min)),
		                    km_text_duration(r->field->max, max, sizeof(max)));
	memcpy(r->place, &v, sizeof(v));
	return 0;
}

static int read_bytes(const struct reading *r)
{
	char min[32], max[32];
	uint64_t v;

	if (!cJSON_IsString(r->node) || km_parse_bytes(r->node->valuestring, &v) < 0)
		return wrong(r, "write \"512B\", \"64KiB\", \"512MiB\" or \"2GiB\"",
		             "a whole number and a unit of bytes in one string");
	if (!in_range(r->field, v))
		return out_of_range(r, km_text_bytes(r->field->min, min, sizeof(min)),
		                    km_text_bytes(r->field->max, max, sizeof(max)));
	memcpy(r->place, &v, sizeof(v));
	return 0;
}

/* "12.5%": digits, perhaps a point and digits, the sign. */
static bool parse_percent(const char *s, double *ret)
{
	size_t whole = strspn(s, "0123456789"), fraction = 0;
	const char *p = s + whole;

	if (*p == '.') {
		fraction = strspn(++p, "0123456789");
		p += fraction;
		if (fraction == 0)
			return false;
	}
	if (whole == 0 || strcmp(p, "%"))
		return false;
	*ret = strtod(s, NULL) / 100;
	return true;
}

int km_parse_share(const cJSON *node, double *ret)
{
	double v = node->valuedouble;
	bool good = cJSON_IsNumber(node) ||
	            (cJSON_IsString(node) && parse_percent(node->valuestring, &v));

	if (!good || v < 0 || v > 1)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int read_share(const struct reading *r)
{
	double v;

	if (km_parse_share(r->node, &v) < 0)
		return wrong(r, NULL, "a share: \"5%\", or a number from 0 to 1");
	memcpy(r->place, &v, sizeof(v));
	return 0;
}

const char *km_json_names(const char *const *names, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (; *names && used < size; names++)
		used += snprintf(out + used, size - used, "%s%s", used ? ", " : "one of: ", *names);
	return out;
}

static const char *remedy_for(const char *s, const char *const *names, char *out, size_t size)
{
	const char *nearest = km_text_nearest(s, names);

	if (!nearest)
		return km_json_names(names, out, size);
	snprintf(out, size, "did you mean \"%s\"?", nearest);
	return out;
}

static int read_enum(const struct reading *r)
{
	char remedy[sizeof(r->err->remedy)];
	int i;

	if (!cJSON_IsString(r->node))
		return wrong(r, km_json_names(r->field->names, remedy, sizeof(remedy)), "a string");
	for (i = 0; r->field->names[i]; i++) {
		if (strcmp(r->node->valuestring, r->field->names[i]) != 0)
			continue;
		memcpy(r->place, &i, sizeof(i));
		return 0;
	}
	remedy_for(r->node->valuestring, r->field->names, remedy, sizeof(remedy));
	return km_json_fail(r->doc, r->node, r->err, remedy, "\"%s\" has no value \"%.100s\"",
	                    r->field->key, r->node->valuestring);
}

static int read_node(const struct reading *r)
{
	if (r->field->kind == KM_JSON_OBJECT && !cJSON_IsObject(r->node))
		return wrong(r, NULL, "an object");
	if (r->field->kind == KM_JSON_ARRAY && !cJSON_IsArray(r->node))
		return wrong(r, NULL, "an array");
	memcpy(r->place, &r->node, sizeof(r->node));
	return 0;
}

static int (*const readers[])(const struct reading *r) = {
	[KM_JSON_STRING] = read_string, [KM_JSON_BOOL] = read_bool,
	[KM_JSON_COUNT] = read_count,   [KM_JSON_DURATION] = read_duration,
	[KM_JSON_BYTES] = read_bytes,   [KM_JSON_SHARE] = read_share,
	[KM_JSON_ENUM] = read_enum,     [KM_JSON_NODE] = read_node,
	[KM_JSON_OBJECT] = read_node,   [KM_JSON_ARRAY] = read_node,
};

/* An object of the configuration language has fewer keys than this by far. */
#define FIELDS_MAX 64

static int unknown_key(const struct km_json *doc, const cJSON *node,
                       const struct km_json_field *fields, struct km_error *err)
{
	const char *names[FIELDS_MAX + 1] = { NULL };
	char remedy[sizeof(err->remedy)];
	size_t i;

	for (i = 0; i < FIELDS_MAX && fields[i].key; i++)
		names[i] = fields[i].key;
	remedy_for(node->string, names, remedy, sizeof(remedy));
	return km_json_fail(doc, node, err, remedy, "unknown key \"%.100s\"", node->string);
}

static const struct km_json_field *find_field(const struct km_json_field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

static bool has_key(const cJSON *obj, const char *key)
{
	const cJSON *child;

	for (child = obj->child; child; child = child->next)
		if (!strcmp(child->string, key))
			return true;
	return false;
}

int km_json_read_one(const struct km_json *doc, const cJSON *node,
                     const struct km_json_field *field, void *base, struct km_error *err)
{
	const struct reading r = { .doc = doc,
		                   .field = field,
		                   .node = node,
		                   .place = (char *)base + field->offset,
		                   .err = err };

	return readers[field->kind](&r);
}

int km_json_read(const struct km_json *doc, const cJSON *obj, const struct km_json_field *fields,
                 void *base, struct km_error *err)
{
	const struct km_json_field *f;
	const cJSON *node;
	int rc;

	if (!cJSON_IsObject(obj))
		return km_json_fail(doc, obj, err, "write { ... }", "an object is expected here");
	for (node = obj->child; node; node = node->next) {
		f = find_field(fields, node->string);
		if (!f)
			return unknown_key(doc, node, fields, err);
		rc = km_json_read_one(doc, node, f, base, err);
		if (rc < 0)
			return rc;
	}
	for (f = fields; f->key; f++)
		if (f->required && !has_key(obj, f->key))
			return km_json_fail(doc, obj, err, "add it",
			                    "required key \"%s\" is missing", f->key);
	return 0;
}
