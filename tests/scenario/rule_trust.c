/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and policy are read only if nobody but root could have written them or exchanged a folder
 * above them; each fault alone keeps all of it out. In a mount namespace of its own (root). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "daemon/setup.h"

#define TOP      "/mnt"
#define OPT      TOP "/opt"
#define HOST     OPT "/host"
#define RULES    HOST "/rules"
#define CLASS    RULES "/memory"
#define RULE     CLASS "/leak.json"
#define POLICY   RULES "/policy"
#define GUARDS   POLICY "/guardrails.json"
#define STRANGER 65534

static const char rule_text[] =
	"{\"version\": 1, \"id\": \"leak\", \"summary\": \"s\", \"why\": \"w\", \"owner\": \"o\",\n"
	"\"maturity\": \"experimental\", \"scope\": {\"all\": true},\n"
	"\"when\": {\"state\": {\"is\": \"down\"}}, \"plan\": [{\"do\": \"notify\"}],\n"
	"\"verify\": {\"not_measured\": true}}\n";
static const char policy_text[] = "{\"version\": 1, \"verbs\": [\"notify\"]}\n";

static void put(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* A fresh tree on a file system of its own: what the test before broke is gone with it. */
static void make_tree(void)
{
	static const char *const folders[] = { OPT, HOST, RULES, CLASS, POLICY };

	umount2(TOP, MNT_DETACH);
	assert_int_equal(mount("rules", TOP, "tmpfs", 0, "mode=0755"), 0);
	for (size_t i = 0; i < KM_ARRAY_SIZE(folders); i++)
		assert_int_equal(mkdir(folders[i], 0755), 0);
	put(RULE, rule_text, sizeof(rule_text) - 1);
	put(GUARDS, policy_text, sizeof(policy_text) - 1);
}

static int load(struct km_error *err)
{
	const struct km_daemon_opts opts = { .rules = RULES };
	struct km_texts texts = { 0 };
	int r = km_setup_read_texts(&opts, &texts, err);

	/* nothing of a set that is refused is handed out */
	assert_true(r == 0 ? texts.count == 2 : texts.count == 0);
	km_texts_clear(&texts);
	return r;
}

static void by_stranger(const char *path)
{
	assert_int_equal(chown(path, STRANGER, 0), 0);
}

static void by_group(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(chmod(path, (st.st_mode & 07777) | S_IWGRP), 0);
}

static void by_all(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(chmod(path, (st.st_mode & 07777) | S_IWOTH), 0);
}

/* What PATH was is reached through a link now. */
static void by_link(const char *path)
{
	char other[256];

	snprintf(other, sizeof(other), "%s.other", path);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
}

static void by_relative_link(const char *path)
{
	char other[256];

	snprintf(other, sizeof(other), "%s.other", path);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(strrchr(other, '/') + 1, path), 0);
}

static void by_broken_link(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nowhere", path), 0);
}

static void by_fifo(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void by_folder(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void by_device(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mknod(path, S_IFCHR | 0644, makedev(1, 5)), 0);
}

static void by_socket(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mknod(path, S_IFSOCK | 0644, 0), 0);
}

/* Mode, owner and place of what it is now are right, but it says too much. */
static void by_size(const char *path)
{
	assert_int_equal(truncate(path, 2 * KM_JSON_BYTES_MAX), 0);
}

static const struct {
	const char *path;
	bool folder;
} places[] = { { TOP, true },   { OPT, true },    { HOST, true },  { RULES, true },
	       { CLASS, true }, { POLICY, true }, { RULE, false }, { GUARDS, false } };

/* What the error must say. */
static const struct {
	const char *name;
	void (*make)(const char *path);
	const char *says;
	bool of_folders, of_the_top;
} faults[] = {
	{ "belongs to a stranger", by_stranger, "belongs to another user", true, true },
	{ "may be written by its group", by_group, "is writable by group or others", true, true },
	{ "may be written by all", by_all, "is writable by group or others", true, true },
	{ "is a link", by_link, "link", true, false },
	{ "is a relative link", by_relative_link, "link", true, false },
	{ "is a link to nothing", by_broken_link, "link", false, false },
	{ "is a pipe", by_fifo, "is not a regular file", false, false },
	{ "is a folder", by_folder, "is not a regular file", false, false },
	{ "is a device", by_device, "", false, false },
	{ "is a socket", by_socket, "", false, false },
	{ "is too long", by_size, "is longer than", false, false },
};

/* 1: it is not refused as it should be. */
static int check(size_t place, size_t fault)
{
	const char *path = places[place].path;
	struct km_error err = { 0 };
	int r;

	make_tree();
	faults[fault].make(path);
	r = load(&err);
	if (r < 0 && err.what[0] && strstr(err.what, faults[fault].says))
		return 0;
	print_error("%s %s: %s\n", path, faults[fault].name, r < 0 ? err.what : "it was loaded");
	return 1;
}

static void each_fault_of_each_place_keeps_all_rules_out(void **state)
{
	struct km_error err = { 0 };
	size_t cases = 0;
	int wrong = 0;

	(void)state;
	make_tree();
	assert_int_equal(load(&err), 0);
	for (size_t p = 0; p < KM_ARRAY_SIZE(places); p++)
		for (size_t f = 0; f < KM_ARRAY_SIZE(faults); f++) {
			if (places[p].folder && !faults[f].of_folders)
				continue;
			if (!strcmp(places[p].path, TOP) && !faults[f].of_the_top)
				continue;
			wrong += check(p, f);
			cases++;
		}
	assert_true(cases >= 40);
	assert_int_equal(wrong, 0);
}

/* A sticky folder that all may write to, as /tmp: only an entry's owner can replace it. */
static void a_sticky_folder_above_is_as_good_as_a_closed_one(void **state)
{
	struct km_error err = { 0 };

	(void)state;
	make_tree();
	assert_int_equal(chmod(OPT, 01777), 0);
	assert_int_equal(load(&err), 0);
}

static void a_name_that_begins_here_is_judged_up_to_the_root(void **state)
{
	struct km_error err = { 0 };
	int fd;

	(void)state;
	make_tree();
	assert_int_equal(chdir(HOST), 0);
	fd = km_fs_open_trusted("rules", &err);
	assert_true(fd >= 0);
	close(fd);
	by_all(OPT);
	assert_int_equal(km_fs_open_trusted("rules", &err), -EPERM);
	assert_int_equal(chdir("/"), 0);
}

static void openssl(const char *const *argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp("openssl", (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define PRIVATE "/mnt/key.pem"
#define PUBLIC  "/mnt/key.pub"

/* A tree whose policy asks for signatures, and one that openssl itself made. */
static void make_signed_tree(const char *required)
{
	const char *const key[] = { "openssl", "genpkey", "-algorithm", "ed25519",
		                    "-out",    PRIVATE,   NULL };
	const char *const half[] = { "openssl", "pkey", "-in",  PRIVATE,
		                     "-pubout", "-out", PUBLIC, NULL };
	const char *const sign[] = { "openssl", "pkeyutl", "-sign", "-inkey",    PRIVATE, "-rawin",
		                     "-in",     RULE,      "-out",  RULE ".sig", NULL };
	char policy[256];
	int n = snprintf(policy, sizeof(policy),
	                 "{\"version\": 1, \"signatures\": {\"key\": \"" PUBLIC "\"%s}}", required);

	make_tree();
	put(GUARDS, policy, (size_t)n);
	openssl(key);
	openssl(half);
	openssl(sign);
	assert_int_equal(chmod(PUBLIC, 0644), 0);
	assert_int_equal(chmod(RULE ".sig", 0644), 0);
}

static void refused_because(const char *what)
{
	struct km_error err = { 0 };

	assert_int_equal(load(&err), -EBADMSG);
	if (!strstr(err.what, what))
		fail_msg("said: %s", err.what);
	assert_string_equal(err.file, "memory/leak.json");
}

static void a_signed_rule_is_loaded_and_another_text_is_not(void **state)
{
	struct km_error err = { 0 };

	(void)state;
	make_signed_tree("");
	assert_int_equal(load(&err), 0);
	put(RULE, "{}", 2);
	refused_because("is not that of this text");
}

static void where_signatures_are_required_none_is_an_error(void **state)
{
	struct km_error err = { 0 };

	(void)state;
	make_signed_tree("");
	assert_int_equal(unlink(RULE ".sig"), 0);
	refused_because("requires a signature");
	make_signed_tree(", \"required\": false");
	assert_int_equal(unlink(RULE ".sig"), 0);
	assert_int_equal(load(&err), 0);
}

static void a_wrong_signature_is_an_error_also_where_none_is_required(void **state)
{
	(void)state;
	make_signed_tree(", \"required\": false");
	put(RULE ".sig", "cut", 3);
	refused_because("is not that of this text");
	make_signed_tree(", \"required\": false");
	put(RULE, "{}", 2);
	refused_because("is not that of this text");
}

static void signature_and_key_are_read_with_the_same_trust(void **state)
{
	struct km_error err = { 0 };

	(void)state;
	make_signed_tree("");
	by_stranger(RULE ".sig");
	assert_int_equal(load(&err), -EPERM);
	make_signed_tree("");
	by_all(PUBLIC);
	assert_int_equal(load(&err), -EPERM);
	make_signed_tree("");
	put(PUBLIC, "no key", 6);
	assert_int_equal(load(&err), -EBADMSG);
	assert_string_equal(err.file, PUBLIC);
}

static int own_namespace(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	umask(022);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_of_each_place_keeps_all_rules_out),
		cmocka_unit_test(a_sticky_folder_above_is_as_good_as_a_closed_one),
		cmocka_unit_test(a_name_that_begins_here_is_judged_up_to_the_root),
		cmocka_unit_test(a_signed_rule_is_loaded_and_another_text_is_not),
		cmocka_unit_test(where_signatures_are_required_none_is_an_error),
		cmocka_unit_test(a_wrong_signature_is_an_error_also_where_none_is_required),
		cmocka_unit_test(signature_and_key_are_read_with_the_same_trust),
	};

	return cmocka_run_group_tests(tests, own_namespace, NULL);
}
