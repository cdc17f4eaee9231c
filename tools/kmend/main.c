/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/text.h"
#include "cli.h"

/* Options of kmend itself may stand anywhere; they leave ARGV. */
struct options {
	bool version;
	bool bad;
};

static bool take_option(struct km_cli *cli, struct options *o, int argc, char **argv, int *i)
{
	const char *a = argv[*i];

	if (strcmp(a, "-j") == 0 || strcmp(a, "--json") == 0) {
		cli->format = KM_COMPACT;
	} else if (strcmp(a, "-p") == 0 || strcmp(a, "--pretty") == 0) {
		cli->format = KM_PRETTY;
	} else if (strcmp(a, "--version") == 0 || strcmp(a, "-V") == 0) {
		o->version = true;
	} else if (strcmp(a, "--socket") == 0) {
		o->bad = *i + 1 >= argc;
		cli->socket = o->bad ? cli->socket : argv[++*i];
	} else if (strncmp(a, "--socket=", 9) == 0) {
		cli->socket = a + 9;
	} else {
		return false;
	}
	return true;
}

static int take_options(struct km_cli *cli, struct options *o, int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		if (!take_option(cli, o, argc, argv, &i))
			argv[n++] = argv[i];
	argv[n] = NULL;
	return n;
}

static const struct km_object *find_object(struct km_cli *cli, const char *name)
{
	const char *names[32] = { NULL };
	const char *near;
	size_t n = 0;

	for (const struct km_object *o = km_objects; o->name; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
		if (n + 1 < KM_ARRAY_SIZE(names))
			names[n++] = o->name;
	}
	near = km_text_nearest(name, names);
	if (near)
		km_say(cli, KM_EXIT_USAGE, "see: kmend help", "no object %s; did you mean %s?",
		       name, near);
	else
		km_say(cli, KM_EXIT_USAGE, "see: kmend help", "no object %s", name);
	return NULL;
}

static int bad_command(struct km_cli *cli, const struct km_object *o, const char *name)
{
	const char *names[32] = { NULL };
	const char *near;
	char remedy[64];
	size_t n = 0;

	for (const struct km_cmd *c = o->cmds; c->name && n + 1 < KM_ARRAY_SIZE(names); c++)
		names[n++] = c->name;
	snprintf(remedy, sizeof(remedy), "see: kmend %s help", o->name);
	if (!name)
		return km_say(cli, KM_EXIT_USAGE, remedy, "%s needs a command", o->name);
	near = km_text_nearest(name, names);
	if (near)
		return km_say(cli, KM_EXIT_USAGE, remedy, "%s has no command %s; did you mean %s?",
		              o->name, name, near);
	return km_say(cli, KM_EXIT_USAGE, remedy, "%s has no command %s", o->name, name);
}

static int run_object(struct km_cli *cli, const struct km_object *o, int argc, char **argv)
{
	const bool alone = o->cmds[0].name[0] == '\0';

	cli->object = o->name;
	if (argc && strcmp(argv[0], "help") == 0)
		return km_cli_help(cli, o);
	if (!argc && !alone)
		return bad_command(cli, o, NULL);
	for (const struct km_cmd *c = o->cmds; c->name; c++) {
		if (!alone && strcmp(c->name, argv[0]) != 0)
			continue;
		cli->cmd = c;
		cli->command = c->name;
		return alone ? c->run(cli, argc, argv) : c->run(cli, argc - 1, argv + 1);
	}
	return bad_command(cli, o, argv[0]);
}

static int run(struct km_cli *cli, int argc, char **argv)
{
	struct options o = { 0 };
	const struct km_object *object;

	argc = take_options(cli, &o, argc, argv);
	if (o.bad)
		return km_say(cli, KM_EXIT_USAGE, "see: kmend help", "--socket needs a PATH");
	if (o.version) {
		fprintf(cli->out, "kmend %s\n", KM_CLI_VERSION);
		return KM_EXIT_DONE;
	}
	if (!argc)
		return km_say(cli, KM_EXIT_USAGE, "see: kmend help", "which object?");
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
	    strcmp(argv[0], "-h") == 0)
		return km_cli_help(cli, NULL);
	object = find_object(cli, argv[0]);
	return object ? run_object(cli, object, argc - 1, argv + 1) : KM_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct km_cli cli = { .socket = KM_CLI_SOCKET, .out = stdout, .err = stderr };
	int code;

	/* Closed pipes and file size limits come back as errors, which are said. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	code = run(&cli, argc, argv);
	/* A result that could not be written (full disk, closed pipe) is not done. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == KM_EXIT_DONE)
		code = KM_EXIT_FAILED;
	return code;
}
