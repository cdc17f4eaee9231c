// SPDX-License-Identifier: Apache-2.0
/* Health checks and needs of supervised commands with the whole daemon (root). */
#include <stdio.h>

#include "lib/daemon_world.h"

#define MANY       100 /* that need one */
#define BACK_MS    60000
#define HEALTHY_MS 15000

static const char health_policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":1000,\"per\":\"1m\"}}}";

#define RULE(id, when, verb)                                                                 \
	"{\"version\":1,\"id\":\"" id "\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","  \
	"\"maturity\":\"experimental\",\"scope\":{\"all\":true},"                            \
	"\"when\":{\"event\":" when "},\"plan\":[{\"do\":\"" verb "\",\"timeout\":\"5s\"}]," \
	"\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}},"                             \
	"\"otherwise\":\"escalate\",\"guard\":{\"mode\":\"auto\"}}"

static const char start_rule[] = RULE("keep", "{\"is\":\"ended\",\"how\":\"any\"}", "start");
static const char restart_rule[] = RULE("heal", "{\"is\":\"unhealthy\"}", "restart");

#define CHECK(kind, etc) \
	"{" kind ",\"every\":\"200ms\",\"fall\":2,\"rise\":1,\"grace\":\"2s\"" etc "}"

/* %s: the program. */
static const char web[] =
	"{\"version\":1,\"services\":[{\"name\":\"web\",\"command\":[\"%s\",\"18080\"],"
	"\"labels\":{\"tier\":\"front\"},\"health\":[" CHECK(
		"\"tcp\":\"127.0.0.1:18080\"",
		"") "," CHECK("\"http\":\"http://127.0.0.1:18080/\"",
                              ",\"body\":\"^ok$\"") "," CHECK("\"exec\":[\"/bin/echo\",\"fine\"]",
                                                              "") "," CHECK("\"watchdog\":\"1s\"",
                                                                            "") "]}]}";

static void put(const char *path, const char *format, const char *arg)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, format, arg);
	assert_int_equal(fclose(f), 0);
}

static void begin_with(struct test_child *c)
{
	static char *const extra[] = { "--stop-services", NULL };

	bool ready = start(c, extra);

	fcntl(c->out, F_SETPIPE_SZ, 1 << 20); /* what it says of a hundred services fits */
	if (ready)
		return;
	stop(c, SIGTERM);
	fail_msg("kmendd does not start: %s", text);
}

/* Until "kmend service show NAME" says all of WORDS, which end with NULL. */
static bool await_words(const char *name, const char *const *words, int ms)
{
	long end = test_now_ms() + ms;
	char *service = strdup(name);
	bool all = false;

	while (!all && test_now_ms() < end) {
		all = KMEND("-j", "service", "show", service) == 0;
		for (size_t i = 0; words[i]; i++)
			all = all && strstr(text, words[i]);
		if (!all)
			poll(NULL, 0, 50);
	}
	free(service);
	return all;
}

static void a_service_that_hangs_is_seen_by_its_checks_and_restarted(void **state)
{
	static const char *const healthy[] = { "\"health\":\"healthy\"",    "\"tier\":\"front\"",
		                               "\"reason\":\"status 200\"", "\"reason\":\"fine\"",
		                               "was heard 0 s ago",         NULL };
	struct test_child c;
	pid_t before, after;

	(void)state;
	put(DIR_PATH "/services.d/web.json", web, test_built("tests/lib/health_service"));
	begin_with(&c);
	before = await_process("health_service", 0);
	assert_true(before > 0);
	if (!await_words("web", healthy, HEALTHY_MS))
		fail_msg("never healthy: %s", text);
	assert_int_equal(kill(before, SIGUSR1), 0);
	after = await_process("health_service", before);
	if (after <= 0 && KMEND("-j", "service", "show", "web") == 0)
		fail_msg("not restarted: %s", text);
	assert_true(after > 0);
	if (!await_words("web", healthy, HEALTHY_MS))
		fail_msg("not healthy again: %s", text);
	assert_int_equal(KMEND("-j", "action", "list", "--service", "web"), 0);
	assert_non_null(strstr(text, "event unhealthy; rule heal"));
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(find_process("kmendd-prober"), 0);
	assert_int_equal(unlink(DIR_PATH "/services.d/web.json"), 0);
}

static void define_many(void)
{
	FILE *f = fopen(DIR_PATH "/services.d/many.json", "w");
	const char *program = test_built("tests/lib/health_service");

	assert_non_null(f);
	fprintf(f,
	        "{\"version\":1,\"services\":[{\"name\":\"db\",\"command\":[\"%s\"]},"
	        "{\"name\":\"app\",\"command\":[\"%s\"],\"instances\":%d,\"needs\":[\"db\"]}",
	        program, program, 50);
	fprintf(f,
	        ",{\"name\":\"job\",\"command\":[\"%s\"],\"instances\":%d,\"needs\":[\"app@1\"]}]}",
	        program, MANY - 50);
	assert_int_equal(fclose(f), 0);
}

/* Processes of that name. */
static size_t all_of(const char *name, pid_t *ret, size_t max)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	while (n < max && (e = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name)))
			ret[n++] = (pid_t)strtol(e->d_name, NULL, 10);
		if (f)
			fclose(f);
	}
	closedir(proc);
	return n;
}

static size_t await_count(size_t want, int ms)
{
	long end = test_now_ms() + ms;
	pid_t pids[2 * MANY];
	size_t n = 0;

	while (n != want && test_now_ms() < end) {
		n = all_of("health_service", pids, 2 * MANY);
		poll(NULL, 0, 50);
	}
	return n;
}

/* Which service the first act behind decision ID was for. */
static const char *first_act_behind(unsigned long id)
{
	static char name[64];
	const char *at = text, *first = NULL;
	unsigned long lowest = ~0UL;

	while ((at = strstr(at, "{\"id\":"))) {
		unsigned long n = strtoul(at + 6, NULL, 10);
		const char *answer = strstr(at, "\"answer\":\"");

		if (n > id && n < lowest && answer && !strncmp(answer + 10, "act", 3)) {
			lowest = n;
			first = strstr(at, "\"service\":\"");
		}
		at += 6;
	}
	if (first)
		sscanf(first, "\"service\":\"%63[^\"]", name);
	return first ? name : "";
}

static unsigned long newest_decision(void)
{
	const char *at;

	assert_int_equal(KMEND("-j", "action", "list", "--limit", "1"), 0);
	at = strstr(text, "{\"id\":");
	return at ? strtoul(at + 6, NULL, 10) : 0;
}

static void a_hundred_services_killed_at_once_come_back_after_what_they_need(void **state)
{
	pid_t pids[2 * MANY];
	unsigned long id;
	struct test_child c;
	long begin;

	(void)state;
	define_many();
	begin_with(&c);
	assert_int_equal(await_count(MANY + 1, BACK_MS), MANY + 1);
	poll(NULL, 0, 2000); /* verdicts of the first starts */
	id = newest_decision();
	assert_int_equal(all_of("health_service", pids, 2 * MANY), MANY + 1);
	begin = test_now_ms();
	for (size_t i = 0; i <= MANY; i++)
		kill(pids[MANY - i], SIGKILL); /* what was started first is killed last */
	poll(NULL, 0, 100);
	assert_int_equal(await_count(MANY + 1, BACK_MS), MANY + 1);
	print_message("%d services back after %ld ms\n", MANY + 1, test_now_ms() - begin);
	assert_int_equal(KMEND("-j", "action", "list", "--limit", "500"), 0);
	assert_string_equal(first_act_behind(id), "db");
	assert_int_equal(stop(&c, SIGTERM), 0);
	assert_int_equal(unlink(DIR_PATH "/services.d/many.json"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_that_hangs_is_seen_by_its_checks_and_restarted),
		cmocka_unit_test(a_hundred_services_killed_at_once_come_back_after_what_they_need),
	};

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	mkdir(DIR_PATH "/services.d", 0755);
	put(DIR_PATH "/kmend.json", "%s",
	    "{\"version\":1,\"settings\":{\"sample_period\":\"250ms\"}}");
	put(DIR_PATH "/rules/policy/guardrails.json", "%s", health_policy);
	put(DIR_PATH "/rules/crash/keep.json", "%s", start_rule);
	put(DIR_PATH "/rules/crash/heal.json", "%s", restart_rule);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
