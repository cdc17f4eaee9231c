// SPDX-License-Identifier: Apache-2.0
/* What a sample of one series costs in phases 4 and 5, and how much is kept of it. CPU time of this
 * process; the best of several rounds, because others use the machine as well. Needs no root. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "measure/state.h"
#include "predict/predict.h"

/* More than fit into a second-level cache, as in a daemon with many services. */
#define SERIES 4098
/* With a limit: memory, descriptors, threads. */
#define PER_SERVICE 3
#define SAMPLES     64
/* Of a service, where memory is counted. */
#define SIGNALS 16
#define ROUNDS  7
#define LIMIT   1e9

struct world {
	char *series; /* SERIES of them */
	struct km_anomaly_metric *metric;
	struct km_predict *predict;
	uint64_t seed, second;
	double sink; /* what is computed is used */
};

static double chance(struct world *w)
{
	w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(w->seed >> 11) / 9007199254740992.0;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Noise around half of the limit; one series in 64 leaks. */
static double level(struct world *w, unsigned int i)
{
	double base = i % 64 == 0 ? fmod((double)w->second, 3600) * LIMIT / 3600 : LIMIT / 2;

	return base + chance(w) * LIMIT / 20;
}

typedef void (*sample)(struct world *w, unsigned int i, double level);

static void nothing(struct world *w, unsigned int i, double x)
{
	w->sink += x + i;
}

static struct km_series *series(struct world *w, unsigned int i)
{
	return (struct km_series *)(void *)(w->series + i * km_series_size());
}

static void add(struct world *w, unsigned int i, double x)
{
	km_series_add(series(w, i), w->second * KM_NS_PER_S, x, LIMIT);
}

/* As at a tick: all series of a service are looked at together. */
static void forecast(struct world *w, unsigned int i, double x)
{
	struct km_service service = { .id = i / PER_SERVICE + 1, .state = KM_SERVICE_UP };
	struct km_features f[PER_SERVICE] = { 0 };
	struct km_predict_input in = { .now_ns = w->second * KM_NS_PER_S,
		                       .horizon_ns = 86400 * KM_NS_PER_S,
		                       .service = &service };

	add(w, i, x);
	if (i % PER_SERVICE != PER_SERVICE - 1)
		return;
	for (unsigned int k = 0; k < PER_SERVICE; k++) {
		km_series_features(series(w, i - k), &f[k]);
		in.features[k] = &f[k];
	}
	w->sink += km_predict_service(w->predict, &in);
}

static void anomaly(struct world *w, unsigned int i, double x)
{
	km_anomaly_metric_add(&w->metric[i], x);
	if (w->second % KM_ANOMALY_STEP_S == i % KM_ANOMALY_STEP_S)
		km_anomaly_metric_step(&w->metric[i]);
}

static void everything(struct world *w, unsigned int i, double x)
{
	forecast(w, i, x);
	anomaly(w, i, x);
}

/* Nanoseconds a sample, the best of all rounds. */
static double cost(struct world *w, sample what)
{
	double best = INFINITY;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t from = cpu_ns();

		for (int s = 0; s < SAMPLES; s++, w->second++)
			for (unsigned int i = 0; i < SERIES; i++)
				what(w, i, level(w, i));
		best = fmin(best, (double)(cpu_ns() - from) / ((double)SAMPLES * SERIES));
	}
	return best;
}

static size_t row_size(struct km_predict *p, const char *name)
{
	struct km_table *t[8];
	size_t n = km_predict_tables(p, t, KM_ARRAY_SIZE(t)), i = 0;

	while (i < n - 1 && strcmp(km_table_opts(t[i])->name, name) != 0)
		i++;
	return km_table_opts(t[i])->row_size;
}

/* All rows of a service with SIGNALS signals of which LIMITED have a limit (memory, descriptors,
 * threads, the accept queue), and what finds them, shared among its signals. What is learnt is one
 * row, however few signals there are. Rows of endpoints are endpoints' own. */
static void print_kept(struct km_predict *p)
{
	enum { LIMITED = 4, FORECASTS = LIMITED + KM_FORECAST_KIND_MAX - 1 };
	/* Two entries of hash and slot a row, and up to twice that after the index has grown. */
	const size_t find = 4 * 2 * sizeof(uint32_t);
	size_t fits = LIMITED * (sizeof(struct km_measure_row) + find);
	size_t values = (SIGNALS - LIMITED) * (sizeof(struct km_value) + find);
	size_t learnt = row_size(p, "watched") + find;
	size_t said = FORECASTS * (row_size(p, "forecasts") + find);

	printf("%-30s %6zu bytes (of a service with %d: fits %zu, values %zu, learnt %zu, "
	       "forecasts %zu)\n",
	       "kept of a series", (fits + values + learnt + said) / SIGNALS, SIGNALS, fits, values,
	       learnt, said);
}

int main(void)
{
	static const struct {
		const char *name;
		sample what;
	} rows[] = {
		{ "level into its series", add },
		{ "and features and a forecast", forecast },
		{ "level into an anomaly metric", anomaly },
		{ "everything together", everything },
	};
	struct world w = { .second = 1000, .seed = 1 };
	double bare;

	w.series = calloc(SERIES, km_series_size());
	w.metric = calloc(SERIES, sizeof(*w.metric));
	if (!w.series || !w.metric || km_predict_new(&w.predict) < 0)
		return 1;
	bare = cost(&w, nothing);
	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++)
		printf("%-30s %6.0f ns a sample\n", rows[i].name, cost(&w, rows[i].what) - bare);
	print_kept(w.predict);
	km_predict_free(w.predict);
	free(w.metric);
	free(w.series);
	return w.sink > 0 ? 0 : 1;
}
