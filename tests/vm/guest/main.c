// SPDX-License-Identifier: Apache-2.0
/* For every signal there is: makes it happen on this kernel and says what came of it, a line each:
 *     signal NAME passed|failed|hole|attached|uncovered: REASON
 * A hole is what this kernel lacks, as the collector says; attached: in place, but no guest can
 * make it happen. Both need a reason in `holes`. Exit code: how many failed or are uncovered. */
#include "vm/guest/guest.h"

#include <sys/utsname.h>

static const struct guest_case *const all[] = { guest_process,  guest_memory,  guest_network,
	                                        guest_peers,    guest_storage, guest_host,
	                                        guest_pressure, guest_sched,   guest_windows,
	                                        guest_honesty,  guest_demand,  guest_drops };

static const struct guest_case *find(const char *name)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		for (const struct guest_case *c = all[i]; c->name; c++)
			if (strcmp(c->name, name) == 0)
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

static int tell(struct guest *g, const char *name, const char *is)
{
	printf("signal %s %s: %s\n", name, is, g->why);
	fflush(stdout);
	return is[0] == 'f' || is[0] == 'u';
}

static int check(struct guest *g, const struct guest_case *c)
{
	uint64_t begin = km_now_ns();
	bool passed;

	if (!c->check)
		return tell(g, c->name, "attached");
	g->why[0] = '\0';
	passed = c->check(g);
	if (passed)
		snprintf(g->why, sizeof(g->why), "%.1f s", (double)(km_now_ns() - begin) / 1e9);
	return tell(g, c->name, passed ? "passed" : "failed");
}

static int check_signal(struct guest *g, const struct km_source *s)
{
	const struct guest_case *c = find(s->name);

	km_copy(g->why, sizeof(g->why), s->reason);
	if (!s->available)
		return tell(g, s->name, "hole");
	return c ? check(g, c) : tell(g, s->name, "uncovered");
}

/* What is no signal of the catalogue: that records come through, and what they are about. First of
 * all, since what ran before is told once, at the start. */
static int check_others(struct guest *g)
{
	int failed = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		for (const struct guest_case *c = all[i]; c->name; c++)
			if (km_catalogue_find(c->name) == KM_SIG_MAX)
				failed += check(g, c);
	return failed;
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
	/* A quota that does not matter, so that there is one; cases make it smaller. */
	if (!guest_write(GUEST_GROUP "/cpu.max", "1000000 100000"))
		return -ENODEV;
	snprintf(text, sizeof(text), "%d", GUEST_TASKS_MAX);
	return guest_write(GUEST_GROUP "/pids.max", text) ? 0 : -ENODEV;
}

static int start(struct guest *g)
{
	static const struct km_config config = {
		.settings = { .sample_period_ns = 300 * KM_NS_PER_MS, .signal_budget_ppm = 100000 }
	};
	struct km_collect_opts opts = { .config = &config, .bulk_bytes = GUEST_BULK_BYTES };
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

/* ONLY: begins of names, with commas between; NULL: all. */
static bool is_asked_for(const char *only, const char *name)
{
	while (only) {
		size_t n = strcspn(only, ",");

		if (strncmp(only, name, n) == 0)
			return true;
		only = only[n] ? only + n + 1 : NULL;
		if (!only)
			return false;
	}
	return true;
}

int main(void)
{
	/* From the kernel's command line. */
	bool always = getenv("vm_short");
	const char *only = getenv("vm_only");
	struct guest g = { 0 };
	struct utsname u;
	int r, failed;

	uname(&u);
	printf("kernel %s %s\n", u.release, u.machine);
	r = start(&g);
	if (r < 0) {
		printf("the collector does not start: %s\n", strerror(-r));
		return 100;
	}
	failed = only ? 0 : check_others(&g);
	for (const struct km_source *s = km_collect_sources(g.collect); s->name; s++) {
		if ((always && s->what->tier != KM_TIER_ALWAYS) || !is_asked_for(only, s->name))
			continue;
		forget(&g);
		failed += check_signal(&g, s);
	}
	guest_end(g.early);
	g.collect = km_collect_stop(g.collect, true);
	g.loop = km_loop_free(g.loop);
	forget(&g);
	free(g.records);
	return failed < 100 ? failed : 100;
}
