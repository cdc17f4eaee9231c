// SPDX-License-Identifier: Apache-2.0
/* Lists of strings in a rule: globs of services, references. */
#include "match/compile.h"

char **km_compile_free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
	return NULL;
}

/* As a JSON schema counts them; bytes that continue a character do not count. */
size_t km_compile_characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static int one_string(struct km_compile *c, const cJSON *node, const char *what, char **list)
{
	if (!cJSON_IsString(node))
		return km_json_fail(c->doc, node, c->err, "write it in double quotes",
		                    "each %s must be a string", what);
	if (!node->valuestring[0])
		return km_json_fail(c->doc, node, c->err, "remove it or fill it in",
		                    "a %s is empty", what);
	if (km_compile_characters(node->valuestring) >= KM_NAME_MAX)
		return km_json_fail(c->doc, node, c->err, NULL, "a %s is longer than %d characters",
		                    what, KM_NAME_MAX - 1);
	for (; *list; list++)
		if (!strcmp(*list, node->valuestring))
			return km_json_fail(c->doc, node, c->err, "remove one of the two",
			                    "a %s appears twice", what);
	*list = strdup(node->valuestring);
	return *list ? 0 : -ENOMEM;
}

int km_compile_strings(struct km_compile *c, const cJSON *array, size_t max, const char *what,
                       char ***ret)
{
	km_autofree(km_compile_free_stringsp) char **list = NULL;
	const cJSON *node;
	size_t n = (size_t)cJSON_GetArraySize(array);

	if (!n)
		return km_json_fail(c->doc, array, c->err, "name at least one", "no %s is given",
		                    what);
	if (n > max)
		return km_json_fail(c->doc, array, c->err, "split the rule in two",
		                    "%zu times a %s, at most %zu are taken", n, what, max);
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	cJSON_ArrayForEach(node, array)
	{
		int r = one_string(c, node, what, list);

		if (r < 0)
			return r;
	}
	*ret = km_take(list);
	return 0;
}
