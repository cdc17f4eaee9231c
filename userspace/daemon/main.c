/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "daemon/daemon.h"

#ifndef KM_VERSION
#define KM_VERSION "0.1.0"
#endif

static const struct option options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "config", required_argument, NULL, 'c' },
	{ "rules", required_argument, NULL, 'r' },
	{ "state", required_argument, NULL, 's' },
	{ "run", required_argument, NULL, 'R' },
	{ "no-bpf", no_argument, NULL, 'B' },
	{ "no-view", no_argument, NULL, 'V' },
	{ "stop-services", no_argument, NULL, 'S' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void usage(FILE *to)
{
	fputs("usage: kmendd [OPTION]...\n"
	      "Watches the services of this host and repairs them inside reviewed limits.\n\n"
	      "  --config FILE    services and settings; without it kmendd only observes\n"
	      "  --rules DIR      rules and policy/guardrails.json\n"
	      "  --state DIR      history, journal, learnt state (/var/lib/kmend)\n"
	      "  --run DIR        control socket and lock (/run/kmend)\n"
	      "  --foreground     show a live view if standard output is a terminal\n"
	      "  --no-view        log lines instead of the live view\n"
	      "  --no-bpf         /proc, PSI and pidfd only\n"
	      "  --stop-services  at a clean end, stop supervised commands too\n"
	      "  --version        print the version\n"
	      "  --help           print this\n",
	      to);
}

int main(int argc, char **argv)
{
	struct km_daemon_opts opts = { .state = "/var/lib/kmend", .run = "/run/kmend" };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			opts.foreground = true;
			break;
		case 'c':
			opts.config = optarg;
			break;
		case 'r':
			opts.rules = optarg;
			break;
		case 's':
			opts.state = optarg;
			break;
		case 'R':
			opts.run = optarg;
			break;
		case 'B':
			opts.no_bpf = true;
			break;
		case 'V':
			opts.no_view = true;
			break;
		case 'S':
			opts.stop_services = true;
			break;
		case 'v':
			puts("kmendd " KM_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return km_daemon_run(&opts);
}
