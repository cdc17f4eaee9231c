// SPDX-License-Identifier: Apache-2.0
/* Acts that are a process of their own, through a real actor (root): files below a reviewed root
 * with an enemy in it, reviewed programs, captures; and the whole of a cgroup killed, a reload. */
#include "lib/actor_world.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <utime.h>

#define V2    "/sys/fs/cgroup/unified/kmend"
#define OUT   "/run/out"
#define ROOT  "/run/files"
#define OTHER "/run/other"
#define TOOL  "/run/tool"
#define OLD   "data that is old\n"

static const char policy[] =
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"kill\",\"reload\",\"capture\",\"rotate\","
	"\"truncate\",\"free_space\",\"run\"],\"services\":[\"*\"],"
	"\"budget\":{\"service\":{\"count\":100,\"per\":\"1m\"},"
	"\"host\":{\"count\":100,\"per\":\"1m\"}},\"files\":["
	"{\"name\":\"old\",\"root\":\"" ROOT "\",\"patterns\":[\"*.o\",\"sub/*.o\"],"
	"\"may\":[\"free_space\"],\"older\":\"1h\",\"count\":3,\"bytes\":\"1MiB\"},"
	"{\"name\":\"logs\",\"root\":\"" ROOT "\",\"patterns\":[\"*.log\"],"
	"\"may\":[\"rotate\",\"truncate\"]},"
	"{\"name\":\"linked\",\"root\":\"/run/link\",\"patterns\":[\"*\"],"
	"\"may\":[\"free_space\"],\"older\":\"1h\"}],"
	"\"commands\":[{\"name\":\"tool\",\"argv\":[\"" TOOL "\",\"an arg\"],\"user\":\"nobody\"},"
	"{\"name\":\"slow\",\"argv\":[\"" TOOL "\",\"sleep\"]},"
	"{\"name\":\"gone\",\"argv\":[\"/run/none\"]}]}";

static struct world w;

static void remove_all(const char *path)
{
	char *argv[] = { "rm", "-rf", (char *)path, NULL };
	char text[256];

	test_run(argv, text, sizeof(text), WORLD_MS);
}

static void put(const char *path, const char *text, unsigned int mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void put_old(const char *path)
{
	const struct utimbuf long_ago = { 1000000, 1000000 };

	put(path, OLD, 0644);
	assert_int_equal(utime(path, &long_ago), 0);
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static const char *text_of(const char *path)
{
	static char text[4096];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static int begin(void **state)
{
	static char config[20000];

	(void)state;
	remove_all(ROOT);
	remove_all(OTHER);
	remove_all(TOOL);
	remove_all("/run/link");
	unlink(OUT);
	mkdir(ROOT, 0755);
	mkdir(ROOT "/sub", 0755);
	mkdir(OTHER, 0755);
	snprintf(config, sizeof(config),
	         "{\"version\":1,\"services\":[{\"name\":\"s\",\"command\":[\"%s\",\"" OUT
	         "\",\"family\"],\"stop_timeout\":\"200ms\",\"reload\":\"SIGHUP\"}]}",
	         test_built("tests/lib/child_service"));
	world_new(&w, config, policy);
	w.opts.cgroup_root = V2;
	world_start(&w);
	return world_until(&w, &w.readies, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	km_actor_stop_all(w.actor);
	world_free(&w);
	rmdir(V2 "/s");
	rmdir(V2 "/-run.tool");
	rmdir(V2 "/-run.slow");
	return 0;
}

static struct km_act_request ask(enum km_verb verb, const char *object)
{
	struct km_act_request q = world_request(&w, verb, "s");

	km_copy(q.args.object, sizeof(q.args.object), object);
	return q;
}

static enum km_outcome_state do_to(enum km_verb verb, const char *object)
{
	struct km_act_request q = ask(verb, object);

	return world_ask(&w, &q);
}

static void start(void)
{
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, 1);
}

static void old_files_that_match_are_removed_and_nothing_else(void **state)
{
	(void)state;
	put_old(ROOT "/a.o");
	put_old(ROOT "/sub/b.o");
	put_old(ROOT "/a.c");
	put(ROOT "/young.o", OLD, 0644);
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_DONE);
	assert_non_null(strstr(w.outcome.detail, "2 of 2 files"));
	assert_false(is_there(ROOT "/a.o"));
	assert_false(is_there(ROOT "/sub/b.o"));
	assert_true(is_there(ROOT "/a.c"));
	assert_true(is_there(ROOT "/young.o"));
	/* Nothing is left: that is no act. */
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ENOENT);
}

static void links_other_names_and_other_filesystems_are_left_alone(void **state)
{
	(void)state;
	put_old(OTHER "/victim.o");
	put_old(OTHER "/twice.o");
	put_old(ROOT "/good.o");
	assert_int_equal(symlink(OTHER "/victim.o", ROOT "/soft.o"), 0);
	assert_int_equal(link(OTHER "/twice.o", ROOT "/hard.o"), 0);
	assert_int_equal(rmdir(ROOT "/sub"), 0);
	assert_int_equal(symlink(OTHER, ROOT "/sub"), 0);
	assert_int_equal(mkfifo(ROOT "/pipe.o", 0644), 0);
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_DONE);
	assert_non_null(strstr(w.outcome.detail, "1 of 1 files"));
	assert_true(is_there(OTHER "/victim.o") && is_there(OTHER "/twice.o"));
	assert_true(is_there(ROOT "/soft.o") && is_there(ROOT "/hard.o"));
	assert_true(is_there(ROOT "/pipe.o"));
	unlink(ROOT "/sub");
}

static void not_more_is_removed_at_once_than_was_reviewed(void **state)
{
	static char path[] = ROOT "/0.o";

	(void)state;
	for (int i = 0; i < 8; i++) {
		path[sizeof(ROOT)] = (char)('0' + i);
		put_old(path);
	}
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_DONE);
	assert_non_null(strstr(w.outcome.detail, "3 of 3 files"));
}

static void a_root_that_others_may_write_or_that_is_a_link_is_refused(void **state)
{
	(void)state;
	put_old(ROOT "/a.o");
	assert_int_equal(chmod(ROOT, 0777), 0);
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
	assert_int_equal(chmod(ROOT, 0755), 0);
	assert_int_equal(chown(ROOT, 1, 1), 0);
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
	assert_int_equal(chown(ROOT, 0, 0), 0);
	assert_int_equal(symlink(ROOT, "/run/link"), 0);
	assert_int_equal(do_to(KM_FREE_SPACE, "linked"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ELOOP);
	assert_true(is_there(ROOT "/a.o"));
}

static void what_the_policy_does_not_name_is_refused(void **state)
{
	static const struct {
		enum km_verb verb;
		const char *object;
	} bad[] = { { KM_FREE_SPACE, "none" }, { KM_FREE_SPACE, "logs" }, { KM_ROTATE, "old" },
		    { KM_TRUNCATE, "old" },    { KM_RUN, "none" },        { KM_RUN, "old" } };

	(void)state;
	put_old(ROOT "/a.o");
	put_old(ROOT "/a.log");
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		assert_int_equal(do_to(bad[i].verb, bad[i].object), KM_OUT_REFUSED);
		assert_int_equal(w.outcome.error, -ENOENT);
	}
	assert_true(is_there(ROOT "/a.o") && is_there(ROOT "/a.log"));
}

static void a_log_goes_aside_and_an_empty_one_takes_its_place(void **state)
{
	struct stat st;

	(void)state;
	put(ROOT "/a.log", "first\n", 0640);
	assert_int_equal(chown(ROOT "/a.log", 7, 8), 0);
	assert_int_equal(do_to(KM_ROTATE, "logs"), KM_OUT_DONE);
	assert_string_equal(text_of(ROOT "/a.log.1"), "first\n");
	assert_int_equal(stat(ROOT "/a.log", &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_uid * 10 + st.st_gid, 78);
	put(ROOT "/a.log", "second\n", 0640);
	assert_int_equal(do_to(KM_ROTATE, "logs"), KM_OUT_DONE);
	assert_string_equal(text_of(ROOT "/a.log.1"), "second\n");
	assert_string_equal(text_of(ROOT "/a.log.2"), "first\n");
	put(ROOT "/a.log", "third\n", 0640);
	assert_int_equal(do_to(KM_TRUNCATE, "logs"), KM_OUT_DONE);
	assert_string_equal(text_of(ROOT "/a.log"), "");
	assert_string_equal(text_of(ROOT "/a.log.1"), "second\n");
}

static char listed[KM_NAME_MAX];

static void on_record(void *userdata, const struct km_journal_record *r)
{
	(void)userdata;
	if (r->kind == KM_J_INTENT)
		km_copy(listed, sizeof(listed), r->detail);
}

static void the_intent_lists_what_will_be_touched(void **state)
{
	struct km_journal_report report;

	(void)state;
	put_old(ROOT "/a.o");
	put_old(ROOT "/sub/b.o");
	assert_int_equal(do_to(KM_FREE_SPACE, "old"), KM_OUT_DONE);
	assert_int_equal(km_journal_verify(w.dir_fd, on_record, NULL, &report), 0);
	assert_non_null(strstr(listed, "free_space 2 files"));
	assert_non_null(strstr(listed, " a.o"));
	assert_non_null(strstr(listed, " sub/b.o"));
}

static void a_reviewed_program_runs_as_its_user_with_its_arguments(void **state)
{
	(void)state;
	put(TOOL, "#!/bin/sh\nid -un; echo \"$1\" >&2; cat /proc/self/cgroup\nexit 0\n", 0755);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "ended with 0: nobody");
	put(TOOL, "#!/bin/sh\necho $$ >/dev/null; echo no; exit 3\n", 0755);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_FAILED);
	assert_string_equal(w.outcome.detail, "ended with 3: no");
	/* More than anybody reads. */
	put(TOOL, "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n", 0755);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_DONE);
}

static void a_program_that_others_may_write_is_not_run(void **state)
{
	(void)state;
	put(TOOL, "#!/bin/sh\ntouch /run/out\n", 0777);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -EPERM);
	assert_int_equal(chmod(TOOL, 0755), 0);
	assert_int_equal(chown(TOOL, 1, 1), 0);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_REFUSED);
	unlink(TOOL);
	assert_int_equal(symlink("/bin/true", TOOL), 0);
	assert_int_equal(do_to(KM_RUN, "tool"), KM_OUT_REFUSED);
	assert_int_equal(w.outcome.error, -ELOOP);
	assert_int_equal(do_to(KM_RUN, "gone"), KM_OUT_REFUSED);
	assert_false(is_there(OUT));
}

static bool empty(const char *cgroup)
{
	char path[128];

	snprintf(path, sizeof(path), V2 "/%s/cgroup.procs", cgroup);
	return !*text_of(path);
}

static void a_program_that_takes_too_long_ends_with_all_that_it_began(void **state)
{
	struct km_act_request q;

	(void)state;
	put(TOOL, "#!/bin/sh\nsleep 60 & sleep 60\n", 0755);
	q = ask(KM_RUN, "slow");
	q.timeout_ns = 300 * KM_NS_PER_MS;
	assert_int_equal(world_ask(&w, &q), KM_OUT_FAILED);
	assert_int_equal(w.outcome.error, -ETIMEDOUT);
	for (int i = 0; i < 100 && !empty("-run.slow"); i++)
		poll(NULL, 0, 10);
	assert_true(empty("-run.slow"));
}

static void what_a_program_leaves_behind_is_killed(void **state)
{
	(void)state;
	put(TOOL, "#!/bin/sh\nsleep 60 >/dev/null 2>&1 &\n", 0755);
	assert_int_equal(do_to(KM_RUN, "slow"), KM_OUT_DONE);
	for (int i = 0; i < 100 && !empty("-run.slow"); i++)
		poll(NULL, 0, 10);
	assert_true(empty("-run.slow"));
}

static void a_capture_is_a_file_for_root_alone(void **state)
{
	struct km_act_request q;
	char path[128];
	struct stat st;

	(void)state;
	start();
	q = ask(KM_CAPTURE, "");
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	snprintf(path, sizeof(path), "%s/capture-%llu.txt", w.dir, (unsigned long long)q.intent_id);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_in_range(st.st_size, 1000, 1024 * 1024);
	assert_non_null(strstr(text_of(path), "child_service"));
	/* As many as are kept: the oldest goes. */
	for (int i = 0; i < 33; i++)
		assert_int_equal(do_to(KM_CAPTURE, ""), KM_OUT_DONE);
	assert_false(is_there(path));
}

static void a_kill_leaves_nobody_and_the_next_start_works(void **state)
{
	(void)state;
	start();
	assert_int_equal(world_do(&w, KM_KILL, "s"), KM_OUT_DONE);
	assert_true(empty("s"));
	assert_int_equal(world_do(&w, KM_START, "s"), KM_OUT_DONE);
	world_wait_lines(OUT, 2);
}

static void a_reload_is_the_signal_that_the_definition_names(void **state)
{
	(void)state;
	assert_int_equal(world_do(&w, KM_RELOAD, "s"), KM_OUT_REFUSED);
	start();
	assert_int_equal(world_do(&w, KM_RELOAD, "s"), KM_OUT_DONE);
	assert_string_equal(w.outcome.detail, "signal 1");
}

static void space_is_freed_where_the_rule_is_about_a_filesystem(void **state)
{
	struct km_act_request q;

	(void)state;
	put_old(ROOT "/a.o");
	q = ask(KM_TRUNCATE, "logs");
	km_copy(q.service, sizeof(q.service), "fs:/var");
	assert_int_equal(world_ask(&w, &q), KM_OUT_REFUSED);
	q = ask(KM_FREE_SPACE, "old");
	km_copy(q.service, sizeof(q.service), "fs:/var");
	assert_int_equal(world_ask(&w, &q), KM_OUT_DONE);
	assert_false(is_there(ROOT "/a.o"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(old_files_that_match_are_removed_and_nothing_else),
		TEST(links_other_names_and_other_filesystems_are_left_alone),
		TEST(not_more_is_removed_at_once_than_was_reviewed),
		TEST(a_root_that_others_may_write_or_that_is_a_link_is_refused),
		TEST(what_the_policy_does_not_name_is_refused),
		TEST(a_log_goes_aside_and_an_empty_one_takes_its_place),
		TEST(the_intent_lists_what_will_be_touched),
		TEST(a_reviewed_program_runs_as_its_user_with_its_arguments),
		TEST(a_program_that_others_may_write_is_not_run),
		TEST(a_program_that_takes_too_long_ends_with_all_that_it_began),
		TEST(what_a_program_leaves_behind_is_killed),
		TEST(a_capture_is_a_file_for_root_alone),
		TEST(a_kill_leaves_nobody_and_the_next_start_works),
		TEST(a_reload_is_the_signal_that_the_definition_names),
		TEST(space_is_freed_where_the_rule_is_about_a_filesystem),
	};

	(void)argc;
	test_enclose(argv, NULL);
	mkdir("/run/out.d", 0700);
	mkdir(V2, 0755);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
