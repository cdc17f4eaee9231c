// SPDX-License-Identifier: Apache-2.0
/* Failover of a dependency with the whole daemon (root): real redis and nginx, 200 connections of a
 * client that knows one address. The primary is killed, cut off, and made twenty times slower. */
#include <stdio.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/daemon_world.h"
#include "lib/pool_client.h"

#define PRIMARY   "127.0.0.1:7001"
#define STANDBY   "127.0.0.1:7002"
#define STEADY_MS 2500 /* each client has had more than one connection */
#define SWITCH_MS 10000
#define MEDIAN_NS 250000000ULL
#define MOST_NS   1000000000ULL

static const char failover_policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"restart\",\"fail_over\",\"fail_back\"],"
	"\"services\":[\"*\"],\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":1000,\"per\":\"1m\"}}}";

#define RULE(id, when, plan)                                                                       \
	"{\"version\":1,\"id\":\"" id "\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","        \
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},\"when\":" when ",\"plan\":[" plan \
	"],\"verify\":{\"within\":\"5s\",\"that\":{\"endpoint_answers\":true}},"                   \
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\"}}"
#define ILL(how, where) "{\"endpoint\":{\"primary\":\"" how "\",\"traffic\":\"" where "\"}}"

/* %s: keep or undo */
static const char over_rule[] =
	RULE("over", "{\"any\":[" ILL("unhealthy", "primary") "," ILL("unhealthy", "both") "]}",
             "{\"do\":\"fail_over\",\"timeout\":\"5s\",\"when_kmend_stops\":\"%s\"}");
static const char slow_rule[] =
	RULE("slow", ILL("slow", "primary"),
             "{\"do\":\"fail_over\",\"timeout\":\"5s\",\"when_kmend_stops\":\"%s\"}");
static const char some_rule[] =
	RULE("some",
             "{\"endpoint\":{\"primary\":\"healthy\",\"traffic\":\"standby\",\"for\":\"2s\"}}",
             "{\"do\":\"fail_back\",\"share\":\"25%%\"}");
static const char all_rule[] =
	RULE("all", "{\"endpoint\":{\"primary\":\"healthy\",\"traffic\":\"both\",\"for\":\"2s\"}}",
             "{\"do\":\"fail_back\",\"share\":\"100%%\"}");
static const char keep_rule[] =
	"{\"version\":1,\"id\":\"keep\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},"
	"\"when\":{\"event\":{\"is\":\"ended\",\"how\":\"any\"}},"
	"\"plan\":[{\"do\":\"start\",\"timeout\":\"5s\"}],"
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}},\"guard\":{\"mode\":\"auto\"}}";

static struct pool_stats *stats;
static struct test_child daemon_child;
static pid_t server[POOL_SERVERS];
static bool http; /* of this case */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void put(const char *path, const char *format, const char *arg)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, format, arg);
	assert_int_equal(fclose(f), 0);
}

/* A process of its own, its output thrown away. */
static pid_t run(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static bool answers(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return yes;
}

static void await_server(const char *port)
{
	long end = test_now_ms() + READY_MS;

	while (!answers(port) && test_now_ms() < end)
		poll(NULL, 0, 5);
	assert_true(answers(port));
}

static void start_redis(int which)
{
	char port[16];
	char *const argv[] = {
		"redis-server", "--port", port,     "--save",    "",
		"--appendonly", "no",     "--bind", "127.0.0.1", "--enable-debug-command",
		"local",        NULL
	};
	char *const set[] = { "redis-cli", "-p",  port,
		              "set",       "who", which == POOL_PRIMARY ? "primary" : "standby",
		              NULL };
	char said[256];

	snprintf(port, sizeof(port), "%d", 7001 + which);
	server[which] = run(argv);
	await_server(port);
	assert_int_equal(test_run(set, said, sizeof(said), READY_MS), 0);
}

static void start_nginx(int which)
{
	const char *name = which == POOL_PRIMARY ? "primary" : "standby";
	char conf[64], text_conf[1024], port[16];
	char *const argv[] = { "nginx", "-c", conf, NULL };

	snprintf(port, sizeof(port), "%d", 7001 + which);
	snprintf(conf, sizeof(conf), DIR_PATH "/nginx-%s.conf", name);
	snprintf(text_conf, sizeof(text_conf),
	         "daemon off; master_process off; pid " DIR_PATH
	         "/nginx-%s.pid; error_log /dev/null;\n"
	         "events { worker_connections 2048; }\n"
	         "http { access_log off; keepalive_requests 1000000;\n"
	         "server { listen 127.0.0.1:%s backlog=1024; location / { return 200 \"%s\"; } } "
	         "}\n",
	         name, port, name);
	put(conf, "%s", text_conf);
	server[which] = run(argv);
	await_server(port);
}

static void start_server(int which)
{
	(http ? start_nginx : start_redis)(which);
}

static void end_server(int which)
{
	if (server[which] <= 0)
		return;
	kill(server[which], SIGKILL);
	waitpid(server[which], NULL, 0);
	server[which] = 0;
}

static void nft(const char *rule_text)
{
	char rules[512], said[1024];
	char *const argv[] = { "nft", rules, NULL };

	snprintf(rules, sizeof(rules), "%s", rule_text);
	if (test_run(argv, said, sizeof(said), READY_MS) != 0)
		fail_msg("nft: %s", said);
}

/* Where "kmend endpoint list" says that traffic goes. */
static bool await_traffic(const char *where, int ms)
{
	long end = test_now_ms() + ms;
	char word[64];

	snprintf(word, sizeof(word), "\"traffic\":\"%s\"", where);
	while (test_now_ms() < end) {
		if (KMEND("-j", "endpoint", "list") == 0 && strstr(text, word))
			return true;
		poll(NULL, 0, 20);
	}
	KMEND("-j", "endpoint", "list");
	print_message("%s\n", text);
	KMEND("action", "list");
	print_message("%s\n", text);
	return false;
}

/* Steady: every client talks to the primary, nothing is lost, the check knows its usual time. */
static void begin(const char *when_kmend_stops, bool slow)
{
	static char *const extra[] = { "--stop-services", NULL };
	char services[16384];

	forget_state(NULL);
	memset(stats, 0, sizeof(*stats));
	snprintf(services, sizeof(services),
	         "{\"version\":1,\"services\":[{\"name\":\"pool\",\"command\":[\"%s\",\"%s\","
	         "\"127.0.0.1\",\"7001\"],\"health\":[{\"name\":\"db\",%s,"
	         "\"every\":\"100ms\",\"timeout\":\"100ms\",\"rise\":3,\"fall\":3}],"
	         "\"endpoints\":[{\"name\":\"db\",\"primary\":\"" PRIMARY "\","
	         "\"standbys\":[\"" STANDBY "\"],\"check\":\"db\"}]}]}",
	         test_built("tests/lib/pool_client"), http ? "http" : "redis",
	         http ? "\"http\":\"http://" PRIMARY "/\",\"address\":\"" PRIMARY "\""
	              : "\"redis\":\"" PRIMARY "\"");
	put(DIR_PATH "/services.d/pool.json", "%s", services);
	put(DIR_PATH "/rules/net/over.json", slow ? slow_rule : over_rule, when_kmend_stops);
	start_server(POOL_PRIMARY);
	start_server(POOL_STANDBY);
	if (!start(&daemon_child, extra)) {
		stop(&daemon_child, SIGTERM);
		fail_msg("kmendd does not start: %s", text);
	}
	fcntl(daemon_child.out, F_SETPIPE_SZ, 1 << 20);
	assert_true(await_traffic("primary", READY_MS));
	poll(NULL, 0, STEADY_MS); /* the load itself is what is awaited */
	assert_int_equal(stats->lost, 0);
	assert_int_equal(stats->answered[POOL_STANDBY], 0);
	assert_true(stats->opened[POOL_PRIMARY] >= POOL_CLIENTS);
}

static void finish(void)
{
	int status = stop(&daemon_child, SIGTERM);

	daemon_child.pid = 0;
	assert_int_equal(status, 0);
	end_server(POOL_PRIMARY);
	end_server(POOL_STANDBY);
}

static pid_t watch_signals(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(DIR_PATH "/signals", O_WRONLY | O_CREAT | O_TRUNC, 0644);

		dup2(fd, 1);
		execl(kmend_path(), "kmend", "-j", "--socket", control, "signal", "watch",
		      "--service", "pool", NULL);
		_exit(127);
	}
	poll(NULL, 0, 300); /* the stream has no word of its own when it is open */
	return pid;
}

/* When the kernel first told of trouble since T, 0: never. */
static uint64_t first_evidence(uint64_t t)
{
	FILE *f = fopen(DIR_PATH "/signals", "r");
	char line[4096];
	uint64_t found = 0;

	while (!found && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "\"t_ns\":");
		uint64_t ns = at ? strtoull(at + 7, NULL, 10) : 0;

		if (ns < t || !strstr(line, "\"connects\""))
			continue;
		if (!strstr(line, "\"failed\":0,") || !strstr(line, "\"unanswered\":0,") ||
		    !strstr(line, "\"reset\":0,") || !strstr(line, "\"retransmits\":0,"))
			found = ns;
	}
	fclose(f);
	return found;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool await_switched(void)
{
	long end = test_now_ms() + SWITCH_MS;

	while (test_now_ms() < end) {
		size_t n = 0;

		for (size_t i = 0; i < POOL_CLIENTS; i++)
			n += stats->switched_ns[i] != 0;
		if (n == POOL_CLIENTS)
			return true;
		poll(NULL, 0, 5);
	}
	return false;
}

struct fault {
	const char *name;
	void (*begin)(void);
	void (*end)(void);
	bool silent; /* the kernel has nothing to tell of: time counts from the fault itself */
};

static pid_t slower;

static void kill_primary(void)
{
	kill(server[POOL_PRIMARY], SIGKILL);
}

static void revive_primary(void)
{
	end_server(POOL_PRIMARY);
	start_server(POOL_PRIMARY);
}

static void cut_off(void)
{
	nft("add table inet t; add chain inet t in { type filter hook input priority 0; }; "
	    "add rule inet t in tcp dport 7001 drop");
}

static void connect_again(void)
{
	nft("delete table inet t");
}

/* It runs for a twentieth of the time; the check's period is no multiple of that. */
static void slow_down(void)
{
	slower = fork();
	while (slower == 0) {
		kill(server[POOL_PRIMARY], SIGSTOP);
		poll(NULL, 0, 79);
		kill(server[POOL_PRIMARY], SIGCONT);
		poll(NULL, 0, 4);
	}
}

static void speed_up(void)
{
	kill(slower, SIGKILL);
	waitpid(slower, NULL, 0);
	slower = 0;
	kill(server[POOL_PRIMARY], SIGCONT);
}

static const struct fault killed = { "killed", kill_primary, revive_primary, false };
static const struct fault blackholed = { "cut off", cut_off, connect_again, false };
static const struct fault slow = { "20 times slower", slow_down, speed_up, true };

static void judge(const struct fault *f, uint64_t at_ns, uint64_t in_flight)
{
	uint64_t since = f->silent ? at_ns : first_evidence(at_ns), took[POOL_CLIENTS], middle;

	if (!since)
		fail_msg("the kernel told of nothing");
	for (size_t i = 0; i < POOL_CLIENTS; i++)
		took[i] = stats->switched_ns[i] > since ? stats->switched_ns[i] - since : 0;
	qsort(took, POOL_CLIENTS, sizeof(took[0]), by_value);
	middle = took[POOL_CLIENTS / 2];
	print_message("%s, %s: evidence after %.1f ms; on the standby after %.1f ms (median), "
	              "%.1f ms (last); lost %llu of %llu in flight, connects tried again %llu\n",
	              http ? "http" : "redis", f->name, (double)(since - at_ns) / 1e6,
	              (double)middle / 1e6, (double)took[POOL_CLIENTS - 1] / 1e6,
	              (unsigned long long)stats->lost, (unsigned long long)in_flight,
	              (unsigned long long)stats->refused);
	/* What was in flight: the request of each connection, and where the listener of a process
	 * that dies still takes connections, one more. */
	assert_true(stats->lost <= 2 * POOL_CLIENTS);
	assert_int_equal(stats->lost_late, 0);
	assert_true(f->silent || middle <= MEDIAN_NS);
	assert_true(took[POOL_CLIENTS - 1] <= MOST_NS);
}

/* It went there once: whoever goes again on the way back would do so behind the test's back. */
static void went_once(void)
{
	unsigned int times = 0;

	assert_int_equal(KMEND("-j", "action", "list"), 0);
	for (const char *p = text; (p = strstr(p, "\"answer\":\"act\",\"verb\":\"fail_over\""));
	     p++)
		times++;
	if (times == 1)
		return;
	print_message("%s\n", text);
	stop(&daemon_child, SIGTERM);
	fail_msg("it went there %u times: %s", times, text);
}

/* There, and back without an error. */
static void there_and_back(const struct fault *f)
{
	uint64_t at_ns, in_flight, lost;
	pid_t watcher;

	begin("keep", f->silent);
	watcher = watch_signals();
	stats->refused = stats->lost = 0;
	at_ns = now_ns();
	stats->mark_ns = at_ns;
	in_flight = stats->in_flight;
	f->begin();
	if (!await_switched()) {
		await_traffic("standby", 1);
		fail_msg("not all are on the standby");
	}
	kill(watcher, SIGKILL);
	waitpid(watcher, NULL, 0);
	judge(f, at_ns, in_flight);
	assert_true(await_traffic("standby", READY_MS));
	f->end();
	lost = stats->lost;
	assert_true(await_traffic("both", READY_MS));
	assert_true(await_traffic("primary", READY_MS));
	stats->answered[POOL_PRIMARY] = 0;
	poll(NULL, 0, STEADY_MS);
	went_once();
	assert_true(stats->answered[POOL_PRIMARY] > POOL_CLIENTS);
	assert_int_equal(stats->lost, lost);
	finish();
}

/* Nothing of a test that failed stays for the next one. */
static int clean_up(void **state)
{
	char said[1024];
	char *const argv[] = { "nft", "flush", "ruleset", NULL };
	pid_t pid;

	(void)state;
	if (slower > 0)
		speed_up();
	test_run(argv, said, sizeof(said), READY_MS);
	if (daemon_child.pid > 0 && kill(daemon_child.pid, SIGKILL) == 0) {
		ended(daemon_child.pid, END_MS);
		waitpid(daemon_child.pid, NULL, 0);
	}
	daemon_child.pid = 0;
	/* A route that is kept would be the next one's: its pins go with the file system. */
	umount2("/sys/fs/bpf", MNT_DETACH);
	mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700");
	while ((pid = find_process("pool_client")) > 0) {
		kill(pid, SIGKILL);
		ended(pid, END_MS);
	}
	end_server(POOL_PRIMARY);
	end_server(POOL_STANDBY);
	return 0;
}

static void redis_that_is_killed_is_left_and_returned_to(void **state)
{
	(void)state;
	http = false;
	there_and_back(&killed);
}

static void redis_that_is_cut_off_is_left_and_returned_to(void **state)
{
	(void)state;
	http = false;
	there_and_back(&blackholed);
}

static void redis_that_is_twenty_times_slower_is_left_and_returned_to(void **state)
{
	(void)state;
	http = false;
	there_and_back(&slow);
}

static void http_that_is_killed_is_left_and_returned_to(void **state)
{
	(void)state;
	http = true;
	there_and_back(&killed);
}

static void http_that_is_cut_off_is_left_and_returned_to(void **state)
{
	(void)state;
	http = true;
	there_and_back(&blackholed);
}

static void http_that_is_twenty_times_slower_is_left_and_returned_to(void **state)
{
	(void)state;
	http = true;
	there_and_back(&slow);
}

/* kmendd is killed while connections go to the standby. */
static void kill_kmendd(const char *when_kmend_stops)
{
	http = false;
	begin(when_kmend_stops, false);
	stats->mark_ns = now_ns();
	kill_primary();
	assert_true(await_switched());
	assert_true(await_traffic("standby", READY_MS));
	kill(daemon_child.pid, SIGKILL);
	assert_true(ended(daemon_child.pid, END_MS));
	test_wait(&daemon_child);
	stats->answered[POOL_STANDBY] = stats->opened[POOL_STANDBY] = stats->refused = 0;
	poll(NULL, 0, STEADY_MS);
}

static void what_is_to_be_kept_goes_on_without_kmend_and_is_taken_back_by_the_next_one(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };

	(void)state;
	kill_kmendd("keep");
	assert_true(stats->opened[POOL_STANDBY] >= POOL_CLIENTS);
	assert_int_equal(stats->refused, 0);
	assert_true(start(&daemon_child, extra));
	assert_true(await_traffic("standby", READY_MS));
	assert_non_null(strstr(text, "\"when_kmend_stops\":\"keep\""));
	revive_primary();
	assert_true(await_traffic("primary", 2 * READY_MS));
	stats->answered[POOL_PRIMARY] = 0;
	poll(NULL, 0, STEADY_MS);
	assert_true(stats->answered[POOL_PRIMARY] > POOL_CLIENTS);
	finish();
}

static void what_is_to_be_undone_ends_with_kmend(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };

	(void)state;
	kill_kmendd("undo");
	assert_int_equal(stats->opened[POOL_STANDBY], 0);
	assert_true(stats->refused > 0);
	/* The next one finds the primary as it is, and does it again. */
	assert_true(start(&daemon_child, extra));
	assert_true(await_traffic("standby", READY_MS));
	finish();
}

/* Each fault takes 10 s and more: all of them with KMEND_LONG, one of each kind of service else. */
static const struct CMUnitTest short_tests[] = {
	cmocka_unit_test_teardown(redis_that_is_killed_is_left_and_returned_to, clean_up),
	cmocka_unit_test_teardown(http_that_is_killed_is_left_and_returned_to, clean_up),
	cmocka_unit_test_teardown(
		what_is_to_be_kept_goes_on_without_kmend_and_is_taken_back_by_the_next_one,
		clean_up),
	cmocka_unit_test_teardown(what_is_to_be_undone_ends_with_kmend, clean_up),
};

static const struct CMUnitTest long_tests[] = {
	cmocka_unit_test_teardown(redis_that_is_cut_off_is_left_and_returned_to, clean_up),
	cmocka_unit_test_teardown(redis_that_is_twenty_times_slower_is_left_and_returned_to,
	                          clean_up),
	cmocka_unit_test_teardown(http_that_is_cut_off_is_left_and_returned_to, clean_up),
	cmocka_unit_test_teardown(http_that_is_twenty_times_slower_is_left_and_returned_to,
	                          clean_up),
};

int main(int argc, char **argv)
{
	int r;

	int fd;

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	mkdir(DIR_PATH "/services.d", 0755);
	mkdir(DIR_PATH "/rules/net", 0755);
	put(DIR_PATH "/kmend.json", "%s",
	    "{\"version\":1,\"settings\":{\"sample_period\":\"1s\"}}");
	put(DIR_PATH "/rules/policy/guardrails.json", "%s", failover_policy);
	put(DIR_PATH "/rules/crash/keep.json", "%s", keep_rule);
	put(DIR_PATH "/rules/net/some.json", some_rule, "");
	put(DIR_PATH "/rules/net/all.json", all_rule, "");
	fd = open(POOL_STATS, O_RDWR | O_CREAT, 0666);
	assert_int_equal(ftruncate(fd, sizeof(*stats)), 0);
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r = cmocka_run_group_tests(short_tests, NULL, NULL);
	if (getenv("KMEND_LONG"))
		r += cmocka_run_group_tests(long_tests, NULL, NULL);
	return r;
}
