// SPDX-License-Identifier: Apache-2.0
/* For every signal there is: makes it happen on this kernel and says what came of it, a line each:
 *     signal NAME passed|failed|hole|uncovered: REASON
 * A hole is what this kernel lacks, as the collector says; whether that is so is for the matrix
 * to check (holes). Exit code: how many failed or are uncovered. */
#include "vm/guest/guest.h"

#include <sys/utsname.h>

static const struct guest_case *const all[] = { guest_process, guest_memory, guest_network,
	                                        guest_host };

static const struct guest_case *find(const char *name)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		for (const struct guest_case *c = all[i]; c->signal; c++)
			if (strcmp(c->signal, name) == 0)
				return c;
	return NULL;
}

static int keep(void *userdata, const void *raw, size_t len)
{
	struct guest *g = userdata;

	if (g->count == g->size) {
		size_t size = g->size ? 2 * g->size : 1024;
		void **records = realloc(g->records, size * sizeof(*records));

		if (!records)
			return -ENOMEM;
		g->records = records;
		g->size = size;
	}
	g->records[g->count] = malloc(len);
	if (!g->records[g->count])
		return -ENOMEM;
	memcpy(g->records[g->count++], raw, len);
	return 0;
}

static void forget(struct guest *g)
{
	while (g->count)
		free(g->records[--g->count]);
}

static int check(struct guest *g, const struct km_source *s)
{
	const struct guest_case *c = find(s->name);
	const char *is = "passed";

	g->why[0] = '\0';
	if (!s->available) {
		is = "hole";
		km_copy(g->why, sizeof(g->why), s->reason);
	} else if (!c) {
		is = "uncovered";
	} else if (!c->check(g)) {
		is = "failed";
	}
	printf("signal %s %s: %s\n", s->name, is, g->why);
	fflush(stdout);
	return is[0] == 'f' || is[0] == 'u';
}

/* The limits come first: the collector looks at them again only after 30 passes. */
static int make_group(struct guest *g)
{
	struct stat st;
	char text[32];

	if (mkdir(GUEST_GROUP, 0755) < 0 || stat(GUEST_GROUP, &st) < 0)
		return -errno;
	g->group = st.st_ino;
	snprintf(text, sizeof(text), "%lu", GUEST_BYTES_MAX);
	if (!guest_write(GUEST_GROUP "/memory.max", text))
		return -ENODEV;
	guest_write(GUEST_GROUP "/memory.swap.max", "0"); /* where there is swap */
	snprintf(text, sizeof(text), "%d", GUEST_TASKS_MAX);
	return guest_write(GUEST_GROUP "/pids.max", text) ? 0 : -ENODEV;
}

static int start(struct guest *g)
{
	struct km_collect_opts opts = { 0 };
	int r;

	g->early = GUEST_CHILD(pause());
	r = make_group(g);
	if (r == 0)
		r = km_loop_new(&g->loop);
	if (r == 0)
		r = km_collect_prepare(&opts, &g->collect);
	if (r == 0)
		r = km_collect_start(g->collect, g->loop, keep, g);
	if (r == 0)
		r = km_collect_watch(g->collect, g->group, true);
	return r;
}

int main(void)
{
	struct guest g = { 0 };
	struct utsname u;
	int r, failed = 0;

	uname(&u);
	printf("kernel %s %s\n", u.release, u.machine);
	r = start(&g);
	if (r < 0) {
		printf("the collector does not start: %s\n", strerror(-r));
		return 100;
	}
	for (const struct km_source *s = km_collect_sources(g.collect); s->name; s++) {
		failed += check(&g, s);
		/* What ran before the start is told once, at the start. */
		if (strcmp(s->name, "process") == 0)
			forget(&g);
	}
	guest_end(g.early);
	g.collect = km_collect_stop(g.collect, true);
	g.loop = km_loop_free(g.loop);
	forget(&g);
	free(g.records);
	return failed < 100 ? failed : 100;
}
