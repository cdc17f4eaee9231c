// SPDX-License-Identifier: Apache-2.0
/* What keeps kmend from acting is known to the next version of it, too. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "daemon/engine.h"
#include "decide/internal.h"

#define SERVICE 77
#define RULE    88

struct kept {
	char path[64];
	struct km_daemon d;
	struct km_engine e;
};

static void copy(const struct kept *k, const char *from)
{
	const char *top = getenv("KMEND_TOP");
	char name[256], data[65536];
	int in, out;
	ssize_t n;

	snprintf(name, sizeof(name), "%s/tests/fixtures/lasting/%s", top ? top : ".", from);
	in = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(in >= 0);
	n = read(in, data, sizeof(data));
	assert_true(n > 0);
	out = openat(k->d.engine_fd, "lasting", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0);
	assert_int_equal(write(out, data, (size_t)n), n);
	close(in);
	close(out);
}

static int begin(void **state)
{
	struct kept *k = calloc(1, sizeof(*k));

	snprintf(k->path, sizeof(k->path), "/tmp/kmend-lasting-XXXXXX");
	assert_non_null(mkdtemp(k->path));
	k->d.engine_fd = open(k->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	k->e.d = &k->d;
	assert_int_equal(km_pipeline_new(&k->e.pipeline), 0);
	*state = k;
	return 0;
}

static int end(void **state)
{
	struct kept *k = *state;

	km_pipeline_free(k->e.pipeline);
	km_buf_free(k->e.lasting);
	unlinkat(k->d.engine_fd, "lasting", 0);
	close(k->d.engine_fd);
	rmdir(k->path);
	free(k);
	return 0;
}

static void *row(const struct kept *k, enum km_decide_table table, uint64_t first, uint64_t second)
{
	const uint64_t key[2] = { first, second };
	struct km_table *t[KM_T_MAX];

	km_decide_tables(km_pipeline_decide(k->e.pipeline), t, KM_T_MAX);
	return km_table_get(t[table], key);
}

/* The same as in tests/fixtures/lasting/layout-16, whose acts are of some seconds before. */
static void check(const struct kept *k)
{
	const struct km_meta *m = row(k, KM_T_META, 1, 0);
	const struct km_acts *a = row(k, KM_T_ACTS, SERVICE, RULE);
	const struct km_host_acts *h = row(k, KM_T_HOST, 1, 0);
	const struct km_pace *p = row(k, KM_T_PACE, SERVICE, RULE);
	const struct km_quarantine *q = row(k, KM_T_QUARANTINE, SERVICE, 0);
	const struct km_maintain *w = row(k, KM_T_MAINTAIN, SERVICE, 0);
	const struct km_track *t = row(k, KM_T_TRACK, RULE, 0);
	uint64_t now = km_now_ns(), late = now - 60 * KM_NS_PER_S;

	assert_int_equal(m->incidents, 41);
	assert_in_range(m->paused_ns, late, now);
	assert_int_equal(a->count, 2);
	assert_in_range(a->t_ns[1], late, now);
	assert_int_equal(h->count, 3);
	assert_in_range(h->t_ns[2], late, now);
	assert_in_range(p->last_ns, late, now);
	assert_int_equal(p->acts, 2);
	assert_in_range(q->since_ns, late, now);
	assert_int_equal(q->decision_id, 9);
	assert_in_range(w->until_ns, late + 600 * KM_NS_PER_S, now + 600 * KM_NS_PER_S);
	assert_int_equal(t->demoted, 1);
}

static void a_file_of_the_version_before_is_taken_over_whole(void **state)
{
	struct kept *k = *state;

	copy(k, "layout-16");
	assert_int_equal(km_lasting_read(&k->e), 8);
	check(k);
}

static void what_is_written_is_read_again(void **state)
{
	struct kept *k = *state;
	struct km_raw_clock clock = {
		.hdr = { .type = KM_RAW_CLOCK, .size = sizeof(clock) },
		.realtime_ns = 1700000000 * KM_NS_PER_S,
	};

	copy(k, "layout-16");
	assert_int_equal(km_lasting_read(&k->e), 8);
	clock.hdr.ktime_ns = km_now_ns();
	assert_int_equal(km_pipeline_feed(k->e.pipeline, &clock, sizeof(clock)), 0);
	k->e.checkpoints = 1;
	assert_int_equal(km_lasting_write(&k->e), 0);
	k->e.pipeline = km_pipeline_free(k->e.pipeline);
	assert_int_equal(km_pipeline_new(&k->e.pipeline), 0);
	assert_int_equal(km_lasting_read(&k->e), 8);
	check(k);
}

static void each_table_that_lasts_has_a_number_of_its_own(void **state)
{
	const struct kept *k = *state;
	struct km_table *t[64];
	uint64_t seen = 0;
	size_t n =
		km_predict_tables((struct km_predict *)km_pipeline_predict(k->e.pipeline), t, 32);

	n += km_decide_tables(km_pipeline_decide(k->e.pipeline), t + n, 32);
	for (size_t i = 0; i < n; i++) {
		const struct km_table_opts *o = km_table_opts(t[i]);

		assert_true(!o->lasting == !o->outlives);
		assert_true(o->outlives || !o->returns);
		assert_true(o->lasting < 64);
		assert_false(o->lasting && seen >> o->lasting & 1);
		seen |= 1ULL << o->lasting;
	}
	assert_int_equal(__builtin_popcountll(seen & ~1ULL), 9);
}

static struct km_watch *watched(const struct kept *k)
{
	const uint64_t key = SERVICE;
	struct km_table *t[8];
	size_t n = km_predict_tables((struct km_predict *)km_pipeline_predict(k->e.pipeline), t, 8);
	struct km_watch *w;

	for (size_t i = 0; i < n; i++)
		if (strcmp(km_table_opts(t[i])->name, "watched") == 0) {
			assert_true(km_table_put(t[i], &key, &w) >= 0);
			return w;
		}
	fail_msg("nothing is watched");
	return NULL;
}

static void begin_anew(struct kept *k)
{
	k->e.pipeline = km_pipeline_free(k->e.pipeline);
	assert_int_equal(km_pipeline_new(&k->e.pipeline), 0);
}

static void learn(struct kept *k)
{
	struct km_watch *w = watched(k);

	w->t_ns = 5000 * KM_NS_PER_S;
	for (int minute = 0; minute < 100; minute++) {
		km_anomaly_metric_add(&w->metric[KM_W_CPU], 1000 + minute % 7);
		km_anomaly_judge(&w->anomaly, (uint64_t)minute * 60 * KM_NS_PER_S,
		                 1700000000 + (uint64_t)minute * 60, w->metric, KM_W_ANOMALY_MAX);
	}
	w->hang = (struct km_hang){ .usual_cpu = 1500, .samples = 99, .since_ns = 7, .starved = 1 };
	w->degrade.creep[2] = (struct km_creep){ .mean = 2, .samples = 400, .sum = 25 };
	w->degrade.t_ns = 5000 * KM_NS_PER_S;
	w->depend = (struct km_depend){ .since_ns = 7, .usual = 0.5F, .failed = 9 };
}

static void what_was_learnt_is_known_after_a_reboot(void **state)
{
	struct kept *k = *state;
	const struct km_watch *w;

	learn(k);
	assert_int_equal(km_learnt_write(&k->e), 0);
	begin_anew(k);
	km_learnt_read(&k->e);
	w = watched(k);
	assert_int_equal(w->anomaly.samples, 100);
	assert_int_equal(w->metric[KM_W_CPU].samples, 100);
	assert_true(w->metric[KM_W_CPU].mean > 1000);
	assert_int_equal(w->hang.samples, 99);
	assert_int_equal(w->degrade.creep[2].samples, 400);
	assert_true(w->depend.usual > 0.4F);
	/* What happened before it did is over. */
	assert_int_equal(w->t_ns + w->anomaly.t_ns + w->degrade.t_ns, 0);
	assert_int_equal(w->hang.since_ns + w->hang.starved + w->depend.since_ns, 0);
	assert_true(w->degrade.creep[2].sum <= 0 && w->depend.failed <= 0);
	assert_true(km_watch_valid(w));
	unlinkat(k->d.engine_fd, "learnt", 0);
}

static void what_was_learnt_may_be_damaged(void **state)
{
	struct kept *k = *state;
	int fd;

	learn(k);
	assert_int_equal(km_learnt_write(&k->e), 0);
	fd = openat(k->d.engine_fd, "learnt", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 200), 1);
	close(fd);
	begin_anew(k);
	km_learnt_read(&k->e);
	assert_int_equal(watched(k)->anomaly.samples, 0);
	assert_int_equal(unlinkat(k->d.engine_fd, "learnt.bad", 0), 0);
	assert_int_equal(unlinkat(k->d.engine_fd, "learnt", 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_of_the_version_before_is_taken_over_whole,
		                                begin, end),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again, begin, end),
		cmocka_unit_test_setup_teardown(what_was_learnt_is_known_after_a_reboot, begin,
		                                end),
		cmocka_unit_test_setup_teardown(what_was_learnt_may_be_damaged, begin, end),
		cmocka_unit_test_setup_teardown(each_table_that_lasts_has_a_number_of_its_own,
		                                begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
