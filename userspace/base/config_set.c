// SPDX-License-Identifier: Apache-2.0
/* What only the whole set of services can be asked: doubles, groups, who needs whom. */
#include <stdio.h>

#include "base/config_read.h"

static const struct km_service_def *def_of(const struct km_config_build *b,
                                           const struct km_config_place *p)
{
	return &b->config->services[p->index];
}

static int in_text_order(const struct km_config_place *a, const struct km_config_place *b)
{
	return (a->index > b->index) - (a->index < b->index);
}

static int by_name(const void *a, const void *b, void *build)
{
	int d = strcmp(def_of(build, a)->name, def_of(build, b)->name);

	return d ? d : in_text_order(a, b);
}

static int by_match(const void *a, const void *b, void *build)
{
	const struct km_service_def *x = def_of(build, a), *y = def_of(build, b);
	int d = (int)x->kind - (int)y->kind;

	if (!d)
		d = strcmp(x->match, y->match);
	return d ? d : in_text_order(a, b);
}

/* "line 7", or "web.json:7" where that is another file. */
static const char *where(const struct km_config_place *of, const struct km_config_place *from,
                         char *ret, size_t size)
{
	unsigned int line = km_json_line(of->reader->doc, of->node);

	if (of->reader == from->reader)
		snprintf(ret, size, "line %u", line);
	else
		snprintf(ret, size, "%.80s:%u", of->reader->file, line);
	return ret;
}

static int check_names(const struct km_config_build *b)
{
	struct km_config_place *p = b->place;
	char first[100];

	qsort_r(p, b->config->service_count, sizeof(*p), by_name, (void *)b);
	for (size_t i = 1; i < b->config->service_count; i++)
		if (!strcmp(def_of(b, &p[i - 1])->name, def_of(b, &p[i])->name))
			return km_json_fail(p[i].reader->doc, p[i].node, p[i].reader->err,
			                    "choose another name",
			                    "service \"%.100s\" is there twice, first in %s",
			                    def_of(b, &p[i])->name,
			                    where(&p[i - 1], &p[i], first, sizeof(first)));
	return 0;
}

/* One thing under two names would have two budgets and two repairs at a time. */
int km_config_check_doubles(const struct km_config_build *b)
{
	struct km_config_place *p = b->place;
	char first[100];
	int r;

	/* no place is made where there is no service */
	if (!p)
		return 0;
	r = check_names(b);
	if (r < 0)
		return r;
	qsort_r(p, b->config->service_count, sizeof(*p), by_match, (void *)b);
	for (size_t i = 1; i < b->config->service_count; i++) {
		const struct km_service_def *x = def_of(b, &p[i - 1]), *y = def_of(b, &p[i]);

		if (y->kind != KM_BY_COMMAND && x->kind == y->kind && !strcmp(x->match, y->match))
			return km_json_fail(p[i].reader->doc, p[i].node, p[i].reader->err,
			                    "keep one of them",
			                    "the same %s as service \"%.80s\" in %s",
			                    km_service_kind_names[y->kind], x->name,
			                    where(&p[i - 1], &p[i], first, sizeof(first)));
	}
	return 0;
}

static int by_group(const void *a, const void *b)
{
	return strcmp((*(struct km_service_def *const *)a)->group,
	              (*(struct km_service_def *const *)b)->group);
}

static int count_instances(struct km_config *config)
{
	struct km_service_def **order =
		calloc(config->service_count + 1, sizeof(struct km_service_def *));
	size_t i, j, k;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < config->service_count; i++)
		order[i] = &config->services[i];
	qsort(order, config->service_count, sizeof(*order), by_group);
	for (i = 0; i < config->service_count; i = j) {
		for (j = i; j < config->service_count && !by_group(&order[i], &order[j]);)
			j++;
		for (k = i; k < j && order[i]->group[0]; k++)
			order[k]->instances = (uint32_t)(j - i);
	}
	free(order);
	return 0;
}

static int def_by_name(const void *a, const void *b)
{
	return strcmp(((const struct km_service_def *)a)->name,
	              ((const struct km_service_def *)b)->name);
}

int km_config_sort(struct km_config_build *b)
{
	struct km_config *c = b->config;

	if (c->service_count == 0)
		return 0;
	/* The places go the same way: names are unique now. */
	qsort_r(b->place, c->service_count, sizeof(*b->place), by_name, b);
	qsort(c->services, c->service_count, sizeof(*c->services), def_by_name);
	for (size_t i = 0; i < c->service_count; i++)
		b->place[i].index = i;
	return count_instances(c);
}

/* Where item NUMBER of the service's "needs" was written. */
static const cJSON *need_node(const struct km_config_place *p, size_t number)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(p->node, "needs"), (int)number);
}

static int resolve(const struct km_config_build *b, size_t index)
{
	struct km_service_def *d = &b->config->services[index];
	const struct km_config_place *p = &b->place[index];
	char **name;

	d->needs = calloc(KM_NEEDS_MAX, sizeof(*d->needs));
	if (!d->needs)
		return -ENOMEM;
	for (name = d->need_names; *name; name++) {
		const struct km_service_def *n = km_config_service(b->config, *name);

		if (!n)
			return km_json_fail(p->reader->doc, need_node(p, d->need_count),
			                    p->reader->err, "define it, too",
			                    "\"%.100s\" needs \"%.100s\", which no text defines",
			                    d->name, *name);
		d->needs[d->need_count++] = (size_t)(n - b->config->services);
	}
	return 0;
}

/* A walk along the needs, depth first; PATH is the way from where it began. */
struct walk {
	const struct km_config_build *b;
	unsigned char *seen; /* 1: on the path, 2: done */
	size_t *path;
	size_t depth;
};

static int refuse_cycle(const struct walk *w, size_t again, size_t number)
{
	const struct km_service_def *s = w->b->config->services;
	const struct km_config_place *p = &w->b->place[w->path[w->depth - 1]];
	char text[200];
	size_t i = 0, len;

	while (w->path[i] != again)
		i++;
	len = (size_t)snprintf(text, sizeof(text), "%.60s", s[w->path[i]].name);
	for (i++; i < w->depth && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " -> %.60s",
		                        s[w->path[i]].name);
	if (len < sizeof(text))
		snprintf(text + len, sizeof(text) - len, " -> %.60s", s[again].name);
	return km_json_fail(p->reader->doc, need_node(p, number), p->reader->err,
	                    "take one of these needs out", "a cycle of needs: %s", text);
}

/* As deep as there are services at the most. */
static int visit(struct walk *w, size_t index)
{
	struct km_service_def *d = &w->b->config->services[index];
	int r = 0;

	w->seen[index] = 1;
	w->path[w->depth++] = index;
	for (size_t i = 0; i < d->need_count && r == 0; i++) {
		const struct km_service_def *n = &w->b->config->services[d->needs[i]];

		if (w->seen[d->needs[i]] == 1)
			return refuse_cycle(w, d->needs[i], i);
		if (!w->seen[d->needs[i]])
			r = visit(w, d->needs[i]);
		if (d->rank <= n->rank)
			d->rank = n->rank + 1;
	}
	w->depth--;
	w->seen[index] = 2;
	return r;
}

int km_config_link_needs(struct km_config_build *b)
{
	size_t count = b->config->service_count;
	struct walk w = { .b = b };
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		if (b->config->services[i].need_names)
			r = resolve(b, i);
	if (r < 0)
		return r;
	w.seen = calloc(count + 1, sizeof(*w.seen));
	w.path = calloc(count + 1, sizeof(*w.path));
	r = w.seen && w.path ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		if (!w.seen[i])
			r = visit(&w, i);
	free(w.seen);
	free(w.path);
	return r;
}

void km_config_needed(const struct km_config *c, const struct km_service_def *d,
                      struct km_service_set *ret)
{
	uint16_t todo[KM_SERVICES_MAX];
	size_t count = 0;

	memset(ret, 0, sizeof(*ret));
	todo[count++] = (uint16_t)(d - c->services);
	while (count > 0) {
		const struct km_service_def *x = &c->services[todo[--count]];

		for (size_t i = 0; i < x->need_count; i++) {
			if (km_service_set_has(ret, x->needs[i]))
				continue;
			ret->bits[x->needs[i] / 64] |= 1ULL << x->needs[i] % 64;
			todo[count++] = (uint16_t)x->needs[i];
		}
	}
}
