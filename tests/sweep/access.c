// SPDX-License-Identifier: Apache-2.0
/* Who may ask the daemon for what: every command by everybody, each cell asserted (root). */
#include "lib/daemon_world.h"

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "report/request.h"

#define GROUP_NAME "daemon"
#define GROUP_ID   1 /* on every Debian */
#define NOBODY     65534

static const char group_config[] =
	"{\"version\":1,\"settings\":{\"sample_period\":\"250ms\",\"socket_group\":\"" GROUP_NAME
	"\"},\"services\":[{\"name\":\"keeper\",\"command\":[\"%s\",\"victim\"]}]}";

static const struct km_control_command *const tables[] = {
	km_status_commands,   km_service_commands,  km_endpoint_commands, km_operator_commands,
	km_signal_commands,   km_forecast_commands, km_rule_commands,     km_action_commands,
	km_incident_commands, km_trace_commands,    km_bpf_commands,      km_audit_commands,
};

/* What changes something or tells more than how things are: for root, whoever else reads. A new
 * one has to be added here. */
static const char *const for_root[] = {
	"action approve",    "action deny",    "forecast forget",
	"incident evidence", "operator pause", "operator resume",
	"service maintain",  "signal lease",   "trace record",
};

static int stay_root(void)
{
	return 0;
}

static int be_reader(void)
{
	const gid_t group = GROUP_ID;

	return setgroups(1, &group) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	       setresuid(NOBODY, NOBODY, NOBODY) < 0;
}

static int be_nobody(void)
{
	return setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	       setresuid(NOBODY, NOBODY, NOBODY) < 0;
}

static void put(const char *path, const char *data)
{
	FILE *f = fopen(path, "we");

	if (f) {
		fputs(data, f);
		fclose(f);
	}
}

/* Root of a user namespace of its own: nobody to everybody else. */
static int be_namespaces_root(void)
{
	/* Whose /proc files are its own again: setuid() took them. */
	if (be_nobody() || prctl(PR_SET_DUMPABLE, 1) < 0 || unshare(CLONE_NEWUSER) < 0)
		return 1;
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", "0 65534 1");
	put("/proc/self/gid_map", "0 65534 1");
	return getuid() != 0;
}

/* Root all the same: its number cannot be told, its rights are the host's. */
static int be_in_another_pid_namespace(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return 1;
	pid = fork();
	if (pid <= 0)
		return pid < 0;
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}

static const struct who {
	const char *name;
	int (*become)(void);
	bool reads, changes;
} everybody[] = {
	{ "root", stay_root, true, true },
	{ "the group", be_reader, true, false },
	{ "nobody", be_nobody, false, false },
	{ "a user namespace's root", be_namespaces_root, false, false },
	{ "root of another PID namespace", be_in_another_pid_namespace, true, true },
};

/* 0: answered, 1: denied, 2: neither. */
static int ask(const struct km_control_command *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	km_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct {
		struct km_frame_hdr hdr;
		char body[8192];
	} m = { .hdr.kind = KM_FRAME_REQUEST };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	km_copy(a.sun_path, sizeof(a.sun_path), control);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 2;
	snprintf(m.body, sizeof(m.body), "{\"version\":1,\"object\":\"%s\",\"command\":\"%s\"}",
	         c->object, c->command);
	m.hdr.length = (uint32_t)strlen(m.body);
	if (send(fd, &m, sizeof(m.hdr) + m.hdr.length, 0) < 0)
		return 2;
	memset(&m, 0, sizeof(m));
	while (n > 0 && len < sizeof(m) - 1 &&
	       (len < sizeof(m.hdr) || len < sizeof(m.hdr) + m.hdr.length) &&
	       poll(&p, 1, READY_MS) > 0) {
		n = recv(fd, (char *)&m + len, sizeof(m) - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	if (len < sizeof(m.hdr))
		return 2;
	return m.hdr.kind == KM_FRAME_ERROR && strstr(m.body, "\"denied\"") ? 1 : 0;
}

static int ask_as(const struct who *w, const struct km_control_command *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(w->become() ? 8 : ask(c));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool is_for_root(const struct km_control_command *c)
{
	char name[96];

	snprintf(name, sizeof(name), "%s %s", c->object, c->command);
	for (size_t i = 0; i < KM_ARRAY_SIZE(for_root); i++)
		if (strcmp(for_root[i], name) == 0)
			return true;
	return false;
}

static void every_command_is_for_whom_it_is_meant(void **state)
{
	static char *const extra[] = { "--stop-services", NULL };
	unsigned int cells = 0;
	struct test_child daemon;

	(void)state;
	assert_true(start(&daemon, extra));
	for (size_t t = 0; t < KM_ARRAY_SIZE(tables); t++) {
		for (const struct km_control_command *c = tables[t]; c->object; c++) {
			for (size_t i = 0; i < KM_ARRAY_SIZE(everybody); i++, cells++) {
				const struct who *w = &everybody[i];
				bool may = is_for_root(c) ? w->changes : w->reads;
				int got = ask_as(w, c);

				if (got != !may)
					fail_msg("%s %s by %s: %d", c->object, c->command, w->name,
					         got);
			}
		}
	}
	assert_int_equal(stop(&daemon, SIGTERM), 0);
	print_message("%u cells\n", cells);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_for_whom_it_is_meant),
	};

	(void)argc;
	test_enclose(argv, "--net");
	make_files();
	write_file(DIR_PATH "/kmend.json", group_config, test_built("tests/lib/demo_service"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
