/* SPDX-License-Identifier: Apache-2.0 */
/* The shipped unit, started for real: `make install` into a root of its own, a systemd there that
 * starts kmend.service, and what it says (unit.d/boot, unit.d/probe). */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/spawn.h"

#define BOOT_MS 90000

static char said[65536];

static void read_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (f) {
		n = fread(said, 1, sizeof(said) - 1, f);
		fclose(f);
	}
	said[n] = '\0';
	unlink(path);
}

/* One boot serves all tests: a group set-up. */
static int boot(void **state)
{
	char share[] = "/tmp/kmend-unit-XXXXXX", here[PATH_MAX], script[PATH_MAX + 64];
	char *enclose, *out, text[8192];
	int status;

	(void)state;
	if (access("/lib/systemd/systemd", X_OK) != 0)
		return 0;
	if (!mkdtemp(share) || !getcwd(here, sizeof(here)))
		return -1;
	enclose = strdupa(test_built("tests/lib/enclose"));
	snprintf(script, sizeof(script), "%s/tests/scenario/unit.d/boot", here);
	out = test_built("");
	out[strlen(out) - 1] = '\0';
	status = test_run((char *const[]){ enclose, "--net", "--init", "--share", share, "--",
	                                   script, here, out, share, NULL },
	                  text, sizeof(text), BOOT_MS);
	read_file(share, "boot.log");
	if (status != 0)
		print_message("boot: exit %d\n%s\n%s\n", status, text, said);
	read_file(share, "said");
	rmdir(share);
	if (status == 0)
		fputs(said, stdout); /* longer than a message may be */
	return status == 0 ? 0 : -1;
}

static void need_systemd(void)
{
	if (access("/lib/systemd/systemd", X_OK) != 0) {
		print_message("no systemd is installed\n");
		skip();
	}
}

static void assert_said(const char *line)
{
	if (!strstr(said, line))
		fail_msg("not said: %s", line);
}

static void the_installed_unit_becomes_ready(void **state)
{
	(void)state;
	need_systemd();
	assert_said("\nstate: active running\n");
	assert_said("\nwatchdog: 30s\n");
	assert_said("\nstatus: 0\n");
}

static void only_the_actor_is_root_and_nobody_can_gain_privileges(void **state)
{
	(void)state;
	need_systemd();
	assert_said("\nprocesses: 3\n");
	assert_said("\nroot processes: 1\n");
	assert_said("\nno new privileges: 1\n");
}

static void the_sandbox_lets_maps_be_pinned(void **state)
{
	(void)state;
	need_systemd();
	assert_null(strstr(said, "cannot pin"));
}

static void the_sandbox_lets_connections_be_sent_to_a_standby(void **state)
{
	(void)state;
	need_systemd();
	assert_said("\nfailed over: 0\n");
	assert_said("\nstale: 0 connections ended\n");
}

static void kill_9_is_followed_by_a_restart(void **state)
{
	(void)state;
	need_systemd();
	assert_said("\nafter kill -9: active 1\n");
	assert_said("\nstatus again: 0\n");
}

static void a_stop_leaves_nothing_behind(void **state)
{
	(void)state;
	need_systemd();
	assert_said("\nstop: 0\nresult: success inactive\nleft: \nleft in run: \nleft pinned: \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_installed_unit_becomes_ready),
		cmocka_unit_test(only_the_actor_is_root_and_nobody_can_gain_privileges),
		cmocka_unit_test(the_sandbox_lets_maps_be_pinned),
		cmocka_unit_test(the_sandbox_lets_connections_be_sent_to_a_standby),
		cmocka_unit_test(kill_9_is_followed_by_a_restart),
		cmocka_unit_test(a_stop_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
