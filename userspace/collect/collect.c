// SPDX-License-Identifier: Apache-2.0
/* The collector: what is prepared as root, what is started later, and one sampling pass. */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "collect/internal.h"

#define LOOK_EVERY 10          /* passes: whole walk without inotify, at most once a pass */
#define WALK_EVERY 60          /* passes: whole walk with it, in case something slipped by */
#define PERIOD_NS  KM_NS_PER_S /* without a configuration */

void km_raw_init(void *raw, uint16_t type, size_t size, uint64_t cgroup_id)
{
	struct kmend_hdr *h = raw;

	memset(raw, 0, size);
	h->type = type;
	h->size = (uint16_t)size;
	h->ktime_ns = km_now_ns();
	h->cgroup_id = cgroup_id;
}

int km_emit(struct km_collect *c, const void *raw, size_t len)
{
	const struct kmend_hdr *h = raw;

	if (c->error)
		return c->error;
	/* Where a cgroup is comes before what happens in it. */
	if (c->cgroups && h->cgroup_id && h->type < KMEND_TYPE_MAX &&
	    !km_cgroups_path(c->cgroups, h->cgroup_id))
		km_cgroups_events(c->cgroups);
	km_sources_count(c, h, raw);
	if (!c->error)
		c->error = c->sink(c->userdata, raw, len);
	return c->error;
}

static int on_cgroup(void *userdata, uint64_t id, const char *path, bool gone)
{
	struct km_collect *c = userdata;
	struct km_raw_cgroup raw;

	if (gone) {
		km_levels_drop(c->levels, id);
		km_suffering_drop(c, id);
		km_retransmits_forget(c, id);
	}
	km_raw_init(&raw, KM_RAW_CGROUP, sizeof(raw), id);
	raw.gone = gone;
	km_copy(raw.path, sizeof(raw.path), path);
	if (!gone && km_table_get(c->wanted, &id))
		km_collect_watch(c, id, true);
	return km_emit(c, &raw, sizeof(raw));
}

static void on_watch(void *userdata, uint64_t id, bool on)
{
	struct km_collect *c = userdata;
	int fd = c->bpf.maps[KM_MAP_WATCH];
	uint32_t mark = km_demand_mark(c, on ? km_cgroups_path(c->cgroups, id) : NULL);

	/* A full map: its ends come with the bulk ring, 1 s later. */
	if (fd >= 0 && on)
		bpf_map_update_elem(fd, &id, &mark, BPF_ANY);
	else if (fd >= 0)
		bpf_map_delete_elem(fd, &id);
	km_demand_renew(c);
}

/* Those of the last reader whose cgroup is gone. */
static void prune_watches(struct km_collect *c)
{
	int fd = c->bpf.maps[KM_MAP_WATCH];
	uint64_t key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	for (int i = 0; more && i < KMEND_WATCH_MAX; i++) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (!c->cgroups || !km_cgroups_path(c->cgroups, key))
			bpf_map_delete_elem(fd, &key);
	}
}

static int open_cgroups(struct km_collect *c)
{
	struct km_cgroups_ops ops = { on_cgroup, on_watch, c };
	int r;

	r = km_levels_new(&c->mounts, &c->levels);
	if (r < 0 || !c->mounts.unified[0])
		return r;
	return km_cgroups_new(c->mounts.unified, &ops, &c->cgroups);
}

static int open_tables(struct km_collect *c)
{
	static const struct km_table_opts retrans = { .name = "retransmits",
		                                      .rows_max = KMEND_WATCH_MAX + 1,
		                                      .row_size = 16,
		                                      .key_size = 8 };

	static const struct km_table_opts wanted = {
		.name = "wanted", .rows_max = KM_SERVICES_MAX, .row_size = 8, .key_size = 8
	};
	int r = km_table_new(&retrans, &c->retrans);

	if (r == 0)
		r = km_table_new(&wanted, &c->wanted);
	if (r < 0 || (km_bpf_works(&c->bpf, KM_PROG_FORK) && km_bpf_works(&c->bpf, KM_PROG_EXIT)))
		return r;
	return km_alive_open(c);
}

static int open_all(struct km_collect *c)
{
	struct km_bpf_opts opts = { .pin_dir = c->opts.pin_dir,
		                    .must_bytes = c->opts.must_bytes,
		                    .bulk_bytes = c->opts.bulk_bytes };
	int r = 0;

	km_cgroup_mounts_read(&c->mounts);
	c->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->task_buffer = malloc(KM_TASK_BUFFER);
	if (!c->task_buffer)
		return -ENOMEM;
	if (c->bpf_used)
		r = km_bpf_load(&opts, &c->bpf);
	if (r == 0)
		r = km_rings_open(c);
	if (r == 0)
		r = open_cgroups(c);
	if (r == 0)
		r = open_tables(c);
	if (r == 0)
		r = km_pidfiles_open(c);
	if (r == 0)
		r = km_rooms_open(c);
	if (r == 0)
		r = km_sums_open(c);
	if (r == 0)
		r = km_sockets_open(c);
	if (r == 0)
		r = km_duty_open(c);
	if (r == 0)
		r = km_demand_open(c);
	if (r == 0)
		r = km_scan(c);
	return r;
}

int km_collect_prepare(const struct km_collect_opts *opts, struct km_collect **ret)
{
	struct km_collect *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->proc_fd = c->stats_fd = -1;
	c->bpf_used = !opts->no_bpf;
	km_bpf_init(&c->bpf);
	km_sources_init(c);
	r = open_all(c);
	if (r < 0) {
		km_collect_stop(c, false);
		return r;
	}
	km_sources_update(c);
	malloc_trim(0); /* libbpf parsed the kernel's types: some 10 MiB that nobody needs now */
	*ret = c;
	return 0;
}

int km_collect_self(struct km_collect *c, const uint32_t *tgids, size_t count)
{
	int fd = c->bpf.maps[KM_MAP_SELF];

	if (count > KMEND_SELF_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < KMEND_SELF_MAX; i++) {
		c->self[i] = i < count ? tgids[i] : 0;
		if (fd >= 0)
			bpf_map_update_elem(fd, &i, &c->self[i], BPF_ANY);
	}
	return 0;
}

static void add_myself(struct km_collect *c)
{
	uint32_t self[KMEND_SELF_MAX];
	size_t n = 0;

	if (km_is_self(c, (uint32_t)getpid()))
		return;
	while (n < KMEND_SELF_MAX && c->self[n]) {
		self[n] = c->self[n];
		n++;
	}
	if (n < KMEND_SELF_MAX) {
		self[n] = (uint32_t)getpid();
		km_collect_self(c, self, n + 1);
	}
}

static int emit_level(void *userdata, uint64_t cgroup_id, enum km_resource resource, uint64_t level,
                      uint64_t limit)
{
	struct km_collect *c = userdata;
	struct km_raw_level raw;

	km_raw_init(&raw, KM_RAW_LEVEL, sizeof(raw), cgroup_id);
	raw.resource = resource;
	raw.level = level;
	raw.limit = limit;
	return km_emit(c, &raw, sizeof(raw));
}

static int emit_levels(struct km_collect *c)
{
	return km_levels_read(c->levels, emit_level, c);
}

static int emit_tick(struct km_collect *c)
{
	struct km_raw_tick raw;

	km_raw_init(&raw, KM_RAW_TICK, sizeof(raw), 0);
	return km_emit(c, &raw, sizeof(raw));
}

static int look_at_cgroups(struct km_collect *c)
{
	uint64_t every;
	int r;

	if (!c->cgroups)
		return 0;
	every = km_cgroups_fd(c->cgroups) >= 0 ? WALK_EVERY : LOOK_EVERY;
	r = c->pass % every ? km_cgroups_events(c->cgroups) : km_cgroups_walk(c->cgroups);
	return c->error ? c->error : r < 0 ? 0 : r; /* unmounted meanwhile: nothing new */
}

/* The order of a sampling pass: what happened, then what is, then "that was all". */
static int (*const steps[])(struct km_collect *) = {
	km_honesty_step,  km_rings_drain,  look_at_cgroups, km_clock_emit,  km_tasks_step,
	emit_levels,      km_host_emit,    km_limits_emit,  km_rooms_emit,  km_suffering_emit,
	km_pidfiles_emit, km_sockets_step, km_sums_emit,    km_demand_step, km_retransmits_emit,
	km_losses_emit,   emit_tick,
};

static int on_pass(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;
	int r = 0;

	(void)fd;
	(void)events;
	c->pass++;
	km_stats_expire(c);
	for (size_t i = 0; i < KM_ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](c);
	return r;
}

static int on_cgroup_event(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;

	(void)fd;
	(void)events;
	km_cgroups_events(c->cgroups);
	return c->error;
}

static int on_wanted_tick(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;
	int r;

	(void)fd;
	(void)events;
	r = km_rings_drain(c);
	return r ? r : emit_tick(c);
}

int km_collect_drain(struct km_collect *c)
{
	return km_rings_drain(c);
}

void km_collect_want_tick(struct km_collect *c, uint64_t at_ns)
{
	if (c->loop)
		km_loop_timer_set(c->loop, c->tick_timer_fd, at_ns, 0);
}

static int add_timers(struct km_collect *c)
{
	int r;

	r = km_rings_add(c);
	if (r == 0 && c->cgroups && km_cgroups_fd(c->cgroups) >= 0)
		r = km_loop_add(c->loop, km_cgroups_fd(c->cgroups), EPOLLIN, on_cgroup_event, c);
	if (r == 0)
		r = km_loop_timer(c->loop, c->period_ns, on_pass, c, &c->timer_fd);
	if (r == 0)
		r = km_loop_timer(c->loop, KM_NS_PER_S, on_wanted_tick, c, &c->tick_timer_fd);
	if (r == 0)
		r = km_loop_timer_set(c->loop, c->tick_timer_fd, 0, 0);
	return r;
}

static int walk(struct km_collect *c)
{
	if (c->cgroups)
		km_cgroups_walk(c->cgroups);
	if (c->bpf.taken_over) {
		prune_watches(c);
		km_retransmits_prime(c);
	}
	return c->error;
}

int km_collect_start(struct km_collect *c, struct km_loop *loop, km_collect_sink sink,
                     void *userdata)
{
	static int (*const first[])(struct km_collect *) = {
		km_probes_emit,     km_clock_emit,  walk,
		km_rings_drain_old, km_rings_drain, km_scan_emit,
	};
	int r = 0;

	c->period_ns = c->opts.config ? c->opts.config->settings.sample_period_ns : PERIOD_NS;
	c->loop = loop;
	c->sink = sink;
	c->userdata = userdata;
	add_myself(c);
	km_collect_follow(c, c->opts.config);
	c->whole_passes = 1;
	for (size_t i = 0; i < KM_ARRAY_SIZE(first) && r == 0; i++)
		r = first[i](c);
	if (r == 0)
		r = add_timers(c);
	if (r == 0)
		r = km_duty_start(c);
	return r ? r : km_demand_start(c);
}

static void leave_loop(struct km_collect *c)
{
	const int fds[] = { c->timer_fd, c->bulk_timer_fd, c->tick_timer_fd };

	if (!c->loop)
		return;
	for (size_t i = 0; i < KM_ARRAY_SIZE(fds); i++)
		if (fds[i] > 0)
			km_loop_remove(c->loop, fds[i]);
	km_rings_remove(c);
	if (c->cgroups && km_cgroups_fd(c->cgroups) >= 0)
		km_loop_remove(c->loop, km_cgroups_fd(c->cgroups));
}

struct km_collect *km_collect_stop(struct km_collect *c, bool unpin)
{
	if (!c)
		return NULL;
	leave_loop(c);
	if (unpin && c->bpf.pin_fd >= 0)
		km_pins_clear(c->bpf.pin_fd);
	km_rings_close(c);
	km_bpf_close(&c->bpf);
	km_cgroups_free(c->cgroups);
	km_levels_free(c->levels);
	km_table_free(c->alive);
	km_table_free(c->retrans);
	km_table_free(c->wanted);
	km_table_free(c->sums);
	km_table_free(c->peers);
	km_table_free(c->accepts);
	km_scan_free(c);
	km_rooms_close(c);
	km_host_close(c);
	km_demand_close(c);
	km_duty_close(c);
	km_suffering_free(c);
	free(c->pidfiles);
	free(c->task_buffer);
	km_close(&c->proc_fd);
	km_close(&c->stats_fd);
	free(c);
	return NULL;
}

int km_collect_watch(struct km_collect *c, uint64_t cgroup_id, bool on)
{
	const char *path = c->cgroups ? km_cgroups_path(c->cgroups, cgroup_id) : NULL;
	size_t watched = c->sufferer_count;
	uint64_t *row;
	int r;

	if (!path && on)
		km_table_put(c->wanted, &cgroup_id, &row);
	else
		km_table_drop(c->wanted, &cgroup_id);
	if (!path)
		return -ENOENT;
	km_cgroups_watch(c->cgroups, cgroup_id, on);
	if (on) {
		r = km_levels_add(c->levels, cgroup_id, path);
		if (r == 0)
			r = km_suffering_add(c, cgroup_id, path);
		/* More is told of its processes than was. */
		if (c->sufferer_count > watched && !c->whole_passes)
			c->whole_passes = 1;
		return r;
	}
	km_levels_drop(c->levels, cgroup_id);
	km_suffering_drop(c, cgroup_id);
	return 0;
}
