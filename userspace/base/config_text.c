// SPDX-License-Identifier: Apache-2.0
/* What names, paths and lists of strings of the configuration must be like. */
#include <ctype.h>
#include <stdio.h>

#include "base/config_read.h"

const char *km_config_name_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@:-";

	if (!*s)
		return "must not be empty";
	if (s[strspn(s, allowed)])
		return "may have letters, digits and . _ @ : - only";
	if (*s == '.' || *s == '-')
		return "must not begin with . or -";
	return NULL;
}

/* One spelling for one place: paths are compared as text. */
const char *km_config_path_fault(const char *s)
{
	const char *p;

	if (*s != '/')
		return "must be an absolute path";
	for (p = s; *p; p++)
		if (iscntrl((unsigned char)*p))
			return "must not have control characters";
	for (p = s; *p; p += 1 + strcspn(p + 1, "/")) {
		size_t len = strcspn(p + 1, "/");

		if ((len == 0 && s[1]) || (len == 1 && p[1] == '.') ||
		    (len == 2 && p[1] == '.' && p[2] == '.'))
			return "must be written without //, /./, /../ and / at the end";
	}
	return NULL;
}

const char *km_config_program_fault(const char *s)
{
	return strcmp(s, "/") ? km_config_path_fault(s) : "must not be / itself";
}

static const char *unit_fault(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@:-\\";
	const char *suffix = strrchr(s, '.');

	if (!suffix || (strcmp(suffix, ".service") && strcmp(suffix, ".scope")) || suffix == s)
		return "must be a whole unit name that ends in .service or .scope";
	return s[strspn(s, allowed)] ? "is not a unit name" : NULL;
}

static const char *container_fault(const char *s)
{
	size_t len = strlen(s);

	if (len < 12 || len > 64 || s[strspn(s, "0123456789abcdef")])
		return "must be 12 to 64 hexadecimal digits in lower case";
	return NULL;
}

const char *km_config_user_fault(const char *s)
{
	return !*s || strchr(s, ':') ? "must be a user's name" : km_config_name_fault(s);
}

static const char *(*const match_faults[KM_BY_COMMAND])(const char *s) = {
	[KM_BY_UNIT] = unit_fault,
	[KM_BY_CGROUP] = km_config_program_fault,
	[KM_BY_CONTAINER] = container_fault,
	[KM_BY_EXECUTABLE] = km_config_program_fault,
	[KM_BY_PIDFILE] = km_config_program_fault,
};

const char *km_config_match_fault(enum km_service_kind kind, const char *s)
{
	return match_faults[kind](s);
}

int km_config_put_number(char *text, size_t size, unsigned int number)
{
	char digits[12], *at;
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%u", number);

	while ((at = strstr(text, "%i"))) {
		if (strlen(text) - 2 + n >= size)
			return -ENAMETOOLONG;
		memmove(at + n, at + 2, strlen(at + 2) + 1);
		memcpy(at, digits, n);
	}
	return 0;
}

int km_config_check_text(const struct km_config_reader *c, const cJSON *obj, const char *key,
                         const char *(*fault)(const char *s))
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, key);
	char text[KM_PATH_MAX];
	const char *what;

	if (!node)
		return 0;
	km_copy(text, sizeof(text), node->valuestring);
	km_config_put_number(text, sizeof(text), c->number);
	what = fault(text);
	return what ? km_json_fail(c->doc, node, c->err, NULL, "\"%s\" %s", key, what) : 0;
}

char **km_config_free_strings(char **s)
{
	for (char **p = s; p && *p; p++)
		free(*p);
	free(s);
	return NULL;
}

int km_config_read_strings(const struct km_config_reader *c, const cJSON *list,
                           const struct km_config_strings *s, char ***ret)
{
	int count = cJSON_GetArraySize(list);
	const cJSON *item;
	char **to;

	if (count < 1 || count > s->count_max)
		return km_json_fail(c->doc, list, c->err, NULL, "\"%s\" must have 1 to %d strings",
		                    s->key, s->count_max);
	to = *ret = calloc((size_t)count + 1, sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (item = list->child; item; item = item->next, to++) {
		if (!cJSON_IsString(item))
			return km_json_fail(c->doc, item, c->err, "put it in quotes",
			                    "%s must be a string", s->what);
		if (strlen(item->valuestring) >= s->size)
			return km_json_fail(c->doc, item, c->err, NULL, "%s of more than %zu bytes",
			                    s->what, s->size - 1);
		*to = strdup(item->valuestring);
		if (!*to)
			return -ENOMEM;
	}
	return 0;
}
