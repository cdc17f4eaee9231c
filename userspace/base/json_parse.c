// SPDX-License-Identifier: Apache-2.0
/* The document: cJSON's tree, made only after the check, and where each node came from. */
#include <stdarg.h>
#include <stdio.h>

#include "base/json_check.h"
#include "base/text.h"

struct node_place {
	const cJSON *node;
	struct km_json_place place;
};

struct km_json {
	cJSON *root;
	struct node_place *nodes; /* sorted by address */
	size_t count;
	char file[KM_PATH_MAX];
};

struct km_json *km_json_free(struct km_json *doc)
{
	if (!doc)
		return NULL;
	cJSON_Delete(doc->root);
	free(doc->nodes);
	free(doc);
	return NULL;
}

const cJSON *km_json_root(const struct km_json *doc)
{
	return doc->root;
}

/* Both sides go through the document in the order in which values open, so the Nth node is at the
 * Nth place. False if the counts differ: then cJSON read something else than was checked. */
static bool pair(struct km_json *doc, const cJSON *node, const struct km_json_places *places)
{
	for (; node; node = node->next) {
		if (doc->count >= places->count)
			return false;
		doc->nodes[doc->count].node = node;
		doc->nodes[doc->count].place = places->at[doc->count];
		doc->count++;
		if (node->child && !pair(doc, node->child, places))
			return false;
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct node_place *)a)->node;
	uintptr_t y = (uintptr_t)((const struct node_place *)b)->node;

	return (x > y) - (x < y);
}

static const struct node_place *find(const struct km_json *doc, const cJSON *node)
{
	struct node_place key = { .node = node };

	return bsearch(&key, doc->nodes, doc->count, sizeof(*doc->nodes), by_address);
}

static int by_key(const void *a, const void *b)
{
	const struct node_place *x = a, *y = b;
	int d = strcmp(x->node->string, y->node->string);

	if (d)
		return d;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	return (x->place.column > y->place.column) - (x->place.column < y->place.column);
}

/* Two members of OBJ under one name: which one counts differs from reader to reader. */
static int check_keys(const struct km_json *doc, const cJSON *obj, struct km_error *err)
{
	struct node_place *sorted;
	const cJSON *child;
	size_t n = 0, i;
	int r = 0;

	for (child = obj->child; child; child = child->next)
		n++;
	if (n < 2)
		return 0;
	sorted = malloc(n * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (child = obj->child, i = 0; child; child = child->next)
		sorted[i++] = *find(doc, child);
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (i = 1; i < n && r == 0; i++)
		if (!strcmp(sorted[i - 1].node->string, sorted[i].node->string))
			r = km_json_fail(doc, sorted[i].node, err, "take one of the two out",
			                 "duplicate key \"%.100s\", first in line %u",
			                 sorted[i].node->string, sorted[i - 1].place.line);
	free(sorted);
	return r;
}

static int check_all_keys(const struct km_json *doc, const cJSON *node, struct km_error *err)
{
	const cJSON *child;
	int r = cJSON_IsObject(node) ? check_keys(doc, node, err) : 0;

	for (child = node->child; child && r == 0; child = child->next)
		if (child->child)
			r = check_all_keys(doc, child, err);
	return r;
}

static int build(const char *text, size_t len, const struct km_json_places *places,
                 struct km_error *err, struct km_json *doc)
{
	doc->nodes = calloc(places->count, sizeof(*doc->nodes));
	if (!doc->nodes)
		return -ENOMEM;
	/* What comes now is valid: only memory can be short. */
	doc->root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
	if (!doc->root)
		return -ENOMEM;
	if (!pair(doc, doc->root, places) || doc->count != places->count)
		return km_json_fail(doc, NULL, err, NULL, "the JSON library read other values");
	qsort(doc->nodes, doc->count, sizeof(*doc->nodes), by_address);
	return check_all_keys(doc, doc->root, err);
}

int km_json_parse(const char *text, size_t len, const char *file, struct km_error *err,
                  struct km_json **ret)
{
	km_autofree(km_json_freep) struct km_json *doc = calloc(1, sizeof(*doc));
	km_autofree(km_json_places_clear) struct km_json_places places = { 0 };
	int r;

	if (!doc)
		return -ENOMEM;
	km_copy(doc->file, sizeof(doc->file), file);
	r = km_json_check(text, len, doc->file, err, &places);
	if (r < 0)
		return r;
	r = build(text, len, &places, err, doc);
	if (r < 0)
		return r;
	*ret = km_take(doc);
	return 0;
}

int km_json_fail(const struct km_json *doc, const cJSON *node, struct km_error *err,
                 const char *remedy, const char *fmt, ...)
{
	const struct node_place *at = find(doc, node);
	va_list ap;

	memset(err, 0, sizeof(*err));
	km_copy(err->file, sizeof(err->file), doc->file);
	if (at) {
		err->line = at->place.line;
		err->column = at->place.column;
	}
	va_start(ap, fmt);
	vsnprintf(err->what, sizeof(err->what), fmt, ap);
	va_end(ap);
	km_copy(err->remedy, sizeof(err->remedy), remedy ? remedy : "");
	return -EBADMSG;
}

unsigned int km_json_line(const struct km_json *doc, const cJSON *node)
{
	const struct node_place *at = find(doc, node);

	return at ? at->place.line : 0;
}

const char *km_error_format(const struct km_error *e, char *out, size_t size)
{
	/* Wide enough for all parts; what is escaped to more than SIZE is cut at the end. */
	char plain[KM_PATH_MAX + sizeof(e->what) + sizeof(e->remedy) + 32 + 8];
	char place[32] = "";

	if (e->line > 0)
		snprintf(place, sizeof(place), ":%u:%u", e->line, e->column);
	snprintf(plain, sizeof(plain), "%s%s%s%s%s%s", e->file, place,
	         e->file[0] || place[0] ? ": " : "", e->what, e->remedy[0] ? "; " : "", e->remedy);
	return km_text_escape(plain, out, size);
}
