// SPDX-License-Identifier: Apache-2.0
/* Floods: whatever others do, what happens to a watched service is told, what is lost is counted to
 * the last record, and what windows cost keeps to the budget. FLOODS and KILLS say how often. */
#include "bpf/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define PIDS_MAX   (1 << 22)
#define CHILDREN   150  /* of the watched service, in each flood */
#define TASKS_MAX  "64" /* of a fork bomb */
#define BUDGET_PPM 5000
#define KILL_MS    100

/* Shared with readers that are killed. */
struct tally {
	uint64_t delivered[KMEND_TYPE_MAX];
	uint32_t windows;        /* whose cost was told */
	double cost_ppm;         /* of the newest */
	uint8_t ended[PIDS_MAX]; /* of the service's children, by themselves; told */
	uint8_t told[PIDS_MAX];
};

struct flood {
	struct tally *tally;
	struct km_loop *loop;
	struct km_collect *collect;
	struct group watched, others;
	char pids[KM_PATH_MAX + 64]; /* where tasks of the flood are limited; empty: nowhere */
	char dir[64];
	char pins[80];
};

static struct km_config config;

static size_t how_often(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 2;
}

static int sink(void *userdata, const void *raw, size_t len)
{
	const struct km_raw_value *v = raw;
	const struct kmend_exit *e = raw;
	struct flood *f = userdata;

	(void)len;
	if (e->hdr.type < KMEND_TYPE_MAX)
		f->tally->delivered[e->hdr.type]++;
	if (e->hdr.type == KMEND_EXIT && e->hdr.cgroup_id == f->watched.id && e->tgid < PIDS_MAX)
		f->tally->told[e->tgid]++;
	if (e->hdr.type == KM_RAW_VALUE && v->signal == KM_SIG_WINDOW_COST) {
		f->tally->windows++;
		f->tally->cost_ppm = v->value;
	}
	return 0;
}

static void start(struct flood *f, const char *pins)
{
	struct km_collect_opts opts = { .config = &config, .pin_dir = pins };

	assert_int_equal(km_loop_new(&f->loop), 0);
	assert_int_equal(km_collect_prepare(&opts, &f->collect), 0);
	assert_int_equal(km_collect_start(f->collect, f->loop, sink, f), 0);
	km_collect_watch(f->collect, f->watched.id, true);
}

static void stop(struct flood *f, bool unpin)
{
	f->collect = km_collect_stop(f->collect, unpin);
	f->loop = km_loop_free(f->loop);
}

/* A group for the flood whose tasks are limited, where the host can do that. */
static void limit_tasks(struct flood *f)
{
	struct km_cgroup_mounts m;

	assert_int_equal(km_cgroup_mounts_read(&m), 0);
	if (m.pids[0])
		snprintf(f->pids, sizeof(f->pids), "%s/kmend-test-bomb-%d", m.pids, getpid());
	else
		km_copy(f->pids, sizeof(f->pids), f->others.unified);
	if (m.pids[0])
		assert_int_equal(mkdir(f->pids, 0755), 0);
	if (!group_put(f->pids, "pids.max", TASKS_MAX))
		f->pids[0] = '\0';
}

static int enter(void **state)
{
	struct flood *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	config.settings.sample_period_ns = 100 * KM_NS_PER_MS;
	config.settings.signal_budget_ppm = BUDGET_PPM;
	f->tally = mmap(NULL, sizeof(*f->tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	assert_true(f->tally != MAP_FAILED);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	strcpy(f->dir, "/tmp/kmend-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(mount("bpf", f->dir, "bpf", 0, NULL), 0);
	snprintf(f->pins, sizeof(f->pins), "%s/pins", f->dir);
	assert_int_equal(mkdir(f->pins, 0700), 0);
	group_make(&f->watched, "watched");
	group_make(&f->others, "others");
	limit_tasks(f);
	*state = f;
	return 0;
}

static void remove_dir(const char *dir)
{
	for (int i = 0; i < 500 && rmdir(dir) < 0 && errno == EBUSY; i++)
		poll(NULL, 0, 10); /* the last of a flood end a moment after they were killed */
}

static int leave(void **state)
{
	struct flood *f = *state;

	if (f->collect)
		stop(f, true);
	km_collect_unpin(f->pins);
	rmdir(f->pins);
	umount(f->dir);
	rmdir(f->dir);
	remove_dir(f->watched.unified);
	remove_dir(f->others.unified);
	remove_dir(f->pids);
	group_remove(&f->watched);
	group_remove(&f->others);
	munmap(f->tally, sizeof(*f->tally));
	free(f);
	return 0;
}

/* The service: CHILDREN that end at once; each is noted. PAUSE_MS between two
 * of them keeps what comes while nobody reads within the ring. */
static void serve(struct flood *f, size_t children, int pause_ms)
{
	group_enter(&f->watched);
	for (size_t i = 0; i < children; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		f->tally->ended[pid]++;
		waitpid(pid, NULL, 0);
		if (pause_ms)
			poll(NULL, 0, pause_ms);
	}
}

static void join_flood(const struct flood *f)
{
	group_enter(&f->others);
	if (f->pids[0] && !group_put(f->pids, "cgroup.procs", "0"))
		_exit(1); /* never without its limit */
}

static void bomb(const struct flood *f)
{
	join_flood(f);
	for (;;)
		if (fork() == 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void execute(const struct flood *f)
{
	char *const argv[] = { (char *)"true", NULL };

	join_flood(f);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			execv("/bin/true", argv);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

/* Nobody listens at port 1. */
static void connect_often(const struct flood *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1) };

	join_flood(f);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		(void)connect(fd, (void *)&a, sizeof(a));
		close(fd);
	}
}

static void call_often(const struct flood *f)
{
	join_flood(f);
	for (;;)
		syscall(SYS_getppid);
}

static void send_often(const struct flood *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	join_flood(f);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;)
		(void)sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
}

typedef void (*flood_fn)(const struct flood *f);

static uint32_t begin(const struct flood *f, flood_fn fn)
{
	return CHILD(fn(f));
}

/* All that it has made as well. */
static void end(const struct flood *f, uint32_t pid)
{
	const char *dirs[] = { f->others.unified, f->pids };
	char path[KM_PATH_MAX + 128], text[8192];
	bool any = true;

	kill((pid_t)pid, SIGKILL);
	while (any) {
		any = false;
		for (size_t i = 0; i < KM_ARRAY_SIZE(dirs); i++) {
			snprintf(path, sizeof(path), "%s/cgroup.procs", dirs[i]);
			if (!dirs[i][0] ||
			    km_fs_read_small(AT_FDCWD, path, text, sizeof(text)) <= 0)
				continue;
			for (char *p = strtok(text, "\n"); p; p = strtok(NULL, "\n"), any = true)
				kill((pid_t)strtol(p, NULL, 10), SIGKILL);
		}
		waitpid((pid_t)pid, NULL, WNOHANG);
	}
}

/* No program runs any more when the counts stand still: the links are gone. */
static void silence(struct km_collect *c)
{
	uint64_t before, now = UINT64_MAX;

	for (int i = 0; i < KM_PROG_MAX; i++)
		km_close(&c->bpf.progs[i].link_fd);
	do {
		before = now;
		now = 0;
		poll(NULL, 0, 50);
		for (int ring = 0; ring < KMEND_RING_MAX; ring++)
			for (uint32_t t = 0; t < KMEND_TYPE_MAX; t++)
				now += km_bpf_count(&c->bpf, ring, t).seen;
	} while (now != before);
}

static bool is_record(uint32_t type)
{
	return type >= KMEND_FORK && type <= KMEND_TCP_STATE;
}

/* How many records of watched cgroups, and of all, were lost. */
static void check_exact(const struct flood *f, uint64_t *must, uint64_t *bulk)
{
	*must = *bulk = 0;
	for (uint32_t type = 0; type < KMEND_TYPE_MAX; type++) {
		struct kmend_count m = km_bpf_count(&f->collect->bpf, KMEND_MUST, type);
		struct kmend_count b = km_bpf_count(&f->collect->bpf, KMEND_BULK, type);

		if (m.lost)
			printf("type %u: %llu of %llu lost in the ring of the watched\n", type,
			       m.lost, m.seen);
		*must += m.lost;
		*bulk += b.lost;
		if (is_record(type) &&
		    m.seen + b.seen != f->tally->delivered[type] + m.lost + b.lost)
			fail_msg("type %u: seen %lu, delivered %lu, lost %lu", type,
			         m.seen + b.seen, f->tally->delivered[type], m.lost + b.lost);
	}
}

/* Ends of the service's children that were told too rarely, or, if ONCE, too often. Its own is told
 * as well, but not noted. */
static size_t missing(const struct flood *f, bool once)
{
	size_t n = 0;

	for (size_t pid = 0; pid < PIDS_MAX; pid++)
		n += f->tally->told[pid] < f->tally->ended[pid] ||
		     (once && f->tally->ended[pid] && f->tally->told[pid] > f->tally->ended[pid]);
	return n;
}

static void one_flood(struct flood *f, const char *name, flood_fn fn)
{
	uint64_t must, bulk;
	uint32_t flood, service;

	memset(f->tally, 0, sizeof(*f->tally));
	start(f, NULL);
	flood = begin(f, fn);
	service = CHILD(serve(f, CHILDREN, 2));
	while (waitpid((pid_t)service, NULL, WNOHANG) == 0)
		km_loop_once(f->loop, 20);
	end(f, flood);
	silence(f->collect);
	assert_int_equal(km_rings_drain(f->collect), 0);
	check_exact(f, &must, &bulk);
	assert_int_equal(must, 0);
	assert_int_equal(missing(f, true), 0);
	printf("flood %s: %lu records, %lu lost of others, none of the service\n", name,
	       f->tally->delivered[KMEND_FORK] + f->tally->delivered[KMEND_EXEC] +
	               f->tally->delivered[KMEND_EXIT] + f->tally->delivered[KMEND_TCP_STATE],
	       bulk);
	stop(f, true);
}

static void a_flood_costs_a_watched_service_no_record(void **state)
{
	static const struct {
		const char *name;
		flood_fn fn;
	} kinds[] = { { "fork bomb", bomb }, { "exec", execute }, { "connect", connect_often } };
	struct flood *f = *state;
	size_t n = how_often("FLOODS");

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < KM_ARRAY_SIZE(kinds); k++) {
			if (kinds[k].fn == bomb && !f->pids[0])
				printf("no fork bomb: no pids controller here\n");
			else
				one_flood(f, kinds[k].name, kinds[k].fn);
		}
}

/* A reader that says when it has begun; it is killed sooner or later. */
static uint32_t reader(struct flood *f)
{
	int p[2];
	uint32_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = CHILD(start(f, f->pins);
	            if (write(p[1], "x", 1) == 1) for (;;) km_loop_once(f->loop, 1000));
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void serve_for_ever(struct flood *f)
{
	for (;;)
		serve(f, 1000, 2);
}

/* It may have been told twice: the reader ends between a record and taking it off the ring. */
static void kill_9_of_the_reader_under_load_loses_nothing(void **state)
{
	struct flood *f = *state;
	size_t kills = how_often("KILLS");
	uint32_t flood, service, seed = 1;
	uint64_t must, bulk;

	memset(f->tally, 0, sizeof(*f->tally));
	start(f, f->pins); /* what it pins stays */
	stop(f, false);
	flood = begin(f, execute);
	service = CHILD(serve_for_ever(f));
	for (size_t i = 0; i < kills; i++) {
		uint32_t pid = reader(f);

		seed = seed * 1103515245 + 12345;
		poll(NULL, 0, (int)(seed >> 16) % KILL_MS);
		kill((pid_t)pid, SIGKILL);
		reap(pid);
	}
	/* Before anything is compared the one that is under way must have ended. */
	kill((pid_t)service, SIGKILL);
	reap(service);
	end(f, flood);
	start(f, f->pins);
	silence(f->collect);
	assert_int_equal(km_rings_drain(f->collect), 0);
	must = bulk = 0;
	for (uint32_t type = 0; type < KMEND_TYPE_MAX; type++) {
		must += km_bpf_count(&f->collect->bpf, KMEND_MUST, type).lost;
		bulk += km_bpf_count(&f->collect->bpf, KMEND_BULK, type).lost;
	}
	printf("%zu kills: %lu ends of the service told, %lu lost, %lu of others\n", kills,
	       f->tally->delivered[KMEND_EXIT], must, bulk);
	assert_int_equal(must, 0);
	assert_int_equal(missing(f, false), 0);
}

/* Two windows to find the measure, then each must keep to it. */
static void one_storm(struct flood *f, const char *name, flood_fn fn)
{
	uint64_t end_ns = km_now_ns() + 120 * KM_NS_PER_S;
	uint32_t storm, seen = 2;

	memset(f->tally, 0, sizeof(*f->tally));
	start(f, NULL);
	storm = begin(f, fn);
	while (seen < 5 && km_now_ns() < end_ns) {
		km_collect_suspect(f->collect); /* windows are near one another */
		km_loop_once(f->loop, 200);
		if (f->tally->windows <= seen)
			continue;
		seen = f->tally->windows;
		printf("storm of %s: windows cost %.0f ppm of %d\n", name, f->tally->cost_ppm,
		       BUDGET_PPM);
		assert_true(f->tally->cost_ppm <= 1.2 * BUDGET_PPM);
	}
	end(f, storm);
	assert_true(seen >= 5);
	stop(f, true);
}

static void the_budget_is_kept_in_storms(void **state)
{
	struct flood *f = *state;

	one_storm(f, "system calls", call_often);
	one_storm(f, "processes", execute);
	one_storm(f, "packets", send_often);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_flood_costs_a_watched_service_no_record),
		ROW(kill_9_of_the_reader_under_load_loses_nothing),
		ROW(the_budget_is_kept_in_storms),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
