// SPDX-License-Identifier: Apache-2.0
/* Each thread group once a pass: by the task iterator (about 1 us each), else by /proc. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <time.h>

#include "collect/internal.h"

/* What changes by others' hands (limits, cgroups, reclaim) is seen so late at the latest. */
#define WHOLE_EVERY_NS   (60 * KM_NS_PER_S)
#define WHOLE_SUSPECT_NS (10 * KM_NS_PER_S)
/* So many whole passes show again which processes there are. */
#define DOUBT_PASSES 2

bool km_is_self(const struct km_collect *c, uint32_t tgid)
{
	for (size_t i = 0; i < KMEND_SELF_MAX; i++)
		if (c->self[i] && c->self[i] == tgid)
			return true;
	return false;
}

/* Whole records at the start of the buffer; what is left of a last one moves there. */
static int hand_out(struct km_collect *c, size_t *len, km_record_cb cb, void *userdata)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at + sizeof(struct kmend_hdr) <= *len) {
		const struct kmend_hdr *h = (const void *)(c->task_buffer + at);

		if (h->size < sizeof(*h) || at + h->size > *len)
			break;
		at += h->size;
		r = cb(userdata, h);
	}
	memmove(c->task_buffer, c->task_buffer + at, *len - at);
	*len -= at;
	return r;
}

int km_iter_read(struct km_collect *c, int fd, km_record_cb cb, void *userdata)
{
	size_t len = 0;
	int r = 0;

	while (r == 0) {
		ssize_t n = read(fd, c->task_buffer + len, KM_TASK_BUFFER - len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue; /* many tasks in a row that are not listed */
		if (n <= 0)
			return n < 0 ? -errno : 0;
		len += (size_t)n;
		r = hand_out(c, &len, cb, userdata);
	}
	return r;
}

static void refuse(struct km_collect *c, int err)
{
	struct km_prog *p = &c->bpf.progs[KM_PROG_TASKS];

	c->iter_refused = true;
	p->state = KM_PROG_FAILED;
	km_bpf_reason(err, NULL, p->reason, sizeof(p->reason));
	km_sources_update(c);
}

struct each {
	struct km_collect *c;
	km_task_cb cb;
	void *userdata;
};

/* Before the start there is nobody to tell what a process does. */
static int on_record(void *userdata, const struct kmend_hdr *h)
{
	const struct each *e = userdata;
	const struct kmend_listed *l = (const void *)h;

	if (h->type == KMEND_TASK)
		return e->cb(e->userdata, (const void *)h);
	if (h->type == KMEND_LISTED) {
		e->c->processes = l->processes;
		e->c->zombies = l->zombies;
	}
	return e->c->sink ? km_emit(e->c, h, h->size) : 0;
}

/* The next pass lists all processes, not only those that ran since the one before. */
static void ask_for_all(struct km_collect *c)
{
	const struct kmend_pass all = { .whole = 1 };
	uint32_t key = 0;

	if (c->bpf.maps[KM_MAP_PASS] >= 0)
		bpf_map_update_elem(c->bpf.maps[KM_MAP_PASS], &key, &all, BPF_ANY);
}

int km_tasks_each(struct km_collect *c, bool whole, km_task_cb cb, void *userdata)
{
	struct each e = { c, cb, userdata };
	km_autoclose int fd = -1;

	if (c->bpf.progs[KM_PROG_TASKS].link_fd >= 0 && !c->iter_refused) {
		if (whole)
			ask_for_all(c);
		fd = bpf_iter_create(c->bpf.progs[KM_PROG_TASKS].link_fd);
		if (fd >= 0)
			return km_iter_read(c, fd, on_record, &e);
		refuse(c, -errno);
	}
	return km_procfs_each(c->proc_fd, c->mounts.unified, cb, userdata);
}

static int emit_task(void *userdata, const struct kmend_task *t)
{
	struct km_collect *c = userdata;
	struct kmend_task stamped = *t;
	int r = 0;

	if (km_is_self(c, t->tgid))
		return 0;
	c->processes++; /* until the iterator says how many there are */
	c->zombies += t->state == 'Z';
	if (c->alive)
		r = km_alive_see(c, t);
	if (!t->hdr.ktime_ns) /* from /proc */
		stamped.hdr.ktime_ns = km_now_ns();
	return r ? r : km_emit(c, &stamped, sizeof(stamped));
}

/* Cut short: who is missing may well live. */
static int say_partial(struct km_collect *c)
{
	struct kmend_listed l;

	km_raw_init(&l, KMEND_LISTED, sizeof(l), 0);
	l.partial = 1;
	return km_emit(c, &l, sizeof(l));
}

/* After a loss or a doubt all are looked at, twice; and where something is about to be done, or
 * was, now and then. */
static bool wants_all(struct km_collect *c)
{
	uint64_t now = km_now_ns();
	bool all = c->alive || c->whole_passes || now - c->whole_ns >= WHOLE_EVERY_NS ||
	           (c->suspected_ns > c->whole_ns && now - c->whole_ns >= WHOLE_SUSPECT_NS);

	if (all)
		c->whole_ns = now;
	c->whole_passes -= c->whole_passes > 0;
	return all;
}

int km_tasks_emit(struct km_collect *c)
{
	int r;

	c->processes = c->zombies = 0;
	r = km_tasks_each(c, wants_all(c), emit_task, c);
	if (c->error)
		return c->error;
	if (r < 0) {
		c->whole_passes = DOUBT_PASSES;
		return say_partial(c);
	}
	if (r == 0 && c->alive)
		r = km_alive_sweep(c);
	return c->error ? c->error : 0;
}

uint64_t km_every(const struct km_allowance *a, uint64_t cost_ns, uint64_t period_ns)
{
	uint64_t budget_ns = period_ns / 1000000 * a->ppm + 1;
	uint64_t every = (cost_ns + budget_ns - 1) / budget_ns;

	if (cost_ns <= a->cheap_ns || every < 1)
		return 1;
	return every < a->every_max ? every : a->every_max;
}

/* With what the later phases do with them: a third of what the daemon may cost idle. A level that
 * comes at every fourth pass is still a series; further apart it would look stale. */
const struct km_allowance km_task_allowance = {
	.ppm = 150,
	.cheap_ns = 150 * KM_NS_PER_US,
	.every_max = 4,
};

uint64_t km_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * KM_NS_PER_S + (uint64_t)ts.tv_nsec;
}

void km_tasks_doubt(struct km_collect *c)
{
	c->whole_passes = DOUBT_PASSES;
}

int km_tasks_step(struct km_collect *c)
{
	uint64_t start;
	int r;

	if (c->pass < c->task_next_pass && !c->whole_passes)
		return 0;
	start = km_cpu_ns();
	r = km_tasks_emit(c);
	c->task_cost_ns = (3 * c->task_cost_ns + (km_cpu_ns() - start)) / 4;
	c->task_next_pass = c->pass + km_every(&km_task_allowance, c->task_cost_ns, c->period_ns);
	return r;
}
