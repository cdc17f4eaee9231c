// SPDX-License-Identifier: Apache-2.0
/* Signals that are too costly to be on all the time: attached for a short window in each period,
 * their counts scaled up. The next window is made as long as the budget allows, judged by what the
 * last one cost: runs, each as long as one was measured to take at the start, and the attaching. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "collect/internal.h"

#define PERIOD_NS (4 * KM_NS_PER_S)
/* While nothing is suspected, attaching alone takes this much of one CPU: it makes every CPU stop
 * for a moment, one to three ms in all on an idle host, where windows find nothing. */
#define CALM_PPM    60
#define CALM_MAX_NS (64 * KM_NS_PER_S)
/* A period grows so much at a time: values of the one before must not look stale meanwhile. */
#define CALM_GROWTH 4
/* What was forecast or decided keeps windows close for so long. */
#define SUSPECT_NS    (60 * KM_NS_PER_S)
#define PERIOD_MAX_NS (64 * KM_NS_PER_S)
#define WINDOW_MIN_NS KM_NS_PER_MS
#define FIRST_NS      (5 * KM_NS_PER_MS) /* until it is known what one costs */
#define MAX_SHARE     8                  /* of a period: half a second of four */
/* Calls of the calibration, with and without: 2 ms in all; the best of so many rounds. */
#define CALLS  2000
#define ROUNDS 5
#define RUN_NS 150 /* where it could not be measured: half again what it is on fast machines */

static const enum km_prog_id windowed[] = { KM_PROG_CALLS, KM_PROG_IO, KM_PROG_DROP };

struct km_duty {
	uint64_t budget_ppm;
	double taken_ppm;         /* of it, by what is on demand */
	bool held;                /* system calls are, by that */
	uint64_t period_ns;       /* the shortest, as the budget allows */
	uint64_t next_ns;         /* from the end of the last window to the next one */
	uint64_t window_ns;       /* of the next one */
	uint64_t began_ns;        /* 0: no window is open */
	uint64_t before_ns;       /* end of the last one */
	uint64_t attach_ns;       /* CPU time of attaching and detaching, last time */
	uint64_t run_ns;          /* one run, hook included */
	uint64_t runs;            /* so far, when the window began */
	uint64_t *on_cpu;         /* room for one look */
	struct kmend_turn *turns; /* ... and another */
	uint32_t cpus;
	int timer_fd;
	char why_not[KM_NAME_MAX];
};

int km_duty_open(struct km_collect *c)
{
	struct km_duty *d = calloc(1, sizeof(*d));
	int cpus = libbpf_num_possible_cpus();

	if (!d)
		return -ENOMEM;
	d->budget_ppm = c->opts.config ? c->opts.config->settings.signal_budget_ppm : 0;
	d->period_ns = d->next_ns = PERIOD_NS;
	d->window_ns = FIRST_NS;
	d->cpus = cpus > 0 ? (uint32_t)cpus : 1;
	d->timer_fd = -1;
	c->duty = d;
	d->on_cpu = calloc(d->cpus, sizeof(*d->on_cpu));
	d->turns = calloc(KMEND_TURNS_MAX, sizeof(*d->turns));
	if (!d->on_cpu || !d->turns)
		return -ENOMEM; /* km_duty_close() */
	if (!c->bpf_used)
		km_copy(d->why_not, sizeof(d->why_not), "switched off (no BPF)");
	else if (!d->budget_ppm)
		km_copy(d->why_not, sizeof(d->why_not),
		        "switched off: signal_budget_ppm is 0 in the configuration");
	return 0;
}

const char *km_duty_why_not(const struct km_collect *c)
{
	return c->duty && c->duty->why_not[0] ? c->duty->why_not : NULL;
}

static void attach(struct km_collect *c)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(windowed); i++) {
		struct km_prog *p = &c->bpf.progs[windowed[i]];

		if (c->duty->held && windowed[i] == KM_PROG_CALLS)
			continue;
		if (p->prog_fd >= 0 && p->link_fd < 0)
			p->link_fd = km_bpf_attach(&km_prog_defs[windowed[i]], p->prog_fd);
	}
}

static void detach(struct km_collect *c)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(windowed); i++)
		if (!c->duty->held || windowed[i] != KM_PROG_CALLS)
			km_close(&c->bpf.progs[windowed[i]].link_fd);
}

void km_duty_close(struct km_collect *c)
{
	if (!c->duty)
		return;
	detach(c);
	free(c->duty->on_cpu);
	free(c->duty->turns);
	free(c->duty);
	c->duty = NULL;
}

/* System calls that ran into the hook; what the last turn of each CPU has so far included. */
uint64_t km_duty_calls(const struct km_collect *c)
{
	struct kmend_turn *turns = c->duty->turns;
	uint32_t key = 0;
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(c->bpf.maps[KM_MAP_TURNS], &key, turns) < 0)
		return 0;
	for (uint32_t cpu = 0; cpu < KMEND_TURNS_MAX; cpu++)
		sum += turns[cpu].runs +
		       (turns[cpu].stack ? KMEND_TURN_CALLS - turns[cpu].left : 0);
	return sum;
}

uint64_t km_duty_runs(const struct km_collect *c, enum kmend_run run)
{
	uint64_t *on = c->duty->on_cpu, sum = 0;
	uint32_t key = run;

	if (bpf_map_lookup_elem(c->bpf.maps[KM_MAP_RUNS], &key, on) < 0)
		return 0;
	for (uint32_t cpu = 0; cpu < c->duty->cpus; cpu++)
		sum += on[cpu];
	return sum;
}

/* Runs in windows, of all programs so far. */
static uint64_t count_runs(const struct km_collect *c)
{
	uint64_t n = km_duty_runs(c, KMEND_RUN_IO) + km_duty_runs(c, KMEND_RUN_DROPS);

	return c->duty->held ? n : n + km_duty_calls(c);
}

static uint64_t time_calls(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = km_cpu_ns(), ns;

		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		ns = km_cpu_ns() - start;
		best = ns < best ? ns : best;
	}
	return best;
}

/* What the kernel's statistics do not see is most of it: the way to the hook and back. */
static void calibrate(struct km_collect *c)
{
	struct km_duty *d = c->duty;
	uint64_t without = time_calls(), start = km_cpu_ns(), with;

	attach(c);
	d->attach_ns = km_cpu_ns() - start;
	with = time_calls();
	start = km_cpu_ns();
	detach(c);
	d->attach_ns += km_cpu_ns() - start;
	d->run_ns = with > without ? (with - without) / CALLS : RUN_NS;
	if (d->run_ns < RUN_NS / 4)
		d->run_ns = RUN_NS / 4; /* disturbed: a budget is not kept by hoping */
}

uint64_t km_duty_next(uint64_t window_ns, double cost_ppm, double budget_ppm, uint64_t max_ns)
{
	/* Towards four fifths of the budget, so that a load that grows a little stays within it; at
	 * most twice as long as before, since the load may be just beginning. */
	double factor = cost_ppm > 0 ? 0.8 * budget_ppm / cost_ppm : 2;
	double next = (double)window_ns * (factor < 2 ? factor : 2);

	if (next < (double)WINDOW_MIN_NS)
		return WINDOW_MIN_NS;
	return next < (double)max_ns ? (uint64_t)next : max_ns;
}

/* First shorter windows, then rarer ones. */
static void adapt(struct km_duty *d, double cost_ppm)
{
	double budget = (double)d->budget_ppm - d->taken_ppm;
	bool shortest = d->window_ns <= WINDOW_MIN_NS;

	if (shortest && cost_ppm > budget && d->period_ns < PERIOD_MAX_NS)
		d->period_ns *= 2;
	else if (cost_ppm < budget / 4 && d->period_ns > PERIOD_NS)
		d->period_ns /= 2;
	d->window_ns = km_duty_next(d->window_ns, cost_ppm, budget > 0 ? budget : 0,
	                            d->period_ns / MAX_SHARE);
}

uint64_t km_duty_calm(uint64_t last_ns, uint64_t attach_ns)
{
	uint64_t calm = attach_ns * 1000000 / CALM_PPM;

	if (calm > CALM_MAX_NS)
		calm = CALM_MAX_NS;
	return calm < CALM_GROWTH * last_ns ? calm : CALM_GROWTH * last_ns;
}

/* Windows are close where the last one saw failures, or somebody expects some. */
static void choose_next(struct km_collect *c)
{
	struct km_duty *d = c->duty;
	bool suspected = c->suspected_ns && km_now_ns() - c->suspected_ns < SUSPECT_NS;
	uint64_t calm = km_duty_calm(d->next_ns, d->attach_ns);

	d->next_ns = d->period_ns;
	if (!suspected && calm > d->next_ns)
		d->next_ns = calm;
}

/* Of all CPUs, over the time from the last window's end to this one's. */
static double cost_of(const struct km_duty *d, uint64_t runs, uint64_t period_ns)
{
	double ns = (double)runs * (double)d->run_ns + (double)d->attach_ns;

	return 1e6 * ns / ((double)period_ns * d->cpus);
}

static int say_cost(struct km_collect *c, double ppm)
{
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_WINDOW_COST,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = ppm,
	                                           .limit = (double)c->duty->budget_ppm,
	                                           .every = c->window.passes });
}

static void begin(struct km_collect *c)
{
	struct km_duty *d = c->duty;
	uint64_t start = km_cpu_ns();

	d->runs = count_runs(c);
	attach(c);
	d->attach_ns = km_cpu_ns() - start;
	d->began_ns = km_now_ns();
	km_loop_timer_set(c->loop, d->timer_fd, d->began_ns + d->window_ns, 0);
}

static int end(struct km_collect *c)
{
	struct km_duty *d = c->duty;
	uint64_t now = km_now_ns(), start = km_cpu_ns();
	double cost;
	int r;

	detach(c);
	d->attach_ns += km_cpu_ns() - start;
	c->window.window_ns = now - d->began_ns;
	c->window.period_ns = now - d->before_ns;
	c->window.passes = (uint32_t)(d->next_ns / c->period_ns + 1);
	d->before_ns = now;
	d->began_ns = 0;
	cost = cost_of(d, count_runs(c) - d->runs, c->window.period_ns);
	adapt(d, cost);
	r = km_sums_emit_window(c);
	if (r == 0)
		r = km_drops_emit(c);
	choose_next(c);
	km_loop_timer_set(c->loop, d->timer_fd, now + d->next_ns, 0);
	return r ? r : say_cost(c, cost);
}

static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;

	(void)fd;
	(void)events;
	if (c->duty->began_ns)
		return end(c);
	begin(c);
	return 0;
}

/* Also the next window is near, not only those behind it. */
void km_collect_suspect(struct km_collect *c)
{
	struct km_duty *d = c->duty;

	c->suspected_ns = km_now_ns();
	if (d->timer_fd < 0 || d->began_ns || d->next_ns <= d->period_ns)
		return;
	d->next_ns = d->period_ns;
	km_loop_timer_set(c->loop, d->timer_fd, d->before_ns + d->next_ns, 0);
}

void km_duty_hold(struct km_collect *c, bool held)
{
	struct km_duty *d = c->duty;

	if (d->began_ns) {
		detach(c);
		d->began_ns = 0;
		d->before_ns = km_now_ns();
		km_loop_timer_set(c->loop, d->timer_fd, d->before_ns + d->next_ns, 0);
	}
	d->held = held;
}

bool km_duty_held(const struct km_collect *c)
{
	return c->duty->held;
}

void km_duty_share(struct km_collect *c, double ppm)
{
	c->duty->taken_ppm = ppm;
}

uint64_t km_duty_run_ns(const struct km_collect *c)
{
	return c->duty->run_ns;
}

int km_duty_start(struct km_collect *c)
{
	struct km_duty *d = c->duty;
	int r;

	if (d->why_not[0] || c->bpf.maps[KM_MAP_RUNS] < 0)
		return 0;
	calibrate(c);
	km_drops_prime(c);
	d->before_ns = km_now_ns();
	r = km_loop_timer(c->loop, d->period_ns, on_timer, c, &d->timer_fd);
	return r < 0 ? r
	             : km_loop_timer_set(c->loop, d->timer_fd, d->before_ns + d->period_ns / 4, 0);
}
