// SPDX-License-Identifier: Apache-2.0
/* What kmend says of itself. */
#include "vm/guest/guest.h"

static bool canary(struct guest *g)
{
	return guest_value(g, "kmend.canary", "", 1, 1);
}

static bool exit_of(const void *raw, uint64_t tgid)
{
	return ((const struct kmend_exit *)raw)->tgid == tgid;
}

/* The link of the exits ends, as if somebody had taken it off; then it is there again. */
static bool a_link(struct guest *g)
{
	struct km_prog *p = &g->collect->bpf.progs[KM_PROG_EXIT];
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint32_t pid;

	WANT_IS(g, dup2(nothing, p->link_fd), p->link_fd);
	close(nothing);
	WANT_RECORD(g, guest_count(g, "kmend.links_lost", "", 1));
	pid = GUEST_CHILD(_exit(0));
	guest_reap(pid);
	WANT_RECORD(g, guest_wait(g, KMEND_EXIT, exit_of, pid));
	return true;
}

/* More than the ring holds, while nobody reads it. */
static bool records(struct guest *g)
{
	for (size_t i = 0; i < GUEST_BULK_BYTES / sizeof(struct kmend_exit) + 100; i++)
		guest_reap(GUEST_CHILD(_exit(0)));
	WANT_RECORD(g, guest_count(g, "kmend.records_lost", "", 1));
	return true;
}

const struct guest_case guest_honesty[] = {
	{ "kmend.canary", canary },          { "kmend.links_lost", a_link },
	{ "kmend.records_lost", records },   { "health.latency", NULL },
	{ "health.certificate_left", NULL }, { NULL, NULL },
};
