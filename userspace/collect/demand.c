// SPDX-License-Identifier: Apache-2.0
/* Depth: what is looked at continuously, of a few services, because a predictor or a person asked.
 * Programs are attached while somebody wants what they measure, and off again at once. What that
 * costs is measured in each pass; what costs more than the budget is refused. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "collect/internal.h"

#define CLAIMS_MAX   4  /* on one service: suspicion, and people */
#define TOLD_MAX     64 /* what happened since the last record could be said */
#define REFUSED_SHOW (600 * KM_NS_PER_S)

struct claim {
	uint64_t owner;
	uint64_t until_ns;
	uint32_t depths; /* 0: free */
	uint32_t pad;
};

struct place {
	uint64_t cgroup_id; /* 0: free */
	uint64_t told_ns;
	char service[KM_NAME_MAX];
	char path[KM_PATH_MAX];
	struct claim claim[CLAIMS_MAX];
	struct kmend_hist told[KMEND_HIST_MAX];
};

struct km_demand {
	struct place place[KMEND_LEASES_MAX];
	struct km_raw_lease told[TOLD_MAX];
	size_t told_count;
	uint32_t depths; /* of all together: what is attached */
	uint64_t runs;   /* so far, at the last look */
	uint64_t looked_ns;
	uint64_t refused_ns; /* when C->sources were told why */
	int timer_fd;
};

static const struct {
	enum km_prog_id prog;
	enum km_depth depth;
} held[] = {
	{ KM_PROG_CALLS, KM_DEPTH_CALLS },   { KM_PROG_LEAVE, KM_DEPTH_LATENCY },
	{ KM_PROG_ENTER, KM_DEPTH_LATENCY }, { KM_PROG_SWITCH, KM_DEPTH_RUN_QUEUE },
	{ KM_PROG_DNS_ASK, KM_DEPTH_DNS },   { KM_PROG_DNS_HEAR, KM_DEPTH_DNS },
};

static const struct {
	enum kmend_hist_what what;
	enum km_sig sig;
} hists[] = {
	{ KMEND_HIST_READ, KM_SIG_LATENCY_READ },
	{ KMEND_HIST_WRITE, KM_SIG_LATENCY_WRITE },
	{ KMEND_HIST_FSYNC, KM_SIG_LATENCY_FSYNC },
	{ KMEND_HIST_FUTEX, KM_SIG_LATENCY_FUTEX },
	{ KMEND_HIST_CONNECT, KM_SIG_LATENCY_CONNECT },
	{ KMEND_HIST_ACCEPT, KM_SIG_LATENCY_ACCEPT },
	{ KMEND_HIST_RUN_QUEUE, KM_SIG_RUN_QUEUE },
	{ KMEND_HIST_DNS, KM_SIG_DNS_LATENCY },
};

static const struct {
	int number;
	enum kmend_hist_what family;
} families[] = {
	{ SYS_read, KMEND_HIST_READ },       { SYS_readv, KMEND_HIST_READ },
	{ SYS_pread64, KMEND_HIST_READ },    { SYS_preadv, KMEND_HIST_READ },
	{ SYS_preadv2, KMEND_HIST_READ },    { SYS_recvfrom, KMEND_HIST_READ },
	{ SYS_recvmsg, KMEND_HIST_READ },    { SYS_write, KMEND_HIST_WRITE },
	{ SYS_writev, KMEND_HIST_WRITE },    { SYS_pwrite64, KMEND_HIST_WRITE },
	{ SYS_pwritev, KMEND_HIST_WRITE },   { SYS_pwritev2, KMEND_HIST_WRITE },
	{ SYS_sendto, KMEND_HIST_WRITE },    { SYS_sendmsg, KMEND_HIST_WRITE },
	{ SYS_sendfile, KMEND_HIST_WRITE },  { SYS_fsync, KMEND_HIST_FSYNC },
	{ SYS_fdatasync, KMEND_HIST_FSYNC }, { SYS_sync_file_range, KMEND_HIST_FSYNC },
	{ SYS_msync, KMEND_HIST_FSYNC },     { SYS_futex, KMEND_HIST_FUTEX },
	{ SYS_connect, KMEND_HIST_CONNECT }, { SYS_accept, KMEND_HIST_ACCEPT },
	{ SYS_accept4, KMEND_HIST_ACCEPT },
};

int km_demand_open(struct km_collect *c)
{
	c->demand = calloc(1, sizeof(*c->demand));
	if (!c->demand)
		return -ENOMEM;
	c->demand->timer_fd = -1;
	return 0;
}

void km_demand_renew(const struct km_collect *c)
{
	struct kmend_families all = { .renewed_ns = km_now_ns() };
	uint32_t key = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(families); i++)
		all.of[families[i].number % KMEND_SYSCALLS_MAX] = (uint8_t)families[i].family;
	if (c->bpf.maps[KM_MAP_FAMILIES] >= 0)
		bpf_map_update_elem(c->bpf.maps[KM_MAP_FAMILIES], &key, &all, BPF_ANY);
}

static uint32_t claimed(const struct place *p)
{
	uint32_t depths = 0;

	for (size_t i = 0; i < CLAIMS_MAX; i++)
		depths |= p->claim[i].depths;
	return depths;
}

static void hold(struct km_collect *c, enum km_prog_id id, bool on)
{
	struct km_prog *p = &c->bpf.progs[id];

	if (!on)
		km_close(&p->link_fd);
	else if (p->prog_fd >= 0 && p->link_fd < 0)
		p->link_fd = km_bpf_attach(&km_prog_defs[id], p->prog_fd);
}

static void name_held(struct km_collect *c)
{
	for (int i = 0; i < KM_SIG_MAX; i++) {
		struct km_source *s = &c->sources[i];

		s->held[0] = '\0';
		for (size_t k = 0; k < KMEND_LEASES_MAX; k++) {
			const struct place *p = &c->demand->place[k];
			size_t len = strlen(s->held);

			if (claimed(p) & km_catalogue_depth(i))
				snprintf(s->held + len, sizeof(s->held) - len, "%s%s",
				         len ? ", " : "", p->service);
		}
	}
}

/* Attaches what is claimed and was not, and takes off what is no more. */
static void settle(struct km_collect *c)
{
	struct km_demand *d = c->demand;
	uint32_t depths = 0, changed;

	for (size_t i = 0; i < KMEND_LEASES_MAX; i++)
		depths |= claimed(&d->place[i]);
	changed = depths ^ d->depths;
	d->depths = depths;
	if (changed & KM_DEPTH_CALLS) {
		km_duty_hold(c, depths & KM_DEPTH_CALLS);
		km_sums_prime_calls(c);
	}
	for (size_t i = 0; i < KM_ARRAY_SIZE(held); i++)
		if (changed & held[i].depth)
			hold(c, held[i].prog, depths & held[i].depth);
	name_held(c);
}

/* Said a moment later: whoever asks may be in the middle of a record. */
static void note(struct km_collect *c, const struct km_lease_ask *ask, enum km_lease_state state,
                 const char *why)
{
	struct km_demand *d = c->demand;
	struct km_raw_lease *raw = &d->told[d->told_count];

	if (d->told_count == TOLD_MAX)
		return; /* people were answered; what suspicion asks for ends by time as well */
	d->told_count++;
	km_raw_init(raw, KM_RAW_LEASE, sizeof(*raw), ask->cgroup_id);
	raw->state = state;
	raw->depths = ask->depths;
	raw->person = ask->owner != 0;
	raw->until_ns = ask->until_ns;
	km_copy(raw->service, sizeof(raw->service), ask->service);
	km_copy(raw->reason, sizeof(raw->reason), why);
	if (d->timer_fd >= 0)
		km_loop_timer_set(c->loop, d->timer_fd, km_now_ns(), 0);
}

static void show_refusal(struct km_collect *c, uint32_t depths, const char *why)
{
	c->demand->refused_ns = *why ? km_now_ns() : 0;
	for (int i = 0; i < KM_SIG_MAX; i++)
		if (depths & km_catalogue_depth(i))
			km_copy(c->sources[i].refused, sizeof(c->sources[i].refused), why);
}

static void drop_claim(struct km_collect *c, struct place *p, struct claim *claim,
                       enum km_lease_state state, const char *why)
{
	const struct km_lease_ask was = { p->service, p->cgroup_id, claim->owner, claim->until_ns,
		                          claim->depths };
	uint64_t id = p->cgroup_id;

	note(c, &was, state, why);
	if (state == KM_LEASE_REFUSED)
		show_refusal(c, claim->depths, why);
	*claim = (struct claim){ 0 };
	if (claimed(p))
		return;
	memset(p, 0, sizeof(*p));
	if (c->cgroups)
		km_cgroups_remark(c->cgroups, id);
}

/* "/a/b" is covered by a place at "/a". */
static bool covers(const struct place *p, const char *path)
{
	size_t n = strlen(p->path);

	return p->cgroup_id && strncmp(path, p->path, n) == 0 && (!path[n] || path[n] == '/');
}

/* Of two, one below the other, the inner one. */
uint32_t km_demand_mark(const struct km_collect *c, const char *path)
{
	uint32_t mark = KMEND_WATCHED;
	size_t longest = 0;

	for (uint32_t i = 0; c->demand && path && i < KMEND_LEASES_MAX; i++) {
		const struct place *p = &c->demand->place[i];

		if (!covers(p, path) || strlen(p->path) < longest)
			continue;
		longest = strlen(p->path);
		mark = KMEND_WATCHED | (i + 1) << KMEND_LEASE_SHIFT;
	}
	return mark;
}

static void read_hist(const struct km_collect *c, size_t place, uint32_t what,
                      struct kmend_hist *ret)
{
	uint32_t key = (uint32_t)place * KMEND_HIST_MAX + what;

	if (bpf_map_lookup_elem(c->bpf.maps[KM_MAP_HISTS], &key, ret) < 0)
		memset(ret, 0, sizeof(*ret));
}

static struct place *find_place(struct km_demand *d, uint64_t cgroup_id)
{
	for (size_t i = 0; i < KMEND_LEASES_MAX; i++)
		if (d->place[i].cgroup_id == cgroup_id)
			return &d->place[i];
	return NULL;
}

/* That of the same owner, or a free one. */
static struct claim *find_claim(struct place *p, uint64_t owner)
{
	struct claim *room = NULL;

	for (size_t i = 0; i < CLAIMS_MAX; i++) {
		if (p->claim[i].depths && p->claim[i].owner == owner)
			return &p->claim[i];
		if (!p->claim[i].depths && !room)
			room = &p->claim[i];
	}
	return room;
}

static void take_place(struct km_collect *c, struct place *p, const struct km_lease_ask *ask,
                       const char *path)
{
	size_t number = (size_t)(p - c->demand->place);

	p->cgroup_id = ask->cgroup_id;
	p->told_ns = km_now_ns();
	km_copy(p->service, sizeof(p->service), ask->service);
	km_copy(p->path, sizeof(p->path), path);
	for (uint32_t what = 1; what < KMEND_HIST_MAX; what++)
		read_hist(c, number, what, &p->told[what]);
	km_cgroups_remark(c->cgroups, ask->cgroup_id);
}

/* What this kernel can do of DEPTHS. */
static uint32_t possible(const struct km_collect *c, uint32_t depths)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(held); i++)
		if (!km_bpf_works(&c->bpf, held[i].prog))
			depths &= ~(uint32_t)held[i].depth;
	return depths;
}

/* Why none of DEPTHS can be had. */
static const char *lacking(const struct km_collect *c, uint32_t depths)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(held); i++)
		if (held[i].depth & depths && !km_bpf_works(&c->bpf, held[i].prog))
			return c->bpf.progs[held[i].prog].reason;
	return "nothing was asked for";
}

/* 0: *RET is where the claim goes. */
static int find_room(struct km_collect *c, const struct km_lease_ask *ask, struct place **ret,
                     const char **why)
{
	const char *path = c->cgroups ? km_cgroups_path(c->cgroups, ask->cgroup_id) : NULL;
	struct place *p = find_place(c->demand, ask->cgroup_id);

	*why = km_duty_why_not(c);
	if (*why)
		return -EDQUOT;
	*why = "it has no cgroup of its own";
	if (!path || !path[1])
		return -ENOENT;
	*why = lacking(c, ask->depths);
	if (!possible(c, ask->depths))
		return -EOPNOTSUPP;
	*why = "too many services are looked at closely now";
	p = p ? p : find_place(c->demand, 0);
	if (!p || !find_claim(p, ask->owner))
		return -ENOSPC;
	if (!p->cgroup_id)
		take_place(c, p, ask, path);
	*ret = p;
	return 0;
}

int km_collect_lease(struct km_collect *c, const struct km_lease_ask *ask, char *why, size_t size)
{
	struct km_lease_ask granted = *ask;
	const char *reason;
	struct place *p;
	int r = find_room(c, ask, &p, &reason);

	if (r < 0) {
		km_copy(why, size, reason);
		if (!ask->owner)
			note(c, ask, KM_LEASE_REFUSED, reason);
		return r;
	}
	granted.depths = possible(c, ask->depths);
	*find_claim(p, ask->owner) = (struct claim){ ask->owner, ask->until_ns, granted.depths, 0 };
	show_refusal(c, granted.depths, "");
	settle(c);
	note(c, &granted, KM_LEASE_GRANTED, "");
	return 0;
}

bool km_collect_leased(const struct km_collect *c, uint64_t owner)
{
	for (size_t i = 0; i < KMEND_LEASES_MAX; i++)
		for (size_t k = 0; k < CLAIMS_MAX; k++)
			if (c->demand->place[i].claim[k].depths &&
			    c->demand->place[i].claim[k].owner == owner)
				return true;
	return false;
}

typedef bool (*claim_is)(const struct claim *claim, uint64_t key);

/* How many there were. */
static size_t drop_all(struct km_collect *c, claim_is is, uint64_t key, enum km_lease_state state,
                       const char *why)
{
	size_t n = 0;

	for (size_t i = 0; i < KMEND_LEASES_MAX; i++) {
		struct place *p = &c->demand->place[i];

		for (size_t k = 0; k < CLAIMS_MAX; k++) {
			if (!p->claim[k].depths || !is(&p->claim[k], key))
				continue;
			drop_claim(c, p, &p->claim[k], state, why);
			n++;
		}
	}
	if (n)
		settle(c);
	return n;
}

static bool is_of(const struct claim *claim, uint64_t owner)
{
	return claim->owner == owner;
}

static bool is_over(const struct claim *claim, uint64_t now)
{
	return claim->until_ns <= now;
}

static bool is_suspicion(const struct claim *claim, uint64_t yes)
{
	return (claim->owner == 0) == yes;
}

void km_collect_unlease(struct km_collect *c, uint64_t owner)
{
	drop_all(c, is_of, owner, KM_LEASE_ENDED, "");
}

static uint64_t count_runs(const struct km_collect *c)
{
	uint64_t n = km_duty_runs(c, KMEND_RUN_DEMAND);

	return c->demand->depths & KM_DEPTH_CALLS ? n + km_duty_calls(c) : n;
}

/* First what suspicion wants goes, then what people want. */
static void keep_budget(struct km_collect *c, double ppm)
{
	double budget = (double)c->opts.config->settings.signal_budget_ppm;
	char why[128];

	km_duty_share(c, ppm);
	if (ppm <= budget)
		return;
	snprintf(why, sizeof(why), "it costs %.0f ppm of all CPUs, signal_budget_ppm is %.0f", ppm,
	         budget);
	if (!drop_all(c, is_suspicion, true, KM_LEASE_REFUSED, why))
		drop_all(c, is_suspicion, false, KM_LEASE_REFUSED, why);
}

static int look_at_cost(struct km_collect *c)
{
	struct km_demand *d = c->demand;
	uint64_t now = km_now_ns(), before = d->looked_ns, n = count_runs(c), runs = n - d->runs;
	double ppm;

	d->runs = n;
	d->looked_ns = now;
	if (!before || !d->depths || now <= before)
		return 0;
	ppm = 1e6 * (double)(runs * km_duty_run_ns(c)) /
	      ((double)(now - before) * (double)c->bpf.setup.cpus);
	keep_budget(c, ppm);
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_DEMAND_COST,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = ppm });
}

static void subtract(struct kmend_hist *now, const struct kmend_hist *before)
{
	for (size_t i = 0; i < KMEND_BUCKETS; i++)
		now->bucket[i] -= before->bucket[i];
}

/* Nothing is said of what did not happen. */
static int say_hist(struct km_collect *c, struct place *p, size_t row, uint64_t now)
{
	struct kmend_hist all, grew;
	uint32_t what = hists[row].what;
	uint64_t ns;

	read_hist(c, (size_t)(p - c->demand->place), what, &all);
	grew = all;
	subtract(&grew, &p->told[what]);
	p->told[what] = all;
	ns = km_hist_quantile(&grew, 0.99);
	if (!ns || now <= p->told_ns)
		return 0;
	return km_value_emit(c, &(struct km_said){ .signal = hists[row].sig,
	                                           .entity = KM_ENTITY_SERVICE,
	                                           .cgroup_id = p->cgroup_id,
	                                           .value = (double)ns / 1000,
	                                           .error = (double)ns / 1000 / 10,
	                                           .period_ns = now - p->told_ns });
}

static int say_noted(struct km_collect *c)
{
	struct km_demand *d = c->demand;
	int r = 0;

	for (size_t i = 0; i < d->told_count && r == 0; i++)
		r = km_emit(c, &d->told[i], sizeof(d->told[i]));
	d->told_count = 0;
	return r;
}

static int say_place(struct km_collect *c, struct place *p)
{
	uint64_t now = km_now_ns();
	int r = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(hists) && r == 0; i++)
		if (claimed(p) & km_catalogue_depth(hists[i].sig))
			r = say_hist(c, p, i, now);
	p->told_ns = now;
	return r;
}

/* Before a claim's end is due. */
static void set_timer(struct km_collect *c)
{
	struct km_demand *d = c->demand;
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < KMEND_LEASES_MAX; i++)
		for (size_t k = 0; k < CLAIMS_MAX; k++) {
			const struct claim *claim = &d->place[i].claim[k];

			if (claim->depths && claim->until_ns < next)
				next = claim->until_ns;
		}
	if (d->timer_fd >= 0)
		km_loop_timer_set(c->loop, d->timer_fd, next == UINT64_MAX ? 0 : next, 0);
}

static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;
	int r;

	(void)fd;
	(void)events;
	drop_all(c, is_over, km_now_ns(), KM_LEASE_ENDED, "");
	r = say_noted(c);
	set_timer(c);
	return r;
}

int km_demand_step(struct km_collect *c)
{
	struct km_demand *d = c->demand;
	int r = d->depths ? look_at_cost(c) : 0;

	if (d->depths)
		km_demand_renew(c); /* tasks move from one cgroup to another */
	else
		d->looked_ns = 0;
	if (d->refused_ns && km_now_ns() - d->refused_ns > REFUSED_SHOW)
		show_refusal(c, KM_DEPTH_ALL, "");
	for (size_t i = 0; i < KMEND_LEASES_MAX && r == 0; i++)
		if (d->place[i].cgroup_id)
			r = say_place(c, &d->place[i]);
	return r ? r : say_noted(c); /* an end is told before the pass is over */
}

int km_demand_start(struct km_collect *c)
{
	int r;

	km_demand_renew(c);
	r = km_loop_timer(c->loop, KM_NS_PER_S, on_timer, c, &c->demand->timer_fd);
	return r < 0 ? r : km_loop_timer_set(c->loop, c->demand->timer_fd, 0, 0);
}

void km_demand_close(struct km_collect *c)
{
	if (!c->demand)
		return;
	if (c->loop && c->demand->timer_fd >= 0)
		km_loop_remove(c->loop, c->demand->timer_fd);
	for (size_t i = 0; i < KM_ARRAY_SIZE(held); i++)
		if (c->demand->depths & held[i].depth)
			hold(c, held[i].prog, false);
	free(c->demand);
	c->demand = NULL;
}
