/* SPDX-License-Identifier: Apache-2.0 */
/* Crash loop: a service that ends soon after each start will do so again.
 *
 * Only ends that nobody asked for count, and only lives, not the gaps between ends: a growing
 * back-off makes gaps longer while the service is as ill as before. With k short lives in a row
 * Laplace's rule of succession gives (k + 1) / (k + 2) for the next one. */
#include <math.h>
#include <signal.h>

#include "predict/internal.h"

/* The third crash is enough, and the second is not. */
#define ENDS_MIN 3
/* A life shorter than this is short for any service ... */
#define SHORT_NS (60 * KM_NS_PER_S)
/* ... and so is one shorter than this share of the median of those before. */
#define SHORT_SHARE 10
/* The crash before two short lives counts, whatever life it ended, if it is no longer ago. */
#define BURST_NS (2 * SHORT_NS)
/* Up for so many times its longest short life, and for this long: it has got over it. */
#define OVER_IT        3
#define OVER_IT_MIN_NS (5 * KM_NS_PER_S)
/* Each life so many times the one before, three times over, and the last one no blink: it recovers
 * by itself. */
#define GROWING        2
#define GROWING_MIN_NS (10 * KM_NS_PER_S)
/* Ends that lie further back than this say nothing of today. */
#define OLD_NS (3600 * KM_NS_PER_S)

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Median of the lives from FIRST on, 0 if there are none. */
static uint64_t median_from(const struct km_ends *e, uint32_t first)
{
	uint64_t life[KM_ENDS_KEPT];
	uint32_t n = e->count - first;

	if (!n)
		return 0;
	memcpy(life, e->lived_ns + first, n * sizeof(life[0]));
	qsort(life, n, sizeof(life[0]), by_size);
	return life[n / 2];
}

/* Somebody stopped it, or it was done: no crash, whoever asked. 128 + n is how shells and virtual
 * machines say that signal n ended them. Only a supervised command is there to stay: for it a clean
 * exit is as bad as another. */
static bool orderly(const struct km_service *s, uint32_t exit_code)
{
	uint32_t signal = exit_code & 0x7f, status = exit_code >> 8;

	if (exit_code == UINT32_MAX)
		return false;
	if (exit_code == 0)
		return s->kind != KM_BY_COMMAND;
	if (signal == 0 && status > 128)
		signal = status - 128;
	return signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

/* The ends of E that are crashes, newest first. */
static void crashes(const struct km_service *s, const struct km_ends *e, struct km_ends *ret)
{
	for (uint32_t i = 0; e && i < e->count; i++) {
		if (orderly(s, e->exit_code[i]))
			continue;
		ret->t_ns[ret->count] = e->t_ns[i];
		ret->lived_ns[ret->count++] = e->lived_ns[i];
	}
}

static bool recent(uint64_t t_ns, uint64_t now_ns)
{
	return t_ns > now_ns || now_ns - t_ns < OLD_NS;
}

/* How many of the newest ends in a row came after a short life. */
static uint32_t short_lives(const struct km_ends *e, uint64_t now_ns)
{
	uint32_t n = 0;

	while (n < e->count && recent(e->t_ns[n], now_ns) &&
	       (e->lived_ns[n] < SHORT_NS || e->lived_ns[n] < median_from(e, n + 1) / SHORT_SHARE))
		n++;
	return n;
}

/* The end that came before the RUN short lives belongs to them. */
static bool begun_by_crash(const struct km_ends *e, uint32_t run)
{
	return run && run < e->count && e->t_ns[0] - e->t_ns[run] < BURST_NS;
}

static bool growing(const struct km_ends *e)
{
	return e->lived_ns[0] >= GROWING_MIN_NS && e->lived_ns[0] / GROWING >= e->lived_ns[1] &&
	       e->lived_ns[1] / GROWING >= e->lived_ns[2];
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)KM_NS_PER_S;
}

static int none(struct km_forecast *ret, enum km_no_forecast why)
{
	ret->why = why;
	return 0;
}

/* When the next life ends: as the lives of the run did. UP_NS of it are over. */
static void put(const struct km_ends *e, uint32_t run, uint64_t up_ns, struct km_forecast *ret)
{
	uint64_t life[KM_ENDS_KEPT], median, longest;

	memcpy(life, e->lived_ns, run * sizeof(life[0]));
	qsort(life, run, sizeof(life[0]), by_size);
	median = life[run / 2];
	longest = life[run - 1];
	ret->eta_s = km_predict_round(seconds(median > up_ns ? median - up_ns : 0));
	ret->eta_lo_s = km_predict_round(seconds(life[0] > up_ns ? life[0] - up_ns : 0));
	ret->eta_hi_s = km_predict_round(
		fmax(seconds(longest > up_ns ? 2 * longest - up_ns : longest), ret->eta_s));
	ret->p = km_predict_round((double)(ret->ends + 1) / (double)(ret->ends + 2));
}

static int crash(const struct km_predict_input *in, enum km_resource resource,
                 struct km_forecast *ret)
{
	struct km_ends e = { 0 };
	uint64_t longest = 0, up_ns = 0;
	uint32_t run;

	(void)resource;
	if (!in->ends || in->ends->count < ENDS_MIN)
		return none(ret, KM_WHY_FEW_ENDS);
	crashes(in->service, in->ends, &e);
	run = short_lives(&e, in->now_ns);
	ret->ends = run + begun_by_crash(&e, run);
	if (ret->ends < ENDS_MIN)
		return none(ret, KM_WHY_FEW_ENDS);
	for (uint32_t i = 0; i < run; i++)
		longest = e.lived_ns[i] > longest ? e.lived_ns[i] : longest;
	if (in->service->state == KM_SERVICE_UP && in->now_ns > in->service->since_ns)
		up_ns = in->now_ns - in->service->since_ns;
	if (growing(&e) || (up_ns > OVER_IT_MIN_NS && up_ns / OVER_IT > longest))
		return none(ret, KM_WHY_SETTLED);
	put(&e, run, up_ns, ret);
	if (in->now_ns > e.t_ns[run - 1])
		ret->span_ns = in->now_ns - e.t_ns[run - 1] + e.lived_ns[run - 1];
	return 1;
}

const struct km_predictor km_predictor_crash = {
	.name = "crash loop by short lives in a row",
	.kind = KM_CRASH_LOOP,
	.forecast = crash,
	.per_resource = false,
};
